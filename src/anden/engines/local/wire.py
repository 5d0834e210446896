"""What carries IKE and ESP between two machines in a rehearsal: datagrams in datagrams of UDP.

Each side's strongSwan speaks with the addresses that were agreed, in networks of its own. What it sends is taken there,
goes to the other machine by one port of UDP, and is put on the wire there as it was. Nothing is encrypted anew, for
what is carried is; but each datagram is signed by a key of the invitation, so that nobody else's is put on any wire,
and numbered, so that an old one does not move the way back. Layout: version, tunnel (0: a hello), port, number,
signature.
"""

import contextlib
import hashlib
import hmac
import selectors
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

PORTS = (500, 4500)
HELLO = 0
HELLO_S = 2.0
"""Between two hellos of the side that joins: they open the way back through what translates addresses."""
SILENT_S = 3 * HELLO_S + 1.0
"""After so long without a word the other side counts as gone."""
_VERSION = 1
_HEAD = struct.Struct("!BBHQ")
_SIGNATURE_BYTES = 16
_MOST_BYTES = 65_535
_AT_ONCE = 64
"""Datagrams of one socket, before the others have their turn."""
_BUFFER_BYTES = 1 << 20
_IP_MTU_DISCOVER, _NEVER = 10, 0
"""linux/in.h: may be cut into pieces, for it is longer than what it carries."""


@dataclass(slots=True)
class Seal:
    """One side's. ours: a letter that the other side has not, so that nothing of ours comes back as theirs."""

    key: bytes = field(repr=False)
    ours: bytes
    theirs: bytes
    number: int = field(default_factory=time.time_ns)

    def close(self, tunnel: int, port: int, payload: bytes = b"") -> bytes:
        """As it goes."""
        self.number += 1
        head = _HEAD.pack(_VERSION, tunnel, port, self.number)
        return head + self._signed(self.ours, head, payload) + payload

    def open(self, datagram: bytes) -> tuple[int, int, int, bytes] | None:
        """Number, tunnel, port and payload; None: not the other side's."""
        if len(datagram) < _HEAD.size + _SIGNATURE_BYTES:
            return None
        head, rest = datagram[: _HEAD.size], datagram[_HEAD.size :]
        signature, payload = rest[:_SIGNATURE_BYTES], rest[_SIGNATURE_BYTES:]
        version, tunnel, port, number = _HEAD.unpack(head)
        if version != _VERSION or not hmac.compare_digest(signature, self._signed(self.theirs, head, payload)):
            return None
        return number, tunnel, port, payload

    def _signed(self, side: bytes, head: bytes, payload: bytes) -> bytes:
        return hmac.digest(self.key, side + head + payload, hashlib.sha256)[:_SIGNATURE_BYTES]


def inviting(key: str) -> Seal:
    """Of the side that invites."""
    return Seal(bytes.fromhex(key), b"i", b"j")


def joining(key: str) -> Seal:
    """Of the side that joins."""
    return Seal(bytes.fromhex(key), b"j", b"i")


@dataclass(frozen=True, slots=True)
class Door:
    """A socket on the wire, at a port of IKE. tunnels: who may be heard there, address to tunnel. towards: tunnel to
    whom what comes for it is given."""

    socket: socket.socket
    port: int
    tunnels: Mapping[str, int]
    towards: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a wire has seen. peer: `ADDRESS:PORT` of the other machine, empty: nobody yet. at: Unix seconds of its last
    word. into, out: bytes that came and went. since: when this wire began. word: what the other side told of itself,
    as it said it."""

    peer: str = ""
    at: float = 0.0
    into: int = 0
    out: int = 0
    since: float = 0.0
    word: str = ""

    def there(self, now: float) -> bool:
        """Whether the other side is."""
        return bool(self.peer) and now - self.at < SILENT_S


class Wire:
    """Carries until `until`. meet: the side that joins knows where to go; the other one learns it from hellos."""

    def __init__(
        self, outer: socket.socket, seal: Seal, doors: Sequence[Door], until: float,
        meet: tuple[str, int] | None = None, word: Callable[[], bytes] = bytes,
    ) -> None:  # fmt: skip
        """word: what this side tells of itself with its hellos; short."""
        self._word = word
        self._outer, self._seal, self._doors, self._until = outer, seal, doors, until
        self._meet, self._peer = meet, meet
        self._highest = 0
        self._heard = Heard(since=time.time())
        self._ended = False
        self._out = {(tunnel, door.port): (door, to) for door in doors for tunnel, to in door.towards.items()}
        with contextlib.suppress(OSError):
            outer.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _NEVER)
        for each in (outer, *(door.socket for door in doors)):
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)

    @property
    def heard(self) -> Heard:
        """As it is now."""
        return self._heard

    def end(self) -> None:
        """Have `carry` return."""
        self._ended = True

    def carry(self, told: Callable[[Heard], None] = lambda _: None) -> None:
        """Until it ends. told: once a second at most, and at its end. Raises OSError when this machine cannot."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._outer, selectors.EVENT_READ, None)
            for door in self._doors:
                ready.register(door.socket, selectors.EVENT_READ, door)
            said, hello = 0.0, 0.0
            while not self._ended and time.time() < self._until:
                now = time.monotonic()
                if self._meet is not None and now - hello >= HELLO_S:
                    hello = now
                    self._send(self._seal.close(HELLO, 0, self._word()))
                for found, _ in ready.select(0.25):
                    self._from(found.data)
                if now - said >= 1.0:
                    said = now
                    told(self._heard)
        told(self._heard)

    def _from(self, door: Door | None) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram, source = (self._outer if door is None else door.socket).recvfrom(_MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:  # somebody on the way said no: ICMP tells it at the next call
                continue
            if door is None:
                self._arrived(datagram, source)
            elif (tunnel := door.tunnels.get(source[0])) is not None:
                self._send(self._seal.close(tunnel, door.port, datagram))

    def _arrived(self, datagram: bytes, source: tuple[str, int]) -> None:
        opened = self._seal.open(datagram)
        if opened is None:
            return
        number, tunnel, port, payload = opened
        if number > self._highest:
            self._highest = number
            if self._meet is None:
                self._peer = source
            self._heard = replace(self._heard, peer=f"{source[0]}:{source[1]}", at=time.time())
            if tunnel == HELLO:
                self._heard = replace(self._heard, word=payload.decode(errors="replace"))
        if tunnel == HELLO:
            if self._meet is None:
                self._send(self._seal.close(HELLO, 0, self._word()))
        elif (there := self._out.get((tunnel, port))) is not None:
            door, to = there
            with contextlib.suppress(OSError):
                door.socket.sendto(payload, (to, port))
            self._heard = replace(self._heard, into=self._heard.into + len(payload))

    def _send(self, datagram: bytes) -> None:
        if self._peer is None:
            return
        with contextlib.suppress(OSError):  # lost on the way, as datagrams may be: who sent it sends it again
            self._outer.sendto(datagram, self._peer)
            self._heard = replace(self._heard, out=self._heard.out + len(datagram))
