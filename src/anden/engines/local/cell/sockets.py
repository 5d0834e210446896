"""Ends TCP connections of this network namespace by the kernel's socket monitor (`ss --kill` does the same).

Written here because pyroute2 lists sockets and does not end them; the layout is the kernel's `linux/inet_diag.h`.
"""

import errno
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
SOCK_DESTROY = 21
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
CONNECTED = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 8)
"""ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: in these somebody may still wait for the other side."""
ANSWER_S = 2.0
READ_BYTES = 64 * 1024
_HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence, sender."""
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
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(ANSWER_S)
        for one in [found for found in _connected(asking) if found.peer in peers]:
            _ask(asking, SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, one.identity)
            count += not _refused(asking.recv(READ_BYTES))
    return count


def _ask(asking: socket.socket, kind: int, flags: int, identity: bytes) -> None:
    body = _WANTED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, CONNECTED) + identity
    asking.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)


def _connected(asking: socket.socket) -> Iterator[_Socket]:
    _ask(asking, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, bytes(_ID_BYTES))
    while True:
        data = asking.recv(READ_BYTES)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                _refused(data)
                return
            start = _HEADER.size + _MESSAGE
            identity = data[start : start + _ID_BYTES]
            peer = _ID.unpack_from(identity)[3]
            yield _Socket(identity, IPv4Address(peer[:4]))
            data = data[(length + 3) & ~3 :]


def _refused(answer: bytes) -> bool:
    """Whether the socket had gone by itself. Raises OSError for any other refusal."""
    number = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
    if number not in (0, errno.ENOENT):
        raise OSError(number, "the kernel's socket monitor refused")
    return number == errno.ENOENT
