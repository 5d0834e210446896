import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.load.schedule import FASTEST, Schedule


@given(st.integers(1, 5000), st.integers(1, 3600))
def test_exactly_rate_times_time(rate: int, for_s: int) -> None:
    schedule = Schedule(rate, for_s)
    assert schedule.count == rate * for_s


@given(st.floats(0.1, FASTEST), st.floats(0.01, 100), st.data())
def test_everyone_is_due_at_its_own_time_within_the_load(rate: float, for_s: float, data: st.DataObject) -> None:
    schedule = Schedule(rate, for_s)
    assert abs(schedule.count - rate * for_s) <= 1
    if schedule.count >= 2:
        number = data.draw(st.integers(1, schedule.count - 1))
        assert schedule.due_s(number) - schedule.due_s(number - 1) == pytest.approx(1 / rate)
        assert schedule.due_s(number) < for_s


@pytest.mark.parametrize(("rate", "for_s"), [(0, 1), (-1, 1), (1, 0), (FASTEST + 1, 1), (float("nan"), 1)])
def test_no_load_is_refused(rate: float, for_s: float) -> None:
    with pytest.raises(ValueError, match="is no load"):
        Schedule(rate, for_s)
