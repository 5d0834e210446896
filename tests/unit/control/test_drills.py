"""Faults on the record: who wanted them, what they hit, what is refused."""

from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, Bench

from anden.model.command import Command, Outcome
from anden.model.drill import Drill, DrillKind
from anden.model.fault import LONGEST_S, Outage
from anden.model.problem import Problem, Problems

ZONED = """
anden: 1
client: banco
environments: { dev: { zones: 2 } }
services:
  web: { image: web:1.0, port: 8080, route: /, instances: 2..4 }
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.up(ZONED)
    return made


def newest(bench: Bench) -> Command:
    return bench.control.commands(bench.at(ZONED))[0]


def test_a_zones_fault_is_in_and_on_the_record_and_ends_by_itself(bench: Bench) -> None:
    now = bench.clock.now()
    done = bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.ZONE, "b", Outage.FROZEN, 20.0))
    assert done.name == "b"
    assert done.at >= now
    (fault,) = bench.engine.observe(KEY).faults
    assert (fault.name, fault.outage) == ("b", Outage.FROZEN)
    assert 20.0 < fault.until - now < 30.0
    assert (newest(bench).what, newest(bench).who, newest(bench).outcome) == (
        "drill zone b (frozen), 20 s", "ana", Outcome.DONE,
    )  # fmt: skip
    bench.clock.sleep(60)
    assert bench.engine.observe(KEY).faults == ()


def test_restoring_is_recorded_and_no_error_where_there_is_nothing(bench: Bench) -> None:
    bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.ZONE, "b"))
    for _ in range(2):
        bench.control.restore(bench.at(ZONED), "ana")
        assert bench.engine.observe(KEY).faults == ()
        assert (newest(bench).what, newest(bench).outcome) == ("drill restore", Outcome.DONE)


def test_a_services_name_becomes_an_instances(bench: Bench) -> None:
    done = bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.KILL, "web"))
    assert done.name == "web-1"
    assert (newest(bench).what, newest(bench).detail) == ("drill kill web", "web-1")
    ended = bench.engine.observe(KEY).of("web")[0].exit
    assert ended is not None
    assert ended.code == -9


@pytest.mark.parametrize("kind", [DrillKind.BALANCER, DrillKind.SUPERVISOR])
def test_the_environments_own_processes(bench: Bench, kind: DrillKind) -> None:
    before = bench.engine.observe(KEY).processes
    bench.control.disturb(bench.at(ZONED), "ana", Drill(kind))
    after = bench.engine.observe(KEY).processes
    assert len(set(before.values()) - set(after.values())) == 1
    assert len(after) == len(before)


@pytest.mark.parametrize(
    ("drill", "said"),
    [
        (Drill(DrillKind.ZONE, "c"), "its zones are a, b"),
        (Drill(DrillKind.ZONE, "b", for_s=LONGEST_S + 1), "no time for a fault"),
        (Drill(DrillKind.ZONE, "b", for_s=0), "no time for a fault"),
        (Drill(DrillKind.KILL, "wbe"), "no such instance or service"),
        (Drill(DrillKind.CONTROL), "cannot be ended by a drill"),
    ],
)
def test_what_is_refused_is_recorded_as_that(bench: Bench, drill: Drill, said: str) -> None:
    with pytest.raises(Problems, match=said):
        bench.control.disturb(bench.at(ZONED), "ana", drill)
    assert newest(bench).outcome is Outcome.REFUSED
    assert newest(bench).detail
    assert bench.engine.observe(KEY).faults == ()


def test_nothing_is_hit_where_nothing_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(Problems, match="nothing runs"):
        bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.BALANCER))


def test_a_control_plane_that_falls_leaves_an_interrupted_command(tmp_path: Path) -> None:
    from anden.control.environment import Control
    from anden.control.runner import InlineRunner
    from anden.engines.simulated import SimulatedImages

    bench = Bench(tmp_path, file=True)
    bench.up(ZONED)

    def fall() -> None:
        raise Problems(Problem("the control plane", "fell"))

    runner = InlineRunner()
    falling = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, runner, fall=fall)
    with pytest.raises(Problems, match="fell"):
        falling.disturb(bench.at(ZONED), "ana", Drill(DrillKind.CONTROL, for_s=7.0))
    assert newest(bench).outcome is Outcome.RUNNING
    bench.crash()
    assert (newest(bench).what, newest(bench).outcome) == ("drill control, 7 s", Outcome.INTERRUPTED)


def test_time_passes_with_ticks_in_it(bench: Bench) -> None:
    until = bench.clock.now() + 20.0
    bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.ZONE, "b", for_s=30.0))
    bench.control.pass_time(bench.at(ZONED), until)
    assert until <= bench.clock.now() < until + 2.0
    serving = [one for one in bench.engine.observe(KEY).of("web") if one.serving]
    assert len(serving) == 2
    assert {one.zone for one in serving} == {"a"}, "stand-ins were started meanwhile"


def test_status_shows_faults_and_processes(bench: Bench) -> None:
    bench.control.disturb(bench.at(ZONED), "ana", Drill(DrillKind.ZONE, "b"))
    report = bench.control.status(bench.at(ZONED))
    assert [fault.name for fault in report.faults] == ["b"]
    assert set(report.processes) == set(bench.engine.observe(KEY).processes)
