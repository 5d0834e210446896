"""Drafts that replace something half-replaced: an address means one instance, whoever still has it."""

from collections.abc import Mapping
from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st

from anden.control.drafts import after
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName
from anden.model.image import Image
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.topology import ImageSource, Range, Service, Topology
from anden.planning.blueprint import draft
from anden.planning.instances import specification

KEY = EnvironmentKey("banco", "dev", EngineName.SIMULATED)
names = st.sets(st.sampled_from("abcdef"), min_size=1, max_size=4)
zones = st.integers(1, 3)


def topology(services: set[str], count: int, most: int) -> Topology:
    made = tuple(
        Service(ServiceName(name), ImageSource(f"{name}:1"), port=80, instances=Range(1, most))
        for name in sorted(services)
    )
    return Topology("banco", "dev", made, zones=count)


def images(of: Topology) -> Mapping[str, Image]:
    return {service.name: Image(f"{service.name}:1", Digest("sha256:" + "0" * 64)) for service in of.services}


def holders(blueprint: Blueprint) -> dict[IPv4Address, str]:
    found: dict[IPv4Address, str] = {}
    for placement in blueprint.placements:
        for slot in placement.slots:
            assert slot.address not in found
            found[slot.address] = f"{placement.service}-{slot.ordinal}"
        if placement.address is not None:
            assert placement.address not in found
            found[placement.address] = placement.service
    return found


def seen(blueprint: Blueprint) -> Observation:
    """Every slot of it is occupied."""
    instances = []
    for placement in blueprint.placements:
        for slot in placement.slots:
            one = specification(blueprint, placement.service, slot)
            instances.append(
                InstanceSeen(
                    one.id, one.service, one.ordinal, one.zone, one.address, one.revision, one.image_name,
                    InstanceState.RUNNING, Health.HEALTHY, 0.0,
                )
            )  # fmt: skip
    return Observation(KEY, 0.0, present=True, instances=tuple(instances))


@settings(max_examples=60, deadline=None)
@given(names, names, names, zones, zones, zones, st.integers(1, 3))
def test_no_address_changes_hands_between_any_two_of_three(
    first: set[str], second: set[str], third: set[str], one: int, two: int, three: int, most: int
) -> None:
    topologies = [topology(first, one, most), topology(second, two, 2), topology(third, three, most)]
    held = draft(topologies[0], images(topologies[0]), Facts(), None)
    current = after(held, None, None, topologies[1], images(topologies[1]), Facts(), {})
    drafted = after(current, held, None, topologies[2], images(topologies[2]), Facts(), {})
    # Also what runs of the first, when nobody remembers its blueprint any more.
    unknown = after(current, None, seen(held), topologies[2], images(topologies[2]), Facts(), {})
    for made in (drafted, unknown):
        for before in (held, current):
            was, is_ = holders(before), holders(made)
            names_only = {address for address in was if "-" not in was[address]}
            for address in was.keys() & is_.keys():
                if made is unknown and before is held and address in names_only:
                    continue  # names are not observed; nothing runs at them
                assert was[address] == is_[address]
        numbers = [placement.number for placement in made.placements]
        assert len(set(numbers)) == len(numbers)
        assert made.parent in (current.digest, current.parent)


@given(names, zones)
def test_the_same_again_is_the_same_blueprint(services: set[str], count: int) -> None:
    of = topology(services, count, 2)
    first = after(None, None, None, of, images(of), Facts(), {})
    again = after(first, first, seen(first), of, images(of), Facts(), {})
    assert again.digest == first.digest
    assert again.parent is None
