"""The one connection to the database: its schema, its transactions, and what its faults mean to people.

apsw brings a SQLite newer than 3.51.3; older ones can corrupt a WAL when it is reset.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problem, Problems

MEMORY = ":memory:"
BUSY_LIMIT_MS = 5_000
"""How long a transaction waits for another process that holds the file."""

SCHEMA = (
    # Version 1. A later version appends its own statements; what was released is never edited.
    """
    CREATE TABLE blueprints (digest TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT;
    CREATE TABLE targets (
        client TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL,
        blueprint TEXT REFERENCES blueprints (digest), data TEXT NOT NULL,
        PRIMARY KEY (client, environment, engine)
    ) STRICT;
    CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        client TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL,
        who TEXT NOT NULL, what TEXT NOT NULL, at REAL NOT NULL,
        outcome TEXT NOT NULL, ended_at REAL, detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX commands_of ON commands (client, environment, engine, id);
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        client TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL,
        target TEXT NOT NULL REFERENCES blueprints (digest), previous TEXT REFERENCES blueprints (digest),
        state TEXT NOT NULL, command INTEGER NOT NULL REFERENCES commands (id),
        created_at REAL NOT NULL, updated_at REAL NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX changes_of ON changes (client, environment, engine, id);
    CREATE UNIQUE INDEX one_open_change ON changes (client, environment, engine)
        WHERE state IN ('applying', 'rolling-back');
    CREATE TABLE observations (
        client TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (client, environment, engine)
    ) STRICT;
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY, command INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL
    ) STRICT;
    """,
    # Version 2. A row says itself whether it is what was written, and the file how many writes it holds.
    """
    ALTER TABLE blueprints ADD COLUMN seal TEXT NOT NULL DEFAULT '';
    ALTER TABLE targets ADD COLUMN seal TEXT NOT NULL DEFAULT '';
    ALTER TABLE commands ADD COLUMN seal TEXT NOT NULL DEFAULT '';
    ALTER TABLE changes ADD COLUMN seal TEXT NOT NULL DEFAULT '';
    ALTER TABLE observations ADD COLUMN seal TEXT NOT NULL DEFAULT '';
    UPDATE blueprints SET seal = sealed(digest, data);
    UPDATE targets SET seal = sealed(client, environment, engine, blueprint, data);
    UPDATE commands SET seal = sealed(client, environment, engine, id, who, what, at, outcome, ended_at, detail);
    UPDATE changes SET seal = sealed(client, environment, engine, id, target, previous, state, command, created_at,
        updated_at, reason, evidence);
    UPDATE observations SET seal = sealed(client, environment, engine, data);
    CREATE TABLE writes (number INTEGER NOT NULL) STRICT;
    INSERT INTO writes (number) VALUES (0);
    """,
    # Version 3. Secrets, sealed: what stands here opens with a key that does not.
    """
    CREATE TABLE secrets (
        client TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL, name TEXT NOT NULL,
        number INTEGER NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, who TEXT NOT NULL,
        key TEXT NOT NULL, wrapped TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (client, environment, engine, name, number)
    ) STRICT;
    """,
)
SEALED = {
    "blueprints": "sealed(digest, data)",
    "targets": "sealed(client, environment, engine, blueprint, data)",
    "commands": "sealed(client, environment, engine, id, who, what, at, outcome, ended_at, detail)",
    "changes": "sealed(client, environment, engine, id, target, previous, state, command, created_at, updated_at,"
    " reason, evidence)",
    "observations": "sealed(client, environment, engine, data)",
    "secrets": "sealed(client, environment, engine, name, number, id, at, who, key, wrapped, body)",
}
"""Table to what its `seal` must be. The audit has none: its chain says more."""
SINCE = {"secrets": 3}
"""Tables that came after the seals, and the version of the schema that brought them."""


def sealed(*values: Any) -> str:
    """The hash of a row's values. SQLite's own checks do not look at them: it finds half of all flipped bits."""
    return hashlib.sha256(json.dumps(values, ensure_ascii=True).encode()).hexdigest()


def connect(name: str) -> apsw.Connection:
    """A connection that knows `sealed`. Raises apsw.Error."""
    connection = apsw.Connection(name)
    connection.set_busy_timeout(BUSY_LIMIT_MS)
    connection.create_scalar_function("sealed", sealed, -1, deterministic=True)
    return connection


class Database:
    """One connection, one transaction at a time. Threads take turns; the lock is re-entrant for nested transactions.

    broken: told when the file turns out to be damaged while at work.
    """

    def __init__(self, path: Path | str, broken: Callable[[Problem], None] = lambda _: None) -> None:
        self.name = str(path)
        self._broken = broken
        self._lock = threading.RLock()
        self._depth = 0
        self._stopped: Problem | None = None
        self._durable = True
        with self._said():
            self._connection = connect(self.name)
        try:
            with self._said():
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        version = int(str(run("PRAGMA user_version").fetchall()[0][0]))
        if version > len(SCHEMA):
            raise Problems(newer(self.name, version))
        with self.transaction(durable=False):
            for statements in SCHEMA[version:]:
                run(statements)
            run(f"PRAGMA user_version = {len(SCHEMA)}")

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing of what is run inside, on disk when it returns. durable False: a power cut may lose it, and it
        does not count as a write. Raises Problems for faults of the file and its disk."""
        with self._lock, self._said():
            if self._stopped is not None:
                raise Problems(self._stopped)
            if self._depth:
                yield
                return
            if durable is not self._durable:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._commit(durable)
            finally:
                self._depth -= 1

    def _commit(self, durable: bool) -> None:
        try:
            if durable:
                self._connection.execute("UPDATE writes SET number = number + 1")
            self._connection.execute("COMMIT")
        except apsw.Error:
            if self._connection.in_transaction:  # a full disk, for one, may leave it open
                self._connection.execute("ROLLBACK")
            raise

    def stop(self, why: str) -> Problems:
        """It is damaged: acknowledge nothing more. From here on every transaction raises what this returns."""
        if self._stopped is None:
            self._stopped = damaged(self.name, why)
            self._broken(self._stopped)
        return Problems(self._stopped)

    def writes(self) -> int:
        """How many durable transactions the file holds."""
        return int(self.run("SELECT number FROM writes")[0][0])

    def seal(self, table: str, condition: str, values: Sequence[Any]) -> None:
        """Seal the rows of `table` that were just written. Call it in the transaction that wrote them."""
        self.run(f"UPDATE {table} SET seal = {SEALED[table]} WHERE {condition}", values)  # noqa: S608 - constants

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._lock, self._said():
            return self._connection.execute(statement, tuple(values)).fetchall()

    def one(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, if there is one."""
        rows = self.run(statement, values)
        return rows[0] if rows else None

    def last_id(self) -> int:
        """The id of the row that was inserted last."""
        return self._connection.last_insert_rowid()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """SQLite's operating faults as Problems. What is a fault of ours (a constraint, a wrong statement) crashes."""
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError, apsw.FormatError) as fault:
            raise self.stop(str(fault)) from fault
        except OPERATING as fault:
            raise operating(self.name, fault) from fault

    def unreadable(self, what: str, why: Exception) -> Problems:
        """For a row that does not say what it should."""
        return self.stop(f"{what}: {str(why).splitlines()[0]}")


