"""The last good copy of the records, in a file beside them: verified, whole or not at all, as new as what was said.

A thread of its own makes it anew after each durable write, and who wrote waits for it, within a bound, before anything
is acknowledged. A copy that is not sound means that the records themselves are not: the older copy stays.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from anden.model.problem import Problems
from anden.store.database import OPERATING
from anden.store.soundness import Found, examine

log = logging.getLogger("anden.store")

SUFFIX = ".copy"
FRESH_SUFFIX = ".copy.new"
FILE_MODE = 0o600
WAIT_S = 0.25
"""The longest that an acknowledgement waits for the copy. It takes 5 ms for small records and 30 ms for 2 MiB; records
for which it takes longer than this are acknowledged before they are in the copy, which follows as fast as it can."""
END_LIMIT_S = 10.0
"""How long closing waits for the last copy."""


def place(records: Path) -> Path:
    """Where the copy of these records lies."""
    return records.with_name(records.name + SUFFIX)


def replace(source: Path, target: Path, fresh: Path) -> Found:
    """Copy the records `source` to `target`, by way of the file `fresh`: verified and on disk before it takes the place
    of what is there. What was found to be unsound takes no place. Raises apsw.Error, OSError, Problems."""
    write(source, fresh)
    found = examine(fresh, rows=False)
    if found.sound:
        fresh.replace(target)
        settle(target.parent)
    else:
        fresh.unlink()
    return found


def write(source: Path, fresh: Path) -> None:
    """The records `source` as the one file `fresh`, on disk. Raises apsw.Error, OSError."""
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    reading = f"file:{quote(str(source))}?mode=rw"
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    with closing(apsw.Connection(reading, flags=flags)) as old, closing(apsw.Connection(str(fresh))) as new:
        old.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        with new.backup("main", old, "main") as backup:
            backup.step(-1)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it that could be lost
    settle(fresh)


def settle(path: Path) -> None:
    """Have a file, or a folder's names, on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _cleared(fresh: Path) -> Iterator[None]:
    """What was half done gives its room on the disk back."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


class GoodCopy:
    """Keeps the copy of `records` as new as they are. broken: told why, once, when they are
    found to be damaged."""

    def __init__(self, records: Path, broken: Callable[[str], object]) -> None:
        self._records = records
        self._broken = broken
        self._news = threading.Condition()
        self._wanted = self._tried = 0
        self._ending = False
        self._failed = ""
        self._thread = threading.Thread(target=self._work, name="last good copy", daemon=True)
        self._thread.start()

    def refresh(self, *, wait: bool) -> None:
        """Something was written. wait: until it is in the copy, or could not be put there, or WAIT_S have passed."""
        with self._news:
            self._wanted += 1
            mine = self._wanted
            self._news.notify_all()
            if wait:
                self._news.wait_for(lambda: self._tried >= mine, WAIT_S)

    def close(self) -> None:
        """Make the last one."""
        with self._news:
            self._ending = True
            self._news.notify_all()
        self._thread.join(END_LIMIT_S)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._ending or self._wanted > self._tried)
                if self._wanted == self._tried:
                    return
                taking = self._wanted
            whole = self._take()
            with self._news:
                self._tried = taking
                self._news.notify_all()
            if not whole:
                return

    def _take(self) -> bool:
        """False: the records are damaged, and there is nothing more to copy."""
        fresh = self._records.with_name(self._records.name + FRESH_SUFFIX)
        try:
            with _cleared(fresh):
                found = replace(self._records, place(self._records), fresh)
        except (*OPERATING, OSError, Problems) as error:
            why = str(error)
            if why != self._failed:  # a full disk is said once, not at every write
                log.warning("the last good copy of %s cannot be brought up to date: %s", self._records, why)
            self._failed = why
            return True
        except apsw.Error as error:
            found = Found(str(error))
        if found.sound:
            self._failed = ""
            return True
        log.error("%s is damaged: %s; its last good copy is kept as it is", self._records, found.fault)
        self._broken(found.fault)
        return False
