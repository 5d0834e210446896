"""Ends TCP connections of this network namespace by the kernel's socket monitor (`ss --kill` does the same); the layout
is the kernel's `linux/inet_diag.h`.
"""

import errno
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from anden.engines.local.cell.netlink import ACK, DUMP, Netlink

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
SOCK_DESTROY = 21
CONNECTED = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 8)
"""ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: in these somebody may still wait for the other side."""
ANSWER_S = 2.0
_WANTED = struct.Struct("=BBBBI")
"""Family, protocol, extensions, padding, states."""
_MESSAGE = 4
"""Before a socket's id in an answer: family, state, timer, retransmissions."""
_ID = struct.Struct("!HH16s16s")
_ID_BYTES = 48
"""Ports, addresses, and what follows them as it is: the interface and a cookie."""


@dataclass(frozen=True, slots=True)
class _Socket:
    """identity: as the kernel names it. peer: the other side's address."""

    identity: bytes
    peer: IPv4Address


def end(peers: Collection[IPv4Address]) -> int:
    """End every TCP connection from here to one of `peers`; how many. Raises OSError when the kernel cannot."""
    count = 0
    with Netlink(NETLINK_SOCK_DIAG) as asking:
        asking.socket.settimeout(ANSWER_S)
        for one in [found for found in _connected(asking) if found.peer in peers]:
            try:
                for _ in asking.answers(SOCK_DESTROY, ACK, _asked(one.identity), f"a connection to {one.peer} away"):
                    pass
            except OSError as error:
                if error.errno != errno.ENOENT:  # it had gone by itself
                    raise
            else:
                count += 1
    return count


def _asked(identity: bytes) -> bytes:
    return _WANTED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, CONNECTED) + identity


def _connected(asking: Netlink) -> Iterator[_Socket]:
    for body in asking.answers(SOCK_DIAG_BY_FAMILY, DUMP, _asked(bytes(_ID_BYTES)), "the connections"):
        identity = body[_MESSAGE : _MESSAGE + _ID_BYTES]
        yield _Socket(identity, IPv4Address(_ID.unpack_from(identity)[3][:4]))
