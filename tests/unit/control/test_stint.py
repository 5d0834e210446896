"""How long control has really been at a change, whatever the wall clock says."""

from dataclasses import replace

import pytest
from tests.unit.control.bench import KEY, START

from anden.control.stint import Stint, Stints
from anden.engines.simulated import VirtualClock
from anden.model.change import Change, ChangeState
from anden.model.ids import Digest

CHANGE = Change(1, KEY, Digest("b"), Digest("a"), ChangeState.APPLYING, 1, START, START)


@pytest.mark.parametrize("jump_s", [0.0, -3600.0, 3600.0])
def test_a_clock_that_is_set_changes_nothing(jump_s: float) -> None:
    clock = VirtualClock(START)
    stints = Stints(clock)
    assert stints.of(CHANGE) == Stint(START, 0.0, fresh=True)
    clock.sleep(10.0)
    clock.jump(jump_s)
    found = stints.of(CHANGE)
    assert (found.worked_s, found.fresh) == (10.0, False)
    assert found.began == pytest.approx(clock.now() - 10.0)  # as the clock of now has it


def test_a_time_away_was_not_worked() -> None:
    clock = VirtualClock(START)
    clock.sleep(3600.0)
    stints = Stints(clock)
    assert stints.of(CHANGE) == Stint(START, 0.0, fresh=True)
    clock.sleep(5.0)
    assert stints.of(CHANGE) == Stint(START, 5.0, fresh=False)


def test_a_change_from_the_future_begins_now() -> None:
    clock = VirtualClock(START)
    clock.jump(-3600.0)
    assert Stints(clock).of(CHANGE).began == START - 3600.0


def test_every_state_and_every_change_has_its_own_time() -> None:
    clock = VirtualClock(START)
    stints = Stints(clock)
    stints.of(CHANGE)
    for number, other in enumerate((replace(CHANGE, state=ChangeState.ROLLING_BACK), replace(CHANGE, id=2)), 1):
        clock.sleep(10.0)
        found = stints.of(replace(other, updated_at=clock.now()))
        assert found == Stint(START + 10.0 * number, 0.0, fresh=True)
