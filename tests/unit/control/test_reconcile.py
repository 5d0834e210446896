"""Ticks without anybody asking: what died comes back, what cannot be done is given up, what is recorded is repaired."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.control.bench import KEY, Bench, Watched, manifest

from anden.assess.revivals import TOLD_S
from anden.control import changes
from anden.control.reconcile import MOST_FAILED_TICKS, MOST_REVIVALS, REVIVAL_WINDOW_S
from anden.model.change import ChangeState, Judgement, Verdict
from anden.model.command import BRING_BACK, Outcome
from anden.model.ids import EnvironmentKey
from anden.model.plan import Receipt, Remove, StartInstance, Step
from anden.model.problem import Problem, Problems


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.up()
    return bench


def tick(bench: Bench) -> Any:
    return bench.control._means.reconciler.tick(KEY)


def test_a_tick_with_nothing_to_do_does_nothing(bench: Bench) -> None:
    before = bench.engine.observe(KEY)
    for _ in range(3):
        ticked = tick(bench)
        assert ticked.plan.settled
    after = bench.engine.observe(KEY)
    assert (after.version, after.instances) == (before.version, before.instances)


def test_a_tick_of_an_environment_that_nobody_knows(bench: Bench) -> None:
    assert bench.control._means.reconciler.tick(replace(KEY, environment="other")).target is None
    assert bench.store.observation(replace(KEY, environment="other")) is None


def test_what_died_is_brought_back_and_that_is_said(bench: Bench) -> None:
    bench.engine.vanish(KEY)
    ticked = tick(bench)
    assert ticked.note.startswith("brought back")
    bench.settle()
    assert bench.images() == {"api": ["api:1.0"], "web": ["web:1.0"] * 2}
    command = bench.control.commands(bench.at())[0]
    assert (command.who, command.what, command.outcome) == ("anden", BRING_BACK, Outcome.DONE)


def test_it_is_brought_back_at_its_level_and_by_the_next_control_plane_too(bench: Bench) -> None:
    bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    bench.engine.vanish(KEY)
    bench.crash()
    bench.settle()
    assert len(bench.images()["web"]) == 3


def test_what_dies_again_and_again_is_left_alone_until_somebody_asks(bench: Bench) -> None:
    for _ in range(MOST_REVIVALS):
        bench.engine.vanish(KEY)
        bench.settle()
    bench.engine.vanish(KEY)
    for _ in range(3):
        ticked = tick(bench)
    assert "left alone" in ticked.note
    assert not bench.engine.observe(KEY).present
    assert not bench.control.status(bench.at()).running
    assert bench.up().outcome == Outcome.DONE
    assert bench.engine.observe(KEY).present


def test_after_a_while_it_is_tried_again(bench: Bench) -> None:
    for _ in range(MOST_REVIVALS):
        bench.engine.vanish(KEY)
        bench.settle()
    bench.engine.vanish(KEY)
    tick(bench)
    bench.clock.sleep(REVIVAL_WINDOW_S + 1)
    bench.settle()
    assert bench.engine.observe(KEY).present


def test_going_back_says_what_is_amiss_still(bench: Bench) -> None:
    first = bench.target.blueprint
    bench.up(manifest(web="web:2.0"))
    second, now = bench.target.blueprint, bench.clock.now()
    assert second is not None
    bench.up()
    command = bench.store.begin_command(KEY, "ana", "up", now)
    change = bench.store.open_change(KEY, second, first, command.id, now)
    change = bench.store.move_change(change.id, ChangeState.ROLLING_BACK, now, "it answered HTTP 500", ("a line",))
    said = Judgement(Verdict.VERIFIED, "zone b does not answer: web-2 wait for its return", ("another",))
    _, ended = changes.judged(bench.store, bench.target, change, said, now)
    assert (ended.state, ended.reason) == (ChangeState.ROLLED_BACK, f"it answered HTTP 500; {said.reason}")
    assert ended.evidence == ("a line", "another")


def test_whoever_looks_is_told_that_it_was_brought_back(bench: Bench) -> None:
    assert bench.control.status(bench.at()).findings == ()
    for times in (1, 2):
        bench.engine.vanish(KEY)
        tick(bench)
        bench.settle()
        (finding,) = bench.control.status(bench.at()).findings
        assert finding.text.startswith("it died and was brought back ")
        assert ("(2 times within an hour)" in finding.text) == (times == 2)
    bench.clock.sleep(TOLD_S + 1)
    assert bench.control.status(bench.at()).findings == ()


def test_after_a_reboot_nothing_starts_by_itself_and_status_says_why(bench: Bench) -> None:
    bench.engine.vanish(KEY)
    bench.store.put_target(replace(bench.target, boot="an earlier boot"))
    assert "boot" in tick(bench).note
    assert not bench.engine.observe(KEY).present
    status = bench.control.status(bench.at())
    assert (status.running, status.reason) == (False, "not running since boot")
    assert bench.up().outcome == Outcome.DONE
    assert bench.control.status(bench.at()).running


def test_a_change_that_was_never_acknowledged_is_put_aside(bench: Bench) -> None:
    """The control plane died between opening the change and moving the target."""
    command = bench.store.begin_command(KEY, "ana", "up", bench.clock.now())
    before = bench.target
    bench.up(manifest(web="web:2.0"))
    later = bench.target.blueprint
    assert later is not None
    bench.up()
    bench.store.open_change(KEY, later, before.blueprint, command.id, bench.clock.now())
    tick(bench)
    change = bench.store.changes(KEY)[0]
    assert (change.state, change.reason) == (
        ChangeState.SUPERSEDED,
        "the control plane ended before it was acknowledged",
    )
    assert bench.target.blueprint == before.blueprint


class Failing(Watched):
    """Starts of one instance do not work."""

    failing = ""

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt]:
        for step in steps:
            if isinstance(step.effect, StartInstance) and step.effect.instance.image_name == self.failing:
                yield Receipt(step.address, step.action, 0.0, Problem(step.address, "no space left on the disk"))
                return
            yield from super().execute(key, [step], gateway)


def failing(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.engine = Failing(bench.clock)
    bench.control = bench.controlling()
    return bench


def test_a_step_that_cannot_be_done_fails_the_change_soon_and_says_why(tmp_path: Path) -> None:
    bench = failing(tmp_path)
    bench.up()
    assert isinstance(bench.engine, Failing)
    bench.engine.failing = "web:2.0"
    bench.engine.watch({"web": 2})
    began = bench.clock.now()
    end = bench.up(manifest(web="web:2.0"))
    assert end.outcome == Outcome.ROLLED_BACK
    assert "no space left" in end.text
    told = bench.text().splitlines()[:-1]
    assert sum("no space left" in line for line in told) == 2, "once as it happens, once as the reason"
    assert bench.clock.now() - began < MOST_FAILED_TICKS * 5
    assert bench.images()["web"] == ["web:1.0"] * 2


def test_what_failed_before_a_change_is_not_the_change_s(tmp_path: Path) -> None:
    """Found by simulation, seed 1460: ticks that could not do their plan made the next change fail at its first one."""
    bench = failing(tmp_path)
    bench.up()
    assert isinstance(bench.engine, Failing)
    bench.engine.failing = "web:1.0"
    bench.engine.vanish(KEY)
    for _ in range(MOST_FAILED_TICKS + 1):
        assert tick(bench).problem is not None
    assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE


def test_a_step_that_fails_once_is_done_again(tmp_path: Path) -> None:
    bench = failing(tmp_path)
    assert isinstance(bench.engine, Failing)
    bench.engine.failing = "web:1.0"
    told = bench.control.up(bench.at(), "ana")
    for event in told:
        if event is not None and event.sign == "✗":
            bench.engine.failing = ""
    assert bench.images()["web"] == ["web:1.0"] * 2
    assert bench.store.changes(KEY)[0].state is ChangeState.VERIFIED


def test_going_back_that_fails_too_ends_the_change(tmp_path: Path) -> None:
    bench = failing(tmp_path)
    bench.up()
    assert isinstance(bench.engine, Failing)
    # The new web works, the new api does not; and when web is to go back, the old one does not start any more.
    bench.engine.failing = "web:1.0"
    told = bench.control.up(bench.at(manifest(web="web:2.0", api="api:broken")), "ana")
    end = bench.run(told)
    assert end.outcome in (Outcome.FAILED, Outcome.ROLLED_BACK)
    change = bench.store.changes(KEY)[0]
    assert change.state in (ChangeState.FAILED, ChangeState.ROLLED_BACK)
    assert "api-" in change.reason or "no space" in change.reason
    assert len(bench.images()["web"]) >= 2


def test_what_is_wanted_again_while_it_is_taken_down_comes_back(tmp_path: Path) -> None:
    class Slow(Watched):
        """While it removes an environment, somebody wants it again."""

        def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt]:
            yield from super().execute(key, steps, gateway)
            if isinstance(steps[0].effect, Remove):
                bench.store.put_target(wanted)

    bench = Bench(tmp_path)
    bench.engine = Slow(bench.clock)
    bench.control = bench.controlling()
    bench.up()
    wanted = bench.target
    bench.store.put_target(replace(wanted, blueprint=None))
    assert tick(bench).target is not None
    assert bench.target == wanted
    bench.settle()
    assert bench.images()["web"] == ["web:1.0"] * 2


def test_an_engine_that_cannot_be_asked_reaches_whoever_ticks(bench: Bench) -> None:
    class Mute(Watched):
        def observe(self, key: EnvironmentKey) -> Any:
            raise Problems(Problem("cell", "its supervisor does not answer"))

    bench.engine = Mute(bench.clock)
    bench.control = bench.controlling()
    with pytest.raises(Problems, match="supervisor"):
        tick(bench)
    status = bench.control.status(bench.at())
    assert "supervisor does not answer" in status.reason
