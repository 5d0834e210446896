"""The little of DNS that we speak as those who ask."""

import struct
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell.dns import addresses, question


def answer(asked: bytes, *found: str, code: int = 0) -> bytes:
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 10, 4) + IPv4Address(address).packed for address in found
    )
    return asked[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0) + asked[12:] + records


def test_question_and_answer() -> None:
    asked = question("accounts.internal", 0x1234)
    assert asked[:2] == b"\x12\x34"
    assert b"\x08accounts\x08internal\x00\x00\x01\x00\x01" in asked
    assert addresses(answer(asked, "172.30.64.4", "172.30.64.5"), 0x1234) == (
        0,
        (IPv4Address("172.30.64.4"), IPv4Address("172.30.64.5")),
    )
    assert addresses(answer(asked, code=3), 0x1234) == (3, ())


def test_the_answer_to_another_question_is_refused() -> None:
    with pytest.raises(ValueError, match="another question"):
        addresses(answer(question("a", 1), "192.0.2.1"), 2)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, "."])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"not a host name|label"):
        question(name, 1)


@given(st.binary(max_size=600))
def test_no_packet_makes_it_fail_otherwise(packet: bytes) -> None:
    with suppress(ValueError):
        addresses(packet, 0)


@given(st.binary(max_size=60), st.integers(0, 80))
def test_nor_a_cut_or_changed_answer(noise: bytes, place: int) -> None:
    good = answer(question("accounts", 7), "172.30.64.4")
    with suppress(ValueError):
        addresses(good[:place] + noise, 7)
