"""HAProxy's runtime API: commands over a Unix socket, answers as text."""

import socket
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

TIMEOUT_S = 2.0
CHUNK_BYTES = 65536
ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
"""No answer is longer: statistics of a server take about 500 bytes, and a balancer has some thousands at most."""
PROMPT = b"\n> "
MAP_ABSENT = "entry not found"


class Refused(Exception):  # noqa: N818 - a fact, as HAProxy words it
    """HAProxy understood a command and would not do it."""


def ask(path: Path, commands: str | Iterable[str]) -> str:
    """Send commands in one write and read every answer. Raises OSError when nobody answers in TIMEOUT_S."""
    text = commands if isinstance(commands, str) else ";".join(commands)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(TIMEOUT_S)
        asking.connect(str(path))
        asking.sendall(text.encode() + b"\n")
        answer = bytearray()
        while (chunk := asking.recv(CHUNK_BYTES)) and len(answer) < ANSWER_LIMIT_BYTES:
            answer += chunk
    return answer.decode(errors="replace")


def do(path: Path, commands: Iterable[str], *, expected: str = "") -> None:
    """Send commands that say nothing, or `expected`, when they worked. Raises Refused with what else was said."""
    said = [line.strip() for line in ask(path, commands).splitlines() if line.strip()]
    wrong = [line for line in said if line != expected]
    if wrong or (expected and expected not in said):
        raise Refused("; ".join(wrong) or f"it did not say {expected!r}")


class Held:
    """A conversation that outlives the listening socket: a process that finishes what it has closes its socket, and
    still answers on a connection that was made before."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when nobody answers."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(str(path))
            self._socket.sendall(b"prompt\n")
            self._read()
        except BaseException:
            self._socket.close()
            raise

    def ask(self, command: str) -> str:
        """One command's answer. Raises OSError when the process is gone."""
        self._socket.sendall(command.encode() + b"\n")
        return self._read()

    def close(self) -> None:
        """The process may end once nothing else is open in it."""
        self._socket.close()

    def _read(self) -> str:
        answer = bytearray()
        while not answer.endswith(PROMPT) and len(answer) < ANSWER_LIMIT_BYTES:
            chunk = self._socket.recv(CHUNK_BYTES)
            if not chunk:
                raise ConnectionError("HAProxy has gone")
            answer += chunk
        return answer.removesuffix(PROMPT).decode(errors="replace")

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
