"""The second wall: it lets through all that security groups allow, and of the rest what its few rules cannot tell."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engines.aws.render.networks import BANK, CORE, ICMP, SEEN, Network, network
from tests.unit.planning.topologies import destination, service, topologies, topology

from anden.engines.aws.render.acl import MOST_RULES, numbered
from anden.engines.aws.render.acl_openings import Opening, fit
from anden.engines.aws.render.terrain import ANYWHERE
from anden.model.topology import Egress, Topology

INTERNET = "198.51.100.7"
WHOLE = IPv4Network("10.0.0.0/8")


def test_what_is_declared_passes() -> None:
    found = network(BANK)
    assert found.talks("PrivateA", "PrivateB", 9090)
    for zone in "ABC":
        assert found.reaches(f"Private{zone}", "198.51.100.7", 25)
        assert found.reaches(f"Private{zone}", "192.0.2.200", 443), "a name may have any address"
        assert found.reaches(f"Private{zone}", "10.20.4.17", 8443)
        assert found.talks(f"Private{zone}", "DataB", 443)


def test_the_entrance_passes() -> None:
    plain, tls = network(BANK), network(replace(BANK, domain="api.banco.example"))
    assert plain.talks("Edge0", "Edge1", 80)
    assert not plain.talks("Edge0", "Edge1", 443)
    assert tls.talks("Edge0", "Edge1", 443)
    for found in (plain, tls):
        for edge in ("Edge0", "Edge1"):
            assert found.talks(edge, "PrivateC", 8080), "the balancer, to a service with a route"
            assert not found.talks(edge, "PrivateC", 9090), "ledger has no route"


def test_the_entrance_stays_open_while_it_moves() -> None:
    found = network(replace(BANK, domain="api.banco.example"), BANK)
    assert found.talks("Edge0", "Edge1", 80)
    assert found.talks("Edge0", "Edge1", 443)


def test_what_is_not_declared_does_not_leave() -> None:
    found = network(BANK)
    assert not found.reaches("PrivateA", "198.51.100.7", 26)
    assert not found.reaches("PrivateA", "192.0.2.1", 25), "mail is a network of its own"
    assert not found.reaches("PrivateA", "10.20.4.18", 8443), "another host behind the link"


@pytest.mark.parametrize("layer", ["Data", "Edge"])
@pytest.mark.parametrize("outward", [True, False])
def test_data_and_edge_know_no_internet(layer: str, outward: bool) -> None:
    found = network(BANK)
    for subnet in found.subnets(layer):
        for port in (25, 80, 443, 1024, 8443, 65535):
            assert not found.passes(subnet, outward, INTERNET, port)
            assert not found.passes(subnet, outward, "10.20.4.17", port)


def test_data_answers_the_private_layer_and_nobody_else() -> None:
    found = network(BANK)
    for other in ("PublicA", "Edge0", "DataA"):
        assert not found.passes("DataB", False, found.host(other), 443)
        assert not found.passes("DataB", True, found.host(other), 40000)
    assert not found.passes("DataB", False, found.host("PrivateA"), 5432)
    assert not found.passes("DataB", True, found.host("PrivateA"), 443), "it calls nobody"


@pytest.mark.parametrize("port", [22, 25, 80, 443, 1023])
def test_the_internet_calls_no_task(port: int) -> None:
    found = network(BANK)
    for subnet in (*found.subnets("Private"), *found.subnets("Public")):
        assert not found.passes(subnet, False, INTERNET, port)


def test_everywhere_outside_does_not_mean_the_vpc() -> None:
    found = network(BANK)
    assert found.passes("PrivateA", True, INTERNET, 443)
    for other in ("PublicB", "Edge1", "PrivateB"):
        assert not found.passes("PrivateA", True, found.host(other), 443)
    for other in ("DataB", "Edge1", "PublicB"):
        assert not found.passes("PublicA", True, found.host(other), 443)
        assert not found.passes("PublicA", False, found.host(other), 443)
    assert not found.passes("PrivateA", False, found.host("PublicB"), 40000), (
        "NAT answers with the other side's address"
    )


def test_the_size_of_a_path_is_learnt() -> None:
    found = network(BANK)
    for subnet in ("PrivateA", "PublicA"):
        assert found.passes(subnet, False, INTERNET, 4, ICMP)
        assert found.passes(subnet, True, INTERNET, 4, ICMP)
    assert found.passes("DataA", False, found.host("PrivateB"), 4, ICMP)
    assert not found.passes("DataA", False, INTERNET, 4, ICMP)
    assert not found.passes("PrivateA", False, INTERNET, 0, ICMP), "and nothing else of ICMP"


def test_public_subnets_without_nat_let_nothing_through() -> None:
    found = network(replace(BANK, egress=Egress.NONE))
    assert [found.rules(subnet, way) for subnet in found.subnets("Public") for way in (True, False)] == [[]] * 6


def test_nobody_calls_anybody_in_an_environment_of_one_service() -> None:
    found = network(topology(service("web"), zones=2, region="us-east-1"))
    assert not found.talks("PrivateA", "PrivateB", 8080)
    assert found.talks("PrivateA", "DataB", 443)


def test_low_ports_are_told_apart_between_tasks() -> None:
    found = network(topology(service("a", 80, reaches=("b",)), service("b", 81), zones=2, region="us-east-1"))
    assert found.talks("PrivateA", "PrivateB", 81)
    assert not found.talks("PrivateA", "PrivateB", 80), "nobody reaches a"


# Properties, over whatever may be declared.


def linked(of: Topology, seen: bool) -> Topology:
    return replace(of, region="us-east-1", links=(SEEN if seen else CORE,), network=IPv4Network("172.30.0.0/16"))


def callable_(of: Topology) -> list[int]:
    """Ports of services that some service reaches, read from the topology alone."""
    names = {name for each in of.services for name in each.reaches}
    return [each.port for each in of.services if each.name in names and each.port is not None]


@given(topologies(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_wall_never_refuses_what_is_declared(of: Topology, seen: bool) -> None:
    of = linked(of, seen)
    found = network(of)
    tasks = list(found.subnets("Private"))
    for port in callable_(of):
        assert all(one == other or found.talks(one, other, port) for one in tasks for other in tasks)
    for each in of.services:
        if each.route is not None and each.port is not None:
            assert all(found.talks(edge, task, each.port) for edge in ("Edge0", "Edge1") for task in tasks)
    assert all(found.talks(task, data, 443) for task in tasks for data in found.subnets("Data"))
    for name in {name for each in of.services for name in each.reaches}:
        place = of.destination(name)
        if place is None or (place.link is None and of.egress is Egress.NONE):
            continue
        where = (
            place.network.network_address + (7 if place.network.prefixlen < 32 else 0) if place.network else INTERNET
        )
        address = INTERNET if place.network == ANYWHERE else str(where)
        assert all(found.reaches(task, address, place.port) for task in tasks)


@given(topologies(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_rules_fit_the_quota_and_none_is_claimed_twice(of: Topology, seen: bool) -> None:
    entries = network(linked(of, seen)).of("EC2::NetworkAclEntry").values()
    numbers = Counter((e["NetworkAclId"]["Ref"], e["Egress"], e["RuleNumber"]) for e in entries)
    assert not numbers or set(numbers.values()) == {1}
    assert all(1 <= number < 32767 for _, _, number in numbers)
    assert max(Counter((acl, way) for acl, way, _ in numbers).values()) <= MOST_RULES


def crowd(services: int, places: int) -> Topology:
    """Many services with routes on ports far apart, and many destinations, all reached."""
    names = [f"to{number}" for number in range(places)]
    outside = [destination(n, f"198.51.{i // 200}.{i % 200}/32", 300 + 7 * i) for i, n in enumerate(names)]
    tasks = [service(f"s{n}", 100 + 10 * n, reaches=tuple(f"s{m}" for m in range(services))) for n in range(services)]
    caller = service("caller", None, reaches=tuple(names))
    return topology(
        *tasks, caller, destinations=tuple(outside), egress=Egress.ONE, zones=2, region="us-east-1"
    )  # fmt: skip


@pytest.mark.parametrize(("services", "places"), [(5, 5), (40, 3), (3, 40), (80, 200)])
def test_a_crowd_fits_too_and_is_let_through(services: int, places: int) -> None:
    of = crowd(services, places)
    found = network(of)
    for outward in (True, False):
        assert all(len(found.rules(subnet, outward)) <= MOST_RULES for subnet in found.subnets())
    assert all(found.talks("PrivateA", "PrivateB", port) for port in callable_(of))
    for place in of.destinations:
        assert place.network is not None
        assert found.reaches("PrivateB", str(place.network.network_address), place.port)


def touched(before: Network, after: Network) -> set[str]:
    old, new = before.of("EC2::NetworkAclEntry"), after.of("EC2::NetworkAclEntry")
    return {name for name in old.keys() & new.keys() if old[name] != new[name]}


@given(st.sets(st.integers(1, 200), min_size=1, max_size=7), st.integers(201, 250))
@settings(max_examples=25, deadline=None)
def test_one_destination_more_touches_no_rule_that_is_there(hosts: set[int], more: int) -> None:
    def of(numbers: set[int]) -> Network:
        places = tuple(destination(f"to{n}", f"198.51.100.{n}/32", 443) for n in sorted(numbers))
        caller = service("web", reaches=tuple(place.name for place in places))
        return network(topology(caller, destinations=places, egress=Egress.ONE, region="us-east-1"))

    assert not touched(of(hosts), of({*hosts, more}))


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=20))
def test_rules_of_the_same_number_are_told_apart(ports: set[int]) -> None:
    numbers = [number for number, _ in numbered([Opening(WHOLE, p, p) for p in sorted(ports)], 100, 100 + len(ports))]
    assert sorted(numbers) == list(range(100, 100 + len(ports)))


# Few rules for many openings.

ranges = st.tuples(st.integers(1, 65535), st.integers(0, 50)).map(lambda p: (p[0], min(65535, p[0] + p[1])))
nets = st.sampled_from([IPv4Network(f"10.{n}.0.0/16") for n in range(8)])
openings = st.lists(st.builds(lambda net, ports: Opening(net, *ports), nets, ranges), max_size=40)


@given(openings, st.integers(1, 17))
def test_fewer_rules_let_through_no_less(some: list[Opening], most: int) -> None:
    found = fit(some, most, WHOLE)
    assert len(found) <= most
    for each in some:
        assert any(
            each.network.subnet_of(one.network) and one.first <= each.first and each.last <= one.last for one in found
        )


@given(openings)
def test_where_there_are_rules_enough_they_are_exact(some: list[Opening]) -> None:
    def let(those: tuple[Opening, ...] | list[Opening], net: IPv4Network) -> set[int]:
        return {p for o in those if net.subnet_of(o.network) for p in range(o.first, o.last + 1)}

    found = fit(some, 1000, WHOLE)
    for number in range(8):
        net = IPv4Network(f"10.{number}.0.0/16")
        assert let(found, net) == let(some, net)


def test_the_narrowest_gaps_go_first() -> None:
    ports = [Opening(WHOLE, port, port) for port in (25, 443, 8080, 8081, 8090)]
    assert [(o.first, o.last) for o in fit(ports, 3)] == [(25, 25), (443, 443), (8080, 8090)]
    assert [(o.first, o.last) for o in fit(ports, 2)] == [(25, 443), (8080, 8090)]
    with pytest.raises(ValueError, match="more networks than there are rules"):
        fit([Opening(IPv4Network(f"10.{n}.0.0/17"), 1, 1) for n in range(3)], 2)
