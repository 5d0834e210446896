"""Faults by seed: each kind does what it says, the same seed the same, and none without a source."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from tests.unit.engines.simulated.test_engine import KEY, blueprint, up

from anden.engines.simulated import SimulatedEngine, VirtualClock
from anden.engines.simulated.faults import ControlDied, Faults, Kind
from anden.model.observation import Health, InstanceState
from anden.model.plan import Action, Receipt, StartInstance, Step, StopInstance
from anden.model.problem import Problems
from anden.planning.instances import specification


def engine(*kinds: Kind, seed: int = 1) -> tuple[SimulatedEngine, Faults, VirtualClock]:
    """An environment that runs, and from now on these faults at every occasion."""
    clock = VirtualClock(1000.0)
    faults = Faults(Random(seed), {})  # noqa: S311
    made = SimulatedEngine(clock, faults=faults)
    up(made, blueprint())
    clock.sleep(1.0)
    assert made.observe(KEY).instances[0].serving
    faults._rates.update(dict.fromkeys(kinds, 1.0))
    return made, faults, clock


def step(effect: Any, address: str = "web-1") -> Step:
    return Step(Action.CREATE, address, "", effect)


STOP = step(StopInstance("web-1", 0.0, 0.0))  # type: ignore[arg-type]


def drained(receipts: Iterator[Receipt]) -> list[Receipt]:
    return list(receipts)


def test_nothing_is_seen() -> None:
    made, _, _ = engine(Kind.LOST)
    with pytest.raises(Problems, match="cannot be asked"):
        made.observe(KEY)


def test_an_old_observation_is_shown_until_it_is_forgotten() -> None:
    made, faults, _ = engine()
    before = made.observe(KEY)
    drained(made.execute(KEY, [STOP], ""))
    faults._rates[Kind.LATE] = 1.0
    assert made.observe(KEY).version <= before.version
    faults.forget()
    assert not made.observe(KEY).instances


def test_the_last_one_is_shown_once_more_and_a_twin() -> None:
    made, faults, _ = engine()
    before = made.observe(KEY)
    drained(made.execute(KEY, [STOP], ""))
    faults._rates[Kind.DOUBLED] = 1.0
    assert made.observe(KEY) == before
    made, _, _ = engine(Kind.TWIN)
    assert [one.id for one in made.observe(KEY).instances] == ["web-1", "web-1"]


def test_an_effect_is_slow() -> None:
    made, _, clock = engine(Kind.SLOW)
    began = clock.monotonic()
    assert drained(made.execute(KEY, [STOP], ""))[0].took_s > 0.5
    assert clock.monotonic() > began + 0.5


def test_an_effect_is_refused() -> None:
    made, _, _ = engine(Kind.REFUSED)
    problem = drained(made.execute(KEY, [STOP, STOP], ""))[0].problem
    assert problem is not None
    assert problem.what == "the engine refuses"
    assert made.observe(KEY).instances


def test_the_control_plane_dies_before_while_within_and_after() -> None:
    where = []
    for seed in range(60):
        made, faults, _ = engine()
        faults._random = Random(seed)  # noqa: S311
        faults._rates[Kind.CRASH] = 0.4
        try:
            drained(made.execute(KEY, [STOP], ""))
        except ControlDied as died:
            there = [one.state for one in made.truth(KEY).instances]
            where.append((str(died).partition(" ")[0], there == [InstanceState.DRAINING]))
    assert {(place, left) for place, left in where if place != "while"} == {
        ("before", False),
        ("within", False),
        ("after", False),
    }
    assert ("while", True) in where


def test_what_was_told_to_go_goes_by_itself_or_when_told_again() -> None:
    for seed in range(20):
        made, faults, clock = engine()
        faults._random = Random(seed)  # noqa: S311
        made._kept.worlds[str(KEY)].residents["web-1"].leave(
            None if (leaving := faults.leaving_s()) is None else clock.steady() + leaving
        )
        assert not made.truth(KEY).instances[0].serving
        clock.sleep(60.0)
        assert bool(made.truth(KEY).instances) == (leaving is None)
        drained(made.execute(KEY, [STOP], ""))
        assert not made.truth(KEY).instances


def test_what_happens_to_instances_passes() -> None:
    made, faults, clock = engine(Kind.HANG)
    assert made.observe(KEY).instances[0].health is Health.UNHEALTHY
    faults.calm()
    clock.sleep(91.0)
    assert made.observe(KEY).instances[0].serving
    made, faults, clock = engine(Kind.EXIT)
    assert made.observe(KEY).instances[0].state is InstanceState.RESTARTING
    faults.calm()
    clock.sleep(5.0)
    assert made.observe(KEY).instances[0].restarts == 1
    made, faults, clock = engine(Kind.FLAP)
    made.observe(KEY)
    faults.calm()
    clock.sleep(300.0)
    seen = made.observe(KEY).instances[0]
    assert seen.serving
    assert seen.restarts > 2


def test_the_environment_vanishes() -> None:
    made, _, _ = engine(Kind.VANISH)
    assert not made.observe(KEY).present


def test_the_wall_clock_is_set_and_ages_stay() -> None:
    made, faults, clock = engine()
    before = made.observe(KEY)
    clock.jump(-3600.0)
    after = made.observe(KEY)
    assert after.at == pytest.approx(before.at - 3600.0)
    assert after.at - after.instances[0].since == pytest.approx(before.at - before.instances[0].since)
    assert clock.monotonic() == pytest.approx(clock.steady() - 1000.0)
    faults._rates[Kind.JUMP] = 1.0
    made.observe(KEY)
    assert faults.count[Kind.JUMP] == 1


def test_asked_for_what_is_not_so_it_answers_as_the_local_engine_does() -> None:
    made, _, _ = engine()
    of = blueprint()
    same = specification(of, "web", of.placements[0].slots[0])
    other = specification(of, "web", of.placements[0].slots[0], generation=1)
    version = made.observe(KEY).instances
    assert drained(made.execute(KEY, [step(StartInstance(same))], ""))[0].problem is None
    assert made.observe(KEY).instances == version
    problem = drained(made.execute(KEY, [step(StartInstance(other))], ""))[0].problem
    assert problem is not None
    drained(made.execute(KEY, [STOP, STOP], ""))
    assert not made.observe(KEY).instances


def test_a_seed_is_a_history() -> None:
    def told(seed: int) -> list[tuple[Kind, str]]:
        found: list[tuple[Kind, str]] = []
        clock = VirtualClock(0.0)
        rates = dict.fromkeys((Kind.EXIT, Kind.HANG, Kind.JUMP, Kind.TWIN), 0.3)
        made = SimulatedEngine(clock, faults=Faults(Random(seed), rates, lambda *said: found.append(said)))  # noqa: S311
        up(made, blueprint())
        for _ in range(50):
            clock.sleep(1.0)
            made.observe(KEY)
        return found

    assert told(1) == told(1) != told(2)
