"""Somebody sets the wall clock while a command runs, by an hour, or the control plane is away for one."""

from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, Bench, manifest

from anden.control.reconcile import MOST_REVIVALS
from anden.model.change import ChangeState
from anden.model.command import Outcome

HOUR_S = 3600.0


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
@pytest.mark.parametrize(("image", "outcome"), [("web:2.0", Outcome.DONE), ("web:broken", Outcome.ROLLED_BACK)])
def test_a_change_ends_as_it_would_have(tmp_path: Path, jump_s: float, image: str, outcome: Outcome) -> None:
    bench = Bench(tmp_path)
    bench.up()
    began = bench.clock.monotonic()
    for number, event in enumerate(bench.control.up(bench.at(manifest(web=image)), "ana")):
        if number == 3:
            bench.clock.jump(jump_s)
        last = event
    assert last is not None
    assert last.outcome == outcome.value
    assert bench.clock.monotonic() - began < 60.0


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_restart_ends_as_it_would_have(tmp_path: Path, jump_s: float) -> None:
    bench = Bench(tmp_path)
    bench.up()
    began = bench.clock.monotonic()
    for number, event in enumerate(bench.control.restart(bench.at(), "ana")):
        if number == 2:
            bench.clock.jump(jump_s)
        last = event
    assert last is not None
    assert last.outcome == Outcome.DONE.value
    assert bench.clock.monotonic() - began < 60.0


def test_an_hour_without_a_control_plane_gives_nothing_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    told = bench.control.up(bench.at(manifest(web="web:2.0")), "ana")
    for _ in range(4):
        next(told)
    told.close()
    bench.clock.sleep(HOUR_S)
    bench.crash()
    bench.settle()
    assert bench.store.changes(KEY)[0].state is ChangeState.VERIFIED
    assert set(bench.images()["web"]) == {"web:2.0"}


def test_revivals_from_the_future_are_not_recent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    for _ in range(MOST_REVIVALS):
        bench.engine.vanish(KEY)
        bench.settle()
    bench.clock.jump(-HOUR_S)
    bench.engine.vanish(KEY)
    bench.settle()
    assert bench.engine.observe(KEY).present
