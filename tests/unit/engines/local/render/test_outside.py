from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.local.render.sample import BANK

from anden.engines.local.render import outside
from anden.engines.local.render.nftables import ruleset
from anden.engines.local.render.outside import LONGEST_TAG, MOST_ADDRESSES, Grant

RATES = Grant("ledger", IPv4Address("192.0.2.7"), "tcp", 443, 41.6, "api.rates.example")


def test_what_stands_is_taken_over_while_it_is_declared() -> None:
    text = ruleset(BANK, (), (RATES,))
    assert '192.0.2.7 . tcp . 443 timeout 42s comment "api.rates.example"' in text
    for other in (
        replace(RATES, caller="accounts"),
        replace(RATES, caller="worker"),
        replace(RATES, port=80),
        replace(RATES, transport="udp"),
        replace(RATES, tag="smtp.mail.example"),
    ):
        assert "192.0.2.7 ." not in ruleset(BANK, (), (other,)), other
    assert "192.0.2.7 ." not in ruleset(replace(BANK, names_out=()), (), (RATES,))


def test_a_name_alone_is_enough_to_leave_and_to_have_a_chain() -> None:
    alone = replace(BANK, allows=(), allows_out=())
    text = ruleset(alone)
    assert (
        '\tchain from-ledger {\n\t\toifname "internet" ip daddr . meta l4proto . th dport @named-ledger accept' in text
    )
    assert "172.30.128.5 : 203.0.113.11" in text


def test_an_elements_time_is_set_anew_in_one_transaction() -> None:
    added, taken, again, _ = outside.grant([RATES]).split("\n")
    assert added == again
    assert added.startswith("add element inet anden named-ledger { 192.0.2.7 . tcp . 443 timeout 42s")
    assert taken == "delete element inet anden named-ledger { 192.0.2.7 . tcp . 443 }"


def test_a_set_takes_no_more_than_it_may() -> None:
    many = [replace(RATES, address=IPv4Address("192.0.2.0") + n) for n in range(MOST_ADDRESSES + 10)]
    assert ruleset(BANK, (), many).count("api.rates.example") == MOST_ADDRESSES


@given(st.from_regex(r"[a-z]{1,60}(\.[a-z]{1,60}){1,4}", fullmatch=True), st.floats(0, 10_000))
def test_a_comment_is_short_and_a_time_is_never_zero(host: str, left_s: float) -> None:
    tag = outside.tag(host)
    assert len(tag) <= LONGEST_TAG
    assert (tag == host) == (len(host) <= LONGEST_TAG)
    assert " timeout 0s" not in outside.element(replace(RATES, left_s=left_s, tag=tag))
