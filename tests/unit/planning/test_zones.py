"""A zone that does not answer: what shows it, who stands in, and how it evens out when it returns."""

from dataclasses import replace
from typing import Any

from tests.unit.planning.test_judgement import BEGAN
from tests.unit.planning.test_steps import drawn, lines
from tests.unit.planning.topologies import service, topology
from tests.unit.planning.world import KEY, observed, running

from anden.model import zones
from anden.model.change import Verdict
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.plan import Plan
from anden.model.topology import Range
from anden.model.zones import LOST_S, Lost
from anden.planning.configuration import configure
from anden.planning.judgement import judge
from anden.planning.steps import Rollout

BANK = topology(
    service("web", instances=Range(2, 4), reaches=("core",)),
    service("core", instances=Range(2, 2)),
    service("worker", instances=Range(1, 1), port=None, start_s=1.0),
    zones=2,
)
ONE = drawn(BANK)
TWO = drawn(BANK, {"web": "1.0.1"}, ONE)
LISTENING = {"web", "core"}
SILENT: dict[str, Any] = {"health": Health.UNHEALTHY, "unhealthy_since": -LOST_S, "answer": "timeout"}


def zone_of(name: str, ordinal: int) -> str:
    return next(str(slot.zone) for slot in ONE.placement(name).slots if slot.ordinal == ordinal)


def everything(*more: InstanceSeen, **silent: Any) -> tuple[InstanceSeen, ...]:
    """The base of all services; those that listen in zone b are as `silent` says."""
    found = []
    for name, ordinal in (("core", 1), ("core", 2), ("web", 1), ("web", 2), ("worker", 1)):
        hit = silent if silent and zone_of(name, ordinal) == "b" and name != "worker" else {}
        found.append(running(ONE, name, ordinal, **hit))
    return (*found, *more)


def lost(observation: Observation, listening: set[str]) -> Lost:
    return zones.lost(observation.instances, observation.at, listening)


def planned(observation: Observation, target: Any = ONE) -> Plan:
    return Rollout(KEY, target, {}, {}, None, ()).plan(observation)


def seen(*instances: InstanceSeen, target: Any = ONE) -> Observation:
    return observed(instances, configure(target, None, ()))


def ordinals(name: str, zone: str) -> list[int]:
    return [slot.ordinal for slot in ONE.placement(name).slots if slot.zone == zone]


def test_a_zone_is_lost_when_nothing_in_it_has_answered_for_a_while() -> None:
    assert lost(seen(*everything()), LISTENING) == frozenset()
    assert lost(seen(*everything(**SILENT)), LISTENING) == {"b"}
    assert lost(seen(*everything(**{**SILENT, "unhealthy_since": -LOST_S + 0.1})), LISTENING) == frozenset()
    one_serves = everything(running(ONE, "web", ordinals("web", "b")[1]), **SILENT)
    assert lost(seen(*one_serves), LISTENING) == frozenset()


def test_where_many_are_silent_here_and_there_it_is_no_zone_but_too_much_work() -> None:
    two = [running(ONE, "web", n) for n in ordinals("web", "a")[:2]]
    well = [one for one in everything(**SILENT) if one.service != "web" or one.zone == "b"]
    assert lost(seen(*well, *two), LISTENING) == {"b"}
    sick = [replace(one, **SILENT) for one in two]
    assert lost(seen(*well, *sick), LISTENING) == frozenset()


def test_where_nothing_serves_at_all_no_zone_is_lost_and_where_processes_end_neither() -> None:
    silent = [replace(one, **SILENT) for one in everything()]
    assert lost(seen(*silent), LISTENING) == frozenset()
    ending = everything(**{**SILENT, "state": InstanceState.RESTARTING})
    assert lost(seen(*ending), LISTENING) == frozenset()
    never = everything(health=Health.UNHEALTHY, ever_healthy=False)
    assert lost(seen(*never), LISTENING) == frozenset()


def test_with_one_zone_there_is_nowhere_to_go() -> None:
    alone = drawn(replace(BANK, zones=1))
    hung = running(alone, "web", 1, **SILENT)
    found = planned(seen(*[one for one in everything() if one.id != "web-1"], hung), alone)
    assert not any("stands in" in line for line in lines(found))


