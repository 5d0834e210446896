"""What carries IKE and ESP between our strongSwan, in its network apart, and AWS's endpoints, through ordinary sockets
of this machine: a payload of UDP goes on as it came, on the same port, and nothing is looked into.

A passage joins one correspondent inside with one endpoint outside. What comes from anybody else, or from another port
of theirs, is dropped, and nobody else is ever sent anything. Nothing is kept here: the kernel's buffers are the bound.
"""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from anden.engines.local.wire import Heard

Address = tuple[str, int]
_MOST_BYTES = 65_535
_AT_ONCE = 64
"""Datagrams of one socket, before the others have their turn."""
_TURN_S = 0.25
_BUFFER_BYTES = 1 << 20
_IP_MTU_DISCOVER, _NEVER = 10, 0
"""linux/in.h: may be cut into pieces on its way."""


@dataclass(frozen=True, slots=True)
class Passage:
    """inside: stands where the endpoint seems to be. swan: who is heard there, and is given what comes. outer: of this
    machine; several passages may share it. endpoint: who is heard at it, and is sent what goes."""

    inside: socket.socket
    swan: Address
    outer: socket.socket
    endpoint: Address


def opened(port: int) -> socket.socket:
    """A socket of this machine at that port, where nobody else has it; else at any. An endpoint takes both: IKE knows
    senders whose ports were translated (RFC 7296, 2.23). Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        try:
            made.bind(("0.0.0.0", port))  # noqa: S104 - the way to AWS chooses; others are not heard
        except OSError:
            made.bind(("0.0.0.0", 0))  # noqa: S104
    except OSError:
        made.close()
        raise
    return made


class Relay:
    """Carries until `until`, Unix seconds."""

    def __init__(self, passages: Sequence[Passage], until: float) -> None:
        self._until = until
        self._ended = False
        self._heard = Heard(since=time.time())
        self._inside = {each.inside: each for each in passages}
        self._outer: dict[socket.socket, dict[Address, Passage]] = {}
        for each in passages:
            self._outer.setdefault(each.outer, {})[each.endpoint] = each
        for one in (*self._inside, *self._outer):
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        for one in self._outer:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _NEVER)

    @property
    def heard(self) -> Heard:
        """As it is now. Nobody tells anything by it but packets: there is never a word."""
        return self._heard

    def end(self) -> None:
        """Have `carry` return."""
        self._ended = True

    def carry(self) -> None:
        """Until it ends."""
        with selectors.DefaultSelector() as ready:
            for inside, passage in self._inside.items():
                ready.register(inside, selectors.EVENT_READ, partial(self._leaving, inside, passage))
            for outer, known in self._outer.items():
                ready.register(outer, selectors.EVENT_READ, partial(self._arriving, outer, known))
            while not self._ended and time.time() < self._until:
                for found, _ in ready.select(_TURN_S):
                    found.data()

    def _leaving(self, inside: socket.socket, way: Passage) -> None:
        def passed(payload: bytes, source: Address) -> None:
            if source == way.swan:
                with contextlib.suppress(OSError):  # lost on the way, as datagrams may be: who sent it sends it again
                    way.outer.sendto(payload, way.endpoint)
                    self._heard = replace(self._heard, out=self._heard.out + len(payload))

        _each(inside, passed)

    def _arriving(self, outer: socket.socket, ways: Mapping[Address, Passage]) -> None:
        def passed(payload: bytes, source: Address) -> None:
            if (way := ways.get(source)) is not None:
                with contextlib.suppress(OSError):
                    way.inside.sendto(payload, way.swan)
                into, peer = self._heard.into + len(payload), f"{source[0]}:{source[1]}"
                self._heard = replace(self._heard, peer=peer, at=time.time(), into=into)

        _each(outer, passed)


def _each(heard: socket.socket, passed: Callable[[bytes, Address], None]) -> None:
    for _ in range(_AT_ONCE):
        try:
            payload, source = heard.recvfrom(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:  # somebody on the way said no: ICMP tells it at the next call
            continue
        passed(payload, (source[0], source[1]))
