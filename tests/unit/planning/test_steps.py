"""Plans by hand for what people see, and worlds by Hypothesis for what must hold whatever happens."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import service, topologies, topology
from tests.unit.planning.world import KEY, NOTHING, World, abides, levels_of, observed, running, stranger

from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.manners import AWS
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.plan import Action, Configure, Plan, Remove, StartInstance, StopInstance
from anden.model.problem import Problems
from anden.model.topology import Range, Route, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure, parting
from anden.planning.steps import DRAIN_LIMIT_S, STARTS_IN_A_TICK, STOP_S, Rollout, plan, removal

NETWORK = IPv4Network("172.30.0.0/16")


def drawn(of: Topology, versions: Mapping[str, str] | None = None, parent: Blueprint | None = None) -> Blueprint:
    """A blueprint in which every service has the version that is named, else 1.0.0."""
    known = versions or {}
    images: dict[str, Image] = {}
    for one in of.services:
        version = known.get(one.name, "1.0.0")
        digit = version[-1]
        images[one.name] = Image(f"{one.name}:{version}", Digest("sha256:" + digit * 64), command=("serve",))
    return draft(of, images, Facts(), parent)


def image_of(version: str) -> Digest:
    return Digest("sha256:" + version[-1] * 64)


BANK = topology(
    service("accounts", instances=Range(2, 4), route=Route("/accounts"), reaches=("ledger",)),
    service("ledger", instances=Range(1, 2)),
)
ONE = drawn(BANK)
TWO = drawn(BANK, {"accounts": "1.0.1"}, ONE)
NARROW = configure(ONE, None, ())
ALL_OF_ONE = (running(ONE, "accounts", 1), running(ONE, "accounts", 2), running(ONE, "ledger", 1))


def planned(observation: Observation, target: Blueprint = ONE, **fields: Any) -> Plan:
    rollout = Rollout(
        KEY,
        target,
        fields.get("levels", {}),
        fields.get("generations", {}),
        fields.get("keeping"),
        fields.get("caveats", ()),
    )
    found = rollout.plan(observation)
    abides(found, rollout, observation)
    return found


def lines(found: Plan) -> list[str]:
    steps = [f"{step.action} {step.address}: {step.reason}" for step in found.steps]
    return steps + [f"… {wait.address}: {wait.reason}" for wait in found.waits]


def test_from_nothing_the_network_comes_first_and_everything_starts() -> None:
    found = planned(replace(NOTHING, absent_reason="not running since boot"))
    assert lines(found) == [
        "+ network: not running since boot",
        "+ accounts-1: level 1 of 2..4",
        "+ accounts-2: level 2 of 2..4",
        "+ ledger-1: level 1 of 1..2",
    ]
    assert found.target == ONE.digest
    assert plan(KEY, ONE, {}, {}, None, (), NOTHING).steps[0].reason == "certification does not run"


def test_what_is_as_it_should_be_needs_nothing() -> None:
    assert planned(observed(ALL_OF_ONE, NARROW)).settled


def test_other_surroundings_are_applied_before_anything_else() -> None:
    assert lines(planned(observed(ALL_OF_ONE[:2]))) == [
        "~ network: is not what the blueprint says",
        "+ ledger-1: level 1 of 1..2",
    ]


def test_who_is_not_healthy_yet_is_waited_for() -> None:
    ill = replace(ALL_OF_ONE[0], health=Health.UNHEALTHY)
    restarting = replace(ALL_OF_ONE[1], state=InstanceState.RESTARTING, health=Health.UNKNOWN)
    assert lines(planned(observed((ill, restarting, ALL_OF_ONE[2]), NARROW))) == [
        "… accounts-1: until it is healthy",
        "… accounts-2: until it is healthy",
    ]


def test_a_new_version_takes_over_one_surge_at_a_time() -> None:
    union = configure(TWO, ONE, ())
    assert union == NARROW
    world = World(observed(ALL_OF_ONE, NARROW))
    rollout = Rollout(KEY, TWO, {}, {}, ONE, ())
    told = []
    while not (found := world.tick(rollout)).settled:
        told.append(lines(found))
    assert told == [
        [
            "+ accounts-3: surge for accounts 1.0.1",
            "… accounts-1: until accounts-3 is healthy",
            "… accounts-2: until accounts-3 is healthy",
        ],
        [
            "- accounts-1: runs 1.0.0",
            "… accounts-2: until accounts-1 runs 1.0.1",
            "… accounts-3: until accounts-1 runs 1.0.1",
            "… accounts-1: until the old one has stopped",
        ],
        [
            "+ accounts-1: accounts 1.0.1 after 1.0.0",
            "… accounts-2: until accounts-1 is healthy",
            "… accounts-3: until accounts-1 is healthy",
        ],
        [
            "- accounts-2: runs 1.0.0",
            "… accounts-3: until accounts-2 runs 1.0.1",
            "… accounts-2: until the old one has stopped",
        ],
        ["+ accounts-2: level 2 of 2..4", "… accounts-3: until accounts-2 is healthy"],
        ["- accounts-3: level 2 of 2..4"],
    ]


def test_a_version_that_never_becomes_healthy_stops_nobody() -> None:
    world = World(observed(ALL_OF_ONE, NARROW), broken={image_of("1.0.1")})
    rollout = Rollout(KEY, TWO, {}, {}, ONE, ())
    for _ in range(10):
        world.tick(rollout)
    assert world.instances["accounts-1"].serving  # type: ignore[index]
    assert sorted(world.instances) == ["accounts-1", "accounts-2", "accounts-3", "ledger-1"]
    back = Rollout(KEY, ONE, {}, {}, TWO, ())
    assert lines(world.tick(back)) == ["- accounts-3: runs 1.0.1 and does not serve"]
    assert world.tick(back).settled


def test_an_old_one_that_does_not_serve_goes_at_once() -> None:
    ill = replace(ALL_OF_ONE[0], health=Health.UNHEALTHY)
    found = planned(observed((ill, *ALL_OF_ONE[1:]), NARROW), TWO, keeping=ONE)
    assert lines(found)[:2] == [
        "+ accounts-3: surge for accounts 1.0.1",
        "- accounts-1: runs 1.0.0 and does not serve",
    ]


def test_one_whose_health_is_not_known_for_a_moment_is_not_taken_for_dead() -> None:
    unknown = tuple(replace(one, health=Health.UNKNOWN) for one in ALL_OF_ONE)
    found = planned(observed(unknown, NARROW), TWO, keeping=ONE)
    assert [step.address for step in found.steps] == ["accounts-3"]


def test_a_restart_rolls_as_a_version_does() -> None:
    world = World(observed(ALL_OF_ONE, NARROW))
    rollout = Rollout(KEY, ONE, {}, {"accounts": 1}, None, ())
    first = lines(world.tick(rollout))
    assert first[0] == "+ accounts-3: surge for accounts 1.0.0"
    assert lines(world.tick(rollout))[0] == "- accounts-1: is not as specified now"
    world.settle(rollout)
    assert world.instances["accounts-1"] == running(ONE, "accounts", 1, generation=1)  # type: ignore[index]


def test_scaling_up_starts_and_down_stops_what_is_in_excess() -> None:
    assert lines(planned(observed(ALL_OF_ONE, NARROW), levels={"accounts": 9})) == [
        "+ accounts-3: level 3 of 2..4",
        "+ accounts-4: level 4 of 2..4",
    ]
    four = (*ALL_OF_ONE, running(ONE, "accounts", 3), running(ONE, "accounts", 4))
    assert lines(planned(observed(four, NARROW), levels={"accounts": 3})) == ["- accounts-4: level 3 of 2..4"]
    ill = (replace(four[0], health=Health.UNHEALTHY), *four[1:])
    assert lines(planned(observed(ill, NARROW))) == [
        "- accounts-4: level 2 of 2..4",
        "… accounts-1: until it is healthy",
        "… accounts-3: until accounts-1 is healthy",
    ]


def test_a_dropped_service_goes_last_and_its_path_before_it() -> None:
    smaller = drawn(topology(service("accounts", instances=Range(2, 4), env={"MODE": "x"})), None, ONE)
    world = World(observed(ALL_OF_ONE, NARROW))
    rollout = Rollout(KEY, smaller, {}, {}, ONE, ())
    first = lines(world.tick(rollout))
    assert "… ledger-1: until everything else is healthy: it is not in the manifest any more" in first
    for _ in range(20):
        found = world.tick(rollout)
        if any(step.address == "ledger-1" for step in found.steps):
            break
    assert lines(found) == [
        "~ network: nothing leads to ledger any more",
        "- accounts-3: level 2 of 2..4",
        "- ledger-1: not in the manifest any more",
        "… network: until nothing of what is replaced is left",
    ]
    assert world.applied == parting(smaller, ONE, ())
    assert lines(world.tick(rollout)) == ["~ network: nothing of what was replaced is left"]
    assert world.applied == configure(smaller, None, ())
    assert world.tick(rollout).settled


def test_nobodys_instances_go_at_once() -> None:
    strange = stranger("reports", 1, "172.30.200.9")
    assert lines(planned(observed((*ALL_OF_ONE, strange), NARROW))) == ["- reports-1: not in the manifest any more"]


def test_who_stands_on_a_slots_address_gives_way_before_anybody_starts_there() -> None:
    slot = ONE.placement("ledger").slots[0]
    strange = stranger("reports", 1, str(slot.address))
    found = planned(observed((*ALL_OF_ONE[:2], strange), NARROW))
    assert lines(found) == [
        "+ ledger-2: surge for ledger 1.0.0",
        "- reports-1: not in the manifest any more",
        f"… ledger-1: until reports-1 leaves {slot.address}",
    ]


def test_who_was_told_to_go_is_told_again_and_its_place_waits() -> None:
    draining = replace(ALL_OF_ONE[2], state=InstanceState.DRAINING)
    assert lines(planned(observed((*ALL_OF_ONE[:2], draining), NARROW))) == [
        "- ledger-1: was told to go and is still there",
        "… ledger-1: until the old one has stopped",
    ]


def test_names_seen_twice_are_replaced() -> None:
    twins = observed((*ALL_OF_ONE, replace(ALL_OF_ONE[2], address=ONE.placement("ledger").slots[1].address)), NARROW)
    assert lines(planned(twins)) == ["+ ledger-3: surge for ledger 1.0.0", "… ledger-1: until ledger-3 is healthy"]


def test_stopping_gives_time_for_what_is_in_flight_and_none_to_what_never_served() -> None:
    slow = drawn(topology(service("accounts", instances=Range(2, 4), timeout_s=900.0, stop_s=40.0)), None, ONE)
    gone = drawn(topology(service("accounts", instances=Range(0, 1))), None, slow)
    seen = (running(slow, "accounts", 1), running(slow, "accounts", 2, health=Health.UNHEALTHY, ever_healthy=False))
    found = planned(observed((*seen, stranger("x", 1, "172.30.200.9"))), gone, keeping=slow)
    effects = {step.address: step.effect for step in found.steps}
    first, second, third = (effects[name] for name in ("accounts-1", "accounts-2", "x-1"))
    assert isinstance(first, StopInstance)
    assert (first.drain_s, first.stop_s) == (DRAIN_LIMIT_S, 40.0)
    assert isinstance(second, StopInstance)
    assert second.drain_s == 0.0
    assert isinstance(third, StopInstance)
    assert third.stop_s == STOP_S


def test_there_are_never_more_than_the_maximum_and_the_surge() -> None:
    crowd = [stranger("ledger", ordinal, f"198.18.0.{ordinal}") for ordinal in (7, 8, 9)]
    assert lines(planned(observed((*ALL_OF_ONE[:2], *crowd), NARROW), levels={"ledger": 2})) == [
        "- ledger-9: runs 0.9.0",
        "… ledger-7: until a slot is free",
        "… ledger-8: until a slot is free",
        "… ledger-1: until fewer than 3 instances of ledger are there",
        "… ledger-2: until fewer than 3 instances of ledger are there",
    ]


def test_a_path_moves_when_who_takes_over_is_healthy_and_all_the_rest_at_the_end() -> None:
    before = drawn(topology(service("old", route=Route("/shop"))))
    after = drawn(topology(service("new", route=Route("/shop"), instances=Range(1, 1))), None, before)
    world = World(observed((running(before, "old", 1),), configure(before, None, ())))
    rollout = Rollout(KEY, after, {}, {}, before, ())
    led = []
    while not (found := world.tick(rollout)).settled:
        assert world.applied is not None
        led.append(({route.service for route in world.applied.routes}, [step.address for step in found.steps]))
    assert led == [
        ({"old"}, ["network", "new-1"]),  # both have their place, and one may come up
        ({"new"}, ["network", "old-1"]),  # it is healthy: nothing leads to the old one any more, and it goes
        ({"new"}, ["network"]),
    ]


def test_a_path_does_not_move_to_who_is_not_healthy() -> None:
    before = drawn(topology(service("old", route=Route("/shop"))))
    moved = drawn(topology(service("new", route=Route("/shop")), service("old")), {"new": "1.0.1"}, before)
    world = World(observed((running(before, "old", 1),), configure(before, None, ())), broken={image_of("1.0.1")})
    rollout = Rollout(KEY, moved, {}, {}, before, ())
    for _ in range(8):
        world.tick(rollout)
        assert world.applied is not None
        assert {route.service for route in world.applied.routes} == {"old"}


def test_the_first_instances_of_all_services_start_before_the_second_ones() -> None:
    many = drawn(topology(*(service(f"s{n:03}", instances=Range(2, 2)) for n in range(80))))
    world = World(NOTHING)
    rollout = Rollout(KEY, many, {}, {}, None, ())
    found = world.tick(rollout)
    started = [step.address for step in found.steps if step.action is Action.CREATE and step.address != "network"]
    assert len(started) == STARTS_IN_A_TICK
    assert {name.rpartition("-")[0] for name in started} == {f"s{n:03}" for n in range(80)}
    assert len(found.waits) == 160 - STARTS_IN_A_TICK
    world.settle(rollout)
    assert len(world.instances) == 160


def test_down_is_one_step_and_nothing_when_nothing_is_there() -> None:
    found = removal(KEY, observed(ALL_OF_ONE, NARROW))
    assert [step.effect for step in found.steps] == [Remove()]
    assert found.target is None
    assert removal(KEY, NOTHING).settled


# Laws.

VERSIONS = ("1.0.0", "1.0.1", "1.0.2")
randoms = st.integers(0, 2**32).map(Random)
levels = st.dictionaries(st.sampled_from(("accounts", "ledger", "web", "worker")), st.integers(0, 9))
generations = st.dictionaries(st.sampled_from(("accounts", "ledger", "web", "worker")), st.integers(0, 2))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Blueprint, Blueprint]:
    """A blueprint and one that follows it."""
    fixed = st.just(NETWORK)
    before = draw(topologies(fixed))
    after = draw(st.one_of(st.just(before), topologies(fixed)))
    older = {str(one.name): draw(st.sampled_from(VERSIONS)) for one in before.services}
    newer = {str(one.name): draw(st.sampled_from(VERSIONS)) for one in after.services}
    try:
        first = drawn(before, older)
        return first, drawn(after, newer, first)
    except Problems:
        assume(False)
        raise


@st.composite
def seen(draw: st.DrawFn, first: Blueprint, second: Blueprint) -> Observation:
    """Anything: instances of both, in any state, some with an address or a name that nobody knows."""
    instances: dict[str, InstanceSeen] = {}
    for blueprint in (first, second):
        for placement in blueprint.placements:
            for ordinal in draw(st.sets(st.integers(1, len(placement.slots)), max_size=len(placement.slots))):
                one = running(
                    blueprint,
                    placement.service,
                    ordinal,
                    draw(st.integers(0, 1)),
                    state=draw(st.sampled_from([*InstanceState, InstanceState.RUNNING, InstanceState.RUNNING])),
                    health=draw(st.sampled_from([*Health, Health.HEALTHY, Health.HEALTHY])),
                    ever_healthy=draw(st.booleans()),
                )
                instances.setdefault(one.id, one)
    slots = [slot.address for blueprint in (first, second) for place in blueprint.placements for slot in place.slots]
    names = [place.service for blueprint in (first, second) for place in blueprint.placements]
    for number in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["nobody", *names]))
        address = draw(st.sampled_from(slots)) if name == "nobody" else f"198.18.0.{number + 1}"
        one = stranger(name, draw(st.integers(1, 30)), str(address), health=draw(st.sampled_from(Health)))
        instances.setdefault(one.id, one)
    configuration = draw(st.sampled_from([None, configure(first, None, ()), configure(second, first, ())]))
    return observed(instances.values(), configuration, present=draw(st.sampled_from([True, True, True, False])))


LAWS = settings(max_examples=60, deadline=None)


@LAWS
@given(data=st.data(), pair=pairs(), wanted=levels, again=generations, random=randoms, keep=st.booleans())
def test_any_start_ends_at_the_target(
    data: st.DataObject,
    pair: tuple[Blueprint, Blueprint],
    wanted: dict[str, int],
    again: dict[str, int],
    random: Random,
    keep: bool,
) -> None:
    first, second = pair
    start = data.draw(seen(first, second))
    world = World(start, random=random)
    rollout = Rollout(KEY, second, wanted, again, first if keep else None, ())
    for _ in range(data.draw(st.integers(0, 5))):
        world.tick(rollout, dies=True)
    world.settle(rollout)
    assert world.observe().configuration == configure(second, None, ()).digest
    expected = {
        running(second, name, ordinal, again.get(name, 0)).revision
        for name, count in levels_of(second, wanted).items()
        for ordinal in range(1, count + 1)
    }
    assert {one.revision for one in world.instances.values()} == expected
    assert len(world.instances) == len(expected)
    # Settled for good, and also for one who knows nothing of the change.
    assert rollout.plan(world.observe()).settled
    assert plan(KEY, second, wanted, again, None, (), world.observe()).settled


@LAWS
@given(data=st.data(), pair=pairs(), wanted=levels, random=randoms)
def test_a_broken_version_never_lowers_what_serves_and_the_way_back_is_open(
    data: st.DataObject, pair: tuple[Blueprint, Blueprint], wanted: dict[str, int], random: Random
) -> None:
    first, second = pair
    new = {one.digest for one in second.images.values()} - {one.digest for one in first.images.values()}
    world = World(NOTHING, broken=new, random=random)
    world.settle(Rollout(KEY, first, wanted, {}, None, ()))
    forward = Rollout(KEY, second, wanted, {}, first, ())
    kept = {
        name: min(count, levels_of(second, wanted).get(name, 0)) for name, count in levels_of(first, wanted).items()
    }
    for _ in range(data.draw(st.integers(0, 30))):
        world.tick(forward, dies=data.draw(st.booleans()))
        for name, count in kept.items():
            assert world.serving(name) >= count
    kept = {name: min(count, world.serving(name)) for name, count in levels_of(first, wanted).items()}
    back = Rollout(KEY, first, wanted, {}, second, ())
    for _ in range(300):
        settled = world.tick(back).settled
        for name, count in kept.items():
            assert world.serving(name) >= count
        if settled:
            break
    assert settled
    assert plan(KEY, first, wanted, {}, None, (), world.observe()).settled


@LAWS
@given(data=st.data(), pair=pairs(), random=randoms)
def test_turning_round_and_scaling_at_any_moment_ends_well(
    data: st.DataObject, pair: tuple[Blueprint, Blueprint], random: Random
) -> None:
    world = World(NOTHING, random=random)
    target, keeping = pair[1], pair[0]
    wanted: dict[str, int] = {}
    for _ in range(data.draw(st.integers(1, 6))):
        target, keeping = keeping, target
        wanted = data.draw(levels)
        rollout = Rollout(KEY, target, wanted, {}, keeping, ())
        for _ in range(data.draw(st.integers(0, 6))):
            world.tick(rollout, dies=data.draw(st.booleans()))
    world.settle(Rollout(KEY, target, wanted, {}, keeping, ()))
    assert plan(KEY, target, wanted, {}, None, (), world.observe()).settled


@LAWS
@given(data=st.data(), pair=pairs(), wanted=levels)
def test_the_same_observation_gives_the_same_plan(
    data: st.DataObject, pair: tuple[Blueprint, Blueprint], wanted: dict[str, int]
) -> None:
    observation = data.draw(seen(*pair))
    rollout = Rollout(KEY, pair[1], wanted, {}, pair[0], ())
    found = rollout.plan(observation)
    abides(found, rollout, observation)
    assert rollout.plan(observation) == found == plan(KEY, pair[1], wanted, {}, pair[0], (), observation)
    mixed = replace(observation, instances=tuple(reversed(observation.instances)))
    assert {s.address for s in plan(KEY, pair[1], wanted, {}, pair[0], (), mixed).steps} == {
        s.address for s in found.steps
    }


@pytest.mark.parametrize("count", [1, 3, 8])
def test_zones_stay_spread_while_it_rolls(count: int) -> None:
    place = topology(service("a", instances=Range(count, count)), zones=3)
    first = drawn(place)
    second = drawn(place, {"a": "1.0.1"}, first)
    world = World(NOTHING)
    world.settle(Rollout(KEY, first, {}, {}, None, ()))
    rollout = Rollout(KEY, second, {}, {}, first, ())
    while not world.tick(rollout).settled:
        zones = [str(seen.zone) for seen in world.instances.values() if seen.serving]
        counts = [zones.count(zone) for zone in "abc"]
        assert max(counts) - min(counts) <= 2, counts


def test_services_that_stand_on_each_others_places_wait_and_never_fall_below_their_floor() -> None:
    place = topology(service("a", instances=Range(1, 1)), service("b", instances=Range(1, 1)))
    target = drawn(place)
    slots = {name: target.placement(name).slots for name in ("a", "b")}
    ring = (stranger("a", 1, str(slots["b"][1].address)), stranger("b", 1, str(slots["a"][1].address)))
    assert lines(planned(observed(ring, configure(target, None, ())), target)) == [
        "… a-1: until a slot is free",
        "… b-1: until a slot is free",
    ]


# Manners.


def test_as_aws_an_instance_is_asked_for_with_its_launch_delay_and_stopped_with_aws_patience() -> None:
    begun = Rollout(KEY, ONE, {}, {}, None, (), AWS).plan(NOTHING)
    assert {configure(ONE, None, (), manners=AWS)} == {
        step.effect.configuration for step in begun.steps if isinstance(step.effect, Configure)
    }
    starts = [step.effect for step in begun.steps if isinstance(step.effect, StartInstance)]
    assert [start.launch_s for start in starts] == [AWS.launch_delay_s(start.instance) for start in starts]
    assert all(30 <= start.launch_s <= 60 for start in starts)
    three = observed((*ALL_OF_ONE, running(ONE, "accounts", 3)), configure(ONE, None, (), manners=AWS))
    (step,) = Rollout(KEY, ONE, {}, {}, None, (), AWS).plan(three).steps
    assert isinstance(step.effect, StopInstance)
    assert (step.effect.drain_s, step.effect.stop_s) == (300.0, 10.0)
    strict = Rollout(KEY, ONE, {}, {}, None, (), replace(AWS, stop_limit_s=3.0)).plan(three).steps[-1].effect
    assert isinstance(strict, StopInstance)
    assert strict.stop_s == 3.0


def test_other_manners_change_the_surroundings_and_no_instance() -> None:
    there = observed(ALL_OF_ONE, NARROW)
    assert Rollout(KEY, ONE, {}, {}, None, ()).plan(there).settled
    (step,) = Rollout(KEY, ONE, {}, {}, None, (), AWS).plan(there).steps
    assert isinstance(step.effect, Configure)
