"""`kill -9` of the control plane while commands work. All 200 rounds: `python -m tests.live.kills --rounds 200`."""

import pytest
from tests.live import kills

pytestmark = pytest.mark.live

ROUNDS = 10
"""Of 200: a round took 11 s on a machine that others were using too (docs/kills.md), most of it the daemon's start."""


def test_nothing_that_was_acknowledged_is_lost_and_the_environment_becomes_what_was_asked_last() -> None:
    report = kills.run(ROUNDS)
    assert report.faults == [], report
    assert report.killed == report.rounds == ROUNDS
    assert report.acknowledged + report.unacknowledged_done > 0, report
    assert report.sent > 0
    assert report.failed == [], report
