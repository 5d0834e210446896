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
