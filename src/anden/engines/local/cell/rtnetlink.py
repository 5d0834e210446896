"""The kernel's routing socket (rtnetlink(7)) for the few requests that a cell's network makes: cables, addresses,
routes, rules. Standard library only: it is on the way of every instance's start, where a general library's encoding
took ten times as long as the kernel.

A socket belongs to the network namespace of the thread that opened it. Every request is acknowledged; a refusal is an
OSError with the kernel's number.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from types import TracebackType

MAIN, LOCAL = 254, 255
"""Routing tables (RT_TABLE_*)."""
UNICAST, OWN, BLACKHOLE = 1, 2, 6
"""Kinds of routes (RTN_UNICAST, RTN_LOCAL, RTN_BLACKHOLE)."""
READ_BYTES = 65536
"""A datagram of a listing is no longer."""
TIMEOUT_S = 10

_ERROR, _DONE = 2, 3
_NEW_LINK, _DEL_LINK = 16, 17
_NEW_ADDRESS, _GET_ADDRESS = 20, 22
_NEW_ROUTE, _DEL_ROUTE, _GET_ROUTE = 24, 25, 26
_NEW_RULE, _DEL_RULE, _GET_RULE = 32, 33, 34
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400

_HEAD = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")

_UP = 1
_IFNAME, _LINKINFO, _IFALIAS, _NET_NS_FD = 3, 18, 20, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_METRICS = 1, 4, 5, 7, 8
_FRA_IIFNAME, _FRA_PRIORITY, _FRA_TABLE = 3, 6, 15
_TO_TABLE = 1
_STATIC = 4
"""RTPROT_STATIC: made by an administrator."""
_UNIVERSE, _HOST, _NOWHERE = 0, 254, 255
_ONLINK = 4
"""RTNH_F_ONLINK: the next hop is at the end of the cable, though no network says so."""


class Rtnetlink:
    """One socket. Use as a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(TIMEOUT_S)
        self._number = 0

    def __enter__(self) -> "Rtnetlink":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def cable(self, name: str, peer: str, namespace: int) -> None:
        """A veth pair: `name` here, `peer` in the network namespace behind that descriptor. Raises FileExistsError."""
        other = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFNAME, peer) + _attribute(_NET_NS_FD, _U32.pack(namespace))
        info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
        body = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFNAME, name) + _attribute(_LINKINFO, info)
        self._do(_NEW_LINK, _CREATE | _EXCLUSIVE, body, f"cable {name}")

    def up(self, index: int, alias: str = "") -> None:
        """Switch an interface on, and give it a note for people."""
        note = _text(_IFALIAS, alias) if alias else b""
        self._do(_NEW_LINK, 0, _LINK.pack(0, 0, index, _UP, _UP) + note, f"interface {index} up")

    def remove(self, index: int) -> None:
        """Remove an interface, and of a pair the other one too."""
        self._do(_DEL_LINK, 0, _LINK.pack(0, 0, index, 0, 0), f"interface {index} away")

    def address(self, index: int, address: IPv4Address) -> None:
        """Give an interface that one address, as a /32. The same again is not an error."""
        body = _ADDRESS.pack(socket.AF_INET, 32, 0, 0, index)
        body += _attribute(_IFA_LOCAL, address.packed) + _attribute(_IFA_ADDRESS, address.packed)
        self._do(_NEW_ADDRESS, _CREATE | _REPLACE, body, f"address {address}")

    def addresses(self) -> list[tuple[int, str]]:
        """Every interface's IPv4 addresses: index, address."""
        found = []
        for data in self._list(_GET_ADDRESS, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            attributes = _attributes(data[_ADDRESS.size :])
            if _IFA_ADDRESS in attributes:
                index: int = _ADDRESS.unpack_from(data)[4]
                found.append((index, str(IPv4Address(attributes[_IFA_ADDRESS]))))
        return found

    def route(
        self,
        to: IPv4Network,
        *,
        kind: int = UNICAST,
        out: int | None = None,
        by: IPv4Address | None = None,
        source: IPv4Address | None = None,
        metrics: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """Make this the route to `to`, instead of one that is there. out: an interface. by: the next hop at its end.
        source: of what this namespace says itself. metrics: RTAX number and value. OWN stands in the table LOCAL."""
        scope = _HOST if kind == OWN else _UNIVERSE
        flags, table = (_ONLINK if by is not None else 0), (LOCAL if kind == OWN else MAIN)
        body = _ROUTE.pack(socket.AF_INET, to.prefixlen, 0, 0, table, _STATIC, scope, kind, flags)
        body += _attribute(_RTA_DST, to.network_address.packed) if to.prefixlen else b""
        body += _attribute(_RTA_OIF, _U32.pack(out)) if out is not None else b""
        body += _attribute(_RTA_GATEWAY, by.packed) if by is not None else b""
        body += _attribute(_RTA_PREFSRC, source.packed) if source is not None else b""
        if metrics:
            inner = b"".join(_attribute(number, _U32.pack(value)) for number, value in metrics)
            body += _attribute(_RTA_METRICS, inner)
        self._do(_NEW_ROUTE, _CREATE | _REPLACE, body, f"route to {to}")

    def unroute(self, to: IPv4Network) -> None:
        """Remove the route to `to` from the table MAIN, of whatever kind. Not an error when there is none."""
        body = _ROUTE.pack(socket.AF_INET, to.prefixlen, 0, 0, MAIN, 0, _NOWHERE, 0, 0)
        body += _attribute(_RTA_DST, to.network_address.packed)
        with suppress(ProcessLookupError):
            self._do(_DEL_ROUTE, 0, body, f"route to {to} away")

    def defaults(self) -> list[str]:
        """The source addresses of the default routes in the table MAIN."""
        found = []
        for data in self._list(_GET_ROUTE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(data)
            source = _attributes(data[_ROUTE.size :]).get(_RTA_PREFSRC)
            if prefix == 0 and table == MAIN and source is not None:
                found.append(str(IPv4Address(source)))
        return found

    def destinations(self) -> set[IPv4Network]:
        """Where the routes in the table MAIN lead, the default's too."""
        found = set()
        for data in self._list(_GET_ROUTE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(data)
            if table == MAIN:
                to = _attributes(data[_ROUTE.size :]).get(_RTA_DST, b"\0\0\0\0")
                found.add(IPv4Network((to, prefix)))
        return found

    def rules(self) -> list[int]:
        """The priorities of the rules that choose a table, in their order."""
        listed = self._list(_GET_RULE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0))
        marks = (_attributes(data[_ROUTE.size :]).get(_FRA_PRIORITY, b"\0\0\0\0") for data in listed)
        return [int(_U32.unpack(mark)[0]) for mark in marks]

    def rule(self, priority: int, table: int, incoming: str = "") -> None:
        """Look into `table`, for all packets or those that come in by an interface. Not an error when it is there."""
        with suppress(FileExistsError):
            self._do(_NEW_RULE, _CREATE | _EXCLUSIVE, _rule(priority, table, incoming), f"rule {priority}")

    def unrule(self, priority: int, table: int) -> None:
        """Remove that rule. The kernel takes 0 for any priority: ask `rules` first."""
        self._do(_DEL_RULE, 0, _rule(priority, table, ""), f"rule {priority} away")

    def _do(self, kind: int, flags: int, body: bytes, what: str) -> None:
        for _ in self._answers(kind, _REQUEST | _ACK | flags, body, what):
            pass

    def _list(self, kind: int, body: bytes) -> list[bytes]:
        return list(self._answers(kind, _REQUEST | _DUMP, body, "a listing"))

    def _answers(self, kind: int, flags: int, body: bytes, what: str) -> Iterator[bytes]:
        """The bodies of what comes back, up to its end. Raises OSError."""
        self._number += 1
        self._socket.send(_HEAD.pack(_HEAD.size + len(body), kind, flags, self._number, 0) + body)
        while True:
            data = self._socket.recv(READ_BYTES)
            while data:
                length, got, _, number, _ = _HEAD.unpack_from(data)
                inner, data = data[_HEAD.size : length], data[_aligned(length) :]
                if number != self._number:
                    continue
                if got in (_ERROR, _DONE):
                    code = -int.from_bytes(inner[:4], sys.byteorder, signed=True) if inner else 0
                    if code > 0:
                        raise OSError(code, f"the kernel refused a change of the network, {what}: {os.strerror(code)}")
                    return
                yield inner


def index(name: str) -> int | None:
    """The number of an interface of this thread's network namespace; None: there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (_aligned(length) - length)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _rule(priority: int, table: int, incoming: str) -> bytes:
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, table, 0, 0, _TO_TABLE, 0)
    body += _attribute(_FRA_PRIORITY, _U32.pack(priority)) + _attribute(_FRA_TABLE, _U32.pack(table))
    return body + (_text(_FRA_IIFNAME, incoming) if incoming else b"")
