"""AWS's session-manager-plugin: the program that speaks ECS Exec's data channel, as the AWS command line uses it.

The session's token never stands in its arguments, which everybody on the machine can read: it is handed over in the
environment, which versions after LAST_WITHOUT take (AWS command line, `ssm start-session`).
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anden.engines.aws.transcript import Transcript
from anden.model.problem import Problem, Problems

NAME = "session-manager-plugin"
RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
"""The variable that has the session, and the word in the arguments that says so."""
LAST_WITHOUT = (1, 2, 497, 0)
"""The last version that takes the session in its arguments only."""
VERSION_S = 10.0
"""For `--version`."""
END_S = 2.0
"""From a key that ends it, from SIGTERM, and from SIGKILL, to its end."""
READ_BYTES = 65_536
GET = (
    f"Install AWS's {NAME}, newer than {'.'.join(map(str, LAST_WITHOUT))}, in a folder of PATH (Systems Manager user "
    'guide, "Install the Session Manager plugin for the AWS CLI"), and run the same command again.'
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as ECS gave it. target: `ecs:CLUSTER_TASK_RUNTIME`. endpoint: where Systems Manager answers."""

    session: Mapping[str, str]
    region: str
    target: str
    endpoint: str


def find(where: str) -> str:
    """Its path. Raises Problems: it is not installed, or too old to be given a token unseen."""
    path = shutil.which(NAME)
    if path is None:
        why = "only this program of AWS's speaks to a container of ECS"
        raise Problems(Problem(where, f"{NAME} is not installed", why, GET))
    try:
        said = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERSION_S,
            check=False, errors="replace",
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problems(Problem(where, f"{NAME} does not say its version", str(error), GET)) from error
    if not new_enough(said):
        why = f"its version is {said[:40]!r}, which takes a session's token in its arguments, where others see it"
        raise Problems(Problem(where, f"{NAME} is too old", why, GET))
    return path


def new_enough(version: str) -> bool:
    """`1.2.650.0` is; what is no version is not."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,3}", version) is None:
        return False
    parts = [int(each) for each in version.split(".")]
    return (*parts, *[0] * (len(LAST_WITHOUT) - len(parts))) > LAST_WITHOUT


def arguments(path: str, opened: Opened) -> Sequence[str]:
    """Path, where the session is, region, operation, profile (the environment's), the request, the endpoint."""
    request = json.dumps({"Target": opened.target})
    return (path, RESPONSE, opened.region, "StartSession", "", request, opened.endpoint)


class Running:
    """One process of it, whose output goes into `transcript`. Its stdin stays open: without one it would end."""

    def __init__(self, path: str, opened: Opened, transcript: Transcript) -> None:
        """Raises OSError: it cannot be started."""
        self._transcript = transcript
        self._process = subprocess.Popen(
            arguments(path, opened), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
            env={**os.environ, RESPONSE: json.dumps(dict(opened.session))}, cwd=Path("/"), start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name=f"read {NAME}", daemon=True)
        self._reader.start()

    @property
    def over(self) -> bool:
        """It has ended, and all that it wrote is in the transcript."""
        return not self._reader.is_alive()

    def end(self, key: bytes) -> None:
        """End it: by a key to the container's terminal, else by force. Bounded in time."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(key)
        for force in (self._process.terminate, self._process.kill):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
                break
            force()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and (stream is self._process.stdin or not self._reader.is_alive()):
                stream.close()
        self._reader.join(END_S)

    def _read(self) -> None:
        stream = self._process.stdout
        while stream is not None and (data := stream.read(READ_BYTES)):
            self._transcript.add(data)
