from collections import Counter
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import drafted, service, topologies, topology

from anden.model.blueprint import Blueprint
from anden.model.problem import Problems
from anden.model.topology import Range, Topology
from anden.planning.addressing import usable
from anden.planning.placement import slot_count, surge

networks = st.sampled_from(
    [None, IPv4Network("172.30.0.0/16"), IPv4Network("172.30.0.0/20"), IPv4Network("10.1.0.0/18")]
)


def addresses(blueprint: Blueprint) -> dict[int, str]:
    """Every placed address, and whose it is: an instance's id or a service's name."""
    owners: dict[int, str] = {}
    for placement in blueprint.placements:
        if placement.address is not None:
            owners[int(placement.address)] = placement.service
        owners.update({int(slot.address): f"{placement.service}-{slot.ordinal}" for slot in placement.slots})
    return owners


def sound(blueprint: Blueprint) -> None:
    """What holds for every blueprint, with parents or without."""
    topology, layout = blueprint.topology, blueprint.layout
    assert [placement.service for placement in blueprint.placements] == sorted(one.name for one in topology.services)
    numbers = [placement.number for placement in blueprint.placements]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 1
    count = 2 + sum(len(placement.slots) + (placement.address is not None) for placement in blueprint.placements)
    assert len({*addresses(blueprint), int(layout.resolver), int(layout.balancer)}) == count, "an address twice"
    for placement in blueprint.placements:
        declared = topology.service(placement.service)
        assert declared is not None
        assert (placement.address is None) == (declared.port is None)
        assert placement.address is None or int(placement.address) in usable(layout.names)
        assert [slot.ordinal for slot in placement.slots] == list(range(1, slot_count(declared, topology.zones) + 1))
        for slot in placement.slots:
            assert int(slot.address) in usable(layout.zone(slot.zone).private)
        for level in range(1, len(placement.slots) + 1):
            spread = Counter({zone.name: 0 for zone in layout.zones})
            spread.update(slot.zone for slot in placement.slots[:level])
            assert max(spread.values()) - min(spread.values()) <= 1, f"{placement.service} at {level}"


@pytest.mark.parametrize(("most", "more"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 2), (9, 3), (40, 10)])
def test_a_quarter_more_may_run_during_a_change(most: int, more: int) -> None:
    assert surge(service("web", instances=Range(1, most))) == more


@settings(deadline=None)
@given(topologies(networks))
def test_a_first_blueprint_is_sound(bank: Topology) -> None:
    blueprint = drafted(bank)
    sound(blueprint)
    assert sorted(placement.number for placement in blueprint.placements) == list(range(1, len(bank.services) + 1))
    starts = Counter({zone.name: 0 for zone in blueprint.layout.zones})
    starts.update(placement.slots[0].zone for placement in blueprint.placements)
    assert max(starts.values()) - min(starts.values()) <= 1, "services of one instance spread too"


@settings(max_examples=60, deadline=None)
@given(st.lists(topologies(networks), min_size=2, max_size=5))
def test_churn_keeps_what_it_can_and_hands_nothing_over(banks: list[Topology]) -> None:
    parent = drafted(banks[0])
    for bank in banks[1:]:
        child = drafted(bank, parent)
        sound(child)
        before, after = addresses(parent), addresses(child)
        assert all(before[address] == after[address] for address in before.keys() & after.keys()), "handed over"
        olds = {placement.service: placement for placement in parent.placements}
        foreign = {old.number for name, old in olds.items()}
        for new in child.placements:
            old = olds.get(new.service)
            if old is None:
                assert new.number not in foreign
                continue
            assert new.number == old.number
            if [zone.private for zone in child.layout.zones] == [zone.private for zone in parent.layout.zones]:
                both = min(len(old.slots), len(new.slots))
                assert new.slots[:both] == old.slots[:both]
                assert None in (old.address, new.address) or old.address == new.address
        parent = child


@settings(deadline=None)
@given(topologies(networks))
def test_drafting_the_same_again_changes_nothing(bank: Topology) -> None:
    parent = drafted(bank)
    assert drafted(bank, parent) == parent


def test_a_larger_range_appends_and_a_smaller_one_drops_from_the_end() -> None:
    small = drafted(topology(service("a", instances=Range(2, 4)), service("b"), zones=3))
    large = drafted(topology(service("a", instances=Range(2, 8)), service("b"), zones=3), small)
    again = drafted(topology(service("a", instances=Range(2, 4)), service("b"), zones=3), large)
    assert large.placement("a").slots[:5] == small.placement("a").slots
    assert len(large.placement("a").slots) == 10
    assert again.placements == small.placements


def test_what_a_removed_service_had_is_free_one_change_later() -> None:
    first = drafted(topology(service("a"), service("b")))
    second = drafted(topology(service("b"), service("c")), first)
    third = drafted(topology(service("b"), service("c"), service("d")), second)
    assert second.placement("c").number == 3
    assert third.placement("d").number == first.placement("a").number == 1
    assert third.placement("d").address == first.placement("a").address
    assert third.placement("d").slots == first.placement("a").slots


def test_one_zone_more_keeps_the_addresses_that_stay_in_their_zone() -> None:
    one = drafted(topology(service("a", instances=Range(2, 4)), zones=1))
    two = drafted(topology(service("a", instances=Range(2, 4)), zones=2), one)
    kept = [slot for slot in two.placement("a").slots if slot in one.placement("a").slots]
    assert [slot.ordinal for slot in kept] == [1, 3, 5]


def test_too_small_a_network_says_what_is_needed() -> None:
    bank = topology(
        *(service(f"s{index:02}", instances=Range(2, 8)) for index in range(30)),
        zones=2,
        network=IPv4Network("10.1.0.0/22"),
    )
    with pytest.raises(Problems) as found:
        drafted(bank)
    first, second = (str(problem) for problem in found.value.problems)
    assert first == (
        "environments/certification/network: the private subnet of zone a (10.1.2.0/25) is too small; 150 addresses are"
        " needed (instances.max and surge of every service), it holds 123."
        " Use a network of a /21, or have fewer instances."
    )
    assert "zone b" in second


def test_room_that_a_removal_still_holds_is_named() -> None:
    network = IPv4Network("10.1.0.0/22")
    first = drafted(topology(service("a", instances=Range(1, 56)), network=network))
    with pytest.raises(Problems, match=r"70 stay taken by what this change removes\. Remove first and add afterwards"):
        drafted(topology(service("b", instances=Range(1, 56)), network=network), first)


def test_names_run_out_too() -> None:
    bank = topology(*(service(f"s{index:03}") for index in range(124)), zones=4, network=IPv4Network("10.1.0.0/22"))
    with pytest.raises(Problems, match=r"block of internal names \(10\.1\.1\.0/25\) is too small; 124 services"):
        drafted(bank)


@settings(deadline=None)
@given(topologies(networks))
def test_the_zones_left_hold_the_base_and_one_more_whichever_is_lost(bank: Topology) -> None:
    try:
        blueprint = drafted(bank)
    except Problems:
        return
    for placement in blueprint.placements if bank.zones > 1 else ():
        declared = bank.service(placement.service)
        assert declared is not None
        for zone in blueprint.layout.zones:
            left = sum(slot.zone != zone.name for slot in placement.slots)
            assert left > declared.instances.base
