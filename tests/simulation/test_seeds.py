"""A thousand histories in every run of ./test; many more in the nightly one (docs/simulation.md)."""

import pytest
from tests.simulation.seeds import live, many

from anden.engines.simulated.faults import Kind

BATCH = 50
SEEDS = 1000


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_seeds(first: int) -> None:
    wrong = many(first, first + BATCH).wrong
    assert not wrong, "\n".join(
        f"python -m tests.simulation --seed {seed}: {'; '.join(what)}" for seed, what in wrong.items()
    )


def test_a_seed_is_one_history() -> None:
    """Nothing random but by the seed, or a failure could not be replayed."""
    first, again = live(7), live(7)
    assert list(first.history.lines()) == list(again.history.lines())
    assert len(first.history.entries) > 50


def test_every_kind_of_fault_is_injected() -> None:
    struck = many(0, 100).struck
    assert set(struck) == set(Kind), struck
