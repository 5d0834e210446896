"""The store of an environment on AWS: the client's bucket itself (engines.aws.state), so that every operator sees the
same target, and of two at once only one changes it.

Nothing durable is kept on this machine. While a command runs it holds the environment's lock, and a thread renews it;
whoever lost it changes nothing more. The latest observation is this process's own: it can be made again by looking.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from anden.engines.aws.journal import Journal
from anden.engines.aws.lock import LASTS_S
from anden.engines.aws.state import Held, State
from anden.model.blueprint import Blueprint
from anden.model.change import Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Target
from anden.model.problem import Problem, Problems
from anden.model.report import AuditReport

RENEWED_S = LASTS_S / 5
"""How often a lock is renewed: a few tries fit in before others may think that its holder has died."""
MOST_RUNNING = 50
"""Commands back that one which its control plane left running is looked for."""
Noted = TypeVar("Noted", Change, Command)
BESIDE = ("exec ",)
"""Commands that change nothing and hold no lock."""
DEAD = "the control plane ended before it did"


class AccountRecords:
    """See model.ports.Store. ids: a new id for each call, never the same one twice. Thread-safe."""

    def __init__(self, state: State, ids: Callable[[], str], now: Callable[[], float]) -> None:
        self._state, self._ids, self._now = state, ids, now
        self._lock = threading.RLock()
        self._held: dict[str, Held] = {}
        self._lost: dict[str, Problems] = {}
        self._ends: dict[str, threading.Event] = {}
        self._blueprints: dict[Digest, Blueprint] = {}
        self._seen: dict[EnvironmentKey, Observation] = {}
        self._where: dict[int, str] = {}
        """The environment of each command that this process began, and of each change that it opened or showed."""

    def close(self) -> None:
        """Give back what is held."""
        for environment in list(self._held):
            self._let_go(environment)

    # Who may change it.

    def hold(self, key: EnvironmentKey, command: Command) -> None:
        """Take the environment's lock. Raises Problems when another control plane has it."""
        held = self._state.take(key.environment, who=command.who, holder=self._ids(), purpose=command.what)
        ended = threading.Event()
        with self._lock:
            self._held[key.environment], self._ends[key.environment] = held, ended
            self._lost.pop(key.environment, None)
        self._interrupt(key.environment, command)
        name = f"renew {key.environment}"
        threading.Thread(target=self._renew, args=(key.environment, ended), name=name, daemon=True).start()

    def let_go(self, key: EnvironmentKey) -> None:
        """Give it back. Not an error when it is somebody else's by now."""
        self._let_go(key.environment)

    def check(self, key: EnvironmentKey) -> bool:
        """Whether a command of ours holds the lock. Raises Problems when it was lost."""
        with self._lock:
            if key.environment not in self._held:
                return False
            self._ours(key.environment)
            return True

    def _let_go(self, environment: str) -> None:
        with self._lock:
            held, ended = self._held.pop(environment, None), self._ends.pop(environment, None)
            if ended is not None:
                ended.set()
            if held is not None and environment not in self._lost:
                self._state.release(held)

    def _renew(self, environment: str, ended: threading.Event) -> None:
        while not ended.wait(RENEWED_S):
            with self._lock:
                held = self._held.get(environment)
                if held is None or ended.is_set():
                    return
                try:
                    self._held[environment] = self._state.renew(held)
                except Problems as found:
                    # Whether it was lost or only could not be renewed now shows when something is to be written.
                    self._lost[environment] = found

    def _ours(self, environment: str) -> Held:
        held = self._held.get(environment)
        if held is None:
            what, fix = "no command of this control plane is changing it", "Run the command again."
            raise Problems(Problem(f"state of {environment}", what, "one at a time changes an environment", fix))
        if environment in self._lost:
            # What could not be renewed may be ours still: ask, and believe the bucket.
            held = self._held[environment] = self._state.renew(held)
            del self._lost[environment]
        return held

    def _interrupt(self, environment: str, ours: Command) -> None:
        """Whoever held the lock before has died, or ended without saying so: the lock is ours now."""
        journal = self._state.journal(environment)
        for command in journal.commands(MOST_RUNNING):
            if command.outcome is Outcome.RUNNING and command.id != ours.id and not command.what.startswith(BESIDE):
                journal.end_command(command.id, Outcome.INTERRUPTED, DEAD, self._now())

    # Blueprints and targets.

    def put_blueprint(self, blueprint: Blueprint) -> None:
        """Keep it under its digest."""
        if blueprint.digest not in self._blueprints:
            self._state.put_blueprint(blueprint)
            self._blueprints[blueprint.digest] = blueprint

    def blueprint(self, digest: Digest) -> Blueprint:
        """Raises KeyError when there is none."""
        if digest not in self._blueprints:
            self._blueprints[digest] = self._state.blueprint(digest)
        return self._blueprints[digest]

    def target(self, key: EnvironmentKey) -> Target | None:
        """None: never heard of, or forgotten. While we hold the lock nobody else writes it."""
        if key.engine is not EngineName.AWS:
            return None
        with self._lock:
            held = self._held.get(key.environment)
            return held.kept.target if held else self._state.target(key.environment)

    def targets(self) -> tuple[Target, ...]:
        """All of them."""
        found = (self._state.target(environment) for environment in self._state.environments())
        return tuple(target for target in found if target is not None)

    def put_target(self, target: Target) -> None:
        """Replace what was said for its key. Raises Problems unless the lock is ours."""
        self._put(target.key, target)

    def forget(self, key: EnvironmentKey) -> None:
        """Remove the target and the latest observation; commands and changes stay."""
        self._put(key, None)
        self._seen.pop(key, None)

    def _put(self, key: EnvironmentKey, target: Target | None) -> None:
        with self._lock:
            held = self._ours(key.environment)
            self._held[key.environment] = self._state.put_target(held, target)

    # Changes and commands.

    def open_change(
        self, key: EnvironmentKey, target: Digest, previous: Digest | None, command: int, at: float
    ) -> Change:
        """A new change in APPLYING; an open one becomes SUPERSEDED."""
        with self._lock:
            self._ours(key.environment)
            return self._known(self._journal(key).open_change(target, previous, command, at))

    def move_change(
        self, id: int, state: ChangeState, at: float, reason: str = "", evidence: Sequence[str] = ()
    ) -> Change:
        """Move it on. Raises ValueError from a state that is an end."""
        with self._lock:
            environment = self._where[id]
            self._ours(environment)
            return self._state.journal(environment).move_change(id, state, at, reason, evidence)

    def changes(self, key: EnvironmentKey, most: int = 20) -> tuple[Change, ...]:
        """Newest first."""
        return tuple(self._known(change) for change in self._journal(key).changes(most))

    def begin_command(self, key: EnvironmentKey, who: str, what: str, at: float) -> Command:
        """Record it as RUNNING."""
        return self._known(self._journal(key).begin_command(who, what, at))

    def end_command(self, id: int, outcome: Outcome, detail: str, at: float) -> Command:
        """Record how it ended; only once. Whoever took over from us has said already that it was interrupted."""
        journal = self._state.journal(self._where[id])
        try:
            return journal.end_command(id, outcome, detail, at)
        except ValueError:
            return next(each for each in journal.commands(MOST_RUNNING) if each.id == id)

    def commands(self, key: EnvironmentKey | None, most: int = 50) -> tuple[Command, ...]:
        """Newest first."""
        if key is not None:
            return self._journal(key).commands(most)
        every = [each for name in self._state.environments() for each in self._state.journal(name).commands(most)]
        return tuple(sorted(every, key=lambda command: command.at, reverse=True)[:most])

    def verify(self) -> AuditReport:
        """Whether the records of commands are what was written, each environment's own."""
        entries = 0
        for environment in self._state.environments():
            kept = self._state.kept(environment)
            report = self._state.journal(environment).verify(kept.head if kept else None)
            entries += report.entries
            if report.fault:
                return AuditReport(entries, f"{environment}: {report.fault}")
        return AuditReport(entries)

    def _journal(self, key: EnvironmentKey) -> Journal:
        return self._state.journal(key.environment)

    def _known(self, noted: Noted) -> Noted:
        self._where[noted.id] = noted.key.environment
        return noted

    # What was seen.

    def put_observation(self, observation: Observation) -> None:
        """Keep it as the latest of its key, for as long as this process lives."""
        self._seen[observation.key] = observation

    def observation(self, key: EnvironmentKey) -> Observation | None:
        """The latest one."""
        return self._seen.get(key)
