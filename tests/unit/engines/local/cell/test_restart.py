import math

from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell.restart import delay, failures

FIRST = st.floats(0.001, 10.0)
ROW = st.integers(1, 10_000)


def test_the_usual_row() -> None:
    assert [delay(row, 0.1, 30.0) for row in range(12)] == [
        0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0,
    ]  # fmt: skip


@given(ROW, FIRST, st.floats(0.001, 1000.0))
def test_a_pause_never_shrinks_and_has_an_end(row: int, first: float, limit: float) -> None:
    assert 0 < delay(row, first, limit) <= delay(row + 1, first, limit) <= limit


@given(ROW, st.floats(0.0, 1000.0), st.floats(0.1, 100.0))
def test_only_a_stable_run_begins_a_new_row(before: int, lasted: float, stable: float) -> None:
    assert failures(before, lasted, stable) == (1 if lasted >= stable else before + 1)


@given(st.floats(0.01, 10.0), st.floats(0.1, 60.0), st.floats(10.0, 300.0))
def test_one_that_ends_at_once_starts_no_more_often_than_its_pauses_allow(first: float, limit: float, s: float) -> None:
    """However short its runs: so many starts in `s` seconds and no more."""
    starts, now, row = 0, 0.0, 0
    while now <= s:
        starts += 1
        row = failures(row, 0.0, 60.0)
        now += delay(row, first, limit)
    doublings = 0 if first >= limit else math.ceil(math.log2(limit / first))
    assert starts <= doublings + 2 + s / min(first * 2.0**doublings, limit)


def test_of_200_restarts_in_a_minute_the_usual_policy_allows_ten() -> None:
    at, row = [0.0], 0
    while at[-1] <= 60.0:
        row = failures(row, 0.0, 60.0)
        at.append(at[-1] + delay(row, 0.1, 30.0))
    assert sum(moment <= 60.0 for moment in at) == 10
