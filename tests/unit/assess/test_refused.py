from dataclasses import replace

from anden.assess.refused import MOST, RECENT_S, REPEATED, assess
from anden.model.refused import Refused

ROW = Refused(
    "web", "ledger", 8080, "tcp", REPEATED, 900.0, 990.0, "not declared", "add ledger to services.web.reaches"
)


def test_who_goes_on_trying_is_said_with_the_fix() -> None:
    (found,) = assess([ROW], 1000.0)
    assert (found.subject, found.text) == ("web", f"refused {REPEATED} times: ledger:8080, not declared")
    assert found.fix == "add ledger to services.web.reaches"


def test_one_try_and_old_ones_are_not() -> None:
    assert assess([replace(ROW, count=REPEATED - 1)], 1000.0) == ()
    assert assess([ROW], 991.0 + RECENT_S) == ()


def test_no_more_than_a_few() -> None:
    assert len(assess([replace(ROW, port=port) for port in range(1, 20)], 1000.0)) == MOST
