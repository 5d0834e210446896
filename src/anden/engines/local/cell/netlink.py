"""The frame of the kernel's netlink sockets (netlink(7)): messages, attributes, answers. Standard library only.

A socket belongs to the network namespace of the thread that opened it. A refusal is an OSError with the kernel's
number.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

READ_BYTES = 65536
"""A datagram of a listing is no longer."""
TIMEOUT_S = 10
ERROR, DONE = 2, 3
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
HEAD = struct.Struct("=IHHII")
"""Length, type, flags, number, sender."""
_ATTRIBUTE = struct.Struct("=HH")


class Netlink:
    """One socket of one of the kernel's families. Use as a context manager."""

    def __init__(self, family: int) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self.socket.settimeout(TIMEOUT_S)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def message(self, kind: int, flags: int, body: bytes) -> bytes:
        """The next message: its answers carry its number (`number`)."""
        self._number += 1
        return HEAD.pack(HEAD.size + len(body), kind, flags, self._number, 0) + body

    @property
    def number(self) -> int:
        """Of the message that was made last."""
        return self._number

    def answers(self, kind: int, flags: int, body: bytes, what: str) -> Iterator[bytes]:
        """The bodies of what comes back, up to its end. what: for people. Raises OSError."""
        self.socket.send(self.message(kind, REQUEST | flags, body))
        while True:
            for got, number, inner in self.heard():
                if number != self._number:
                    continue
                if got in (ERROR, DONE):
                    code = refusal(inner)
                    if code > 0:
                        raise OSError(code, f"the kernel refused a change of the network, {what}: {os.strerror(code)}")
                    return
                yield inner

    def heard(self) -> Iterator[tuple[int, int, bytes]]:
        """The messages of one datagram: type, number, body. Raises OSError: nothing comes."""
        data = self.socket.recv(READ_BYTES)
        at = 0
        while at < len(data):
            length, kind, _, number, _ = HEAD.unpack_from(data, at)
            yield kind, number, data[at + HEAD.size : at + length]
            at += aligned(length)


def refusal(inner: bytes) -> int:
    """The error number in the body of an ERROR or a DONE; 0: there is none."""
    return -int.from_bytes(inner[:4], sys.byteorder, signed=True) if inner else 0


def aligned(length: int) -> int:
    """Up to the next multiple of four, in bytes."""
    return (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (aligned(length) - length)


def text(kind: int, words: str) -> bytes:
    """An attribute of characters, with the NUL that the kernel wants."""
    return attribute(kind, words.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by their kind, flags and all."""
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[aligned(length) :]
    return found
