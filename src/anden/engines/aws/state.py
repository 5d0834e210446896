"""A client's state, in a bucket of the client's own account: what a second operator sees, and a lost laptop leaves.

    blueprints/sha256-….json                 written once, named by content
    environments/ENVIRONMENT/lock.json       who may change it now (engines.aws.lock)
    environments/ENVIRONMENT/target.json     what it should be
    environments/ENVIRONMENT/journal/….json  who asked for what, and what came of it (engines.aws.journal)

How to change an environment, from any machine:

    state = State(boto3.client("s3"), bucket, client, time.time)
    held = state.take("production", who="ana", holder=uuid4().hex, purpose="up")   # Problems: somebody else has it
    state.put_blueprint(blueprint)
    held = state.put_target(held, target)                                          # Problems: it is ours no more
    held = state.renew(held)                                                       # before each longer step
    state.release(held)

Two at once cannot both win, whatever their clocks say: taking the lock writes its generation into target.json too, so
that whoever held it before can replace that no more (S3 compares the content that they read). Reading takes no lock.
`rebuild` reads everything back from the bucket alone. The boto3 client and the clock are given; ids come as arguments.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from anden.engines.aws import lock
from anden.engines.aws.journal import READER, Head, Journal
from anden.engines.aws.lock import LASTS_S, Lock
from anden.engines.aws.objects import Object, Objects
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.change import Change
from anden.model.command import Command
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.ports import Target
from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_RACES = 16
"""Times that somebody else may write first before taking the lock is given up."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What target.json holds. generation: of the lock under which it was written. head: the journal's, as known then.
    target None: the environment should not exist, or nobody has said yet."""

    generation: int
    head: Head
    target: Target | None


@dataclass(frozen=True, slots=True)
class Held:
    """A lock in our hands, and what it stands on; every call that changes something gives a new one back."""

    environment: str
    lock: Lock
    kept: Kept
    lock_object: Object
    target_object: Object


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Everything that a bucket says. blueprints: all of them, parents too. faults: what could not be used, in words."""

    targets: tuple[Target, ...]
    blueprints: Mapping[Digest, Blueprint]
    changes: Mapping[str, tuple[Change, ...]]
    """By environment, newest first."""
    commands: Mapping[str, tuple[Command, ...]]
    faults: tuple[Problem, ...]


