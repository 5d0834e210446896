"""Whether a file of records is what was written: SQLite's structure, the schema, every row, the audit's chain."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.ids import EnvironmentKey
from anden.model.ports import Target
from anden.model.problem import Problems
from anden.store import audit, changes, commands, targets
from anden.store.database import (
    MEMORY,
    OPERATING,
    SCHEMA,
    SEALED,
    SINCE,
    Database,
    connect,
    key_of,
    newer,
)  # fmt: skip

SEALED_SINCE = 2
"""The version of the schema that brought seals and the number of writes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of records. fault: what is wrong with it, empty when it is sound. missing: there is none, or an empty one.

    last: the last entry of its audit; its `writes` are 0 in a file that is older than that number.
    """

    fault: str = ""
    missing: bool = False
    last: audit.Head = audit.NOTHING

    def reaches(self, other: audit.Head) -> bool:
        """Whether it holds as much as that. Which entry has the same number is the audit's own matter."""
        return self.last.number >= other.number and self.last.writes >= other.writes

    @property
    def sound(self) -> bool:
        """Whether it may be used."""
        return not self.fault and not self.missing


class Look(Database):
    """A database that is looked at and left as it was, its write-ahead log too."""

    def _open(self) -> None:
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.pragma("query_only", True)


def examine(path: Path, *, rows: bool = True) -> Found:
    """What `path` is. rows False: rows are believed when their seals are right, which does for a copy of what we wrote
    ourselves. Raises Problems for a file that is locked, cannot be read, or is of a newer anden."""
    with suppress(FileNotFoundError):
        if path.stat().st_size:
            return _examined(path, rows)
        return Found("it is empty", missing=True)
    return Found("it is not there", missing=True)


def _examined(path: Path, rows: bool) -> Found:
    try:
        with closing(Look(path)) as database:
            return _looked(database, rows)
    except Problems as found:
        cause = found.__cause__
        if isinstance(cause, apsw.Error) and not isinstance(cause, OPERATING):
            return Found(_line(cause))
        raise
    except (apsw.Error, ValueError, TypeError, KeyError) as fault:
        return Found(_line(fault))


def _looked(database: Database, rows: bool) -> Found:
    version = int(database.run("PRAGMA user_version")[0][0])
    if version > len(SCHEMA):
        raise Problems(newer(database.name, version))
    if fault := next(_faults(database, version, rows), ""):
        return Found(fault)
    return Found(last=audit.last(database) if version >= SEALED_SINCE else audit.head(database))


def _faults(database: Database, version: int, rows: bool) -> Iterator[str]:
    """Everything that is wrong, the deepest first: what comes later relies on what came before."""
    checked = [str(row[0]) for row in database.run("PRAGMA integrity_check(1)")]
    if checked != ["ok"]:
        yield checked[0].splitlines()[-1] if checked else "it cannot be checked"
    if _schema(database) != _expected(version):
        yield "its tables are not those of the records"
    if version >= SEALED_SINCE:
        if len(database.run("SELECT number FROM writes")) != 1:
            yield "it does not say how much was written"
        for table, seal in SEALED.items():
            if table != "observations" and version >= SINCE.get(table, SEALED_SINCE):
                for row in database.run(f"SELECT rowid FROM {table} WHERE seal IS NOT {seal} LIMIT 1"):  # noqa: S608
                    yield f"row {row[0]} of {table} is not what was written"
    if rows:
        yield from _unreadable(database)
    if fault := audit.verify(database, None, rows=rows).fault:
        yield fault


def _schema(database: Database) -> set[tuple[Any, ...]]:
    return set(database.run("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def _expected(version: int) -> set[tuple[Any, ...]]:
    with closing(connect(MEMORY)) as made:
        for statements in SCHEMA[:version]:
            made.execute(statements)
        return set(made.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def _unreadable(database: Database) -> Iterator[str]:
    """Rows that do not say what they should."""
    for digest, text in database.run("SELECT digest, data FROM blueprints"):
        if codec.from_json(Blueprint, text).digest != digest:
            yield f"blueprint {digest}: its content has another digest"
    for row in database.run("SELECT client, environment, engine, data FROM targets"):
        if codec.from_json(Target, row[3]).key != key_of(row):
            yield f"target of {key_of(row)}: it is another's"
    for key in keys(database):
        changes.newest(database, key, -1)


def keys(database: Database) -> tuple[EnvironmentKey, ...]:
    """Every environment that the records know."""
    found = {command.key for command in commands.newest(database, None, -1)}
    found |= {target.key for target in targets.every(database)}
    found |= {key_of(row) for row in database.run("SELECT DISTINCT client, environment, engine FROM changes")}
    return tuple(sorted(found, key=str))


def _line(fault: Exception) -> str:
    return (str(fault) or type(fault).__name__).splitlines()[0]
