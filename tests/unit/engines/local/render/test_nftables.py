"""The firewall's ruleset as text. What it does in a kernel is shown in tests/live/test_network_reach.py."""

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.local.render.sample import ACCOUNTS, BANK, CASES, LEDGER, LINKED, SMALLEST, golden

from anden.engines.local.render.nftables import ruleset
from anden.model.configuration import AllowDestination, AllowService, Configuration, Leave
from anden.model.ids import DestinationName, ServiceName, ZoneName


@pytest.mark.parametrize("case", [*CASES, "let-in"])
def test_golden(case: str) -> None:
    golden(f"{case}.nft", ruleset({**CASES, **LINKED}[case]))


def test_what_begins_behind_a_link_is_dropped_after_what_is_let_in_and_before_all_else() -> None:
    rules = chain(ruleset(LINKED["let-in"]), "forward").splitlines()
    [admits] = [number for number, rule in enumerate(rules) if "@incoming-1 accept" in rule]
    [drops] = [number for number, rule in enumerate(rules) if rule.strip() == 'iifname "link.*" drop']
    assert 'iifname "link.1.*" oifname "balancer"' in rules[admits]
    assert admits < drops
    assert "saddr map @services" not in "".join(rules[:drops])
    assert not [rule for rule in rules[admits + 1 : drops] if "accept" in rule], "noted, and nothing else"
    closed = ruleset(replace(LINKED["let-in"], allows_in=()))
    assert "incoming" not in closed
    assert "100.64.10.6" not in closed
    assert 'iifname "link.*" drop' in closed


def chain(text: str, name: str) -> str:
    found = re.search(rf"\tchain {re.escape(name)} {{\n(.*?)\n\t}}", text, re.S)
    return found[1] if found else ""


def test_a_caller_that_declares_nothing_has_no_chain() -> None:
    text = ruleset(SMALLEST)
    assert "from-web" not in text
    assert "policy drop" in chain(text, "forward")
    assert "vmap" not in chain(text, "forward")


def test_nothing_is_rejected() -> None:
    assert "reject" not in ruleset(BANK)


def test_a_zone_that_is_down_comes_before_what_is_established() -> None:
    text = ruleset(BANK, down=[IPv4Network("172.30.160.0/19")])
    rules = chain(text, "forward")
    assert rules.index("ip saddr @zone_down drop") < rules.index("ct state established")
    assert rules.index("ip daddr @zone_down drop") < rules.index("ct state established")
    assert re.search(r"set zone_down {[^}]*172\.30\.160\.0/19", text)


def test_an_address_of_two_services_is_refused() -> None:
    twice = replace(LEDGER, members=ACCOUNTS.members)
    with pytest.raises(ValueError, match="two services"):
        ruleset(replace(BANK, backends=(ACCOUNTS, twice)))


def test_the_same_member_twice_is_one() -> None:
    doubled = replace(BANK, backends=(replace(ACCOUNTS, members=ACCOUNTS.members * 2), *BANK.backends[1:]))
    assert ruleset(doubled) == ruleset(BANK)


def test_only_callers_that_leave_are_translated_and_one_address_serves_all_zones() -> None:
    one = replace(BANK, names_out=(), leaves=(Leave(ZoneName("*"), IPv4Address("203.0.113.9")),))
    leaves = re.search(r"map leaves {(.*?)\n\t}", ruleset(one), re.S)
    assert leaves is not None
    pairs = re.findall(r"([\d.]+) : ([\d.]+)", leaves[1])
    assert pairs == [(address, "203.0.113.9") for address in ("172.30.128.4", "172.30.128.7", "172.30.160.4")]


def test_without_fixed_addresses_everything_outside_is_dropped_after_translation() -> None:
    text = ruleset(replace(BANK, leaves=()))
    assert 'oifname "internet" ip saddr != @fixed drop' in chain(text, "left")
    assert not re.search(r"set fixed {[^}]*elements", text)


NAMES = [backend.service for backend in BANK.backends]


@given(
    st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(1, 65535)), max_size=12),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda n: IPv4Network(n, strict=False)),
            st.integers(1, 4),
        ),
        max_size=12,
    ),
)
def test_what_is_accepted_is_what_is_declared(
    pairs: set[tuple[ServiceName, ServiceName, int]], out: list[tuple[ServiceName, IPv4Network, int]]
) -> None:
    """Each caller's chain names exactly its declared callees' addresses, numbers and ports; a set of destinations
    holds what was declared and no two networks that overlap on a port."""
    declared = Configuration(
        BANK.layout,
        BANK.backends,
        tuple(AllowService(*pair) for pair in sorted(pairs)),
        tuple(AllowDestination(who, DestinationName("x"), network, port) for who, network, port in out),
    )
    text = ruleset(declared)
    by_name = {backend.service: backend for backend in BANK.backends}
    for caller in NAMES:
        rules = chain(text, f"from-{caller}")
        accepted = {tuple(each) for each in re.findall(r"([\d.]+) \. tcp \. (\d+)", rules)}
        mine = {(callee, port) for who, callee, port in pairs if who == caller}
        numbers = {(f"{by_name[callee].number}", f"{port}") for callee, port in mine}
        addresses = {(f"{at}", f"{port}") for callee, port in mine if (at := by_name[callee].address)}
        assert accepted == numbers | addresses
        held = re.search(rf"set outside-{caller} {{(.*?)\n\t}}", text, re.S)
        elements = re.findall(r"([\d./]+) \. tcp \. (\d+)", held[1]) if held else []
        for port in range(1, 5):
            networks = [IPv4Network(network) for network, at in elements if at == f"{port}"]
            wanted = [network for who, network, at in out if who == caller and at == port]
            assert sum(network.num_addresses for network in networks) == _size(wanted)
            assert all(any(each.subnet_of(network) for network in networks) for each in wanted)


def _size(networks: list[IPv4Network]) -> int:
    """How many addresses are in at least one of them."""
    covered, last = 0, -1
    for first, end in sorted((int(n.network_address), int(n.broadcast_address)) for n in networks):
        covered += max(0, end - max(first, last + 1) + 1)
        last = max(last, end)
    return covered
