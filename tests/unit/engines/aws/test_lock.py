from hypothesis import given
from hypothesis import strategies as some

from anden.engines.aws import lock
from anden.engines.aws.lock import FREE, SKEW_S, Lock

TIMES = some.floats(min_value=0, max_value=4e9)
LASTS = some.floats(min_value=1, max_value=86_400)
OURS = Lock("h1", "ana", "up", 1000.0, 3)


def test_nobody_is_waited_for_where_nobody_is() -> None:
    assert not lock.held(None, 0)
    assert not lock.held(lock.released(OURS), 0)


def test_a_holder_is_waited_for_until_their_clock_must_be_past_it() -> None:
    assert lock.held(OURS, 1000.0 + SKEW_S - 1)
    assert not lock.held(OURS, 1000.0 + SKEW_S)


def test_the_generation_counts_holders_and_a_release_keeps_it() -> None:
    first = lock.taken(None, "h1", "ana", "up", 0.0, 60)
    second = lock.taken(lock.released(first), "h2", "luis", "deploy", 100.0, 60)
    assert (first.generation, second.generation) == (1, 2)
    assert lock.released(second).holder == FREE
    assert lock.taken(second, "h3", "ana", "up", 300.0, 60).generation == 3


@given(TIMES, LASTS, TIMES)
def test_renewing_never_shortens(now: float, lasts_s: float, later: float) -> None:
    held = lock.taken(None, "h1", "ana", "up", now, lasts_s)
    assert lock.renewed(held, later, lasts_s).until >= held.until


@given(TIMES, LASTS, TIMES, some.floats(min_value=-SKEW_S, max_value=SKEW_S))
def test_while_the_holder_is_sure_nobody_thinks_it_ended(
    now: float, lasts_s: float, then: float, apart_s: float
) -> None:
    """apart_s: how far the other's clock is from the holder's."""
    held = lock.taken(None, "h1", "ana", "up", now, lasts_s)
    if lock.sure(held, then):
        assert lock.held(held, then + apart_s)
