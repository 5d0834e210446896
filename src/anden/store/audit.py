"""The audit: every word about a command, in a chain of hashes, whose head is kept in a file beside the database.

SQLite's own checks miss half of all flipped bits, and no check of one file sees that its last rows were cut off.
Each entry holds the hash of the one before it; the file `….head` names the last one. Whoever wants to change the past
must change every later entry and that file too: keep a copy of it elsewhere and even that shows.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from anden.model import codec
from anden.model.command import Command
from anden.model.report import AuditReport
from anden.store.database import Database

BEGINNING = "anden"
"""What stands in the place of the hash before the first entry."""
GAP = 0
"""The command number of an entry that records a gap."""
HEAD_SUFFIX = ".head"


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: its number and hash. writes: how many durable transactions the file held with it; 0: unknown."""

    number: int
    hash: str
    writes: int = 0


NOTHING = Head(0, BEGINNING)
"""Of a chain without an entry."""


def append(database: Database, command: Command) -> None:
    """Add what is now recorded of a command. Call it in the transaction that records it."""
    _append(database, command.id, codec.to_json(command))


def _append(database: Database, command: int, entry: str) -> None:
    last = head(database)
    database.run(
        "INSERT INTO audit (number, command, entry, hash) VALUES (?, ?, ?, ?)",
        (last.number + 1, command, entry, _hash(last.hash, entry)),
    )


def head(database: Database) -> Head:
    """The last entry."""
    row = database.one("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return Head(row[0], row[1]) if row else NOTHING


def last(database: Database) -> Head:
    """The same, with the number of writes: what the file beside the database is to name."""
    known = head(database)
    return Head(known.number, known.hash, database.writes())


def _hash(before: str, entry: str) -> str:
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()


def verify(database: Database, kept: Head | None, *, rows: bool = True) -> AuditReport:
    """Follow the chain from its beginning, compare the rows of `commands` with what it says, and its head with `kept`
    (the file's; entries after it may be missing there, when the machine stopped between the two writes).
    rows False: the chain alone."""
    before, entries = BEGINNING, 0
    said: dict[int, str] = {}
    gaps: list[str] = []
    for number, command, entry, found in database.run("SELECT number, command, entry, hash FROM audit ORDER BY number"):
        if number != entries + 1:
            return AuditReport(entries, f"audit {entries + 1}: missing", tuple(gaps))
        if _hash(before, entry) != found:
            return AuditReport(entries, f"audit {number}: not what was written", tuple(gaps))
        if kept and kept.number == number and kept.hash != found:
            return AuditReport(entries, f"audit {number}: not the entry that the head names", tuple(gaps))
        before, entries = found, number
        if command == GAP:
            gaps.append(f"audit {number}: {json.loads(entry)['gap']}")
        else:
            said[command] = entry
    if kept and kept.number > entries:
        return AuditReport(entries, f"audit {entries + 1}: missing, the head names {kept.number}", tuple(gaps))
    return AuditReport(entries, _differing(database, said) if rows else "", tuple(gaps))


def _differing(database: Database, said: dict[int, str]) -> str:
    """The first row of `commands` that is not what the audit last said of it."""
    from anden.store import commands  # noqa: PLC0415 - commands speaks to the audit; only this check looks back

    rows = {command.id: codec.to_json(command) for command in commands.newest(database, None, -1)}
    wrong = sorted(one for one in said.keys() | rows.keys() if said.get(one) != rows.get(one))
    return f"command {wrong[0]}: not what the audit says of it" if wrong else ""


# The head's file.


def keep(path: Path, last: Head) -> None:
    """Write the head beside the database: whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(f"{last.number} {last.hash} {last.writes}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def kept(path: Path) -> Head | None:
    """The head that the file names; None when there is no file. A file that says nothing sensible names nothing that
    the chain could have."""
    try:
        number, found, *writes = path.read_text(encoding="utf-8").split()
        return Head(int(number), found, int(writes[0]) if writes else 0)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Head(1, "unreadable")


def resume(database: Database, known: Head | None) -> None:
    """At open: when the chain does not reach what the file names, or names nothing although there are entries, say so
    in the chain itself, so that going on does not cover it up."""
    if known is None and head(database).number == 0:
        return
    row = database.one("SELECT hash FROM audit WHERE number = ?", (known.number,)) if known else None
    if known is not None and (known.number == 0 or (row is not None and row[0] == known.hash)):
        if (lost := known.writes - database.writes()) > 0:
            gap(database, f"{lost} writes that the head counted were not there")
        return
    gap(
        database,
        f"the head named entry {known.number}, which was not there" if known else "the head's file was missing",
    )


def gap(database: Database, why: str) -> None:
    """Say in the chain that something may be missing before this entry."""
    with database.transaction():
        _append(database, GAP, json.dumps({"gap": f"written after a gap: {why}"}, sort_keys=True, ensure_ascii=False))
