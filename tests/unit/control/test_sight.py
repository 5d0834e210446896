"""What control believes of what it is shown."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.control.bench import KEY

from anden.control.sight import LOOKS, MOST_DOUBTS, Sight
from anden.model.observation import Observation
from anden.model.problem import Problems
from anden.store import open_store

NOW = Observation(KEY, 0.0, present=True, boot="b", version=7)


class Shows:
    """An engine that shows what it is told to."""

    def __init__(self, *shown: Observation) -> None:
        self.shown = list(shown)
        self.looks = 0

    def observe(self, key: Any) -> Observation:
        self.looks += 1
        return self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]


def sight(*shown: Observation) -> tuple[Sight, Shows]:
    engine: Any = Shows(*shown)
    return Sight(engine, open_store(":memory:")), engine


def test_what_is_older_than_what_was_seen_is_looked_at_again() -> None:
    eyes, engine = sight(NOW, replace(NOW, version=6), replace(NOW, version=8))
    assert eyes.observe(KEY) == NOW
    assert eyes.observe(KEY).version == 8
    assert engine.looks == 3


def test_what_stays_old_cannot_be_planned_from() -> None:
    eyes, _ = sight(NOW, replace(NOW, version=6))
    eyes.observe(KEY)
    with pytest.raises(Problems, match="older than what was seen or done"):
        eyes.observe(KEY)


def test_what_was_seen_before_something_was_done_does_not_count_any_more() -> None:
    eyes, engine = sight(NOW)
    eyes.observe(KEY)
    eyes.observe(KEY)  # the same again is as good as it was
    eyes.acted(KEY, NOW)
    with pytest.raises(Problems):
        eyes.observe(KEY)
    engine.shown = [replace(NOW, version=8)]
    assert eyes.observe(KEY).version == 8


@pytest.mark.parametrize("fields", [{"boot": "another"}, {"present": False}])
def test_another_boot_and_a_world_that_is_gone_count_anew(fields: dict[str, Any]) -> None:
    eyes, engine = sight(NOW, replace(NOW, version=1, **fields))
    eyes.observe(KEY)
    eyes.acted(KEY, NOW)
    assert eyes.observe(KEY).version == 1
    engine.shown = [replace(NOW, version=2, boot="another" if "boot" in fields else "b")]
    assert eyes.observe(KEY).version == 2


def test_nobody_is_doubted_for_ever() -> None:
    eyes, _ = sight(NOW, replace(NOW, version=1))
    eyes.observe(KEY)
    for _ in range(MOST_DOUBTS // LOOKS):
        with pytest.raises(Problems):
            eyes.observe(KEY)
    assert eyes.observe(KEY).version == 1