class State:
    """The state of one client. now: Unix seconds. writer: this process's id in the journals, never used twice."""

    def __init__(
        self, s3: "S3Client", bucket: str, client: str, now: Callable[[], float], writer: str = READER
    ) -> None:
        self._objects, self._client, self._now, self._writer = Objects(s3, bucket), client, now, writer
        self._journals: dict[str, Journal] = {}

    # Blueprints.

    def put_blueprint(self, blueprint: Blueprint) -> None:
        """Keep it under its digest; the same digest again is not an error."""
        if self._objects.put(_blueprint_key(blueprint.digest), codec.to_json(blueprint).encode(), None) is None:
            self.blueprint(blueprint.digest)

    def blueprint(self, digest: Digest) -> Blueprint:
        """Raises KeyError when there is none, Problems when what stands there is not it."""
        key = _blueprint_key(digest)
        found = self._objects.get(key)
        if found is None:
            raise KeyError(digest)
        return self._blueprint(key, digest, found)

    def _blueprint(self, key: str, digest: Digest, found: Object) -> Blueprint:
        try:
            blueprint = codec.from_json(Blueprint, found.body)
        except ValidationError as fault:
            raise self._objects.damaged(key, f"it is no blueprint of this version: {_first(fault)}") from fault
        if blueprint.digest != digest:
            raise self._objects.damaged(key, f"its content has another digest: {blueprint.digest}")
        return blueprint

    # Targets.

    def environments(self) -> tuple[str, ...]:
        """The names of those that were ever heard of."""
        return self._objects.folders("environments/")

    def kept(self, environment: str) -> Kept | None:
        """What target.json holds; None: never heard of."""
        found = self._objects.get(_target_key(environment))
        return self._kept(environment, found) if found else None

    def target(self, environment: str) -> Target | None:
        """What it should be; None: it should not exist, or was never heard of."""
        kept = self.kept(environment)
        return kept.target if kept else None

    def put_target(self, held: Held, target: Target | None) -> Held:
        """Say what it should be. Raises Problems when the lock is somebody else's by now: nothing was written.
        Raises ValueError for another environment's or engine's target."""
        if target is not None and target.key != self._key(held.environment):
            raise ValueError(f"a target of {target.key} under the lock of {held.environment}")
        self._refuse_late(held)
        kept = Kept(held.kept.generation, self._head(held), target)
        written = self._objects.put(_target_key(held.environment), _body(kept), held.target_object)
        if written is None:
            raise self._lost(held.environment)
        return replace(held, kept=kept, target_object=written)

    def _head(self, held: Held) -> Head:
        journal = self.journal(held.environment)
        journal.read()
        return journal.head

    # The lock.

    def who(self, environment: str) -> Lock | None:
        """Who has the lock now; None: nobody, or for too long."""
        found = self._objects.get(_lock_key(environment))
        its = self._lock(environment, found) if found else None
        return its if lock.held(its, self._now()) else None

    def take(self, environment: str, *, who: str, holder: str, purpose: str, lasts_s: float = LASTS_S) -> Held:
        """Take the lock, also from a holder whose time is over. holder: a new id for each attempt. Raises Problems
        when somebody else has it."""
        for _ in range(MOST_RACES):
            found = self._objects.get(_lock_key(environment))
            before = self._lock(environment, found) if found else None
            now = self._now()
            if before is not None and lock.held(before, now):
                raise self._busy(environment, before, now)
            ours = lock.taken(before, holder, who, purpose, now, lasts_s)
            written = self._objects.put(_lock_key(environment), _body(ours), found)
            if written is not None:
                return self._stamp(environment, ours, written)
        raise self._contended(environment)

    def _stamp(self, environment: str, ours: Lock, lock_object: Object) -> Held:
        """Write our generation into the target, so that no earlier holder can replace it any more."""
        key = _target_key(environment)
        for _ in range(MOST_RACES):
            found = self._objects.get(key)
            before = self._kept(environment, found) if found else Kept(0, Head(), None)
            if before.generation > ours.generation:
                raise self._lost(environment)
            kept = replace(before, generation=ours.generation)
            written = self._objects.put(key, _body(kept), found)
            if written is not None:
                return Held(environment, ours, kept, lock_object, written)
        raise self._contended(environment)

    def renew(self, held: Held, lasts_s: float = LASTS_S) -> Held:
        """Keep it for longer. Raises Problems when it is somebody else's by now."""
        ours = lock.renewed(held.lock, self._now(), lasts_s)
        written = self._objects.put(_lock_key(held.environment), _body(ours), held.lock_object)
        if written is None:
            raise self._lost(held.environment)
        return replace(held, lock=ours, lock_object=written)

    def release(self, held: Held) -> None:
        """Give it back. Not an error when it is somebody else's by now."""
        self._objects.put(_lock_key(held.environment), _body(lock.released(held.lock)), held.lock_object)

    # The journal, and everything.

    def journal(self, environment: str) -> Journal:
        """The record of an environment. It remembers what it has read, so there is one for each."""
        if environment not in self._journals:
            made = Journal(self._objects, self._key(environment), self._writer)
            return self._journals.setdefault(environment, made)
        return self._journals[environment]

    def rebuild(self, most: int = 1000) -> Rebuilt:
        """Everything, from the bucket alone: for a new machine, or to prove that a lost one loses nothing. What cannot
        be used is told and left out, never guessed. most: commands and changes of each environment."""
        faults: list[Problem] = []
        blueprints: dict[Digest, Blueprint] = {}
        for key, found in self._objects.read(list(self._objects.keys("blueprints/"))):
            digest = Digest(key.removeprefix("blueprints/").removesuffix(".json").replace("-", ":", 1))
            try:
                if found is not None:
                    blueprints[digest] = self._blueprint(key, digest, found)
            except Problems as wrong:
                faults += wrong.problems
        targets: list[Target] = []
        changes: dict[str, tuple[Change, ...]] = {}
        commands: dict[str, tuple[Command, ...]] = {}
        for name in self.environments():
            journal = self.journal(name)
            try:
                kept = self.kept(name)
            except Problems as wrong:
                faults += wrong.problems
                kept = None
            report = journal.verify(kept.head if kept else None)
            if report.fault:
                fix = "Bring back the versions that the bucket keeps, and look at who changed them."
                faults.append(Problem(f"journal of {name}", "it is not what was written", report.fault, fix))
            changes[name], commands[name] = journal.changes(most), journal.commands(most)
            if kept is None or kept.target is None:
                continue
            targets.append(kept.target)
            if kept.target.blueprint is not None and kept.target.blueprint not in blueprints:
                where, what = f"target of {name}", f"its blueprint {kept.target.blueprint} is not in the bucket"
                faults.append(Problem(where, what, "", "Plan the environment anew from its manifest."))
        return Rebuilt(tuple(targets), blueprints, changes, commands, tuple(faults))

    # What is read, and what goes wrong.

    def _key(self, environment: str) -> EnvironmentKey:
        return EnvironmentKey(self._client, environment, EngineName.AWS)

    def _lock(self, environment: str, found: Object) -> Lock:
        try:
            return codec.from_json(Lock, found.body)
        except ValidationError as fault:
            raise self._objects.damaged(_lock_key(environment), _first(fault)) from fault

    def _kept(self, environment: str, found: Object) -> Kept:
        try:
            return codec.from_json(Kept, found.body)
        except ValidationError as fault:
            raise self._objects.damaged(_target_key(environment), _first(fault)) from fault

    def _refuse_late(self, held: Held) -> None:
        if not lock.sure(held.lock, self._now()):
            raise self._lost(held.environment)

    def _busy(self, environment: str, its: Lock, now: float) -> Problems:
        left = max(0, round(its.until + lock.SKEW_S - now))
        why = f"{its.who} has held it for `{its.purpose}`, for {left} s more unless they renew it"
        fix = f"Wait, or ask {its.who}. When their machine is gone, the lock is free after that."
        return Problems(Problem(str(self._key(environment)), "somebody else is changing it", why, fix))

    def _lost(self, environment: str) -> Problems:
        why = "our lock's time was over, and somebody else may have taken it"
        fix = "Look at `anden status` and `anden history`, and run the command again."
        return Problems(Problem(str(self._key(environment)), "it is not ours to change any more", why, fix))

    def _contended(self, environment: str) -> Problems:
        what = f"{MOST_RACES} others wrote first"
        return Problems(Problem(str(self._key(environment)), what, "nothing was changed", "Try again."))


def _blueprint_key(digest: str) -> str:
    return f"blueprints/{digest.replace(':', '-')}.json"


def _lock_key(environment: str) -> str:
    return f"environments/{environment}/lock.json"


def _target_key(environment: str) -> str:
    return f"environments/{environment}/target.json"


def _body(value: Kept | Lock) -> bytes:
    return json.dumps(codec.to_data(value), sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _first(fault: ValidationError) -> str:
    errors = fault.errors(include_url=False, include_input=False)
    return f"{'.'.join(str(each) for each in errors[0]['loc'])}: {errors[0]['msg']}"
