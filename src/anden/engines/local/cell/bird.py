"""One BIRD of a link, through its control socket: what `birdc` says, without it.

Every question opens the socket anew. OSError when it does not answer.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from anden.engines.local.render.bird import SESSION, SOCKET

ANSWER_S = 1.0
"""It answers in a millisecond."""
MOST_BYTES = 1 << 18
"""Of an answer: each of the thousand routes that it holds at most is a line."""
_END = re.compile(rb"(?:^|\n)\d{4} [^\n]*\n\Z")
"""The last line of an answer: a code with a space behind it (BIRD programmer's documentation, "Command line
interface")."""
_STATE = re.compile(r"^.*BGP state: +(\w+)", re.MULTILINE)
_ERROR = re.compile(r"^ +Last error: +(\S.*?) *$", re.MULTILINE)
_ROUTE = re.compile(r"^(?:1007-| )(?:[^\n]*? )?(\d+\.\d+\.\d+\.\d+/\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A session as BIRD tells it. state: its word, `Established`. error: the last one's, empty: none yet. heard: what
    it takes of what is announced; refused: the rest."""

    state: str
    error: str = ""
    heard: tuple[IPv4Network, ...] = ()
    refused: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Bird:
    """The one whose folder this is."""

    folder: Path

    def session(self) -> Spoken:
        """As it is now. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connected:
            connected.settimeout(ANSWER_S)
            connected.connect(str(self.folder / SOCKET))
            _answer(connected)  # its greeting
            said = _asked(connected, f"show protocols all {SESSION}")
            if "Established" not in said:
                return read(said, "", "")
            heard = _asked(connected, f"show route protocol {SESSION}")
            return read(said, heard, _asked(connected, f"show route filtered protocol {SESSION}"))


def read(said: str, heard: str, refused: str) -> Spoken:
    """Of its answers about the session, about what it takes and about what it does not. Raises OSError: it tells of no
    session."""
    state, error = _STATE.search(said), _ERROR.search(said)
    if state is None:
        raise OSError(f"BIRD tells of no session: {said.strip()[:200]}")
    return Spoken(state[1], error[1] if error else "", _networks(heard), _networks(refused))


def _networks(said: str) -> tuple[IPv4Network, ...]:
    return tuple(sorted({IPv4Network(found) for found in _ROUTE.findall(said)}))


def _asked(connected: socket.socket, what: str) -> str:
    connected.sendall(f"{what}\n".encode())
    return _answer(connected)


def _answer(connected: socket.socket) -> str:
    said = b""
    while not _END.search(said):
        part = connected.recv(4096)
        if not part or len(said) > MOST_BYTES:
            raise OSError("BIRD's answer does not end")
        said += part
    return said.decode(errors="replace")
