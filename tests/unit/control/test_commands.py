"""deploy, rollback, scale, restart, down; one at a time; cancelled; cut off."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, TWO, Bench, Crash, Fuse, manifest

from anden.engines.simulated.behaviour import BROKEN
from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.event import EventKind
from anden.model.observation import InstanceState
from anden.model.problem import Problems

MOST_CRASHES = 1_000
STRIDE = int(os.environ.get("ANDEN_CRASH_STRIDE", "11"))
"""Every so manieth call is a point to crash at; 1 tries every point, and takes a minute."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.up()
    return bench


# deploy, and what was deployed beside the manifest.


ALONE = "".join(line for line in manifest().splitlines(keepends=True) if "web:" not in line).replace(
    "port: 8080, ", "port: 8080, route: /, "
)
"""The manifest without web."""


def deploy(bench: Bench, image: str, service: str = "web") -> str:
    return bench.run(bench.control.deploy(bench.at(None), "ana", service, image)).outcome


def test_a_deployed_image_runs_and_is_recorded_beside_the_manifest(bench: Bench) -> None:
    bench.engine.watch({"web": 2, "api": 1})
    assert deploy(bench, "web:1.1") == Outcome.DONE
    assert bench.images()["web"] == ["web:1.1"] * 2
    assert bench.target.deployed == {"web": "web:1.1"}
    status = bench.control.status(bench.at())
    assert not status.matches_manifest
    assert [(each.subject, each.text) for each in status.deployed] == [("web", "web:1.0 → web:1.1")]


