"""What a person reads while an environment moves: one line for each thing that has become true, with its time."""

from collections import Counter
from collections.abc import Iterator, Sequence

from anden.control.news import Done, News, Stuck, Ticked
from anden.model.blueprint import Blueprint
from anden.model.event import Event, EventKind
from anden.model.observation import Observation
from anden.model.plan import Configure, Wait
from anden.model.ports import Clock, Target
from anden.planning.instances import Wanted, wanted

SETTLING_S = 10.0
"""A wait that lasts longer than this is told, and again after as long."""
MOST_WAITS = 3
"""How many of its waits are told at once."""


class Progress:
    """The lines of one rollout. quiet: leave out the steps that go well, and tell only what serves. by_stacks: the
    engine makes instances itself, and each that serves counts."""

    def __init__(
        self, blueprint: Blueprint, target: Target, seen: Observation | None, clock: Clock, *, quiet: bool,
        by_stacks: bool = False,
    ) -> None:  # fmt: skip
        self._clock, self._quiet, self._by_stacks = clock, quiet, by_stacks
        self._began = self._last = clock.monotonic()
        self._wanted: dict[str, Wanted] = {
            str(name): each for name, each in wanted(blueprint, target.levels, target.generations).items()
        }
        before = self._serving(seen)
        self._served = {name for name, each in self._wanted.items() if seen and before.get(name, 0) >= each.level}
        self._failed: set[str] = set()

    def of(self, news: News) -> Iterator[Event]:
        """The lines that a piece of news is worth."""
        if isinstance(news, Event):
            self._last = self._clock.monotonic()
            yield news
        elif isinstance(news, Done):
            yield from self._step(news)
        elif isinstance(news, Ticked):
            yield from self._tick(news)
        elif isinstance(news, Stuck) and str(news.problem) not in self._failed:
            self._failed.add(str(news.problem))
            yield Event(EventKind.NOTE, "", str(news.problem), "!")

    def _serving(self, observation: Observation | None) -> Counter[str]:
        """Service to how many of its level serve as they should be now."""
        return Counter(
            str(seen.service)
            for seen in (observation.instances if observation else ())
            if seen.serving
            and (each := self._wanted.get(seen.service)) is not None
            and (self._by_stacks or (seen.ordinal <= each.level and each.current(seen)))
        )

    def _step(self, done: Done) -> Iterator[Event]:
        step, receipt = done.step, done.receipt
        if receipt.problem is not None:
            if str(receipt.problem) not in self._failed:
                self._failed.add(str(receipt.problem))
                text = str(receipt.problem).removeprefix(f"{step.address}: ")
                yield Event(EventKind.STEP, step.address, text, "✗", receipt.took_s)
        elif not self._quiet:
            subject = step.address if not isinstance(step.effect, Configure) else "network"
            self._last = self._clock.monotonic()
            yield Event(EventKind.STEP, subject, step.reason, step.action.value, receipt.took_s)

    def _tick(self, ticked: Ticked) -> Iterator[Event]:
        if ticked.note:
            yield Event(EventKind.NOTE, "", ticked.note, "!")
        took = self._clock.monotonic() - self._began
        serves = self._serving(ticked.observation)
        for name, each in self._wanted.items():
            serving = serves.get(name, 0)
            if ticked.observation is not None and name not in self._served and serving >= each.level:
                self._served.add(name)
                self._last = self._clock.monotonic()
                yield Event(EventKind.STEP, name, f"{serving}/{each.level} healthy", "✓", took)
        waits = ticked.plan.waits if ticked.plan else ()
        if waits and ticked.observation is not None and self._clock.monotonic() - self._last >= SETTLING_S:
            self._last = self._clock.monotonic()
            yield from _waited(ticked.observation, waits, took)


def _waited(seen: Observation, waits: Sequence[Wait], took: float) -> Iterator[Event]:
    """What is waited for: instances that are not healthy, with what they answer; else what the plan says."""
    coming = [one for one in seen.instances if not one.serving]
    for one in coming[:MOST_WAITS]:
        answer = one.answer or "no answer yet"
        yield Event(EventKind.STEP, one.id, f"is not healthy: {answer}", "…", took)
    for wait in waits[:1] if not coming else ():
        yield Event(EventKind.STEP, wait.address, f"waits {wait.reason}", "…", took)


def ended(done: Done) -> Iterator[Event]:
    """The line of a step of a removal that went well; problems are told once for the tick."""
    if done.receipt.problem is None:
        yield Event(EventKind.STEP, done.step.address, done.step.reason, done.step.action.value, done.receipt.took_s)
