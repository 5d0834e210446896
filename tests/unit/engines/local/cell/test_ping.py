"""ICMP echoes as packets; that the kernel answers them is in tests/contract."""

from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell.ping import ECHO_REPLY, answers, checksum, echo

IP_HEADER = bytes([0x45]) + bytes(19)


def reply(number: int, word: bytes) -> bytes:
    return IP_HEADER + bytes([ECHO_REPLY]) + echo(number, word)[1:]


def test_an_answer_is_known_by_its_number_and_word() -> None:
    assert answers(reply(7, b"12345678"), 7, b"12345678")
    assert not answers(reply(8, b"12345678"), 7, b"12345678")
    assert not answers(reply(7, b"12345679"), 7, b"12345678")
    assert not answers(IP_HEADER + echo(7, b"12345678"), 7, b"12345678"), "the echo itself, heard on the way out"


@given(st.integers(0, 0xFFFF), st.binary(max_size=64))
def test_a_packet_with_its_checksum_sums_to_nothing(number: int, word: bytes) -> None:
    assert checksum(echo(number, word)) == 0


@given(st.binary(min_size=1, max_size=80))
def test_no_packet_makes_it_fail(packet: bytes) -> None:
    assert not answers(packet, 0x1FFFF, b"word")
