from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, service, topology

from anden.model.mark import Mark
from anden.model.problem import Problems
from anden.model.topology import Link
from anden.planning.addressing import allocate, candidates, edges, layout, prefix_for, usable

networks = st.builds(
    lambda prefix, index: IPv4Network(((10 << 24) + index * 2 ** (32 - prefix), prefix)),
    st.integers(16, 22),
    st.integers(0, 63),
)


def link(*reached: str, seen_as: str | None = None) -> Link:
    return Link(
        "core",
        IPv4Address("203.0.113.10"),
        tuple(map(IPv4Network, reached)),
        ("one", "two"),
        IPv4Network(seen_as) if seen_as else None,
    )


@settings(deadline=None)
@given(networks, st.integers(1, 4))
def test_blocks_are_inside_and_apart(network: IPv4Network, zones: int) -> None:
    cut = layout(network, zones)
    subnets = [block for zone in cut.zones for block in (zone.public, zone.private, zone.data)]
    blocks = [*subnets, cut.names, *edges(network)]
    assert len(cut.zones) == zones
    assert all(block.subnet_of(network) for block in blocks)
    assert not any(one.overlaps(other) for one, other in combinations(blocks, 2))
    assert cut.resolver == network[2]
    assert int(cut.resolver) not in usable(cut.zones[0].public)
    assert not any(cut.balancer in block for block in blocks)
    assert cut.balancer in network
    assert all(
        zone.private.num_addresses > max(zone.public.num_addresses, zone.data.num_addresses) for zone in cut.zones
    )
    assert all(block.prefixlen <= 27 for block in (*blocks, *edges(network)))


@settings(deadline=None)
@given(networks, st.integers(1, 3))
def test_a_zone_more_moves_none(network: IPv4Network, zones: int) -> None:
    assert layout(network, zones + 1).zones[:zones] == layout(network, zones).zones


@settings(deadline=None)
@given(networks)
def test_what_aws_reserves_is_not_usable(network: IPv4Network) -> None:
    for subnet in (layout(network, 1).zones[0].private, layout(network, 1).names):
        free = usable(subnet)
        assert len(free) == subnet.num_addresses - 5
        assert free[0] == int(subnet[4])
        assert free[-1] == int(subnet[-2])


def test_the_table_of_the_module_is_true() -> None:
    for network, wide, narrow in (("10.0.0.0/16", 8187, 2043), ("10.0.0.0/22", 123, 27)):
        cut = layout(IPv4Network(network), 4)
        assert {len(usable(zone.private)) for zone in cut.zones} == {wide} == {len(usable(cut.names))}
        assert {len(usable(block)) for zone in cut.zones for block in (zone.public, zone.data)} == {narrow}
        assert {len(usable(block)) for block in edges(IPv4Network(network))} == {narrow}


@pytest.mark.parametrize(("network", "zones"), [("10.0.0.0/15", 1), ("10.0.0.0/23", 1), ("10.0.0.0/16", 5)])
def test_what_cannot_be_laid_out(network: str, zones: int) -> None:
    with pytest.raises(ValueError, match=r"/16 to a /22|1 to 4"):
        layout(IPv4Network(network), zones)


@settings(deadline=None)
@given(st.integers(0, 9000))
def test_the_prefix_for_a_number_of_places_is_the_narrowest(places: int) -> None:
    prefix = prefix_for(places)
    if prefix is None:
        assert places > 8187
        return
    assert len(usable(layout(IPv4Network((0, prefix)), 1).zones[0].private)) >= places
    assert prefix == 22 or len(usable(layout(IPv4Network((0, prefix + 1)), 1).zones[0].private)) < places


def test_without_a_network_the_first_candidate_is_taken() -> None:
    assert allocate(topology(service("web")), None, {}) == IPv4Network("172.30.0.0/16")


def test_candidates_are_private_and_apart() -> None:
    tried = list(candidates())
    assert len(tried) == len(set(tried)) == 272
    assert not {IPv4Network("172.31.0.0/16"), IPv4Network("172.17.0.0/16")} & set(tried)


def test_the_clients_data_centre_is_left_alone() -> None:
    bank = topology(
        service("web"),
        links=(link("172.28.0.0/14", "10.64.0.0/10", seen_as="172.27.1.0/26"),),
        destinations=(destination("mail", "172.26.0.9/32"), destination("internet", "0.0.0.0/0")),
    )
    assert allocate(bank, None, {}) == IPv4Network("172.25.0.0/16")


def test_the_parents_network_stays_unless_something_overlaps_it_now() -> None:
    kept = IPv4Network("10.9.0.0/16")
    assert allocate(topology(service("web")), kept, {}) == kept
    assert allocate(topology(service("web"), links=(link("10.9.3.0/24"),)), kept, {}) == IPv4Network("172.30.0.0/16")


def test_a_declared_network_is_taken_as_it_is() -> None:
    declared = IPv4Network("192.168.128.0/20")
    assert allocate(topology(service("web"), network=declared), IPv4Network("10.9.0.0/16"), {}) == declared


@pytest.mark.parametrize(("network", "fix"), [("10.0.0.0/8", "Use 10.0.0.0/16."), ("10.0.3.0/24", "Use 10.0.0.0/22.")])
def test_a_declared_network_of_another_size_is_a_problem(network: str, fix: str) -> None:
    bank = topology(service("web"), network=IPv4Network(network))
    with pytest.raises(Problems) as found:
        allocate(bank, None, {"environments/certification/network": Mark("anden.yaml", 7)})
    assert str(found.value) == (
        f"environments/certification/network (anden.yaml:7): {network} cannot be laid out;"
        f" a network is a /16 to a /22. {fix}"
    )


def test_when_everything_is_taken_it_says_by_whom() -> None:
    bank = topology(service("web"), links=(link("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),))
    with pytest.raises(Problems, match=r"link core \(10.0.0.0/8\), link core \(172.16.0.0/12\)"):
        allocate(bank, None, {})
