"""The kernel's routing socket (rtnetlink(7)) for the few requests that a cell's network makes: cables, addresses,
routes, rules. Standard library only: it is on the way of every instance's start, where a general library's encoding
took ten times as long as the kernel.

A socket belongs to the network namespace of the thread that opened it. Every request is acknowledged; a refusal is an
OSError with the kernel's number.
"""

import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

from anden.engines.local.cell.netlink import ACK, DUMP, Netlink, attribute, attributes, text

MAIN, LOCAL = 254, 255
"""Routing tables (RT_TABLE_*)."""
UNICAST, OWN, BLACKHOLE = 1, 2, 6
"""Kinds of routes (RTN_UNICAST, RTN_LOCAL, RTN_BLACKHOLE)."""

_NEW_LINK, _DEL_LINK = 16, 17
_NEW_ADDRESS, _GET_ADDRESS = 20, 22
_NEW_ROUTE, _DEL_ROUTE, _GET_ROUTE = 24, 25, 26
_NEW_RULE, _DEL_RULE, _GET_RULE = 32, 33, 34
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400

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


class Rtnetlink(Netlink):
    """One socket. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)

    def cable(self, name: str, peer: str, namespace: int) -> None:
        """A veth pair: `name` here, `peer` in the network namespace behind that descriptor. Raises FileExistsError."""
        other = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, peer) + attribute(_NET_NS_FD, _U32.pack(namespace))
        info = text(_INFO_KIND, "veth") + attribute(_INFO_DATA, attribute(_VETH_PEER, other))
        body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name) + attribute(_LINKINFO, info)
        self._do(_NEW_LINK, _CREATE | _EXCLUSIVE, body, f"cable {name}")

    def up(self, index: int, alias: str = "") -> None:
        """Switch an interface on, and give it a note for people."""
        note = text(_IFALIAS, alias) if alias else b""
        self._do(_NEW_LINK, 0, _LINK.pack(0, 0, index, _UP, _UP) + note, f"interface {index} up")

    def remove(self, index: int) -> None:
        """Remove an interface, and of a pair the other one too."""
        self._do(_DEL_LINK, 0, _LINK.pack(0, 0, index, 0, 0), f"interface {index} away")

    def address(self, index: int, address: IPv4Address) -> None:
        """Give an interface that one address, as a /32. The same again is not an error."""
        body = _ADDRESS.pack(socket.AF_INET, 32, 0, 0, index)
        body += attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
        self._do(_NEW_ADDRESS, _CREATE | _REPLACE, body, f"address {address}")

    def addresses(self) -> list[tuple[int, str]]:
        """Every interface's IPv4 addresses: index, address."""
        found = []
        for data in self._list(_GET_ADDRESS, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            told = attributes(data[_ADDRESS.size :])
            if _IFA_ADDRESS in told:
                index: int = _ADDRESS.unpack_from(data)[4]
                found.append((index, str(IPv4Address(told[_IFA_ADDRESS]))))
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
        body += attribute(_RTA_DST, to.network_address.packed) if to.prefixlen else b""
        body += attribute(_RTA_OIF, _U32.pack(out)) if out is not None else b""
        body += attribute(_RTA_GATEWAY, by.packed) if by is not None else b""
        body += attribute(_RTA_PREFSRC, source.packed) if source is not None else b""
        if metrics:
            inner = b"".join(attribute(number, _U32.pack(value)) for number, value in metrics)
            body += attribute(_RTA_METRICS, inner)
        self._do(_NEW_ROUTE, _CREATE | _REPLACE, body, f"route to {to}")

    def unroute(self, to: IPv4Network) -> None:
        """Remove the route to `to` from the table MAIN, of whatever kind. Not an error when there is none."""
        body = _ROUTE.pack(socket.AF_INET, to.prefixlen, 0, 0, MAIN, 0, _NOWHERE, 0, 0)
        body += attribute(_RTA_DST, to.network_address.packed)
        with suppress(ProcessLookupError):
            self._do(_DEL_ROUTE, 0, body, f"route to {to} away")

    def defaults(self) -> list[str]:
        """The source addresses of the default routes in the table MAIN."""
        found = []
        for data in self._list(_GET_ROUTE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(data)
            source = attributes(data[_ROUTE.size :]).get(_RTA_PREFSRC)
            if prefix == 0 and table == MAIN and source is not None:
                found.append(str(IPv4Address(source)))
        return found

    def destinations(self) -> set[IPv4Network]:
        """Where the routes in the table MAIN lead, the default's too."""
        found = set()
        for data in self._list(_GET_ROUTE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(data)
            if table == MAIN:
                to = attributes(data[_ROUTE.size :]).get(_RTA_DST, b"\0\0\0\0")
                found.add(IPv4Network((to, prefix)))
        return found

    def rules(self) -> list[int]:
        """The priorities of the rules that choose a table, in their order."""
        listed = self._list(_GET_RULE, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0))
        marks = (attributes(data[_ROUTE.size :]).get(_FRA_PRIORITY, b"\0\0\0\0") for data in listed)
        return [int(_U32.unpack(mark)[0]) for mark in marks]

    def rule(self, priority: int, table: int, incoming: str = "") -> None:
        """Look into `table`, for all packets or those that come in by an interface. Not an error when it is there."""
        with suppress(FileExistsError):
            self._do(_NEW_RULE, _CREATE | _EXCLUSIVE, _rule(priority, table, incoming), f"rule {priority}")

    def unrule(self, priority: int, table: int) -> None:
        """Remove that rule. The kernel takes 0 for any priority: ask `rules` first."""
        self._do(_DEL_RULE, 0, _rule(priority, table, ""), f"rule {priority} away")

    def _do(self, kind: int, flags: int, body: bytes, what: str) -> None:
        for _ in self.answers(kind, ACK | flags, body, what):
            pass

    def _list(self, kind: int, body: bytes) -> list[bytes]:
        return list(self.answers(kind, DUMP, body, "a listing"))


def index(name: str) -> int | None:
    """The number of an interface of this thread's network namespace; None: there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def _rule(priority: int, table: int, incoming: str) -> bytes:
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, table, 0, 0, _TO_TABLE, 0)
    body += attribute(_FRA_PRIORITY, _U32.pack(priority)) + attribute(_FRA_TABLE, _U32.pack(table))
    return body + (text(_FRA_IIFNAME, incoming) if incoming else b"")
