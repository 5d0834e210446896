"""What ticks tell whoever follows an environment: steps as they end, and what each tick saw."""

import threading
from collections import deque
from dataclasses import dataclass

from anden.model.change import Change
from anden.model.event import Event
from anden.model.observation import Observation
from anden.model.plan import Plan, Receipt, Step
from anden.model.ports import Target
from anden.model.problem import Problem

MOST_NEWS = 1024
"""News kept for each environment; who falls further behind misses steps, never how a change ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step ended."""

    step: Step
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Judged:
    """The change in flight has come into another state; `target` is what should be from now on. Told before the tick
    does anything about it."""

    change: Change
    target: Target
    observation: Observation


@dataclass(frozen=True, slots=True)
class Ticked:
    """A tick ended. began: when it looked, by the clock that only goes on; what was acknowledged later it may not know.
    target None: the environment is gone, or no command looks after it. change: the latest one, after it was judged.
    problem: what kept it from doing all of its plan. note: worth saying: `brought back: its keeper died`."""

    began: float
    observation: Observation | None
    target: Target | None
    change: Change | None = None
    plan: Plan | None = None
    problem: Problem | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A tick could not be made: the engine or the records do not answer. The next one comes after a pause."""

    problem: Problem


News = Done | Event | Judged | Stuck | Ticked
"""An Event is what the engine says by itself while it works."""


class Feed:
    """The news of one environment, numbered from 1, for any number of followers."""

    def __init__(self) -> None:
        self._kept: deque[News] = deque(maxlen=MOST_NEWS)
        self._number = 0
        self._fresh = threading.Condition()

    @property
    def number(self) -> int:
        """The number of the latest; a follower that begins here hears only what comes."""
        with self._fresh:
            return self._number

    def tell(self, news: News) -> None:
        """Add it, and wake whoever waits."""
        with self._fresh:
            self._kept.append(news)
            self._number += 1
            self._fresh.notify_all()

    def since(self, number: int) -> tuple[list[News], int]:
        """What came after `number`, oldest first, and the number to go on from."""
        with self._fresh:
            count = min(self._number - number, len(self._kept))
            return list(self._kept)[len(self._kept) - count :], self._number

    def wait(self, number: int, timeout_s: float) -> None:
        """Return as soon as something came after `number`, or after `timeout_s`."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._number > number, timeout_s)
