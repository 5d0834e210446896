"""A zone fails and returns, in virtual time, with the real control over it: the base serves, and it evens out again."""

from collections import Counter
from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, TWO, Bench

from anden.model.command import Outcome
from anden.model.fault import Fault, FaultKind, Outage
from anden.model.observation import Observation
from anden.model.problem import Problems

ZONED = TWO.replace("client: banco\n", "client: banco\nenvironments: { dev: { zones: 3 } }\n").replace(
    "instances: 1..3", "instances: 3..4"
)
FAULT_S = 60.0
SETTLE_S = 30


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.up(ZONED)
    return bench


def fail(bench: Bench, zone: str, outage: Outage = Outage.CUT, for_s: float = FAULT_S) -> None:
    bench.engine.disturb(KEY, Fault(FaultKind.ZONE, zone, outage, bench.clock.now() + for_s))


def run(bench: Bench, seconds: int) -> Observation:
    """That much time, with ticks."""
    until = bench.clock.now() + seconds
    means = bench.control._means
    while bench.clock.now() < until:
        means.runner.advance(KEY, means.feeds[KEY], means.feeds[KEY].number, 1.0)
    return bench.engine.observe(KEY)


def serving(seen: Observation, name: str) -> Counter[str]:
    return Counter(str(one.zone) for one in seen.of(name) if one.serving)


def test_levels_are_kept_in_the_zones_left_and_it_evens_out_again(bench: Bench) -> None:
    before = {name: serving(bench.engine.observe(KEY), name) for name in ("web", "api")}
    fail(bench, "a")
    during = run(bench, SETTLE_S)
    for name, level in (("web", 2), ("api", 3)):
        assert serving(during, name).total() == level
        assert serving(during, name)["a"] == 0
    report = bench.control.status(bench.at(ZONED))
    said = {finding.subject: finding.text for finding in report.findings}
    assert "zone a" in said
    assert any("nothing in it answers" in finding.text for finding in report.findings)
    assert any("by a drill" in finding.text for finding in report.findings)
    bench.engine.watch({"web": 2, "api": 3})
    after = run(bench, int(FAULT_S))
    assert {name: serving(after, name) for name in ("web", "api")} == before
    assert len(after.instances) == 5
    assert bench.control.status(bench.at(ZONED)).findings == ()


def test_restored_before_its_time(bench: Bench) -> None:
    fail(bench, "b", Outage.FROZEN)
    assert [fault.name for fault in run(bench, 3).faults] == ["b"]
    bench.engine.restore(KEY)
    seen = run(bench, 5)
    assert seen.faults == ()
    assert all(one.serving for one in seen.instances)
    bench.engine.restore(KEY)


def test_a_version_is_deployed_while_a_zone_is_lost_and_what_stands_there_follows_on_its_return(bench: Bench) -> None:
    fail(bench, "a", for_s=600.0)
    run(bench, SETTLE_S)
    bench.engine.watch({"web": 2, "api": 3})
    ended = bench.run(bench.control.deploy(bench.at(ZONED), "ana", "web", "web:2.0"))
    assert ended.outcome == Outcome.DONE
    assert "zone a does not answer" in bench.text()
    assert bench.images()["web"] == ["web:2.0"] * 2
    stale = [one for one in bench.engine.observe(KEY).of("web") if one.zone == "a"]
    bench.engine.restore(KEY)
    after = run(bench, SETTLE_S)
    assert [one.image_name for one in after.of("web")] == ["web:2.0"] * 2
    assert serving(after, "web").total() == 2
    assert all(one.image_name == "web:1.0" for one in stale)


def test_the_control_plane_dies_meanwhile(bench: Bench) -> None:
    fail(bench, "c")
    run(bench, 3)
    bench.crash()
    during = run(bench, SETTLE_S)
    assert serving(during, "api").total() == 3
    after = run(bench, int(FAULT_S))
    assert len(after.instances) == 5


def test_a_zone_and_an_instance_that_are_not_there(bench: Bench) -> None:
    with pytest.raises(Problems, match="there is no such zone"):
        fail(bench, "d")
    with pytest.raises(Problems, match="there is no such instance"):
        bench.engine.disturb(KEY, Fault(FaultKind.INSTANCE, "web-9"))


def test_a_killed_instance_is_started_again_in_its_place(bench: Bench) -> None:
    bench.engine.disturb(KEY, Fault(FaultKind.INSTANCE, "web-1"))
    assert not bench.engine.observe(KEY).instance("web-1").serving  # type: ignore[union-attr]
    seen = run(bench, 5).instance("web-1")
    assert seen is not None
    assert (seen.serving, seen.restarts) == (True, 1)


def test_killed_processes_are_others_afterwards(bench: Bench) -> None:
    before = bench.engine.observe(KEY).processes
    bench.engine.disturb(KEY, Fault(FaultKind.BALANCER))
    bench.engine.disturb(KEY, Fault(FaultKind.SUPERVISOR))
    after = bench.engine.observe(KEY).processes
    assert len(after) == len(before)
    assert after["supervisor"] != before["supervisor"]
    assert len(set(after.values()) & set(before.values())) == 1
