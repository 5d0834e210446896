"""anden.control.runner.ThreadRunner in virtual time and in one thread: the same pauses, and the same patience."""

from dataclasses import dataclass

from anden.control.news import Feed, Ticked
from anden.control.runner import GAP_S, Tick, interval, pause
from anden.engines.simulated import VirtualClock
from anden.model.ids import EnvironmentKey
from anden.model.ports import Engine
from anden.model.problem import Problems


@dataclass
class _Care:
    """One environment. woken: somebody signalled. due, resting: until when, monotonic. seen: the version last seen."""

    woken: bool = True
    due: float = 0.0
    resting: float = 0.0
    failures: int = 0
    seen: int = 0


class PatientRunner:
    """See anden.control.runner.Runner. What is no Problem is a fault of ours, and reaches whoever drives."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._cares: dict[EnvironmentKey, _Care] = {}
        self.ticking = False

    def begin(self, tick: Tick, engine: Engine) -> None:
        """See Runner."""
        self._tick, self._engine = tick, engine

    def signal(self, key: EnvironmentKey) -> None:
        """See Runner."""
        self._cares.setdefault(key, _Care()).woken = True

    def advance(self, key: EnvironmentKey, feed: Feed, number: int, timeout_s: float) -> None:
        """See Runner: one tick, or as much time as there is none in."""
        if feed.number <= number:
            self.go(key, timeout_s)

    def close(self) -> None:
        """See Runner."""

    def go(self, key: EnvironmentKey, most_s: float) -> Ticked | None:
        """One tick, after as much time as passes before it; None when that is more than `most_s`, which passes."""
        care = self._cares.get(key)
        if care is None:
            self._clock.sleep(most_s)
            return None
        now = self._clock.monotonic()
        if care.resting > now:
            self._clock.sleep(min(care.resting - now, most_s))
            if care.resting > self._clock.monotonic():
                return None
        elif not care.woken and care.due > now:
            version = self._engine.wait(key, care.seen, min(care.due - now, most_s))
            if version <= care.seen and care.due > self._clock.monotonic():
                return None
            care.seen = max(version, care.seen)
        return self._ticked(key, care)

    def nudge(self, key: EnvironmentKey) -> None:
        """A tick in the middle of something else, if one may be made now."""
        care = self._cares.get(key)
        if care is not None and not self.ticking and care.resting <= self._clock.monotonic():
            self._ticked(key, care)

    def _ticked(self, key: EnvironmentKey, care: _Care) -> Ticked | None:
        if self.ticking:
            return None
        care.woken = False
        self._clock.sleep(GAP_S)
        self.ticking = True
        try:
            ticked = self._tick(key)
        except Problems:
            care.failures += 1
            care.resting = self._clock.monotonic() + pause(care.failures)
            return None
        finally:
            self.ticking = False
        now = self._clock.monotonic()
        care.failures = care.failures + 1 if ticked.problem is not None else 0
        care.seen = ticked.observation.version if ticked.observation else care.seen
        care.due = now + interval(ticked)
        care.resting = now + pause(care.failures) if care.failures else 0.0
        if ticked.target is None and not care.woken:
            self._cares.pop(key, None)
        return ticked