def test_a_broken_deployment_is_undone_and_so_is_its_record(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    assert deploy(bench, "web:broken") == Outcome.ROLLED_BACK
    assert bench.target.deployed == {"web": "web:1.1"}
    assert bench.images()["web"] == ["web:1.1"] * 2


def test_deploying_the_manifests_own_image_leaves_nothing_beside_it(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    assert deploy(bench, "web:1.0") == Outcome.DONE
    assert bench.target.deployed == {}
    assert bench.control.status(bench.at()).matches_manifest


def test_deploying_what_runs_is_nothing_to_do(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    deploy(bench, "web:1.1")
    assert "nothing to do" in bench.text()


def test_up_asks_what_becomes_of_it_and_never_reverts_in_silence(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    end = bench.up()
    question = next(event for event in bench.said if event.kind is EventKind.QUESTION)
    assert question.text == "web runs web:1.1, the manifest says web:1.0"
    assert question.choices is not None
    assert set(question.choices) == {"keep", "revert"}
    assert end.outcome == Outcome.REFUSED
    assert bench.images()["web"] == ["web:1.1"] * 2


def test_keeping_it_takes_everything_else_from_the_manifest(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    assert bench.up(manifest(api="api:2.0"), deployed="keep").outcome == Outcome.DONE
    assert bench.images() == {"api": ["api:2.0"], "web": ["web:1.1"] * 2}
    assert bench.target.deployed == {"web": "web:1.1"}


def test_reverting_takes_the_manifests(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    assert bench.up(deployed="revert").outcome == Outcome.DONE
    assert bench.images()["web"] == ["web:1.0"] * 2
    assert bench.target.deployed == {}


def test_a_manifest_that_says_the_same_has_nothing_to_ask(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    assert bench.up(manifest(web="web:1.1")).outcome == Outcome.DONE
    assert bench.target.deployed == {}
    assert bench.control.status(bench.at(manifest(web="web:1.1"))).matches_manifest


def test_a_service_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(Problems, match="no service of this name"):
        deploy(bench, "x:1", "wbe")


# rollback.


def test_rollback_is_one_step_back_and_again_one_forth(bench: Bench) -> None:
    first = bench.target.blueprint
    bench.up(manifest(web="web:2.0"))
    second = bench.target.blueprint
    bench.engine.watch({"web": 2, "api": 1})
    assert bench.run(bench.control.rollback(bench.at(None), "ana")).outcome == Outcome.DONE
    assert (bench.target.blueprint, bench.images()["web"]) == (first, ["web:1.0"] * 2)
    assert bench.run(bench.control.rollback(bench.at(None), "ana")).outcome == Outcome.DONE
    assert (bench.target.blueprint, bench.images()["web"]) == (second, ["web:2.0"] * 2)


def test_rollback_brings_back_what_was_deployed_then(bench: Bench) -> None:
    deploy(bench, "web:1.1")
    bench.up(deployed="revert")
    bench.run(bench.control.rollback(bench.at(None), "ana"))
    assert bench.target.deployed == {"web": "web:1.1"}
    assert bench.images()["web"] == ["web:1.1"] * 2


def test_rollback_passes_over_what_never_held(bench: Bench) -> None:
    bench.up(manifest(web="web:2.0"))
    bench.up(manifest(web="web:broken"))
    bench.run(bench.control.rollback(bench.at(None), "ana"))
    assert bench.images()["web"] == ["web:1.0"] * 2


def test_rollback_without_a_past_says_so(bench: Bench) -> None:
    with pytest.raises(Problems, match="nothing to go back to"):
        bench.run(bench.control.rollback(bench.at(None), "ana"))


def test_rollback_in_the_middle_of_a_change_turns_it_round(bench: Bench) -> None:
    first = bench.target.blueprint
    bench.engine.watch({"web": 2, "api": 1})
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for event in told:
        if event is not None and event.subject == "web-1":
            break
    told.close()
    assert bench.run(bench.control.rollback(bench.at(None), "ana")).outcome == Outcome.DONE
    assert "turns round change 2" in bench.text()
    assert bench.target.blueprint == first
    assert bench.images()["web"] == ["web:1.0"] * 2
    bench.settle()
    change = bench.store.changes(KEY)[0]
    assert (change.state, change.reason) == (ChangeState.ROLLED_BACK, "turned back by `rollback`")
    assert bench.up(manifest(web="web:broken")).outcome == Outcome.ROLLED_BACK


def test_rollback_while_it_goes_back_already_does_not_go_further(bench: Bench) -> None:
    bench.up(manifest(api="api:2.0"))
    told = bench.control.up(bench.at(manifest(web="web:crashing", api="api:2.0")), "ana")
    for event in told:
        if event is not None and event.text.startswith("rolling back to"):
            break
    told.close()
    with pytest.raises(Problems, match=r"going back to .* already"):
        bench.run(bench.control.rollback(bench.at(None), "ana"))
    bench.settle()
    assert bench.images() == {"api": ["api:2.0"], "web": ["web:1.0"] * 2}


# scale and restart.


def test_scaling_moves_the_level_and_never_the_blueprint(bench: Bench) -> None:
    before = bench.target.blueprint
    assert bench.run(bench.control.scale(bench.at(None), "ana", "web", 4)).outcome == Outcome.DONE
    assert len(bench.images()["web"]) == 4
    bench.engine.watch({"web": 2})
    assert bench.run(bench.control.scale(bench.at(None), "ana", "web", 2)).outcome == Outcome.DONE
    assert len(bench.engine.observe(KEY).of("web")) == 2
    assert bench.target.blueprint == before
    assert len(bench.store.changes(KEY)) == 1


def test_a_level_comes_back_with_the_service_that_a_failed_change_had_dropped(bench: Bench) -> None:
    bench.run(bench.control.scale(bench.at(None), "ana", "web", 4))
    bench.up(ALONE.replace("api:1.0", "api:broken"))
    assert len(bench.images()["web"]) == 4


def test_a_service_that_had_gone_begins_at_its_base_when_it_returns(bench: Bench) -> None:
    bench.run(bench.control.scale(bench.at(None), "ana", "web", 4))
    bench.up(ALONE)
    planned = [step.address for step in bench.control.plan(bench.at(manifest())).steps]
    assert [name for name in planned if name.startswith("web-")] == ["web-1", "web-2"]
    bench.up(manifest())
    assert len(bench.images()["web"]) == 2


@pytest.mark.parametrize("level", [1, 5, 0, -1])
def test_outside_of_the_contract_it_is_refused_with_the_line_to_edit(bench: Bench, level: int) -> None:
    with pytest.raises(Problems) as found:
        bench.run(bench.control.scale(bench.at(None), "ana", "web", level))
    problem = found.value.problems[0]
    assert problem.where == "services/web/instances (anden.yaml:5)"
    assert problem.what == f"{level} is outside of 2..4"
    assert "contracted" in problem.why
    assert "edit instances (anden.yaml:5)" in problem.fix
    assert bench.target.levels == {}


def test_scaling_up_a_version_that_no_longer_starts_fails_within_its_bound(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.engine._behaviours["web:1.0"] = BROKEN
    end = bench.run(bench.control.scale(bench.at(None), "ana", "web", 3))
    assert end.outcome == Outcome.FAILED
    assert end.problem is not None
    assert "web-3" in end.problem.why
    assert len(bench.images()["web"]) == 2


def test_restarting_one_service_replaces_its_instances_only(bench: Bench) -> None:
    before = {str(one.id): one.since for one in bench.engine.observe(KEY).instances}
    bench.engine.watch({"web": 2, "api": 1})
    assert bench.run(bench.control.restart(bench.at(None), "ana", "web")).outcome == Outcome.DONE
    after = {str(one.id): one.since for one in bench.engine.observe(KEY).instances}
    assert after["api-1"] == before["api-1"]
    assert after["web-1"] > before["web-1"]
    assert after["web-2"] > before["web-2"]
    assert after.keys() == before.keys()


def test_restarting_everything(bench: Bench) -> None:
    bench.engine.watch({"web": 2, "api": 1})
    assert bench.run(bench.control.restart(bench.at(None), "ana")).outcome == Outcome.DONE
    assert bench.target.generations == {"api": 1, "web": 1}


# down.


def test_down_leaves_nothing_but_the_record(bench: Bench) -> None:
    end = bench.run(bench.control.down(bench.at(None), "ana"))
    assert end.outcome == Outcome.DONE
    assert not bench.engine.observe(KEY).present
    assert bench.store.targets() == ()
    assert not bench.control.needed()
    assert [command.what for command in bench.control.commands(bench.at())] == ["down", "up"]
    assert end.data is not None
    assert not end.data["running"]
    assert bench.up().outcome == Outcome.DONE


def test_down_of_what_does_not_run(bench: Bench) -> None:
    bench.run(bench.control.down(bench.at(None), "ana"))
    assert bench.run(bench.control.down(bench.at(), "ana")).outcome == Outcome.DONE
    assert "nothing runs" in bench.text()
    assert bench.run(bench.control.down(bench.at(None, None), "ana")).outcome == Outcome.DONE


def test_down_of_what_the_records_do_not_know(bench: Bench) -> None:
    bench.store.forget(KEY)
    assert bench.run(bench.control.down(bench.at(), "ana")).outcome == Outcome.DONE
    assert not bench.engine.observe(KEY).present


def test_down_of_what_has_died(bench: Bench) -> None:
    bench.engine.vanish(KEY)
    assert bench.run(bench.control.down(bench.at(None), "ana")).outcome == Outcome.DONE
    assert bench.store.targets() == ()


def test_down_in_the_middle_of_a_change(bench: Bench) -> None:
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for event in told:
        if event is not None and event.subject == "web-3":
            break
    told.close()
    assert bench.run(bench.control.down(bench.at(None), "ana")).outcome == Outcome.DONE
    assert bench.store.changes(KEY)[0].state is ChangeState.SUPERSEDED
    assert bench.up().outcome == Outcome.DONE


# One at a time, and cancelled.


def test_of_two_at_once_the_second_is_told_who_runs_what_since_when(bench: Bench) -> None:
    first = bench.control.up(bench.at(manifest(web="web:2.0")), "luis")
    next(first)
    bench.clock.sleep(12.0)
    with pytest.raises(Problems) as found:
        bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    assert "`up` by luis has been running for 12 s, since 22:13:" in found.value.problems[0].what
    assert [command.what for command in bench.control.busy()] == ["up"]
    assert bench.run(first).outcome == Outcome.DONE
    assert bench.control.busy() == ()
    recorded = bench.control.commands(bench.at())
    assert (recorded[0].who, recorded[0].outcome) == ("ana", Outcome.REFUSED)
    assert recorded[0].detail.startswith("`up` by luis")
    assert bench.run(bench.control.scale(bench.at(), "ana", "web", 3)).outcome == Outcome.DONE


def test_other_environments_are_not_kept_waiting(bench: Bench) -> None:
    text = TWO + "environments: { dev: {}, qa: {} }\n"
    first = bench.control.up(bench.at(manifest(web="web:2.0")), "luis")
    next(first)
    assert bench.run(bench.control.up(bench.at(text, "qa"), "ana")).outcome == Outcome.DONE
    first.close()


def test_cancelled_before_anything_was_acknowledged_nothing_has_changed(bench: Bench) -> None:
    before = bench.target
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    next(told)
    told.close()
    command = bench.control.commands(bench.at())[0]
    assert (command.outcome, command.detail) == (Outcome.CANCELLED, "nothing was changed")
    assert bench.target == before
    assert bench.control.busy() == ()


def test_cancelled_later_the_target_stands_and_is_reached_all_the_same(bench: Bench) -> None:
    bench.engine.watch({"web": 2, "api": 1})
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for event in told:
        if event is not None and event.subject == "web-3":
            break
    told.close()
    command = bench.control.commands(bench.at())[0]
    assert command.outcome is Outcome.CANCELLED
    assert "its target stands" in command.detail
    bench.settle()
    assert bench.images()["web"] == ["web:2.0"] * 2
    assert bench.store.changes(KEY)[0].state is ChangeState.VERIFIED


def test_the_next_up_goes_on_with_what_was_cancelled(bench: Bench) -> None:
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for event in told:
        if event is not None and event.subject == "web-3":
            break
    told.close()
    assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    assert "goes on with change 2" in bench.text()
    assert len(bench.store.changes(KEY)) == 2


def test_another_up_in_the_middle_supersedes_and_still_goes_back_to_what_held(bench: Bench) -> None:
    bench.engine.watch({"web": 2, "api": 1})
    first = bench.target.blueprint
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for event in told:
        if event is not None and event.subject == "web-3":
            break
    told.close()
    assert bench.up(manifest(web="web:broken")).outcome == Outcome.ROLLED_BACK
    assert bench.target.blueprint == first
    assert bench.images()["web"] == ["web:1.0"] * 2
    assert [change.state for change in bench.store.changes(KEY)] == [
        ChangeState.ROLLED_BACK,
        ChangeState.SUPERSEDED,
        ChangeState.VERIFIED,
    ]


def test_addresses_of_what_is_half_replaced_are_given_to_nobody_else(bench: Bench) -> None:
    """web and api are to be replaced by other services; cut off half-way, they are to be replaced by yet others."""
    bench.engine.watch({"web": 2})
    first = {one.address for one in bench.engine.observe(KEY).of("api")}
    one = TWO.replace("  api:", "  one:").replace("[api]", "[one]").replace("web:1.0", "web:2.0")
    told = bench.control.up(bench.at(one), "ana")
    for event in told:
        if event is not None and event.subject == "web-3":
            break
    told.close()
    two = TWO.replace("  api:", "  two:").replace("[api]", "[two]").replace("web:1.0", "web:3.0")
    assert bench.up(two).outcome == Outcome.DONE
    assert bench.images() == {"two": ["api:1.0"], "web": ["web:3.0"] * 2}
    assert not first & {one.address for one in bench.engine.observe(KEY).of("two")}


# Cut off at every step.


def crashing(bench: Bench, command: Callable[[Bench, Fuse], None], after: Callable[[Bench], None]) -> int:
    """Run `command` with the control plane dying at one call of engine or store after the other, each time `after`."""
    for calls in count(step=STRIDE):
        assert calls < MOST_CRASHES
        try:
            command(bench, Fuse(calls))
        except Crash:
            bench.crash()
            after(bench)
            continue
        return calls
    raise AssertionError


def _upping(text: str) -> Callable[[Bench, Fuse], None]:
    def command(bench: Bench, fuse: Fuse) -> None:
        control = bench.controlling(fuse)
        for _ in control.up(bench.at(text), "ana"):
            pass

    return command


def test_a_first_up_killed_at_any_point_is_finished_by_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path, file=True)

    def after(bench: Bench) -> None:
        assert bench.up().outcome == Outcome.DONE
        assert bench.images() == {"api": ["api:1.0"], "web": ["web:1.0"] * 2}
        assert not any(change.state is ChangeState.APPLYING for change in bench.store.changes(KEY, 1000))
        assert not any(command.outcome is Outcome.RUNNING for command in bench.store.commands(KEY, 1000))
        bench.run(bench.control.down(bench.at(), "ana"))

    assert crashing(bench, _upping(TWO), after) > 30
    assert bench.store.verify().fault == ""


def test_a_rolling_up_killed_at_any_point_is_finished_by_the_next_and_serves_meanwhile(tmp_path: Path) -> None:
    bench = Bench(tmp_path, file=True)
    bench.up()
    bench.engine.watch({"web": 2, "api": 1})

    def after(bench: Bench) -> None:
        assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE
        assert bench.images()["web"] == ["web:2.0"] * 2
        assert bench.up().outcome == Outcome.DONE

    assert crashing(bench, _upping(manifest(web="web:2.0")), after) > 30


def test_a_broken_up_killed_at_any_point_is_rolled_back_without_anybody_asking(tmp_path: Path) -> None:
    bench = Bench(tmp_path, file=True)
    bench.up()
    good = bench.target.blueprint
    bench.engine.watch({"web": 2, "api": 1})

    def after(bench: Bench) -> None:
        bench.settle()
        assert bench.target.blueprint == good
        assert bench.target.deployed == {}
        assert bench.images()["web"] == ["web:1.0"] * 2
        assert len(bench.engine.observe(KEY).instances) == 3

    assert crashing(bench, _upping(manifest(web="web:crashing")), after) > 30


def test_a_down_killed_at_any_point_is_finished_without_anybody_asking(tmp_path: Path) -> None:
    bench = Bench(tmp_path, file=True)
    bench.up()

    def command(bench: Bench, fuse: Fuse) -> None:
        for _ in bench.controlling(fuse).down(bench.at(), "ana"):
            pass

    def after(bench: Bench) -> None:
        if bench.store.target(KEY) is not None:
            bench.settle()
        target = bench.store.target(KEY)
        assert (target is None) == (not bench.engine.observe(KEY).present)
        bench.up()

    assert crashing(bench, command, after) > 5


def test_nothing_is_draining_or_stopping_at_the_end(bench: Bench) -> None:
    bench.up(manifest(web="web:2.0"))
    assert {one.state for one in bench.engine.observe(KEY).instances} == {InstanceState.RUNNING}
