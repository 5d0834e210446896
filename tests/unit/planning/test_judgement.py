"""What becomes of a change: the words are what people read when something went wrong."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.planning.test_steps import ALL_OF_ONE, NARROW, TWO
from tests.unit.planning.topologies import drafted, service, topology
from tests.unit.planning.world import KEY, NOTHING, observed, running

from anden.model.change import Judgement, Verdict
from anden.model.manners import AWS
from anden.model.observation import Exit, Health, InstanceSeen, InstanceState, Observation
from anden.model.topology import Range
from anden.planning.configuration import configure
from anden.planning.judgement import HEALTH_BOUND_S, change_bound_s, judge
from anden.planning.steps import Rollout

BEGAN = 1000.0
ROLLOUT = Rollout(KEY, TWO, {}, {}, None, ())
GRACE_S = 10.0 + HEALTH_BOUND_S
DONE = (running(TWO, "accounts", 1), running(TWO, "accounts", 2), running(TWO, "ledger", 1))


def judged(observation: Observation, after_s: float = 1.0, began: float = BEGAN) -> Judgement:
    return judge(ROLLOUT, replace(observation, at=BEGAN + after_s), began, BEGAN + after_s - began)


def surge(**fields: Any) -> InstanceSeen:
    fresh: dict[str, Any] = {
        "since": BEGAN,
        "ever_healthy": False,
        "health": Health.UNHEALTHY,
        "state": InstanceState.RUNNING,
    }
    return running(TWO, "accounts", 3, **(fresh | fields))


def rolling(**fields: Any) -> Observation:
    return observed((*ALL_OF_ONE, surge(**fields)), NARROW)


def test_all_done_is_verified() -> None:
    assert judged(observed(DONE, configure(TWO, None, ()))) == Judgement(Verdict.VERIFIED)


def test_not_done_goes_on() -> None:
    assert judged(NOTHING).verdict is Verdict.CONTINUE
    assert judged(observed(DONE)).verdict is Verdict.CONTINUE  # not configured
    assert judged(observed(ALL_OF_ONE, NARROW)).verdict is Verdict.CONTINUE
    assert judged(rolling(answer="HTTP 500"), GRACE_S).verdict is Verdict.CONTINUE
    restarted_once = rolling(restarts=1, exit=Exit(1, BEGAN + 1), state=InstanceState.RESTARTING)
    assert judged(restarted_once).verdict is Verdict.CONTINUE


def test_one_that_never_becomes_healthy() -> None:
    found = judged(rolling(answer="HTTP 500", tail=("started", "no ledger")), GRACE_S + 1)
    assert found.verdict is Verdict.FAILED
    assert found.reason == "accounts-3 (1.0.1) answered HTTP 500 for 41 s"
    assert found.evidence == ("accounts-3 health: HTTP 500", "accounts-3 | started", "accounts-3 | no ledger")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"answer": "connection refused"}, "accounts-3 (1.0.1) was not healthy (connection refused) for 41 s"),
        ({}, "accounts-3 (1.0.1) did not become healthy for 41 s"),
        (
            {"state": InstanceState.RESTARTING, "answer": "no such file: serve"},
            "accounts-3 (1.0.1) could not be started for 41 s",
        ),
        (
            {"state": InstanceState.RESTARTING, "exit": Exit(3, BEGAN)},
            "accounts-3 (1.0.1) exited with 3 and was not healthy for 41 s",
        ),
    ],
)
def test_the_words_for_one_that_takes_too_long(fields: dict[str, Any], reason: str) -> None:
    assert judged(rolling(**fields), GRACE_S + 1).reason == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"restarts": 2, "exit": Exit(1, 0)}, "accounts-3 (1.0.1) exited with 1 twice before it was healthy"),
        (
            {"restarts": 4, "exit": Exit(-11, 0)},
            "accounts-3 (1.0.1) was killed by signal 11 4 times before it was healthy",
        ),
        (
            {"restarts": 2, "exit": Exit(-9, 0, out_of_memory=True)},
            "accounts-3 (1.0.1) ran out of memory (512 MB) twice before it was healthy",
        ),
        (
            {"restarts": 3, "exit": Exit(1, 0), "ever_healthy": True},
            "accounts-3 (1.0.1) exited with 1 3 times since it was started",
        ),
    ],
)
def test_one_that_ends_again_and_again_is_not_waited_for(fields: dict[str, Any], reason: str) -> None:
    found = judged(rolling(**fields))
    assert (found.verdict, found.reason) == (Verdict.FAILED, reason)


def test_several_fail_alike() -> None:
    new = [running(TWO, "accounts", n, since=BEGAN, ever_healthy=False, health=Health.UNHEALTHY) for n in (1, 2, 3)]
    found = judged(observed(new), GRACE_S + 1)
    assert found.reason == "accounts-1 (1.0.1) did not become healthy for 41 s, and 2 more like it"


def test_nothing_is_promised() -> None:
    found = judged(rolling(answer="HTTP 500"), GRACE_S + 1)
    assert "roll" not in found.reason
    assert "back" not in found.reason


def test_who_was_in_trouble_before_does_not_fail_a_change_nor_hold_it_up_for_ever() -> None:
    limping = replace(
        DONE[2], health=Health.UNHEALTHY, state=InstanceState.RESTARTING, restarts=9, exit=Exit(1, BEGAN + 5), since=5.0
    )
    there = observed((*DONE[:2], limping), configure(TWO, None, ()))
    assert judged(there).verdict is Verdict.CONTINUE
    found = judged(there, GRACE_S + 1)
    assert found.verdict is Verdict.VERIFIED
    assert found.reason == "ledger-1 is not healthy, and ran before this change"


def test_who_was_never_healthy_fails_it_whoever_started_it() -> None:
    never = replace(DONE[2], health=Health.UNHEALTHY, ever_healthy=False, since=5.0)
    there = observed((*DONE[:2], never), configure(TWO, None, ()))
    assert judged(there, GRACE_S).verdict is Verdict.CONTINUE
    assert judged(there, GRACE_S + 1).reason == "ledger-1 (1.0.0) did not become healthy for 41 s"


def test_the_whole_has_a_bound_and_says_it() -> None:
    bound = change_bound_s(TWO)
    stuck = observed(ALL_OF_ONE, NARROW)
    assert judged(stuck, bound).verdict is Verdict.CONTINUE
    found = judged(stuck, bound + 1)
    assert found.verdict is Verdict.FAILED
    until = "until accounts-3 is healthy"
    assert found.reason == f"gave up after {bound:.0f} s (accounts-1: {until}; accounts-2: {until})"


def test_going_back_has_its_own_time() -> None:
    assert judged(observed(ALL_OF_ONE, NARROW), 5001, BEGAN + 5000).verdict is Verdict.CONTINUE


def test_time_in_which_nobody_worked_at_it_does_not_count() -> None:
    away = replace(rolling(answer="HTTP 500"), at=BEGAN + 3600)
    assert judge(ROLLOUT, away, BEGAN, GRACE_S).verdict is Verdict.CONTINUE
    assert judge(ROLLOUT, away, BEGAN, GRACE_S + 1).reason == "accounts-3 (1.0.1) answered HTTP 500 for 41 s"


def test_a_clock_that_goes_back_makes_no_bound_endless() -> None:
    bound = change_bound_s(TWO)
    back = replace(rolling(answer="HTTP 500"), at=BEGAN - 3600)
    assert judge(ROLLOUT, back, BEGAN - 3600 - bound, bound).verdict is Verdict.CONTINUE
    assert judge(ROLLOUT, back, BEGAN - 3601 - bound, bound + 1).verdict is Verdict.FAILED


def test_the_bound_grows_with_what_is_to_be_done() -> None:
    small = drafted(topology(service("a", instances=Range(1, 1))))
    many = drafted(topology(*(service(f"s{n}", instances=Range(1, 1)) for n in range(500))))
    slow = drafted(topology(service("a", instances=Range(1, 1), start_s=300.0)))
    wide = drafted(topology(service("a", instances=Range(8, 8))))
    assert change_bound_s(small) == 171
    assert change_bound_s(small) < min(change_bound_s(other) for other in (many, slow, wide))
    assert change_bound_s(many) < 300


def test_as_aws_a_new_instance_has_its_launch_as_well() -> None:
    late = AWS.launch_s[1]
    never = replace(DONE[2], health=Health.UNKNOWN, ever_healthy=False, since=5.0)
    there = observed((*DONE[:2], never), configure(TWO, None, (), manners=AWS))

    def verdict(after_s: float) -> Verdict:
        rollout = Rollout(KEY, TWO, {}, {}, None, (), AWS)
        return judge(rollout, replace(there, at=BEGAN + after_s), BEGAN, after_s).verdict

    assert judged(observed((*DONE[:2], never), configure(TWO, None, ())), GRACE_S + 1).verdict is Verdict.FAILED
    assert verdict(GRACE_S + late) is Verdict.CONTINUE
    assert verdict(GRACE_S + late + 1) is Verdict.FAILED


def test_as_aws_the_whole_has_time_for_launching_and_draining() -> None:
    small = drafted(topology(service("a", instances=Range(1, 1), timeout_s=30.0)))
    rounds = 2
    assert change_bound_s(small, AWS) == change_bound_s(small) + rounds * (AWS.launch_s[1] + 300 - 30)