def test_what_is_on_its_way_out_shows_too_that_its_zone_answers() -> None:
    less = drawn(
        replace(BANK, services=tuple(replace(each, reaches=()) for each in BANK.services if each.name != "core")),
        None,
        ONE,
    )
    there = seen(*[one for one in everything() if one.service != "web"], *(
        running(ONE, "web", n, **(SILENT if zone_of("web", n) == "b" else {})) for n in (1, 2)
    ))  # fmt: skip
    assert Rollout(KEY, less, {}, {}, ONE, ()).lost(there) == frozenset()
    assert Rollout(KEY, less, {}, {}, None, ()).lost(there) == {"b"}, "nothing else of what is meant stands there"


def test_others_stand_in_and_what_stands_there_is_left_alone() -> None:
    (lost_web,) = [n for n in (1, 2) if zone_of("web", n) == "b"]
    (lost_core,) = [n for n in (1, 2) if zone_of("core", n) == "b"]
    web, core = ordinals("web", "a")[1], ordinals("core", "a")[1]
    expected = [
        f"+ core-{core}: stands in: zone b does not answer",
        f"+ web-{web}: stands in: zone b does not answer",
        f"… core-{lost_core}: until zone b answers again",
        f"… web-{lost_web}: until zone b answers again",
    ]
    if zone_of("worker", 1) == "b":
        expected.insert(2, f"+ worker-{ordinals('worker', 'a')[0]}: stands in: zone b does not answer")
        expected.append("… worker-1: until zone b answers again")
    found = planned(seen(*everything(**SILENT)))
    plain = [line for line in lines(found) if "is healthy" not in line]
    assert sorted(plain) == sorted(expected)


def stand_ins() -> tuple[InstanceSeen, ...]:
    names = ["core", "web"] + (["worker"] if zone_of("worker", 1) == "b" else [])
    return tuple(running(ONE, name, ordinals(name, "a")[1 if name != "worker" else 0]) for name in names)


def test_with_the_stand_ins_there_is_nothing_to_do_but_wait_and_that_holds_no_change_up() -> None:
    observation = seen(*everything(*stand_ins(), **SILENT))
    found = planned(observation)
    assert not found.steps
    assert {wait.reason for wait in found.waits} == {"until zone b answers again"}
    judgement = judge(Rollout(KEY, ONE, {}, {}, None, ()), observation, BEGAN, 1.0)
    assert judgement.verdict is Verdict.VERIFIED
    assert judgement.reason.startswith("zone b does not answer: ")


def test_when_it_returns_the_stand_ins_go_and_the_base_serves_throughout() -> None:
    found = planned(seen(*everything(*stand_ins())))
    assert {step.address for step in found.steps} == {one.id for one in stand_ins()}
    assert all(step.action.value == "-" for step in found.steps)
    half = [replace(one, **SILENT) if one.id == "web-1" else one for one in everything(*stand_ins())]
    back = [replace(one, unhealthy_since=-1.0) if one.unhealthy_since else one for one in half]
    stopped = {step.address for step in planned(seen(*back)).steps}
    assert not any(name.startswith("web") for name in stopped), "web-1 is not there yet, so nobody's stand-in goes"


def test_a_version_replaces_another_in_the_zones_left() -> None:
    web = ordinals("web", "a")
    before = everything(*stand_ins(), **SILENT)
    found = planned(seen(*before, target=TWO), TWO)
    started = [step.address for step in found.steps if step.action.value == "+"]
    assert started == [f"web-{web[2]}"], "the surge finds a slot in the zone left"
    assert not [step for step in found.steps if step.action.value == "-"]


def test_no_change_holds_while_the_zones_left_do_not_keep_a_base() -> None:
    wide = drawn(topology(service("web", instances=Range(3, 3)), zones=3))
    slots = {slot.ordinal: str(slot.zone) for slot in wide.placement("web").slots}
    here = [n for n, zone in slots.items() if zone == "a"]
    there = [next(n for n, zone in slots.items() if zone == lost_one) for lost_one in ("b", "c")]
    instances = [running(wide, "web", n) for n in here] + [running(wide, "web", n, **SILENT) for n in there]
    observation = seen(*instances, target=wide)
    rollout = Rollout(KEY, wide, {}, {}, None, ())
    assert rollout.lost(observation) == {"b", "c"}
    assert not rollout.plan(observation).steps
    assert judge(rollout, observation, BEGAN, 1.0).verdict is Verdict.CONTINUE
    enough = drawn(topology(service("web", instances=Range(2, 3)), zones=3), None, wide)
    two = Rollout(KEY, enough, {}, {}, None, ())
    assert judge(two, seen(*instances, target=enough), BEGAN, 1.0).verdict is Verdict.VERIFIED
