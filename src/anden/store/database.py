"""The one connection to the database: its schema, its transactions, and what its faults mean to people.

apsw brings a SQLite newer than 3.51.3; older ones can corrupt a WAL when it is reset.
"""

import threading
from collections.abc import Iterator, Sequence
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
)


class Database:
    """One connection, one transaction at a time. Threads take turns; the lock is re-entrant for nested transactions."""

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self._lock = threading.RLock()
        self._depth = 0
        self._durable = True
        with self._said():
            self._connection = apsw.Connection(self.name)
            self._connection.set_busy_timeout(BUSY_LIMIT_MS)
        try:
            with self._said():
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        run = self._connection.execute
        found = [str(row[0]) for row in run("PRAGMA quick_check")]
        if found != ["ok"]:
            raise Problems(self._damaged(found[0]))
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        version = int(str(run("PRAGMA user_version").fetchall()[0][0]))
        if version > len(SCHEMA):
            raise Problems(
                Problem(
                    self.name, f"it was written by a newer anden (records version {version})",
                    f"this one knows versions up to {len(SCHEMA)}", "Use the newer anden.",
                )
            )  # fmt: skip
        with self.transaction():
            for statements in SCHEMA[version:]:
                run(statements)
            run(f"PRAGMA user_version = {len(SCHEMA)}")

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing of what is run inside, on disk when it returns. durable False: a power cut may lose it.
        Raises Problems for faults of the file and its disk."""
        with self._lock, self._said():
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
                self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

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
            raise Problems(self._damaged(str(fault))) from fault
        except (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as fault:
            fix = "Make room on its disk, or check the permissions of its folder."
            raise Problems(Problem(self.name, "the records cannot be written", str(fault), fix)) from fault
        except (apsw.BusyError, apsw.LockedError) as fault:
            why = "another process holds the file"
            raise Problems(Problem(self.name, "the records are locked", why, "End the other process.")) from fault

    def _damaged(self, why: str) -> Problem:
        fix = "Move it away and restore a backup; what runs goes on running, and `anden up` takes it over again."
        return Problem(self.name, "the records are damaged", why, fix)

    def unreadable(self, what: str, why: Exception) -> Problems:
        """For a row that does not say what it should."""
        return Problems(self._damaged(f"{what}: {str(why).splitlines()[0]}"))


def columns(key: EnvironmentKey) -> tuple[str, str, str]:
    """A key as its three columns."""
    return key.client, key.environment, key.engine.value


def key_of(row: Sequence[Any]) -> EnvironmentKey:
    """The key in the first three columns of a row."""
    return EnvironmentKey(str(row[0]), str(row[1]), EngineName(row[2]))


OF_KEY = "client = ? AND environment = ? AND engine = ?"
"""The condition on a key's columns."""
