"""Questions from instances, and what must not come of them; dnspython reads what we write."""

import random
import struct
from ipaddress import IPv4Address

import dns.flags
import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell import dns_wire
from anden.engines.local.cell.dns_wire import FINE, MALFORMED, NOT_DONE, REFUSED, Asked, Unanswerable

FUZZED = 20_000
SEED = 20261126


def query(name: str, kind: str = "A", **more: object) -> bytes:
    return dns.message.make_query(name, kind, **more).to_wire()  # type: ignore[arg-type]


def test_a_plain_question() -> None:
    asked = dns_wire.asked(query("Api.EXCHANGE.example"))
    assert (asked.name, asked.kind, asked.code, asked.room, asked.edns) == ("api.exchange.example", 1, FINE, 512, False)


@pytest.mark.parametrize(("said", "room"), [(1232, 1232), (4096, 1232), (100, 512)])
def test_room_for_an_answer(said: int, room: int) -> None:
    asked = dns_wire.asked(query("a.example", use_edns=0, payload=said))
    assert (asked.room, asked.edns) == (room, True)


def test_an_answer_is_read_by_others() -> None:
    wanted = dns.message.make_query("Api.Exchange.example", "A", use_edns=0)
    at = (IPv4Address("192.0.2.7"), IPv4Address("192.0.2.8"))
    said = dns.message.from_wire(dns_wire.answer(dns_wire.asked(wanted.to_wire()), FINE, dns_wire.addresses(at, 60)))
    assert wanted.is_response(said)
    assert said.edns == 0
    (found,) = said.answer
    assert (found.ttl, [each.address for each in found]) == (60, ["192.0.2.7", "192.0.2.8"])


@given(st.integers(0, 200))
def test_what_has_no_room_is_cut_and_never_half(count: int) -> None:
    records = dns_wire.addresses([IPv4Address("192.0.2.0") + n for n in range(count)], 60)
    asked = dns_wire.asked(query("a.example"))
    wire = dns_wire.answer(asked, FINE, records)
    said = dns.message.from_wire(wire)
    assert len(wire) <= 512
    cut = bool(said.flags & dns.flags.TC)
    assert cut == (12 + len(asked.raw) + 16 * count > 512)
    assert sum(len(each) for each in said.answer) == (0 if cut else count)
    whole = dns.message.from_wire(dns_wire.answer(asked, FINE, records, tcp=True))
    assert sum(len(each) for each in whole.answer) == count


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (query("a.example")[:-1], MALFORMED),
        (query("a.example")[:12], MALFORMED),
        (struct.pack("!HHHHHH", 1, 0, 2, 0, 0, 0) + query("a.example")[12:] * 2, MALFORMED),
        (struct.pack("!HHHHHH", 1, 0, 0, 0, 0, 0), MALFORMED),
        (struct.pack("!HHHHHH", 1, 0x2800, 1, 0, 0, 0) + query("a.example")[12:], NOT_DONE),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c" + b"\0\1\0\1", MALFORMED),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1", MALFORMED),
        (query("a.example", rdclass="CH"), REFUSED),
    ],
)
def test_what_is_no_plain_question(packet: bytes, code: int) -> None:
    asked = dns_wire.asked(packet)
    assert asked.code == code
    assert dns.message.from_wire(dns_wire.answer(asked, asked.code)).rcode() == code


@pytest.mark.parametrize("packet", [b"", b"\0" * 11, struct.pack("!HHHHHH", 1, 0x8180, 1, 0, 0, 0)])
def test_what_is_not_answered_at_all(packet: bytes) -> None:
    with pytest.raises(Unanswerable):
        dns_wire.asked(packet)


def test_a_dot_within_a_label_is_no_dot_between_two() -> None:
    raw = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x0capi.exchange\x07example\0" + b"\0\1\0\1"
    assert dns_wire.asked(raw).name == "?.example"


def test_nothing_that_comes_breaks_it() -> None:
    """Packets that were right, with bytes changed, taken away and added; by a seed, so that a finding can be seen
    again."""
    chance = random.Random(SEED)  # noqa: S311 - nothing here is secret
    seeds = [query("api.exchange.example"), query("a.example", "AAAA", use_edns=0), query("x" * 60 + ".example")]
    answered = 0
    for number in range(FUZZED):
        packet = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(packet) + 1)
            what = chance.randrange(3)
            if what == 0:
                packet[at : at + 1] = bytes([chance.randrange(256)])
            elif what == 1:
                del packet[at : at + chance.randint(1, 8)]
            else:
                packet[at:at] = chance.randbytes(chance.randint(1, 8))
        try:
            asked = dns_wire.asked(bytes(packet))
        except Unanswerable:
            continue
        assert isinstance(asked, Asked), number
        assert len(dns_wire.answer(asked, asked.code)) <= 512
        assert all(letter.isascii() and (letter.isalnum() or letter in "-_.?") for letter in asked.name)
        answered += 1
    assert answered > FUZZED / 2
