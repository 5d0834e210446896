"""At open: which of the two files of records is to be believed. Damage is moved aside and never written over."""

import logging
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from anden.model.command import RESTORED, Outcome
from anden.model.problem import Problem, Problems
from anden.store import audit, commands, good_copy
from anden.store.database import Database
from anden.store.soundness import Found, examine, keys

log = logging.getLogger("anden.store")

WHO = "anden"
"""Who, in the record of commands."""
ASIDE = ".damaged-"
"""What stands between a file's name and the time at which it was moved aside."""
FRESH_SUFFIX = ".restored"
MOST_ASIDE = 1_000
"""Damaged files of one second; more than that is no accident."""
LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a file: it belongs to the damaged one and must not be met by another."""


class Choice(StrEnum):
    """What to do at open."""

    BEGIN = "begin"
    USE = "use"
    RESTORE = "restore"
    STOP = "stop"


def choose(records: Found, copy: Found, known: audit.Head | None) -> tuple[Choice, str]:
    """What to do, and why. known: what the head's file names. Pure.

    Records that are sound but hold fewer writes than were acknowledged have lost their last ones (a damaged
    write-ahead log is simply not read): the copy is taken when it holds more.
    """
    if records.missing and copy.missing and known is None:
        return Choice.BEGIN, ""
    behind = known is not None and not records.reaches(known)
    better = copy.sound and copy.reaches(records.last) and not records.reaches(copy.last)
    if records.sound and not (behind and better):
        return Choice.USE, ""
    return (Choice.RESTORE if copy.sound else Choice.STOP), records.fault or "its last writes are missing"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. lost: writes that were acknowledged and are not in the copy; None when nobody can tell."""

    why: str
    aside: Path | None
    copied_at: float
    lost: int | None

    def __str__(self) -> str:
        taken = datetime.fromtimestamp(self.copied_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        missing = {
            None: f"what was recorded after {taken} may be missing",
            0: "nothing that was acknowledged is missing",
        }.get(self.lost, f"{self.lost} writes after {taken} are missing")
        kept = f"; the damaged file is {self.aside.name}" if self.aside else ""
        return f"damaged ({self.why}), restored from the copy of {taken}: {missing}{kept}"


def ready(records: Path, head: Path, now: Callable[[], float]) -> Restored | None:
    """See that `records` can be opened: as they are, from their copy, or as new. Raises Problems when neither the
    records nor their copy can be believed, and touches nothing then."""
    copy, known = good_copy.place(records), audit.kept(head)
    found, spare = examine(records), examine(copy)
    choice, why = choose(found, spare, known)
    if choice is Choice.STOP:
        raise Problems(_lost(records, why, copy, spare.fault, head))
    if choice is not Choice.RESTORE:
        return None
    lost = max(known.writes - spare.last.writes, 0) if known and known.writes else None
    return _restore(records, copy, head, Restored(why, _aside(records, now()), copy.stat().st_mtime, lost), now())


def _restore(records: Path, copy: Path, head: Path, what: Restored, now: float) -> Restored:
    """In an order that may be cut off anywhere: until the last step the copy stands, and is found again."""
    if not records.exists():
        what = Restored(what.why, None, what.copied_at, what.lost)
    fresh = records.with_name(records.name + FRESH_SUFFIX)
    try:
        good_copy.write(copy, fresh)
        with closing(Database(fresh)) as database:
            _say(database, what, now)
            database.run("PRAGMA journal_mode = DELETE")
            last = audit.last(database)
        good_copy.settle(fresh)
        aside = what.aside or _aside(records, now)
        for suffix in LOGS:
            _put(records.with_name(records.name + suffix), aside.with_name(aside.name + suffix))
        _put(records, aside)
        fresh.replace(records)
        good_copy.settle(records.parent)
        audit.keep(head, last)
    except OSError as error:
        fix = "Make room on its disk, or check the permissions of its folder; then the same again."
        why = f"{what.why}; {error.strerror or error}"
        raise Problems(Problem(str(records), "the records are damaged and cannot be restored", why, fix)) from error
    log.error("the records %s were %s", records, what)
    return what


def _say(database: Database, what: Restored, now: float) -> None:
    """In the chain, and for everybody who asks for the history of an environment."""
    audit.gap(database, str(what))
    for key in keys(database):
        command = commands.begin(database, key, WHO, RESTORED, now)
        commands.end(database, command.id, Outcome.DONE, str(what), now)


def _aside(path: Path, now: float) -> Path:
    """A name that nobody has."""
    at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    first = path.with_name(f"{path.name}{ASIDE}{at}")
    names = (first, *(first.with_name(f"{first.name}-{number}") for number in range(2, MOST_ASIDE)))
    for name in names:
        if not any(os.path.lexists(f"{name}{suffix}") for suffix in ("", *LOGS)):
            return name
    raise FileExistsError(str(first))


def _put(path: Path, aside: Path) -> None:
    """Move it there, if it is; nothing is written over."""
    if path.exists():
        os.link(path, aside)
        path.unlink()


def _lost(records: Path, why: str, copy: Path, copy_why: str, head: Path) -> Problem:
    return Problem(
        str(records),
        f"the records are damaged, and so is their last good copy {copy}",
        f"{why}; of the copy: {copy_why}",
        f"What runs goes on running. Put a backup in the place of {records.name}, or move it, {copy.name} and"
        f" {head.name} away: `anden up` then begins new records and takes over what runs.",
    )
