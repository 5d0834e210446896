"""One strongSwan daemon of a link, through its API (vici).

Every call opens the socket anew: a daemon that was started again is simply another one. OSError when it does not
answer; its own refusals are Refused, with the lines that say why.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vici
from vici.exception import CommandException, SessionException

from anden.engines.local.cell import buffers
from anden.engines.local.render.strongswan import SOCKET, Message
from anden.planning.devices.strongswan import CHILD

ANSWER_S = 5.0
"""What takes no conversation with the other side is answered in a millisecond."""
UP_S = 10.0
"""For both exchanges of IKE with every retransmission of theirs; 25 ms are usual."""
EVENTS = ("ike-updown", "child-updown")
_CREDENTIALS = struct.Struct("=iII")
"""Of who listens: process, user, group (unix(7), SO_PEERCRED)."""
_UP = frozenset({b"INSTALLED", b"REKEYING", b"REKEYED"})
"""States of a pair of channels that carries; one that is replaced does so until the new one does."""


class Refused(Exception):  # noqa: N818 - a house word
    """The daemon said no. said: its lines, oldest first."""

    def __init__(self, what: str, said: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.said = said


@dataclass(frozen=True, slots=True)
class Standing:
    """A tunnel as the daemon sees it. bytes: of what it carried, encrypted; they begin anew with each rekeying."""

    up: bool
    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    established_s: int = 0
    """For how long both sides have known each other, in seconds."""
    channels: int = 0
    """The pair of channels that carries, as the daemon counts them: a later one has a greater number."""


@dataclass(frozen=True, slots=True)
class Charon:
    """The daemon whose folder this is: the one of its settings."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Its API."""
        return self.folder / SOCKET

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with self._session() as session:
                session.version()
        except (OSError, Refused):
            return False
        return True

    def deepen(self) -> None:
        """Have its sockets hold bursts of packets. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connected:
            connected.settimeout(ANSWER_S)
            connected.connect(str(self.socket))
            pid, _, _ = _CREDENTIALS.unpack(
                connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
        buffers.deepen(pid)

    def load(self, connection: Message, key: Message, value: str) -> None:
        """What it is to talk about, and the key's value, in place of what it had. Raises OSError, Refused."""
        with self._session() as session:
            session.load_shared({**key, "data": value})
            session.load_conn(connection)

    def prove(self, connection: Message, key: str) -> None:
        """What it is to talk about, with the key of its certificate, in place of everything that it had: a key of
        before is forgotten. What is up stays so. Raises OSError, Refused."""
        with self._session() as session:
            session.clear_creds()
            session.load_key({"type": "any", "data": key})
            session.load_conn(connection)

    def up(self, link: str) -> tuple[str, ...]:
        """Raise the tunnel, from nothing: its lines. Raises OSError, or Refused with the lines that say why."""
        self.down(link)
        said: list[str] = []
        request = {"ike": link, "child": CHILD, "timeout": str(int(UP_S * 1000))}
        with self._session(UP_S + ANSWER_S) as session:
            try:
                said.extend(_line(each) for each in session.initiate(request))
            except CommandException as refused:
                raise Refused(str(refused), tuple(said)) from None
        return tuple(said)

    def down(self, link: str) -> None:
        """End the tunnel, and tell the other side. Not an error when there is none. Raises OSError."""
        with self._session(UP_S + ANSWER_S) as session, suppress(CommandException):
            for _ in session.terminate({"ike": link, "timeout": str(int(ANSWER_S * 1000))}):
                pass

    def renew(self, channels: int) -> None:
        """Have a pair of channels replaced by a new one, with new keys; it carries until that is there. Raises OSError,
        Refused."""
        with self._session() as session:
            session.rekey({"child-id": str(channels)})

    def standing(self, link: str) -> Standing:
        """How the tunnel is now. Raises OSError, Refused."""
        with self._session() as session:
            found = [each[link] for each in session.list_sas({"ike": link}) if link in each]
        for one in found:
            for child in one.get("child-sas", {}).values():
                if child.get("state") in _UP:
                    return Standing(
                        True,
                        int(child.get("bytes-in", 0)),
                        int(child.get("bytes-out", 0)),
                        int(child.get("packets-in", 0)),
                        int(child.get("packets-out", 0)),
                        int(one.get("established", 0)),
                        int(child.get("uniqueid", 0)),
                    )
        return Standing(False)

    def watch(self, every_s: float) -> Iterator[bool]:
        """A turn for each event of its tunnel (whether something came up), and one (True) every so often without.
        Raises OSError when the daemon goes."""
        with self._session(None) as session:
            for label, event in session.listen(EVENTS, every_s):
                yield label is None or event.get("up") == b"yes"

    @contextmanager
    def _session(self, timeout_s: float | None = ANSWER_S) -> Iterator[Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connected:
            connected.settimeout(timeout_s)
            connected.connect(str(self.socket))
            try:
                yield vici.Session(connected)
            except SessionException as astray:
                raise OSError(f"vici: {astray}") from None
            except CommandException as refused:
                raise Refused(str(refused)) from None


def _line(event: dict[str, bytes]) -> str:
    return event.get("msg", b"").decode(errors="replace")
