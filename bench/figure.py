"""What is measured, and what came out: rows are declared by the subjects, figures fill them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REST_S = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What a row may be. Of the ratio ours ÷ peer's, or of our own value in the row's unit; one of the two bounds."""

    most: float | None = None
    least: float | None = None
    ratio: bool = True

    def holds(self, value: float) -> bool:
        """Whether `value` is within."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    key: `subject/what`, stable. unit: of the values. peer: what ours stands beside, in words; '' for nobody.
    """

    key: str
    what: str
    unit: str
    budget: Budget | None = None
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A row's values, a round each. A round's ratio is of values that were measured one after the other.

    failed: why ours could not be measured. absent: why the peer does not run here. note: what a reader has to know.
    """

    row: Row
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    failed: str = ""
    absent: str = ""
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours ÷ the peer's, round by round."""
        return tuple(our / their for our, their in zip(self.ours, self.theirs, strict=False) if their)

    @property
    def ratio(self) -> float | None:
        """The median round's; None without a peer."""
        return median(self.ratios) if self.ratios else None

    @property
    def judged(self) -> bool | None:
        """Whether the budget holds; None when there is none, or nothing to hold it against."""
        budget = self.row.budget
        if budget is None or not self.ours:
            return None
        value = self.ratio if budget.ratio else median(self.ours)
        return None if value is None else budget.holds(value)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks. folder: the run's own, removed at its end. images: the cache, which stays.

    say: tells whoever watches what goes on.
    """

    rounds: int
    folder: Path
    images: Path
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of this package: its rows, what measures them, and the page in docs/ that shows them."""

    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Run], Iterator[Figure]]
    page: str = "benchmarks.md"


class Unmeasured(Exception):  # noqa: N818 - a fact of this machine
    """Something could not be measured, and why."""


def alternate(rounds: int, *measures: Callable[[], float]) -> list[tuple[float, ...]]:
    """Each measure's values: A, B, A, B, … so that what disturbs the machine disturbs all of them. Before
    each the machine rests for REST_S: the kernel takes networks and mounts of the one before down when it likes."""
    values: list[Sequence[float]] = [[_rested(measure) for measure in measures] for _ in range(rounds)]
    return [tuple(column) for column in zip(*values, strict=True)]


def _rested(measure: Callable[[], float]) -> float:
    time.sleep(REST_S)
    return measure()
