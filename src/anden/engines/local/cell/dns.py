"""The little of DNS that a probe and a readiness check need: one question for an IPv4 address, and its answer."""

import socket
import struct
import time
from ipaddress import IPv4Address

from anden.engines.local.render.resolver import PORT

ANSWER_LIMIT_BYTES = 4096
TRY_S = 0.3
"""A question or its answer may be lost: ask again after this long."""
_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_A = 1
_INTERNET = 1
_RECURSION_DESIRED = 0x0100
_POINTER = 0xC0
_CODE_MASK = 0x000F


def question(name: str, id: int) -> bytes:
    """The packet that asks for the IPv4 addresses of `name`. Raises ValueError when no such name can exist."""
    packed = b""
    for label in name.rstrip(".").split("."):
        raw = label.encode("idna") if not label.isascii() else label.encode()
        if not 1 <= len(raw) <= 63:
            raise ValueError(f"{name!r} is not a host name")
        packed += bytes([len(raw)]) + raw
    return _HEADER.pack(id, _RECURSION_DESIRED, 1, 0, 0, 0) + packed + b"\0" + struct.pack("!HH", _A, _INTERNET)


def addresses(packet: bytes, id: int) -> tuple[int, tuple[IPv4Address, ...]]:
    """The answer's code (0: fine, 3: no such name) and addresses. Raises ValueError when it is not our answer."""
    try:
        answered, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
        if answered != id:
            raise ValueError("an answer to another question")
        at = _HEADER.size
        for _ in range(questions):
            at = _past_name(packet, at) + 4
        found = []
        for _ in range(answers):
            at = _past_name(packet, at)
            kind, _, _, length = _FIXED.unpack_from(packet, at)
            at += _FIXED.size
            if kind == _A and length == 4:
                found.append(IPv4Address(packet[at : at + 4]))
            at += length
    except (struct.error, IndexError) as error:
        raise ValueError("not a DNS answer") from error
    return flags & _CODE_MASK, tuple(found)


def resolve(name: str, server: IPv4Address, timeout_s: float) -> IPv4Address | None:
    """The first address of `name` by `server`, asked from this thread's network; None: no such name, or no answer."""
    return next(iter(every(name, server, timeout_s)), None)


def every(name: str, server: IPv4Address, timeout_s: float) -> tuple[IPv4Address, ...]:
    """All addresses of `name`, as the answer has them; none: no such name, or no answer."""
    deadline = time.monotonic() + timeout_s
    number = hash((name, deadline)) & 0xFFFF
    try:
        packet = question(name, number)
    except ValueError:
        return ()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((str(server), PORT))
        while (left := deadline - time.monotonic()) > 0:
            asking.settimeout(min(left, TRY_S))
            try:
                asking.send(packet)
                _, found = addresses(asking.recv(ANSWER_LIMIT_BYTES), number)
            except (TimeoutError, ValueError):
                continue
            except OSError:
                time.sleep(min(TRY_S / 10, max(left, 0)))
                continue
            return found
    return ()


def _past_name(packet: bytes, at: int) -> int:
    while packet[at]:
        if packet[at] & _POINTER == _POINTER:
            return at + 2
        at += packet[at] + 1
    return at + 1
