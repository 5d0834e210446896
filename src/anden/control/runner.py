"""Who calls the ticks: a thread for each environment in the daemon, or the caller itself in virtual time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from anden.control.news import Feed, Ticked
from anden.model.change import OPEN_STATES
from anden.model.ids import EnvironmentKey
from anden.model.ports import Engine

OPEN_S = 1.0
"""Between ticks while a change is open, when nothing signals before."""
IDLE_S = 5.0
"""The same while none is."""
GAP_S = 0.02
"""At least this long between two ticks, whatever signals: a plan that changed its mind at once would spin."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""After a tick that failed: the first pause, doubling to the longest."""
END_LIMIT_S = 5.0
"""How long close() waits for ticks that are under way."""

log = logging.getLogger("anden.control")
Tick = Callable[[EnvironmentKey], Ticked]


class Runner(Protocol):
    """Calls `tick` for every environment that it was told of, until a tick says that it is gone."""

    def begin(self, tick: Tick, engine: Engine) -> None:
        """Called once, before anything else."""

    def signal(self, key: EnvironmentKey) -> None:
        """Tick it now, and look after it from now on."""

    def advance(self, key: EnvironmentKey, feed: Feed, number: int, timeout_s: float) -> None:
        """Return when `feed` has news after `number`, or after `timeout_s`."""

    def close(self) -> None:
        """End. What runs is not touched."""


def interval(ticked: Ticked | None) -> float:
    """How long until the next tick when nothing signals."""
    change = ticked.change if ticked else None
    waits = ticked is not None and ticked.plan is not None and not ticked.plan.settled
    return OPEN_S if waits or (change is not None and change.state in OPEN_STATES) else IDLE_S


def pause(failures: int) -> float:
    """How long after that many failed ticks in a row."""
    return float(min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S))


@dataclass
class _Care:
    """One environment's threads. wake: somebody signals. seen: the engine's version at the last tick."""

    wake: threading.Event = field(default_factory=threading.Event)
    seen: int = 0
    ended: bool = False


class ThreadRunner:
    """Two threads for each environment: one ticks, one waits for what the engine sees and signals it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cares: dict[EnvironmentKey, _Care] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def begin(self, tick: Tick, engine: Engine) -> None:
        """See Runner."""
        self._tick, self._engine = tick, engine

    def signal(self, key: EnvironmentKey) -> None:
        """See Runner."""
        with self._lock:
            care = self._cares.get(key)
            if care is None and not self._closing.is_set():
                care = self._cares[key] = _Care()
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                for work, what in ((self._look_after, "tick"), (self._listen, "listen")):
                    name = f"{what} {key.environment}"
                    thread = threading.Thread(target=work, args=(key, care), name=name, daemon=True)
                    self._threads.append(thread)
                    thread.start()
            if care is not None:
                care.wake.set()

    def advance(self, key: EnvironmentKey, feed: Feed, number: int, timeout_s: float) -> None:
        """See Runner."""
        feed.wait(number, timeout_s)

    def close(self) -> None:
        """See Runner. A tick that takes longer than END_LIMIT_S is left to end with the process."""
        self._closing.set()
        with self._lock:
            cares, threads = list(self._cares.values()), list(self._threads)
        for care in cares:
            care.wake.set()
        for thread in threads:
            if thread.name.startswith("tick"):
                thread.join(END_LIMIT_S)

    def _look_after(self, key: EnvironmentKey, care: _Care) -> None:
        failures, rest = 0, 0.0
        while not self._closing.is_set():
            care.wake.wait(rest)
            if self._closing.wait(GAP_S):
                return
            care.wake.clear()
            try:
                ticked = self._tick(key)
            except Exception:
                failures += 1
                rest = pause(failures)
                log.exception("a tick of %s failed, the next one comes in %.1f s", key, rest)
                # No signal shortens this pause: whatever failed signals as well.
                self._closing.wait(rest)
                continue
            failures = failures + 1 if ticked.problem is not None else 0
            care.seen = ticked.observation.version if ticked.observation else care.seen
            if ticked.target is None and self._let_go(key, care):
                return
            rest = interval(ticked)
            if failures:
                log.warning("%s: %s", key, ticked.problem)
                self._closing.wait(pause(failures))

    def _let_go(self, key: EnvironmentKey, care: _Care) -> bool:
        """End the care for what is gone, unless somebody signalled meanwhile."""
        with self._lock:
            if care.wake.is_set():
                return False
            care.ended = True
            self._cares.pop(key, None)
            return True

    def _listen(self, key: EnvironmentKey, care: _Care) -> None:
        while not (self._closing.is_set() or care.ended):
            try:
                version = self._engine.wait(key, care.seen, IDLE_S)
            except Exception:
                log.exception("cannot wait for %s", key)
                self._closing.wait(IDLE_S)
                continue
            if version > care.seen:
                care.seen = version
                care.wake.set()
            # An engine that answers at once although nothing changed must not make this spin.
            self._closing.wait(GAP_S)


class InlineRunner:
    """Ticks in the caller, and lets the engine's time pass between them. Whatever a tick raises reaches the caller."""

    def __init__(self) -> None:
        self._signalled: set[EnvironmentKey] = set()
        self._last: dict[EnvironmentKey, Ticked] = {}

    def begin(self, tick: Tick, engine: Engine) -> None:
        """See Runner."""
        self._tick, self._engine = tick, engine

    def signal(self, key: EnvironmentKey) -> None:
        """See Runner."""
        self._signalled.add(key)

    def advance(self, key: EnvironmentKey, feed: Feed, number: int, timeout_s: float) -> None:
        """See Runner. One tick, after as much time as nothing happens in."""
        last = self._last.get(key)
        idle = last is not None and (last.plan is None or not last.plan.steps or last.problem is not None)
        if key not in self._signalled and last is not None and last.observation is not None and idle:
            self._engine.wait(key, last.observation.version, min(timeout_s, interval(last)))
        self._signalled.discard(key)
        ticked = self._tick(key)
        self._last[key] = ticked
        if ticked.target is None:
            del self._last[key]

    def close(self) -> None:
        """See Runner."""
