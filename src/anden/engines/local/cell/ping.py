"""An ICMP echo and its answer, by a raw socket of this thread's network."""

import secrets
import socket
import struct
import time
from ipaddress import IPv4Address

ECHO, ECHO_REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
_WORDS = 0xFFFF
_IP_HEADER_WORD_BYTES = 4
_PACKET_BYTES = 2048


def answered(address: IPv4Address, timeout_s: float) -> bool:
    """Whether `address` answers one echo within `timeout_s`. Raises OSError where raw sockets are not allowed."""
    number, word = secrets.randbelow(_WORDS), secrets.token_bytes(8)
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        try:
            asking.sendto(echo(number, word), (str(address), 0))
            while (left_s := deadline - time.monotonic()) > 0:
                asking.settimeout(left_s)
                if answers(asking.recv(_PACKET_BYTES), number, word):
                    return True
        except OSError:  # no route, or no answer in time
            return False
    return False


def echo(number: int, word: bytes) -> bytes:
    """The packet that asks (RFC 792)."""
    blank = _HEADER.pack(ECHO, 0, 0, number, 1) + word
    return _HEADER.pack(ECHO, 0, checksum(blank), number, 1) + word


def answers(packet: bytes, number: int, word: bytes) -> bool:
    """Whether an IP packet answers that echo."""
    body = packet[(packet[0] & 0xF) * _IP_HEADER_WORD_BYTES :]
    if len(body) < _HEADER.size:
        return False
    kind, _, _, named, _ = _HEADER.unpack_from(body)
    return kind == ECHO_REPLY and named == number and body[_HEADER.size :] == word


def checksum(packet: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = packet + b"\0" * (len(packet) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > _WORDS:
        total = (total & _WORDS) + (total >> 16)
    return ~total & _WORDS
