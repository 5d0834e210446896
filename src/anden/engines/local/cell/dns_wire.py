"""DNS as a server speaks it: questions as they come from instances, and the answers to them.

What instances send is not to be trusted: nothing here follows a pointer, and whatever is not one plain question is
refused with the code that RFC 1035 has for it, or not answered at all.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

FINE, MALFORMED, FAILED, NO_SUCH_NAME, NOT_DONE, REFUSED = 0, 1, 2, 3, 4, 5
"""Codes of an answer (RFC 1035, 4.1.1)."""
A, CNAME, OPT = 1, 5, 41
INTERNET = 1
SMALLEST_UDP = 512
LARGEST_UDP = 1232
"""Bytes of an answer by UDP: what everybody takes, and the most that is sent to whoever says that it takes more."""
LARGEST_TCP = 65535
LONGEST_NAME = 255
HEADER = struct.Struct("!HHHHHH")
_IS_ANSWER, _TRUNCATED, _RECURSION_WANTED, _RECURSION = 0x8000, 0x0200, 0x0100, 0x0080
_KIND = 0x7800
_RECORD = struct.Struct("!HHIH")
_THE_QUESTION = b"\xc0\x0c"
"""A pointer to the name that was asked for: it stands right after the header."""
_LABEL = re.compile(rb"[a-z0-9_-]{1,63}")


class Unanswerable(Exception):  # noqa: N818 - it is no error of ours
    """No answer is due: it is too short for a header, or an answer itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. name: lower case, without the last dot; labels that no host has are `?`. code: FINE, or the code
    that is the answer. raw: the question as it came, for the answer. room: bytes of an answer by UDP. edns: the
    asker speaks it, and is to be answered in it."""

    id: int
    flags: int
    name: str
    kind: int
    raw: bytes
    code: int = FINE
    room: int = SMALLEST_UDP
    edns: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One answer. owner: its name as it is on the wire; b"" is the name that was asked for."""

    kind: int
    ttl: int
    data: bytes
    owner: bytes = b""


def asked(packet: bytes) -> Asked:
    """The question in a packet. Raises Unanswerable."""
    if len(packet) < HEADER.size:
        raise Unanswerable
    number, flags, questions, answers, authorities, more = HEADER.unpack_from(packet)
    if flags & _IS_ANSWER:
        raise Unanswerable
    if flags & _KIND:
        return Asked(number, flags, "", 0, b"", NOT_DONE)
    name, at = _name(packet, HEADER.size)
    if questions != 1 or at is None or len(packet) < at + 4:
        return Asked(number, flags, "", 0, b"", MALFORMED)
    kind, group = struct.unpack_from("!HH", packet, at)
    raw = packet[HEADER.size : at + 4]
    code = FINE if group == INTERNET else REFUSED
    room, edns = SMALLEST_UDP, False
    rest = packet[at + 4 :]
    if more and not answers and not authorities and len(rest) >= 1 + _RECORD.size and rest[0] == 0:
        option, size, _, _ = _RECORD.unpack_from(rest, 1)
        if option == OPT:
            room, edns = min(max(size, SMALLEST_UDP), LARGEST_UDP), True
    return Asked(number, flags, name, kind, raw, code, room, edns)


def answer(asked: Asked, code: int, records: Sequence[Record] = (), *, tcp: bool = False) -> bytes:
    """The packet that answers. What has no room in it is left out, and the asker told to come by TCP."""
    flags = _IS_ANSWER | (asked.flags & _RECURSION_WANTED) | _RECURSION | code
    beside = b"\0" + _RECORD.pack(OPT, LARGEST_UDP, 0, 0) if asked.edns else b""
    body = b"".join(
        (one.owner or _THE_QUESTION) + _RECORD.pack(one.kind, INTERNET, one.ttl, len(one.data)) + one.data
        for one in records
    )
    room = LARGEST_TCP if tcp else asked.room
    count = len(records)
    if HEADER.size + len(asked.raw) + len(body) + len(beside) > room:
        flags, body, count = flags | _TRUNCATED, b"", 0
    head = HEADER.pack(asked.id, flags, 1 if asked.raw else 0, count, 0, 1 if beside else 0)
    return head + asked.raw + body + beside


def addresses(found: Sequence[IPv4Address], ttl: int) -> tuple[Record, ...]:
    """As records of the name that was asked for."""
    return tuple(Record(A, ttl, one.packed) for one in found)


def written(name: str) -> bytes:
    """A name as it is on the wire. Raises ValueError when there can be none such."""
    packed = b""
    for label in name.rstrip(".").split("."):
        raw = label.encode("ascii")
        if not 1 <= len(raw) <= 63:
            raise ValueError(f"{name!r} is no name")
        packed += bytes([len(raw)]) + raw
    if len(packed) >= LONGEST_NAME:
        raise ValueError(f"{name!r} is too long for a name")
    return packed + b"\0"


def _name(packet: bytes, at: int) -> tuple[str, int | None]:
    """A name and where it ends; None: it does not end, points elsewhere or is too long."""
    labels: list[str] = []
    begin = at
    while at < len(packet):
        length = packet[at]
        at += 1
        if length == 0:
            return ".".join(labels), at
        label = packet[at : at + length].lower()
        at += length
        if length > 63 or at - begin >= LONGEST_NAME or at > len(packet):
            return "", None
        labels.append(label.decode() if _LABEL.fullmatch(label) else "?")
    return "", None
