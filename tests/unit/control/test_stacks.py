"""Control over an engine of stacks: every command, what fails, and a control plane that dies on the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.control.bench import START, TWO, Crash, Fuse, manifest
from tests.unit.control.stack_bench import KEY, Bench
from tests.unit.control.stack_world import APPLY_S, Trouble

from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.event import EventKind
from anden.model.plan import ApplyStack
from anden.model.problem import Problem
from anden.model.stack import StackState
from anden.store import open_store

FIRST = [
    "+ network", "+ data", "+ firewall", "+ rules", "+ edge", "+ service-api", "+ service-web",
]  # fmt: skip
MOST_CALLS = 400


@pytest.fixture(params=[False, True], ids=["waiting", "at-once"])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    """With an engine that waits for its operations, and with one that leaves that to whoever observes."""
    return Bench(tmp_path, at_once=request.param)


def test_the_first_up_makes_every_stack_after_those_that_it_uses(bench: Bench) -> None:
    end = bench.up()
    assert end.outcome == Outcome.DONE
    assert bench.engine.history == FIRST
    assert bench.settled()
    assert bench.said[0].text == "banco/dev, aws, 1 zone"
    assert "… network making what it holds\n" in bench.text()
    assert "+ network new" in bench.text()
    assert "✓ web 1/2 healthy" not in bench.text()
    assert end.data is not None
    assert end.data["running"]
    assert end.data["matches_manifest"]
    assert bench.clock.now() - START < 6 * APPLY_S  # the longest chain, and not one after the other


def test_an_up_with_nothing_to_do_does_nothing(bench: Bench) -> None:
    bench.up()
    assert bench.up().outcome == Outcome.DONE
    assert bench.engine.history == []
    assert "nothing to do" in bench.text()


def test_a_new_version_is_one_stack(bench: Bench) -> None:
    bench.up()
    assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-web"]


def test_another_service_finds_its_firewall_there_and_a_dropped_one_goes_before_its_own(bench: Bench) -> None:
    bench.up()
    more = TWO + "  job: { image: job:1.0, reaches: [api] }\n"
    assert bench.up(more).outcome == Outcome.DONE
    assert bench.engine.history == ["~ firewall", "~ rules", "+ service-job"]
    assert bench.up(TWO).outcome == Outcome.DONE
    assert bench.engine.history == ["- service-job", "~ rules", "~ firewall"]
    assert bench.settled()


def test_a_path_that_is_taken_back_closes_after_the_rest_has_rolled(bench: Bench) -> None:
    bench.up()
    assert bench.up(manifest(web="web:2.0").replace(", reaches: [api]", "")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-web", "~ rules"]


def test_a_stack_that_fails_ends_the_first_up_with_what_the_engine_said_and_nothing_else_proceeds(bench: Bench) -> None:
    bench.engine.troubles["firewall"] = Trouble("GroupOfWeb: limit exceeded\nGroupOfApi: cancelled")
    end = bench.up()
    assert end.outcome == Outcome.FAILED
    assert bench.engine.history == ["+ network", "+ data", "+ firewall"]
    assert bench.store.changes(KEY)[0].reason == "firewall failed: GroupOfWeb: limit exceeded"
    assert end.problem is not None
    assert end.problem.fix.startswith("Mend what is said above, then `anden up` again")
    assert "| anden-firewall: GroupOfWeb: limit exceeded" in bench.text().replace("|  ", "| ")


def test_and_the_next_up_goes_on_with_what_is_left(bench: Bench) -> None:
    bench.engine.troubles["firewall"] = Trouble("GroupOfWeb: limit exceeded")
    bench.up()
    assert bench.up().outcome == Outcome.DONE
    assert bench.engine.history == ["~ firewall", *FIRST[3:]]
    assert bench.settled()


@pytest.mark.parametrize("family", [line[2:] for line in FIRST])
def test_a_failure_in_any_stack_is_told_and_the_next_up_completes(bench: Bench, family: str) -> None:
    bench.engine.troubles[family] = Trouble("Something: said no")
    end = bench.up()
    assert end.outcome == Outcome.FAILED
    assert f"{family} failed: Something: said no" in bench.text()
    assert bench.up().outcome == Outcome.DONE
    assert bench.settled()


def test_a_version_that_fails_goes_back_to_the_one_that_held(bench: Bench) -> None:
    bench.up()
    good = bench.target.blueprint
    bench.engine.troubles["service-web"] = Trouble("WebService: tasks do not become healthy")
    more = manifest(web="web:2.0", api="api:2.0") + "  job: { image: job:1.0, reaches: [api] }\n"
    end = bench.up(more)
    assert end.outcome == Outcome.ROLLED_BACK
    assert bench.target.blueprint == good
    assert bench.settled()
    change = bench.store.changes(KEY)[0]
    assert change.state is ChangeState.ROLLED_BACK
    assert change.reason == "service-web failed: WebService: tasks do not become healthy"
    # What had rolled goes back, what was new goes, and then the firewall is as it was.
    assert bench.engine.history[5:] == ["~ service-api", "- service-job", "~ rules", "~ firewall"]


def test_a_stack_that_cannot_be_put_back_is_said_so_and_holds_nothing_up_for_ever(bench: Bench) -> None:
    bench.up()
    bench.engine.troubles["rules"] = Trouble("WebToApiOut: denied", stuck=True)
    end = bench.up(TWO.replace(", reaches: [api]", ""))
    assert end.outcome == Outcome.FAILED
    assert "rules is stuck: WebToApiOut: denied" in bench.text()
    assert bench.engine.history == ["~ rules"]


def test_a_stack_that_somebody_has_in_hand_is_waited_for(bench: Bench) -> None:
    bench.up()
    account = bench.engine.account
    bench.engine._apply(account, account_wanted(bench, "edge"), account.stacks["edge"].blueprint)  # type: ignore[arg-type]
    end = bench.up(manifest(web="web:2.0"))
    assert end.outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-web"]
    assert not account.under_way


def account_wanted(bench: Bench, family: str) -> Any:
    assert bench.target.blueprint is not None
    blueprint = bench.store.blueprint(bench.target.blueprint)
    return next(each for each in bench.engine.stacks(blueprint, None, {}) if each.family == family)


def test_a_stack_that_somebody_deleted_comes_back_with_up(bench: Bench) -> None:
    bench.up()
    del bench.engine.account.stacks["service-web"]
    bench.engine.account.version += 1
    assert bench.up().outcome == Outcome.DONE
    assert bench.engine.history == ["+ service-web"]


def test_deploy_rollback_restart_and_scale(bench: Bench) -> None:
    bench.up()
    assert bench.run(bench.control.deploy(bench.at(), "ana", "web", "web:2.0")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-web"]
    assert bench.run(bench.control.rollback(bench.at(), "ana")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-web"]
    assert bench.run(bench.control.restart(bench.at(), "ana", "api")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-api"]
    assert bench.run(bench.control.scale(bench.at(), "ana", "web", 3)).outcome == Outcome.DONE
    assert bench.engine.history == ["~ web"]
    assert bench.engine.account.levels == {"web": 3}
    assert bench.settled()


def test_what_the_account_has_no_room_for_is_refused_before_anything_happens(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.deploy(bench.at(), "ana", "web", "web:2.0"))
    bench.engine.lacks = (Problem("quota Fargate vCPU", "1 left, 4 needed at max", "", "Ask for more."),)
    before = bench.target
    control, at = bench.control, bench.at()
    for told in (
        control.deploy(at, "ana", "web", "web:3.0"), control.restart(at, "ana", "api"),
        control.scale(at, "ana", "web", 3),
    ):  # fmt: skip
        end = bench.run(told)
        assert (end.outcome, end.problem) == (Outcome.REFUSED, bench.engine.lacks[0])
        assert bench.engine.history == []
        assert bench.target == before
    bench.engine.lacks = ()
    bench.run(control.scale(at, "ana", "web", 3))
    bench.engine.lacks = (Problem("quota Fargate vCPU", "1 left, 4 needed at max"),)
    assert bench.run(control.scale(at, "ana", "web", 2)).outcome == Outcome.DONE  # fewer always hold
    assert bench.run(control.rollback(at, "ana")).outcome == Outcome.DONE  # it has held before


def test_a_level_that_elasticity_has_moved_since_is_not_put_back(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    assert bench.up(manifest(api="api:2.0")).outcome == Outcome.DONE
    assert bench.engine.history == ["~ service-api"]


def test_a_restart_that_fails_says_so(bench: Bench) -> None:
    bench.up()
    bench.engine.troubles["service-web"] = Trouble("WebService: no capacity")
    end = bench.run(bench.control.restart(bench.at(), "ana", "web"))
    assert end.outcome == Outcome.FAILED
    assert end.problem is not None
    assert end.problem.why == "service-web failed: WebService: no capacity"
    assert bench.engine.history == ["~ service-web"]


def test_down_ends_users_first_and_leaves_nothing(bench: Bench) -> None:
    bench.up()
    end = bench.run(bench.control.down(bench.at(), "ana"))
    assert end.outcome == Outcome.DONE
    assert bench.engine.history == [
        "- service-api", "- service-web", "- edge", "- rules", "- firewall", "- data", "- network",
    ]  # fmt: skip
    assert bench.engine.account.stacks == {}
    assert bench.store.target(KEY) is None
    assert "- network down; protection is lifted, and what it retains is listed" in bench.text()


def test_a_stack_that_does_not_go_is_said_and_the_next_down_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.engine.troubles["firewall"] = Trouble("GroupOfWeb: in use", times=3)
    end = bench.run(bench.control.down(bench.at(), "ana"))
    assert end.outcome == Outcome.FAILED
    assert end.problem is not None
    assert "goes on with what is left" in end.problem.fix
    assert bench.run(bench.control.down(bench.at(), "ana")).outcome == Outcome.DONE
    assert bench.engine.account.stacks == {}


def test_down_works_without_any_record_by_what_the_engine_says(bench: Bench) -> None:
    bench.up()
    bench.store = open_store(":memory:")
    bench.control = bench.controlling()
    assert bench.run(bench.control.down(bench.at(), "ana")).outcome == Outcome.DONE
    assert bench.engine.account.stacks == {}


def test_the_plan_is_every_stack_that_would_be_applied_in_order(bench: Bench) -> None:
    report = bench.control.plan(bench.at())
    assert [f"{step.action} {step.address}" for step in report.steps] == FIRST
    assert all(isinstance(step.effect, ApplyStack) for step in report.steps)
    bench.up()
    assert not bench.control.plan(bench.at()).changes
    report = bench.control.plan(bench.at(manifest(web="web:2.0").replace(", reaches: [api]", "")))
    assert [f"{step.action} {step.address}" for step in report.steps] == ["~ service-web", "~ rules"]


@pytest.mark.parametrize("text", [TWO, manifest(web="web:2.0") + "  job: { image: job:1.0, reaches: [api] }\n"])
def test_wherever_the_control_plane_dies_the_next_up_ends_at_what_was_asked(tmp_path: Path, text: str) -> None:
    """From nothing, and from another version: cut off after each call to engine or store."""
    for calls in range(0, MOST_CALLS, 7):
        bench = Bench(tmp_path, at_once=calls % 2 == 0)
        if text is not TWO:
            bench.up()
        bench.control = bench.controlling(Fuse(calls))
        try:
            bench.up(text)
        except Crash:
            bench.control = bench.controlling()
            assert bench.up(text).outcome == Outcome.DONE
        else:
            assert bench.settled()
            return
        assert bench.settled()
        assert not any(one.state is not StackState.SETTLED for one in bench.engine.observe(KEY).stacks)
    raise AssertionError("the fuse is shorter than an `up`")


def drift(bench: Bench, family: str, *resources: str) -> None:
    """Somebody changes these resources by hand, and somebody looks."""
    bench.engine.account.stacks[family] = replace(bench.engine.account.stacks[family], drifted=resources)


def test_what_was_changed_by_hand_is_shown_and_asked_about(bench: Bench) -> None:
    bench.up()
    drift(bench, "rules", "WebToApiOut")
    found = bench.control.status(bench.at()).findings
    assert [(each.subject, each.text) for each in found if each.subject.startswith("stack")] == [
        ("stack rules", "changed by hand: WebToApiOut")
    ]
    assert bench.up().outcome == Outcome.REFUSED
    question = next(event for event in bench.said if event.kind is EventKind.QUESTION)
    assert (question.subject, question.text) == ("changed by hand", "rules: WebToApiOut")
    assert question.choices is not None
    assert set(question.choices) == {"keep", "revert"}


def test_and_kept_or_put_back_as_told(bench: Bench) -> None:
    bench.up()
    drift(bench, "rules", "WebToApiOut")
    assert bench.up(deployed="keep").outcome == Outcome.DONE
    assert bench.engine.history == []
    assert bench.up(deployed="revert").outcome == Outcome.DONE
    assert bench.engine.history == ["~ rules"]
    assert "~ rules was changed by hand: WebToApiOut" in bench.text()
    drift(bench, "rules", "WebToApiOut")
    bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    assert bench.engine.history == ["~ web"]  # nobody told this command to put anything back


def test_an_engine_that_goes_on_saying_so_is_not_asked_for_ever(bench: Bench) -> None:
    bench.up()
    drift(bench, "rules", "WebToApiOut")
    bench.engine.keeps_drift = True
    assert bench.up(deployed="revert").outcome == Outcome.DONE
    assert bench.engine.history == ["~ rules"]


def test_the_plan_of_an_account_that_cannot_be_read_is_made_from_the_manifest_and_says_so(bench: Bench) -> None:
    bench.engine.unreadable = Problem("aws", "there are no credentials", "", "Sign in.")
    report = bench.control.plan(bench.at())
    assert not report.problems
    assert report.warnings == (bench.engine.unreadable,)
    assert [f"{step.action} {step.address}" for step in report.steps] == FIRST
