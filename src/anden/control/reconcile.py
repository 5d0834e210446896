"""One tick: observe, judge, plan, execute. It takes no input but what is recorded and what is; doing it twice is
doing it once; wherever the control plane dies, the next tick goes on from there."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anden.control import access, changes, outages
from anden.control.news import Done, Judged, News, Ticked
from anden.control.rollouts import Way, removing, way_to
from anden.control.sight import Sight
from anden.control.stint import Stints
from anden.model.change import Change, Judgement, Verdict
from anden.model.command import BRING_BACK, Outcome
from anden.model.event import Event
from anden.model.ids import Digest, EnvironmentKey
from anden.model.observation import Observation
from anden.model.plan import ApplyStack, Plan
from anden.model.ports import Clock, Engine, Store, Target
from anden.model.problem import Problem
from anden.model.stack import StackState

MOST_FAILED_TICKS = 3
"""Ticks in a row that could not do their plan before the change in flight has failed."""
MOST_REVIVALS, REVIVAL_WINDOW_S = 5, 600.0
"""An environment that dies this often within this time is left alone until somebody asks for it."""


@dataclass
class Reconciler:
    """The ticks of one engine's environments. tell: gets the news as they come."""

    engine: Engine
    store: Store
    clock: Clock
    tell: Callable[[EnvironmentKey, News], None]
    sight: Sight = field(init=False)
    _stints: Stints = field(init=False)
    _failed: Counter[EnvironmentKey] = field(default_factory=Counter)
    _why: dict[EnvironmentKey, str] = field(default_factory=dict)
    _tried: dict[EnvironmentKey, dict[str, Digest]] = field(default_factory=dict)
    """Stacks' families to the templates that the change in flight has tried last, by this process: what fails is not
    tried again by itself. Who comes back after a crash tries it once more."""
    mending: set[EnvironmentKey] = field(default_factory=set)
    """Environments in which a command puts back what was changed by hand."""
    releasing: set[EnvironmentKey] = field(default_factory=set)
    """Environments of which a command gives up what would outlive them. Only while it runs: what cannot be taken back
    is done for who asks for it now, and never because somebody once did."""
    _ways: dict[EnvironmentKey, dict[bool, tuple[object, Way]]] = field(default_factory=dict)
    """By whether they keep what they replace: a change is judged by one that does not, and planned by one that does."""
    _locks: dict[EnvironmentKey, threading.RLock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.sight, self._stints = Sight(self.engine, self.store), Stints(self.clock)

    def writing(self, key: EnvironmentKey) -> threading.RLock:
        """What whoever changes the target or the change of `key` holds meanwhile."""
        with self._lock:
            return self._locks.setdefault(key, threading.RLock())

    def tried(self, key: EnvironmentKey) -> Mapping[str, Digest]:
        """Stacks' families to the templates that this process has tried last, for who judges what it follows."""
        return dict(self._tried.get(key, {}))

    def tick(self, key: EnvironmentKey) -> Ticked:
        """Bring `key` as near to its target as can be done now. Raises Problems when the engine cannot be asked."""
        began = self.clock.monotonic()
        observation = self.sight.observe(key)
        with self.writing(key):
            if not self.store.check(key):
                # No command looks after it any more: left alone, and nobody follows who could be told.
                return Ticked(began, observation, None)
            target = self.store.target(key)
            if target is None:
                return self._told(key, Ticked(began, observation, None))
            note, leave = self._looked(target, observation)
            outages.record(self.store, self.clock, key, observation)
            self.store.put_observation(observation)
            target, change = changes.mended(self.store, target, self.clock.now())
            if change is not None:
                target, change = self._judged(target, change, observation)
        made = Plan(key, target.blueprint) if leave else self._planned(target, change, observation)
        problem = self._executed(key, made, target, observation)
        if target.blueprint is None and problem is None and (left := self._ended(key)) is not None:
            return self._told(key, Ticked(began, left, None, None, made))
        latest = changes.latest(self.store, key)
        return self._told(key, Ticked(began, observation, target, latest, made, problem, note))

    def _judged(self, target: Target, change: Change, observation: Observation) -> tuple[Target, Change]:
        if target.blueprint is None:
            return target, change
        stint = self._stints.of(change)
        if stint.fresh:
            self._failed[target.key] = 0  # what failed before is not this change's
            self._tried.pop(target.key, None)
        its, tried = self._way(target, target.blueprint, None), self._tried.get(target.key, {})
        judgement = its.judge(observation, stint.began, stint.worked_s, tried, mend=target.key in self.mending)
        if judgement.verdict is Verdict.CONTINUE and self._failed[target.key] >= MOST_FAILED_TICKS:
            judgement = Judgement(Verdict.FAILED, self._why[target.key])
        if judgement.verdict is not Verdict.CONTINUE:
            self._failed[target.key] = 0
        target, moved = changes.judged(self.store, target, change, judgement, self.clock.now())
        if moved.state is not change.state:
            self.tell(target.key, Judged(moved, target, observation))
        return target, moved

    def _planned(self, target: Target, change: Change | None, observation: Observation) -> Plan:
        if target.blueprint is None:
            return removing(self.engine, self.store, target.key, observation, release=target.key in self.releasing)
        keeping = changes.replacing(target, change)
        its, tried = self._way(target, target.blueprint, keeping), self._tried.get(target.key, {})
        return its.plan(observation, tried, mend=target.key in self.mending)

    def _way(self, target: Target, digest: Digest, keeping: Digest | None) -> Way:
        """What the last tick worked out, unless the target has moved since: the revisions of 1,000 instances take a
        tenth of a second."""
        keys = {issuer: each.keys for issuer, each in target.issuers.items()}
        of = (digest, dict(target.levels), dict(target.generations), keeping, target.manners, keys)
        of_key = self._ways.setdefault(target.key, {})
        known = of_key.get(keeping is not None)
        if known is None or known[0] != of:
            known = of_key[keeping is not None] = (of, way_to(self.engine, self.store, target, digest, keeping))
        return known[1]

    def _executed(self, key: EnvironmentKey, made: Plan, target: Target, on: Observation) -> Problem | None:
        """The first problem that a step met."""
        steps = {(step.address, step.action): step for step in made.steps}
        problem = None
        for effect in (step.effect for step in made.steps if isinstance(step.effect, ApplyStack)):
            self._tried.setdefault(key, {})[effect.stack.family] = effect.stack.digest
        for receipt in self.engine.execute(key, made.steps, target.gateway) if made.steps else ():
            if isinstance(receipt, Event):
                self.tell(key, receipt)
                continue
            problem = problem or receipt.problem
            if receipt.problem is None:
                self.sight.acted(key, on)
            self.tell(key, Done(steps[receipt.address, receipt.action], receipt))
        self._failed[key] = self._failed[key] + 1 if problem else 0
        self._why[key] = str(problem or "")
        return problem

    def _ended(self, key: EnvironmentKey) -> Observation | None:
        """After a removal: forget what is gone, unless somebody wants it again by now. What is left then; None: it is
        not gone."""
        seen = self.sight.observe(key)
        if seen.present or any(one.state is StackState.WORKING for one in seen.stacks):
            return None
        if key in self.releasing and any(one.kept is not None for one in seen.stacks):
            return None
        with self.writing(key):
            target = self.store.target(key)
            if target is None or target.blueprint is not None:
                return None
            self.store.forget(key)
            self._ways.pop(key, None)
            self._tried.pop(key, None)
            return seen

    def _looked(self, target: Target, observation: Observation) -> tuple[str, bool]:
        """Whether it died since it was last seen, which is recorded; and whether it is left alone now, and why."""
        if observation.present or target.blueprint is None:
            return "", False
        if target.boot and observation.boot and target.boot != observation.boot:
            return "not running since boot: `anden up` starts it", True
        before, now, reason = self.store.observation(target.key), self.clock.now(), observation.absent_reason
        recent = [
            command
            for command in self.store.commands(target.key, MOST_REVIVALS)
            if command.what == BRING_BACK and 0.0 <= now - command.at <= REVIVAL_WINDOW_S
        ]
        if len(recent) >= MOST_REVIVALS:
            return f"it died {MOST_REVIVALS} times in a row and is left alone: `anden up` starts it", True
        if before is None or not before.present:
            return "", False
        command = self.store.begin_command(target.key, access.ANDEN, BRING_BACK, now)
        self.store.end_command(command.id, Outcome.DONE, reason or "it was gone", now)
        return f"brought back: {reason or 'it was gone'}", False

    def _told(self, key: EnvironmentKey, ticked: Ticked) -> Ticked:
        self.tell(key, ticked)
        return ticked
