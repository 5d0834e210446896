"""What is to be seen of a drill that runs: a value, from which the command line draws."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from anden.drill.load import Tallies
from anden.model.drill import Drill, PhaseName, Sample
from anden.model.histogram import Histogram

SHOWN_STEPS = 120
"""Steps of the chart that are kept; a terminal shows as many as fit."""
STEP_S = 0.5
NOW_STEPS = 4
"""Steps that "now" is made of, for percentiles."""


@dataclass(frozen=True, slots=True)
class Picture:
    """phase: which part it is in, since and until when, in seconds of the drill; until_s None: until it has settled.

    answers, failures: a second, one for each step, oldest first. p50_ms, p99_ms: now. sample: the latest that said
    something; blind: the control plane says nothing now. why: what is still waited for.
    """

    drill: Drill
    hit: str
    phase: PhaseName
    at_s: float
    since_s: float
    until_s: float | None
    sent: int = 0
    failed: int = 0
    failed_after_retry: int = 0
    answers: tuple[float, ...] = ()
    failures: tuple[float, ...] = ()
    p50_ms: float | None = None
    p99_ms: float | None = None
    sample: Sample | None = None
    blind: bool = False
    why: str = ""


@dataclass
class _Step:
    until: float
    answered: int = 0
    failed: int = 0
    latency: Histogram = field(default_factory=Histogram)


class Chart:
    """Adds tallies up for the picture. began: Unix seconds."""

    def __init__(self, began: float) -> None:
        self._steps = deque([_Step(began + STEP_S)], maxlen=SHOWN_STEPS)
        self.sent = self.failed = self.lost = 0

    def add(self, tallies: Tallies) -> None:
        """More of the load became known."""
        for at, tally in tallies:
            self._reach(at)
            step = self._steps[-1]
            step.answered += tally.answered
            step.failed += tally.failed
            step.latency.add(tally.latency)
            self.sent += tally.sent
            self.failed += tally.failed
            self.lost += tally.failed_after_retry

    def answers(self) -> tuple[float, ...]:
        """Answers a second in each whole step."""
        return tuple(each.answered / STEP_S for each in self._whole())

    def failures(self) -> tuple[float, ...]:
        """Failures of first attempts a second in each whole step."""
        return tuple(each.failed / STEP_S for each in self._whole())

    def ms(self, percent: float) -> float | None:
        """A percentile of what was answered just now."""
        now = Histogram()
        for each in list(self._steps)[-NOW_STEPS:]:
            now.add(each.latency.counts)
        us = now.percentile(percent)
        return None if us is None else us / 1000

    def _whole(self) -> Iterable[_Step]:
        return list(self._steps)[:-1]

    def _reach(self, at: float) -> None:
        while at > self._steps[-1].until + 1e-6:
            self._steps.append(_Step(self._steps[-1].until + STEP_S))
