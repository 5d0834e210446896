"""Log-linear buckets: how far a percentile may be from the truth, and that nothing is lost by adding up."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from anden.model.histogram import LONGEST_US, SUB_BITS, Histogram, bucket_of, highest_of

TIMES = st.lists(st.integers(0, LONGEST_US), min_size=1, max_size=200)


def of(times: list[int]) -> Histogram:
    made = Histogram()
    for each in times:
        made.record(each)
    return made


@given(st.integers(0, LONGEST_US))
def test_a_bucket_holds_its_value_and_is_narrow(us: int) -> None:
    highest = highest_of(bucket_of(us))
    assert us <= highest <= us + us / (1 << SUB_BITS)
    assert bucket_of(highest) == bucket_of(us)
    assert bucket_of(highest + 1) == bucket_of(us) + 1 or highest >= LONGEST_US


@given(TIMES, st.floats(0.1, 100))
def test_a_percentile_is_never_less_than_the_truth_and_at_most_one_bucket_more(
    times: list[int], percent: float
) -> None:
    rank = max(1, ceil(len(times) * percent / 100 - 1e-9))
    truth = sorted(times)[rank - 1]
    said = of(times).percentile(percent)
    assert said is not None
    assert truth <= said <= truth + truth / (1 << SUB_BITS)


@given(TIMES, TIMES)
def test_adding_is_the_same_as_recording_all(one: list[int], other: list[int]) -> None:
    added = of(one)
    added.add(of(other).counts)
    assert added.counts == of(one + other).counts
    assert added.total == len(one) + len(other)


def test_nothing_has_no_percentile_and_bounds_hold() -> None:
    assert Histogram().percentile(99) is None
    assert bucket_of(-5) == 0
    assert bucket_of(LONGEST_US * 2) == bucket_of(LONGEST_US)


def test_known_values() -> None:
    made = of([1000] * 99 + [5000])
    assert made.percentile(50) == highest_of(bucket_of(1000)) == 1003
    assert made.percentile(99) == 1003
    assert made.percentile(99.9) == highest_of(bucket_of(5000)) == 5023
