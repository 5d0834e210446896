"""The API from the caller's side, and the one that needs no daemon: the table of endpoints called in this process."""

import getpass
import os
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from anden.model import codec
from anden.model.problem import Problem, Problems
from anden.web.api.table import Desk, Endpoint, find, parse

FOLLOWING = "/v1/logs"
REST_S = 0.2
"""A pause for each heartbeat of logs that are followed: virtual time would go by as fast as the machine can."""


def myself() -> str:
    """Who runs this process, in the words of the record."""
    name, sudo = getpass.getuser(), os.environ.get("SUDO_USER", "")
    return f"{sudo} (via sudo)" if name == "root" and sudo and sudo != name else name


class Api(Protocol):
    """What the command line speaks to; in this process or in a daemon."""

    def request(self, method: str, path: str, json: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON data. Raises Problems."""

    def stream(self, method: str, path: str, json: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """The answer's values as they come; closing the generator cancels the command. Raises Problems."""

    def close(self) -> None:
        """Let go of it."""


class InProcess:
    """An Api over a Desk of this process. `done` is called once, at the end."""

    def __init__(self, desk: Desk, who: str, done: Callable[[], None] = lambda: None) -> None:
        self.desk, self.who, self.done = desk, who, done

    def request(self, method: str, path: str, json: Mapping[str, Any] | None = None) -> Any:
        """See Api."""
        endpoint = self._endpoint(method, path, streams=False)
        return codec.to_data(endpoint.answer(self.desk, parse(endpoint, json or {}), self.who))

    def stream(self, method: str, path: str, json: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """See Api."""
        endpoint = self._endpoint(method, path, streams=True)
        items = endpoint.answer(self.desk, parse(endpoint, json), self.who)
        try:
            for item in items:
                if item is not None:
                    yield codec.to_data(item)
                elif path == FOLLOWING:
                    time.sleep(REST_S)
        finally:
            items.close()

    def close(self) -> None:
        """Let go of the desk."""
        done, self.done = self.done, lambda: None
        done()

    def _endpoint(self, method: str, path: str, *, streams: bool) -> Endpoint:
        endpoint = find(method, path)
        if endpoint is None or endpoint.streams is not streams:
            raise Problems(Problem(f"{method} {path}", "no such endpoint", "", "`anden serve` has a list at /docs."))
        return endpoint
