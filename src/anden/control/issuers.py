"""Issuers' keys that are fetched: asked for before a change, and again beside the ticks.

Nobody has to say anything for a key that an issuer has rotated: what is known stands beside the target, the next tick
finds that the gateway's configuration is another one, and the record has a line of it.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from anden.control import access, changes
from anden.control.news import Ticked
from anden.control.reconcile import Reconciler
from anden.model.command import FETCHED, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.issuer import Fetched, Known
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.ports import Clock, Issuers, Store, Target
from anden.model.problem import Problems
from anden.model.topology import Topology
from anden.planning.issuers import answered, due, merged, rotated, troubles

log = logging.getLogger("anden.control")


@dataclass
class Fetching:
    """What is known of issuers, kept fresh. issuers None: here nobody fetches, and nothing is known."""

    issuers: Issuers | None
    store: Store
    clock: Clock
    reconciler: Reconciler
    signal: Callable[[EnvironmentKey], None]
    _asking: set[EnvironmentKey] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self, topology: Topology, target: Target | None, *, anew: bool = False) -> dict[str, Fetched]:
        """What is known, with what is asked now: who is due, or all (anew). Nothing is recorded."""
        before = dict(target.issuers) if target is not None else {}
        wanted = topology.fetched_issuers()
        if self.issuers is None or not wanted:
            return before
        now = self.clock.now()
        asked = sorted(wanted) if anew else due(wanted, before, now)
        return {**before, **self._ask(asked, before, now)}

    def after(self, ticked: Ticked) -> None:
        """Ask who is due, beside the ticks; the answer signals one."""
        target = ticked.target
        seen = ticked.observation is not None and ticked.observation.present
        if self.issuers is None or target is None or target.blueprint is None or not seen:
            return
        strangers = _strangers(ticked.observation)
        if not due(self._wanted(target), target.issuers, self.clock.now(), strangers):
            return
        with self._lock:
            if target.key in self._asking:
                return
            self._asking.add(target.key)
        try:
            self.issuers.beside(partial(self._refresh, target.key, strangers))
        except BaseException:
            self._done(target.key)
            raise

    def _refresh(self, key: EnvironmentKey, strangers: frozenset[str]) -> None:
        try:
            target = self.store.target(key)
            if target is None:
                return
            now = self.clock.now()
            asked = due(self._wanted(target), target.issuers, now, strangers)
            found = self._ask(asked, target.issuers, now)
            if self._kept(key, target.issuers, found):
                self.signal(key)
        except Problems as fault:
            log.warning("what issuers of %s answered is not kept: %s", key, fault)
        finally:
            self._done(key)

    def _kept(self, key: EnvironmentKey, knew: Known, found: Known) -> bool:
        """Whether keys are others than before. Somebody may have asked, or moved the target, meanwhile."""
        with self.reconciler.writing(key):
            target = self.store.target(key)
            if target is None or target.blueprint is None:
                return False
            wanted, before = self._wanted(target), target.issuers
            after = {issuer: each for issuer, each in merged(before, knew, found).items() if issuer in wanted}
            turned = self.record(key, before, after)
            if after != before:
                self.store.put_target(replace(target, issuers=after))
            return turned

    def record(self, key: EnvironmentKey, before: Known, after: Known) -> bool:
        """Say in the record which keys are others, whoever had them fetched, and whether any are. Call it before they
        are put beside the target: what the record does not have, no gateway may believe."""
        turned = {issuer: said for issuer in sorted(after) if (said := rotated(before.get(issuer), after[issuer]))}
        for issuer, said in turned.items():
            command = self.store.begin_command(key, access.ANDEN, f"{FETCHED} {issuer}", self.clock.now())
            self.store.end_command(command.id, Outcome.DONE, said, self.clock.now())
        return bool(turned)

    def _ask(self, wanted: Sequence[str], before: Known, now: float) -> dict[str, Fetched]:
        if self.issuers is None or not wanted:
            return {}
        answers = self.issuers.fetch(wanted)
        return {
            issuer: answered(before.get(issuer), answer, now, self.issuers.jitter())
            for issuer, answer in answers.items()
        }

    def _wanted(self, target: Target) -> frozenset[str]:
        """Of the target, and of what it replaces: a change may turn round at any moment."""
        standing = changes.standing(self.store, target)
        return frozenset(issuer for each in standing if each is not None for issuer in each.topology.fetched_issuers())

    def _done(self, key: EnvironmentKey) -> None:
        with self._lock:
            self._asking.discard(key)


def _strangers(seen: Observation | None) -> frozenset[str]:
    """Issuers whose newer keys somebody seems to have, by any process of the gateway."""
    return frozenset(issuer for one in seen.traffic.values() for issuer in one.strangers) if seen else frozenset()


def told(topology: Topology, before: Known, known: Known, marks: Marks) -> Iterator[Event]:
    """What a command says of what was fetched: other keys, and who did not answer."""
    for issuer in sorted(topology.fetched_issuers()):
        if issuer in known and (said := rotated(before.get(issuer), known[issuer])):
            yield Event(EventKind.NOTE, "auth", f"keys of {issuer}: {said}", "~")
    for each in troubles(topology, known, marks):
        yield Event(EventKind.NOTE, each.where, f"{each.what}; {each.why}", "!", problem=each)
