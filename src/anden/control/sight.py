"""Looking at an environment without being led astray: nothing older than what was seen before, or than what was done.

An engine may show what was (a cache, a service that agrees with itself only after a while). A plan made from that
could stop, by its name, an instance that has been replaced since. So control reads its own writes: an observation
counts when its version is at least that of the one before, and past it when something was done meanwhile. Only of one
boot, and only of an environment that is there: an engine that has lost its world counts anew.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field

from anden.model.blueprint import Blueprint
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Engine, Store
from anden.model.problem import Problem, Problems

LOOKS = 3
"""Looks one after the other, when what is seen is old: another thread may only have been quicker."""
MOST_DOUBTS = 20
"""So often in a row an engine is not believed. Then its count has begun anew, whatever the reason."""


@dataclass
class Sight:
    """What one engine shows of its environments."""

    engine: Engine
    store: Store
    _known: set[EnvironmentKey] = field(default_factory=set)
    """Those of which the engine was told what is on record."""
    _least: dict[EnvironmentKey, tuple[str, int]] = field(default_factory=dict)
    """Boot, and the lowest version that is believed."""
    _doubts: Counter[EnvironmentKey] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is. Raises Problems when the engine cannot be asked, or shows only what was."""
        for _ in range(LOOKS):
            seen = self.look(key)
            if self._believed(key, seen):
                return seen
        why = "what it shows is older than what was seen or done before"
        raise Problems(Problem(str(key), "it cannot be seen how it stands", why, "The next look comes by itself."))

    def look(self, key: EnvironmentKey) -> Observation:
        """What the engine shows, be it old or not. Raises Problems when it cannot be asked."""
        if key not in self._known:
            if (recorded := self._recorded(key)) is not None:
                self.engine.know(recorded.topology)
            self._known.add(key)
        return self.engine.observe(key)

    def _recorded(self, key: EnvironmentKey) -> Blueprint | None:
        """The target's blueprint, or the last one of what is taken down."""
        target = self.store.target(key)
        digest = target.blueprint if target is not None else None
        if digest is None and target is not None:
            digest = next((change.target for change in self.store.changes(key, 1)), None)
        return self.store.blueprint(digest) if digest is not None else None

    def acted(self, key: EnvironmentKey, on: Observation) -> None:
        """Something was done because of `on`: it does not show how things stand any more."""
        with self._lock:
            boot, least = self._least.get(key, ("", 0))
            if on.present and on.boot == boot:
                self._least[key] = (boot, max(least, on.version + 1))

    def _believed(self, key: EnvironmentKey, seen: Observation) -> bool:
        with self._lock:
            boot, least = self._least.get(key, (seen.boot, 0))
            if seen.present and seen.boot == boot and seen.version < least and self._doubts[key] < MOST_DOUBTS:
                self._doubts[key] += 1
                return False
            self._doubts[key] = 0
            if seen.present:
                self._least[key] = (seen.boot, seen.version)
            else:
                self._least.pop(key, None)
            return True