# What its faults mean.

OPERATING = (
    apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.BusyError,
    apsw.LockedError,
)  # fmt: skip
"""Faults of the disk and of who else is at the file: not damage."""


def operating(name: str, fault: Exception) -> Problems:
    """One of OPERATING, for people."""
    if isinstance(fault, apsw.BusyError | apsw.LockedError):
        return Problems(
            Problem(name, "the records are locked", "another process holds the file", "End the other process.")
        )
    fix = "Make room on its disk, or check the permissions of its folder."
    return Problems(Problem(name, "the records cannot be written", str(fault), fix))


def damaged(name: str, why: str) -> Problem:
    """Found while at work. The next control plane restores them, or says why it cannot."""
    fix = "Nothing more is recorded. The next command starts another control plane, which restores the last good copy."
    return Problem(name, "the records are damaged", why, fix)


def newer(name: str, version: int) -> Problem:
    """Of a later anden."""
    return Problem(
        name, f"it was written by a newer anden (records version {version})",
        f"this one knows versions up to {len(SCHEMA)}", "Use the newer anden.",
    )  # fmt: skip


def columns(key: EnvironmentKey) -> tuple[str, str, str]:
    """A key as its three columns."""
    return key.client, key.environment, key.engine.value


def key_of(row: Sequence[Any]) -> EnvironmentKey:
    """The key in the first three columns of a row."""
    return EnvironmentKey(str(row[0]), str(row[1]), EngineName(row[2]))


OF_KEY = "client = ? AND environment = ? AND engine = ?"
"""The condition on a key's columns."""
