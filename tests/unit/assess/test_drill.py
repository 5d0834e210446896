"""What samples and tallies amount to: detection, recovery, settling, sums."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.assess import drill as assessment
from anden.assess.drill import Seen, report, step_s, timeline, unsettled
from anden.cli.render.drill import lines
from anden.cli.render.drill_svg import picture
from anden.cli.render.paint import PLAIN
from anden.model.drill import Drill, DrillKind, Marks, PhaseName, Sample, Standing
from anden.model.fault import Fault, FaultKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.traffic import Passed, Tally

KEY = EnvironmentKey("bank", "production", EngineName.LOCAL)
BEGAN, FAULT, RESTORED, ENDED = 1000.0, 1003.0, 1013.0, 1018.0
MARKS = Marks(BEGAN, FAULT, RESTORED, ENDED)
PROCESSES = {"supervisor": 12, "balancer-1": 40, "balancer-2": 41}


def standing(name: str, zone: str, *, healthy: bool = True, restarts: int = 0, since: float = 5.0) -> Standing:
    return Standing(name, name.rpartition("-")[0], zone, healthy, since, restarts)


A1, B2, C3 = standing("web-1", "a"), standing("web-2", "b"), standing("api-1", "c")
GOOD = Sample(BEGAN, True, {"web": 2, "api": 1}, (A1, B2, C3), PROCESSES)


def at(when: float, **changed: object) -> Sample:
    return replace(GOOD, at=when, **changed)  # type: ignore[arg-type]


def seen(kind: DrillKind, hit: str, samples: Sequence[Sample], tallies: Sequence[tuple[float, Tally]] = ()) -> Seen:
    return Seen(Drill(kind, hit, for_s=10.0), hit, MARKS, samples, tallies)


def times(found: Seen) -> tuple[float | None, float | None, str, str]:
    made = report(KEY, found)
    return _round(made.detect_s), _round(made.recover_s), made.detect_why, made.recover_why


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


B2_OUT = replace(B2, healthy=False)
STAND_IN = standing("web-3", "c")


def test_a_zone_is_detected_when_it_shows_and_recovered_when_others_stand_in() -> None:
    samples = [
        at(1002.9),
        at(1003.5),  # nobody has noticed
        at(1005.0, instances=(A1, B2_OUT, C3)),
        at(1006.0, instances=(A1, B2_OUT, C3)),
        at(1010.5, instances=(A1, B2_OUT, C3, STAND_IN)),
        at(1014.0),
    ]
    assert times(seen(DrillKind.ZONE, "b", samples)) == (2.0, 7.5, "", "")


def test_a_zone_that_nobody_stands_in_for_is_recovered_when_it_returns() -> None:
    out = (A1, B2_OUT, C3)
    samples = [at(1002.9), at(1005.0, instances=out), at(1012.9, instances=out), at(1013.4)]
    assert times(seen(DrillKind.ZONE, "b", samples))[:2] == (2.0, 10.4)


def test_instances_of_a_failed_zone_do_not_count_even_when_they_look_healthy() -> None:
    """Health flaps while a zone fails: what stands in it is not what serves without it."""
    samples = [at(1002.9), at(1005.0, instances=(A1, B2_OUT, C3)), at(1006.0), at(1013.5)]
    assert times(seen(DrillKind.ZONE, "b", samples))[1] == 10.5


def test_an_empty_zone_shows_nothing_and_says_why() -> None:
    detect, recover, why, also = times(seen(DrillKind.ZONE, "d", [at(1002.9), at(1005.0)]))
    assert (detect, recover) == (None, None)
    assert why == also == "nothing stood in zone d"


def test_a_kill_is_detected_by_its_health_or_by_another_process() -> None:
    down, again = replace(A1, healthy=False), replace(A1, restarts=1)
    slow = [at(1002.9), at(1003.2, instances=(down, B2, C3)), at(1004.0, instances=(again, B2, C3))]
    assert times(seen(DrillKind.KILL, "web-1", slow))[:2] == (0.2, 1.0)
    quick = [at(1002.9), at(1003.2), at(1003.6, instances=(again, B2, C3))]
    assert times(seen(DrillKind.KILL, "web-1", quick))[:2] == (0.6, 0.6)


def test_a_kill_that_never_shows_is_said_to() -> None:
    assert times(seen(DrillKind.KILL, "web-1", [at(1002.9), at(1005.0)])) == (
        None, None, assessment.UNSEEN, assessment.UNSEEN,
    )  # fmt: skip


def test_what_does_not_come_back_has_not_recovered() -> None:
    samples = [at(1002.9), at(1003.2, instances=(replace(A1, healthy=False), B2, C3))]
    detect, recover, _, why = times(seen(DrillKind.KILL, "web-1", samples))
    assert detect is not None
    assert (recover, why) == (None, assessment.LOST)


def test_a_balancer_is_told_by_its_processes() -> None:
    one_less = {"supervisor": 12, "balancer-2": 41}
    samples = [at(1002.9), at(1003.3, processes=one_less), at(1003.8, processes={**one_less, "balancer-3": 55})]
    assert times(seen(DrillKind.BALANCER, "", samples))[:2] == (0.3, 0.8)


def test_a_supervisor_says_nothing_until_it_is_back() -> None:
    samples = [
        at(1002.9),
        Sample(1003.2, answered=False),
        at(1004.5, processes={**PROCESSES, "supervisor": 99}),
    ]
    assert times(seen(DrillKind.SUPERVISOR, "", samples))[:2] == (1.5, 1.5)


def test_an_engine_without_processes_says_so() -> None:
    detect, _, why, _ = times(seen(DrillKind.BALANCER, "", [at(1002.9, processes={}), at(1004.0, processes={})]))
    assert detect is None
    assert "does not tell the process of its balancer" in why


def test_the_control_plane_is_not_watched_and_recovers_when_it_answers_after_its_time() -> None:
    samples = [at(1002.9), at(1003.05), Sample(1005.0, answered=False), at(1014.2)]
    detect, recover, why, _ = times(seen(DrillKind.CONTROL, "", samples))
    assert (detect, recover, why) == (None, 11.2, assessment.UNWATCHED)


FLT = Fault(FaultKind.ZONE, "b")


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (None, "its control plane does not answer"),
        (Sample(0.0, answered=False), "its control plane does not answer"),
        (at(1.0, faults=(FLT,)), "a fault of a drill is still in: zone b"),
        (at(1.0, instances=(A1, B2_OUT, C3)), "web 1/2"),
        (at(1.0, processes={"supervisor": 1, "balancer-2": 2}), "1 of 2 balancer processes"),
        (at(1.0, instances=(A1, B2, C3, STAND_IN)), "web 3 of 2 are there"),
        (at(1.0, instances=(A1, standing("web-2", "a"), C3)), "zones are not as even as before: a 2 c 1"),
        (at(1.0, instances=(standing("web-1", "c"), B2, standing("api-1", "a"))), ""),
        (GOOD, ""),
    ],
)
def test_why_it_has_not_settled(sample: Sample | None, why: str) -> None:
    assert unsettled(sample, GOOD) == why


TALLIES = st.lists(
    st.tuples(
        st.floats(BEGAN + 0.01, ENDED + 10, allow_nan=False),
        st.builds(Tally, st.just(0.0), st.integers(0, 50), st.integers(0, 50), st.integers(0, 9), st.integers(0, 9)),
    ),
    max_size=60,
)


@given(TALLIES)
def test_phases_and_timeline_lose_and_double_nothing(tallies: list[tuple[float, Tally]]) -> None:
    found = report(KEY, seen(DrillKind.KILL, "web-1", [at(1002.9)], tallies))
    sent, failed = sum(each.sent for _, each in tallies), sum(each.failed for _, each in tallies)
    assert found.requests == sent == sum(each.requests for each in found.phases)
    assert sum(beat.sent for beat in found.timeline) == sent
    assert found.failed == failed == sum(each.failed for each in found.phases)
    assert sum(beat.failed for beat in found.timeline) == failed
    assert [each.name for each in found.phases] == list(PhaseName)
    assert found.phases[0].from_s == 0
    assert all(one.until_s == other.from_s for one, other in zip(found.phases, found.phases[1:], strict=False))


@given(st.floats(0.5, 4000))
def test_a_timeline_is_never_too_long_and_covers_the_drill(length_s: float) -> None:
    step = step_s(length_s)
    assert step % 0.5 == 0
    marks = Marks(0.0, 0.1, 0.2, length_s)
    beats = timeline(Seen(Drill(DrillKind.BALANCER), "", marks, [], []), step)
    assert len(beats) <= assessment.MOST_BEATS
    assert beats[-1].until_s >= length_s - 1e-5
    assert beats[-1].until_s - length_s <= step


def test_the_timeline_says_who_served_and_when_nobody_said() -> None:
    samples = [at(1000.2), at(1004.0, instances=(A1, B2_OUT, C3)), Sample(1006.0, answered=False), at(1008.0)]
    beats = timeline(seen(DrillKind.ZONE, "b", samples), 1.0)
    assert [beat.serving for beat in beats[:9]] == [
        {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 0, "c": 1},
        {"a": 1, "b": 0, "c": 1}, None, None, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1},
    ]  # fmt: skip


def test_real_traffic_is_what_the_gateways_processes_counted_meanwhile() -> None:
    before = at(1002.0, traffic={"balancer-1": Passed(100, 2), "balancer-2": Passed(50, 0)})
    after = at(1002.5, traffic={"balancer-2": Passed(80, 1), "balancer-3": Passed(7, 0)})
    tally = assessment.passed(before, after)
    assert (tally.sent, tally.answered, tally.failed, tally.failed_after_retry) == (37, 36, 1, 1)
    assert tally.kinds == {"HTTP 5xx": 1}
    again = assessment.passed(after, at(1003.0, traffic={"balancer-9": Passed(0, 0)}))
    assert (again.sent, again.failed, again.kinds) == (0, 0, {})


def test_a_report_of_real_traffic_says_whose_it_was() -> None:
    drill = Drill(DrillKind.KILL, "web-1", rate=0.0)
    tallies = [(1004.0, Tally(0.0, 40, 39, 1, 1, {"HTTP 5xx": 1}))]
    found = report(KEY, Seen(drill, "web-1", MARKS, [at(1002.9), at(1014.0)], tallies))
    assert (found.loaded, found.requests, found.failed) == (True, 40, 1)
    said = "\n".join(lines(found, PLAIN))
    assert "40 requests of the real traffic, counted by the gateway: 1 failed (HTTP 5xx × 1)" in said
    assert picture(found).startswith("<svg")
