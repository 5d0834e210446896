"""The record of an environment in its bucket: what was asked for and which changes came of it, by all operators.

An entry is an object of its own, written where none is: its number says its place, and of two operators who write the
same number one gets the next. Each holds the hash of the one before it, as the audit of a machine's own store does
(store.audit), so that what was changed or cut out shows.

    environments/ENVIRONMENT/journal/000000000001.json   {number, before, writer, kind, value}

Ids of commands and changes are the number of the entry that began them: one row of numbers for all operators.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from pydantic import ValidationError

from anden.engines.aws.objects import Objects
from anden.model import codec
from anden.model.change import OPEN_STATES, Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.ids import Digest, EnvironmentKey
from anden.model.problem import Problem, Problems
from anden.model.report import AuditReport

BEGINNING = "anden"
"""What stands in the place of the hash before the first entry."""
MOST_RACES = 64
"""Times that another's entry may take our place before we give up: more than operators ever write at once."""
DIGITS = 12
READER = "reader"
"""The writer's id of a journal that is only read."""
Value = Command | Change
Kind = TypeVar("Kind", Command, Change)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. writer: the id of the process that wrote it, so that two equal entries are told apart."""

    number: int
    before: str
    writer: str
    kind: Literal["command", "change"]
    command: Command | None = None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: its number and its hash."""

    number: int = 0
    hash: str = BEGINNING


class Journal:
    """The journal of one environment. writer: an id of this process, never used twice. Safe for threads."""

    def __init__(self, objects: Objects, key: EnvironmentKey, writer: str) -> None:
        self._objects, self._key, self._writer = objects, key, writer
        self._lock = threading.Lock()
        self._head = Head()
        self._commands: dict[int, Command] = {}
        self._changes: dict[int, Change] = {}
        self._fault = ""

    def begin_command(self, who: str, what: str, at: float) -> Command:
        """Record it as RUNNING."""
        return self._add(lambda number: Command(number, self._key, who, what, at))

    def end_command(self, id: int, outcome: Outcome, detail: str, at: float) -> Command:
        """Record how it ended. Raises KeyError: none has that id; ValueError: that was recorded already."""
        self.read()
        before = self._commands[id]
        if before.outcome is not Outcome.RUNNING:
            raise ValueError(f"command {id} has ended as {before.outcome}")
        return self._add(lambda _: replace(before, outcome=outcome, detail=detail, ended_at=at))

    def open_change(self, target: Digest, previous: Digest | None, command: int, at: float) -> Change:
        """A new one in APPLYING; the open one, if any, becomes SUPERSEDED before it. For the lock's holder only."""
        self.read()
        for each in [change for change in self._changes.values() if change.state in OPEN_STATES]:
            self.move_change(each.id, ChangeState.SUPERSEDED, at)
        return self._add(
            lambda number: Change(number, self._key, target, previous, ChangeState.APPLYING, command, at, at)
        )

    def move_change(
        self, id: int, state: ChangeState, at: float, reason: str = "", evidence: Sequence[str] = ()
    ) -> Change:
        """Move it on; an empty reason or evidence keeps what was said. Raises KeyError, or ValueError from an end."""
        self.read()
        before = self._changes[id]
        if before.state not in OPEN_STATES | {ChangeState.PLANNED}:
            raise ValueError(f"change {id} has ended as {before.state}; it cannot become {state}")
        said, seen = reason or before.reason, tuple(evidence) or before.evidence
        return self._add(lambda _: replace(before, state=state, updated_at=at, reason=said, evidence=seen))

    def adopt(self, value: Kind) -> Kind:
        """Take in, as it ended, what was recorded elsewhere; with an id of this record. For the lock's holder."""
        self.read()
        return self._add(lambda number: replace(value, id=number))

    def commands(self, most: int = 50) -> tuple[Command, ...]:
        """Newest first."""
        self.read()
        return tuple(self._commands[number] for number in sorted(self._commands, reverse=True)[:most])

    def changes(self, most: int = 20) -> tuple[Change, ...]:
        """Newest first."""
        self.read()
        return tuple(self._changes[number] for number in sorted(self._changes, reverse=True)[:most])

    @property
    def head(self) -> Head:
        """The last entry that this process knows."""
        return self._head

    def verify(self, kept: Head | None = None) -> AuditReport:
        """Read everything anew and follow the chain; compare it with `kept`, a head that was written elsewhere."""
        with self._lock:
            self._head, self._fault = Head(), ""
            self._commands, self._changes = {}, {}
        hashes = self.read()
        fault = self._fault
        if not fault and kept is not None and kept.number:
            if kept.number > self._head.number:
                fault = f"audit {self._head.number + 1}: missing, the target names {kept.number}"
            elif hashes.get(kept.number) != kept.hash:
                fault = f"audit {kept.number}: not the entry that the target names"
        return AuditReport(self._head.number, fault)

    def read(self) -> dict[int, str]:
        """Take in what is new since the last look: number to hash. Stops at the first fault, which `verify` tells."""
        with self._lock:
            return self._read()

    def _read(self) -> dict[int, str]:
        prefix = self._folder()
        hashes: dict[int, str] = {}
        keys = list(self._objects.keys(prefix, after=self._name(self._head.number) if self._head.number else ""))
        for key, found in self._objects.read(keys):
            number = self._head.number + 1
            if key != self._name(number) or found is None:
                self._fault = f"audit {number}: missing"
                break
            entry = _entry(found.body)
            if entry is None or entry.number != number or entry.before != self._head.hash:
                self._fault = f"audit {number}: not what was written"
                break
            self._take(entry, found.body)
            hashes[number] = self._head.hash
        return hashes

    def _add(self, make: Callable[[int], Kind]) -> Kind:
        with self._lock:
            for _ in range(MOST_RACES):
                self._refuse_faulty()
                number = self._head.number + 1
                value = make(number)
                entry = _entry_of(number, self._head.hash, self._writer, value)
                body = codec.to_json(entry).encode()
                if self._objects.put(self._name(number), body, None) is not None:
                    self._take(entry, body)
                    return value
                self._read()
        what = f"{MOST_RACES} others wrote at the same time"
        raise Problems(Problem(f"journal of {self._key}", what, "nothing was recorded", "Try again."))

    def _refuse_faulty(self) -> None:
        if self._writer == READER:
            raise ValueError("a journal is written under an id of the process that writes")
        if self._fault:
            why, fix = self._fault, "Bring back the versions that the bucket keeps, and look at who changed them."
            raise Problems(Problem(f"journal of {self._key}", "the record is not what was written", why, fix))

    def _take(self, entry: Entry, body: bytes) -> None:
        self._head = Head(entry.number, hashlib.sha256(body).hexdigest())
        if entry.command is not None:
            self._commands[entry.command.id] = entry.command
        if entry.change is not None:
            self._changes[entry.change.id] = entry.change

    def _folder(self) -> str:
        return f"environments/{self._key.environment}/journal/"

    def _name(self, number: int) -> str:
        return f"{self._folder()}{number:0{DIGITS}d}.json"


def _entry_of(number: int, before: str, writer: str, value: Value) -> Entry:
    if isinstance(value, Command):
        return Entry(number, before, writer, "command", command=value)
    return Entry(number, before, writer, "change", change=value)


def _entry(body: bytes) -> Entry | None:
    try:
        return codec.from_json(Entry, body)
    except (ValidationError, json.JSONDecodeError):
        return None
