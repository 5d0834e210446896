"""A thousand histories in every run of ./test; many more in the nightly one (docs/simulation.md)."""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from tests.simulation.seeds import Sum, live, many

from anden.engines.simulated.faults import Kind

BATCH = 50
SEEDS = 1000
AT_ONCE = 2
"""Processors; a history uses one."""


@pytest.fixture(scope="module")
def judged() -> Iterator[dict[int, Future[Sum]]]:
    """First seed to what its batch came to."""
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        yield {first: pool.submit(many, first, first + BATCH) for first in range(0, SEEDS, BATCH)}


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_seeds(judged: dict[int, Future[Sum]], first: int) -> None:
    total = judged[first].result()
    assert total.seeds == BATCH
    assert not total.wrong, "\n".join(
        f"python -m tests.simulation --seed {seed}: {'; '.join(what)}" for seed, what in total.wrong.items()
    )


def test_a_seed_is_one_history() -> None:
    """Nothing random but by the seed, or a failure could not be replayed."""
    first, again = live(7), live(7)
    assert list(first.history.lines()) == list(again.history.lines())
    assert len(first.history.entries) > 50


def test_every_kind_of_fault_is_injected() -> None:
    struck = many(0, 100).struck
    assert set(struck) == set(Kind), struck
