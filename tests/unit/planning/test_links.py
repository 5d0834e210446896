"""What both sides of a link agree on."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.manifest.grammar import MOST_LINKS, TUNNELS
from anden.model.link import Bgp, Endpoint
from anden.model.topology import Link
from anden.planning.addressing import ZONE_NAMES
from anden.planning.links import INSIDE, RESERVED_INSIDE, agreement, inside, numbers, shares

NETWORK = IPv4Network("172.30.0.0/16")
CORE = Link(
    "core",
    IPv4Address("203.0.113.10"),
    (IPv4Network("10.20.0.0/16"),),
    ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)
UNKNOWN = (Endpoint(), Endpoint())


def test_the_first_key_is_of_the_preferred_tunnel() -> None:
    known = tuple(Endpoint(IPv4Address(address)) for address in ("198.51.100.1", "198.51.100.2"))
    agreed = agreement(CORE, NETWORK, ZONE_NAMES[:2], known)
    assert [(tunnel.number, tunnel.key, tunnel.our_identity) for tunnel in agreed.tunnels] == [
        (1, "vpn-1", "198.51.100.1"),
        (2, "vpn-2", "198.51.100.2"),
    ]
    assert agreed.known


def test_what_is_not_applied_yet_is_unknown() -> None:
    agreed = agreement(CORE, NETWORK, ZONE_NAMES[:1], UNKNOWN)
    assert not agreed.known
    assert [tunnel.our_identity for tunnel in agreed.tunnels] == [None, None]


def test_the_other_side_routes_back_what_it_sees() -> None:
    straight = Link(CORE.name, CORE.peer, CORE.networks, CORE.secret)
    assert agreement(CORE, NETWORK, ZONE_NAMES[:1], UNKNOWN).local == CORE.seen_as
    assert agreement(straight, NETWORK, ZONE_NAMES[:1], UNKNOWN).local == NETWORK
    assert agreement(straight, NETWORK, ZONE_NAMES[:1], UNKNOWN).zones == ()


def test_a_link_that_speaks_bgp_says_both_numbers_and_others_none() -> None:
    agreed = agreement(replace(CORE, bgp=65010), NETWORK, ZONE_NAMES[:1], UNKNOWN)
    assert agreed.bgp == Bgp(ours=64512, theirs=65010, hold_s=30, keepalive_s=10)
    assert replace(agreed, bgp=None) == agreement(CORE, NETWORK, ZONE_NAMES[:1], UNKNOWN)


def test_each_key_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="1 endpoints for 2 keys"):
        agreement(CORE, NETWORK, ZONE_NAMES[:1], UNKNOWN[:1])


def test_a_block_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no /28 for zone c"):
        shares(IPv4Network("100.64.10.0/27"), ZONE_NAMES[:3])
    with pytest.raises(ValueError, match="no /28 for zone a"):
        shares(IPv4Network("100.64.10.0/29"), ZONE_NAMES[:1])


@given(st.integers(16, 26), st.integers(1, len(ZONE_NAMES)), st.integers(0, 255))
def test_shares_are_apart_inside_the_block_and_no_zone_more_moves_them(prefix: int, count: int, third: int) -> None:
    block = IPv4Network((int(IPv4Address(f"10.{third}.0.0")), prefix))
    zones = ZONE_NAMES[:count]
    made = shares(block, zones)
    assert [zone for zone, _ in made] == list(zones)
    assert all(share.subnet_of(block) and share.prefixlen <= 28 for _, share in made)
    assert not any(one.overlaps(other) for at, (_, one) in enumerate(made) for _, other in made[:at])
    assert made == shares(block, ZONE_NAMES)[:count]


def test_insides_are_apart_and_none_is_reserved() -> None:
    made: list[IPv4Interface] = [
        inside(link + 1, number + 1, bgp=bgp)
        for bgp in (False, True)
        for link in range(2 * MOST_LINKS)
        for number in range(TUNNELS)
    ]
    blocks = {address.network for address in made}
    assert len(blocks) == 2 * 2 * MOST_LINKS * TUNNELS
    assert not blocks & RESERVED_INSIDE
    assert all(block.subnet_of(INSIDE) for block in blocks)


def test_a_link_keeps_its_number_and_nobody_gets_that_of_one_that_goes() -> None:
    first = numbers(["core", "swift"], {})
    assert first == {"core": 1, "swift": 2}
    second = numbers(["atm", "swift"], first)
    assert second == {"atm": 3, "swift": 2}
    assert numbers(["atm", "core", "swift"], second) == {"atm": 3, "core": 1, "swift": 2}


@given(st.sets(st.sampled_from("abcdefghij")), st.sets(st.sampled_from("abcdefghij")))
def test_numbers_are_small_and_apart_from_those_before(before: set[str], after: set[str]) -> None:
    had = numbers(before, {})
    has = numbers(after, had)
    assert all(has[name] == had[name] for name in before & after)
    assert not {has[name] for name in after - before} & set(had.values())
    assert len(set(has.values())) == len(after)
    assert all(number <= 2 * MOST_LINKS for number in has.values())
