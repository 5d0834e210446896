"""How the instances of an image behave: what a simulation decides beforehand, and an engine only finds out."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """start_s: from a start to its first health answer. healthy: whether it ever gives a good one.
    answer: what it answers otherwise. exits_after_s: it exits with `code` that long after each start.
    lines: what it writes when it starts. memory_bytes: what it uses. stops_s: from SIGTERM to its end.
    drops: how many requests it hangs up on, first of all."""

    start_s: float = 0.3
    healthy: bool = True
    answer: str = "HTTP 500"
    exits_after_s: float | None = None
    code: int = 1
    lines: tuple[str, ...] = ("started",)
    memory_bytes: int = 24 << 20
    stops_s: float = 0.0
    drops: int = 0


BROKEN = Behaviour(healthy=False, lines=("started", "error: cannot open the vault"))
"""It runs and never answers well."""
CRASHING = Behaviour(exits_after_s=0.1, lines=("error: no configuration",))
"""It exits soon after each start."""
WORDS = {"broken": BROKEN, "crashing": CRASHING}
"""A word in an image's name that says how it behaves when the table does not, so that a failure can be tried out by
hand: `anden deploy accounts accounts:broken --on simulated`."""


def of_image(name: str, table: Mapping[str, Behaviour]) -> Behaviour:
    """The behaviour of an image: the table's, else by a word in its name, else a good one."""
    if name in table:
        return table[name]
    return next((behaviour for word, behaviour in WORDS.items() if word in name), Behaviour())
