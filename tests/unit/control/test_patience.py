"""How long a command follows while no tick can be made."""

from anden.control.follow import MARGIN_S, _Patience, _unfollowed
from anden.control.news import Stuck, Ticked
from anden.engines.simulated.clock import VirtualClock
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problem

STUCK = Stuck(Problem("anden.db", "the records cannot be written", "the disk is full", "Make room on its disk."))
TICKED = Ticked(0.0, None, None)


def test_it_ends_when_no_tick_was_made_for_too_long_and_says_why() -> None:
    clock = VirtualClock(7.0)
    patience = _Patience(clock)
    assert patience.lost(STUCK) is None
    clock.sleep(MARGIN_S)
    assert patience.lost(STUCK) is None
    assert patience.lost(None) is None
    clock.sleep(1.0)
    assert patience.lost(STUCK) is STUCK
    ending = _unfollowed(EnvironmentKey("bank", "dev", EngineName.LOCAL), STUCK)
    assert str(ending.problem) == (
        "bank/dev, twin: it is not known how this ended; anden.db: the records cannot be written."
        " Make room on its disk. Then: `anden status` shows what stands, and the same command again goes on with it."
    )


def test_a_tick_that_was_made_begins_it_anew() -> None:
    clock = VirtualClock(7.0)
    patience = _Patience(clock)
    for news in (STUCK, TICKED, STUCK):
        assert patience.lost(news) is None
        clock.sleep(MARGIN_S - 1.0)
    assert patience.lost(STUCK) is None
