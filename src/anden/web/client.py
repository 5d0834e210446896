"""The API from the caller's side: over the daemon's Unix socket."""

import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import httpx

from anden.model import codec
from anden.model.problem import Problem, Problems

CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 150.0
"""The longest that a view may take; a live matrix of a large environment is bounded by 120 s in the engine."""
SILENCE_LIMIT_S = 20.0
"""A stream sends at least a blank line each second: this much silence means that the daemon hangs."""


class SocketApi:
    """An `anden.web.caller.Api` over a Unix socket. `name`: the client, for what is said when nobody answers."""

    def __init__(self, socket: Path, name: str, log: Path) -> None:
        self.name, self.log = name, log
        headers = {}
        if os.geteuid() == 0 and os.environ.get("SUDO_USER"):
            headers["x-anden-sudo-user"] = os.environ["SUDO_USER"]
        limits = httpx.Timeout(ANSWER_LIMIT_S, connect=CONNECT_LIMIT_S)
        # There is no TLS on a Unix socket, and no proxy: reading the machine's authorities takes 60 ms each time.
        transport = httpx.HTTPTransport(uds=str(socket), verify=False, trust_env=False)
        self.http = httpx.Client(
            transport=transport, base_url="http://anden", timeout=limits, headers=headers, trust_env=False
        )

    def request(self, method: str, path: str, json: Mapping[str, Any] | None = None) -> Any:
        """See Api. An `exec` waits for its own bound as well."""
        own = float((json or {}).get("timeout_s") or 0.0)
        limits = httpx.Timeout(ANSWER_LIMIT_S + own, connect=CONNECT_LIMIT_S)
        try:
            response = self.http.request(method, path, json=json, timeout=limits)
        except httpx.HTTPError as error:
            raise Problems(self._gone(error)) from error
        if response.is_error:
            raise Problems(refused(response.status_code, response.content))
        return response.json()

    def stream(self, method: str, path: str, json: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """See Api."""
        limits = httpx.Timeout(SILENCE_LIMIT_S, connect=CONNECT_LIMIT_S)
        try:
            with self.http.stream(method, path, json=json, timeout=limits) as response:
                if response.is_error:
                    raise Problems(refused(response.status_code, response.read()))
                for line in response.iter_lines():
                    if line.strip():
                        yield said(line)
        except httpx.HTTPError as error:
            raise Problems(self._gone(error)) from error

    def close(self) -> None:
        """End the connection."""
        self.http.close()

    def _gone(self, error: httpx.HTTPError) -> Problem:
        where = f"the control plane of {self.name}"
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Problem(where, "does not answer", str(error), "`anden doctor` says more.")
        if isinstance(error, httpx.TimeoutException):
            limit = f"{SILENCE_LIMIT_S:.0f} s of silence" if isinstance(error, httpx.ReadTimeout) else str(error)
            return Problem(where, "stopped answering", limit, f"{self.log} says more; what runs goes on running.")
        return Problem(
            where, "ended while it worked on this", str(error) or "it was killed or crashed",
            f"`anden status` shows what stands, and the same command again continues; {self.log} says more.",
        )  # fmt: skip


def said(line: str) -> dict[str, Any]:
    """One line of a stream. Raises Problems when it says that something went wrong."""
    data: dict[str, Any] = json.loads(line)
    if set(data) == {"problems"}:
        raise Problems(_problems(data))
    return data


def refused(status: int, content: bytes) -> tuple[Problem, ...]:
    """The problems in an error's body; one of our own for a body that holds none."""
    try:
        found = _problems(json.loads(content))
    except (ValueError, KeyError, TypeError):
        found = ()
    return found or (Problem("the API", f"answered HTTP {status}", content[:200].decode(errors="replace")),)


def _problems(data: Any) -> tuple[Problem, ...]:
    return tuple(codec.from_data(Problem, each) for each in data["problems"])
