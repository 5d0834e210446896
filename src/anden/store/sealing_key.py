"""The key-encryption key: a file beside the records, for its owner only, made when the first secret is."""

import base64
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anden.model.problem import Problem, Problems
from anden.store.envelope import KEY_BYTES
from anden.store.good_copy import settle

FILE = "secrets.key"
FILE_MODE = 0o600
HEADING = "anden-secrets-key-1"
ID_BYTES = 4


@dataclass(frozen=True, slots=True, repr=False)
class SealingKey:
    """id: names it in the records that it sealed, and says nothing of it."""

    id: str
    key: bytes


class Keeper(Protocol):
    """Where the key lies."""

    where: str

    def get(self) -> SealingKey | None:
        """The key; None when there is none yet. Raises Problems: it cannot be read, or others can."""

    def make(self) -> SealingKey:
        """A new one, durable. Raises Problems."""


class InMemory:
    """For records that are forgotten."""

    where = "memory"

    def __init__(self) -> None:
        self._made: SealingKey | None = None

    def get(self) -> SealingKey | None:
        """See Keeper."""
        return self._made

    def make(self) -> SealingKey:
        """See Keeper."""
        self._made = _fresh()
        return self._made


class InFile:
    """A line of text: what it is, the key's id, the key in base64."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def get(self) -> SealingKey | None:
        """See Keeper."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Problems(self._unread(error.strerror or str(error))) from None
        with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
            if (mode := stat.S_IMODE(os.fstat(file.fileno()).st_mode)) & 0o077:
                what, why = f"others may read it: its mode is {mode:04o}", "it opens every secret of the client"
                fix = f"`chmod 600 {self._path}`, then `anden secret rotate` what others may have read."
                raise Problems(Problem(self.where, what, why, fix))
            said = file.read(1024).split()
        try:
            heading, named, text = said
            key = base64.b64decode(text, validate=True)
        except ValueError:
            raise Problems(self._unread("it is not what anden wrote")) from None
        if heading != HEADING or len(key) != KEY_BYTES:
            raise Problems(self._unread("it is not what anden wrote"))
        return SealingKey(named, key)

    def make(self) -> SealingKey:
        """See Keeper. Whole or not at all: it is linked to its name when it is on disk."""
        made = _fresh()
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{HEADING} {made.id} {base64.b64encode(made.key).decode()}\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, self._path)
            fresh.unlink()
            settle(self._path.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            why = error.strerror or str(error)
            raise Problems(Problem(self.where, "the key cannot be written", why, "Make room on its disk.")) from None
        return made

    def _unread(self, why: str) -> Problem:
        fix = "Put it back from a backup; without it, `anden secret set` each secret again after moving it away."
        return Problem(self.where, "the key of the secrets cannot be read", why, fix)


def _fresh() -> SealingKey:
    return SealingKey(os.urandom(ID_BYTES).hex(), os.urandom(KEY_BYTES))
