"""The store of model.ports: durable records over one SQLite connection. Thread-safe."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from anden.model.blueprint import Blueprint
from anden.model.change import Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.ids import Digest, EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Target
from anden.model.problem import Problem
from anden.model.report import AuditReport
from anden.store import audit, changes, commands, observations, restoring, sealing_key, targets
from anden.store.blueprints import Blueprints
from anden.store.database import MEMORY, Database
from anden.store.good_copy import GoodCopy
from anden.store.secrets import SealedSecrets

log = logging.getLogger("anden.store")

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def open_store(
    path: Path | str, broken: Callable[[Problem], None] = lambda _: None, wrapping: sealing_key.Wrapping | None = None
) -> "Records":
    """The records in the file `path`, made when it is not there; `:memory:` keeps nothing.

    Whoever opens it must be the only one (the control plane's lock sees to that): commands that are still RUNNING
    belonged to a control plane that has died, and become INTERRUPTED. A damaged file is moved aside and its last good
    copy taken, which is said in the log, the audit and the record of commands. broken: told when the file turns out to
    be damaged while it is open; nothing more is acknowledged then, and whoever opens it next restores it. wrapping: a
    key service that may seal the key of the secrets; None: there is none to be asked. Raises Problems for a file that
    is too new, locked, cannot be written, or is damaged with its copy.
    """
    return Records(path, broken, wrapping)


class Records:
    """See model.ports.Store."""

    def __init__(
        self, path: Path | str, broken: Callable[[Problem], None] = lambda _: None,
        wrapping: sealing_key.Wrapping | None = None,
    ) -> None:  # fmt: skip
        self._head: Path | None = None
        self._memory_head: audit.Head | None = None
        self._head_lock = threading.Lock()
        self._copy: GoodCopy | None = None
        file = Path(path) if str(path) != MEMORY else None
        if file:
            self._head = file.with_name(file.name + audit.HEAD_SUFFIX)
            restoring.ready(file, self._head, time.time)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
                file.touch(mode=FILE_MODE)
        self._database = Database(path, broken)
        self._blueprints = Blueprints(self._database)
        keeper = sealing_key.InFile(file.with_name(sealing_key.FILE), wrapping) if file else sealing_key.InMemory()
        self.secrets = SealedSecrets(self._database, keeper, lambda: self._written(acknowledges=True))
        audit.resume(self._database, self._kept())
        commands.interrupt(self._database)
        if file:
            self._copy = GoodCopy(file, self._database.stop)
        self._written(acknowledges=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._copy:
            self._copy.close()
        self._database.close()

    def hold(self, key: EnvironmentKey, command: Command) -> None:
        """Nothing to do: whoever opened the file is the only one."""

    def let_go(self, key: EnvironmentKey) -> None:
        """Nothing to do."""

    def check(self, key: EnvironmentKey) -> bool:
        """Always: whoever opened the file is the only one."""
        return True

    def put_blueprint(self, blueprint: Blueprint) -> None:
        """Keep it under its digest; the same digest again is not an error."""
        self._blueprints.put(blueprint)
        self._written()

    def blueprint(self, digest: Digest) -> Blueprint:
        """Raises KeyError when there is none."""
        return self._blueprints.get(digest)

    def target(self, key: EnvironmentKey) -> Target | None:
        """None: never heard of."""
        return targets.get(self._database, key)

    def targets(self) -> tuple[Target, ...]:
        """All of them, those with blueprint None too."""
        return targets.every(self._database)

    def put_target(self, target: Target) -> None:
        """Replace what was said for its key."""
        targets.put(self._database, target)
        self._written(acknowledges=True)

    def forget(self, key: EnvironmentKey) -> None:
        """Remove the target and the latest observation of the key; commands and changes stay."""
        with self._database.transaction():
            targets.forget(self._database, key)
            observations.forget(self._database, key)
        self._written(acknowledges=True)

    def open_change(
        self, key: EnvironmentKey, target: Digest, previous: Digest | None, command: int, at: float
    ) -> Change:
        """A new change in APPLYING; an open one of the same key becomes SUPERSEDED in the same transaction."""
        change = changes.open_change(self._database, key, target, previous, command, at)
        self._written()
        return change

    def move_change(
        self, id: int, state: ChangeState, at: float, reason: str = "", evidence: Sequence[str] = ()
    ) -> Change:
        """Move it on; an empty reason or evidence keeps what was said. Raises ValueError from an end."""
        change = changes.move(self._database, id, state, at, reason, evidence)
        self._written(acknowledges=True)
        return change

    def changes(self, key: EnvironmentKey, most: int = 20) -> tuple[Change, ...]:
        """Newest first."""
        return changes.newest(self._database, key, most)

    def begin_command(self, key: EnvironmentKey, who: str, what: str, at: float) -> Command:
        """Record it as RUNNING."""
        command = commands.begin(self._database, key, who, what, at)
        self._written()
        return command

    def end_command(self, id: int, outcome: Outcome, detail: str, at: float) -> Command:
        """Record how it ended; only once."""
        command = commands.end(self._database, id, outcome, detail, at)
        self._written(acknowledges=True)
        return command

    def commands(self, key: EnvironmentKey | None, most: int = 50) -> tuple[Command, ...]:
        """Newest first."""
        return commands.newest(self._database, key, most)

    def put_observation(self, observation: Observation) -> None:
        """Keep it as the latest of its key; only the latest is kept."""
        observations.put(self._database, observation)

    def observation(self, key: EnvironmentKey) -> Observation | None:
        """The latest one."""
        return observations.get(self._database, key)

    def verify(self) -> AuditReport:
        """Whether the audit is what was written; names the first row that is not."""
        return audit.verify(self._database, self._kept())

    def _kept(self) -> audit.Head | None:
        return audit.kept(self._head) if self._head else self._memory_head

    def _written(self, *, acknowledges: bool = False) -> None:
        """After every durable write. acknowledges: somebody is told that it holds, so it waits for the copy."""
        with self._head_lock:
            last = audit.last(self._database)
            if self._head:
                try:
                    audit.keep(self._head, last)
                except OSError as error:
                    # The write itself is on disk, so it is acknowledged; a head that lags behind is no fault.
                    log.warning("the head of the audit cannot be kept: %s", error)
            self._memory_head = last
        if self._copy:
            self._copy.refresh(wait=acknowledges)
