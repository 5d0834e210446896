"""The key-encryption key: a file beside the records, for its owner only, made when the first secret is.

The key stands in it, or, where somebody asked for that, what a key of KMS made of it: then the file opens nothing where
KMS does not answer, or not to us.
"""

import base64
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anden.model.problem import Problem, Problems
from anden.store.envelope import KEY_BYTES
from anden.store.good_copy import settle

FILE = "secrets.key"
FILE_MODE = 0o600
HEADING, HEADING_KMS = "anden-secrets-key-1", "anden-secrets-key-kms-1"
ID_BYTES = 4


@dataclass(frozen=True, slots=True, repr=False)
class SealingKey:
    """id: names it in the records that it sealed, and says nothing of it."""

    id: str
    key: bytes


class Wrapping(Protocol):
    """A key service, whose own keys never leave it. Every error is Problems."""

    def wrap(self, by: str, key: bytes, about: str) -> bytes:
        """The key, sealed by the service's key `by`, bound to `about`."""

    def unwrap(self, by: str, sealed: bytes, about: str) -> bytes:
        """What `wrap` was given."""


class Keeper(Protocol):
    """Where the key lies."""

    where: str

    def get(self) -> SealingKey | None:
        """The key; None when there is none yet. Raises Problems: it cannot be read, or others can."""

    def make(self) -> SealingKey:
        """A new one, durable. Raises Problems."""

    def seal_by(self, by: str | None) -> None:
        """Have the key lie there sealed by a key service's key, or plain (None). Raises Problems."""


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

    def seal_by(self, by: str | None) -> None:
        """See Keeper."""
        raise Problems(Problem(self.where, "the key of these secrets is not kept", "they are forgotten with it"))


class InFile:
    """A line of text: what it is, the key's id, the key in base64; or the service's key, and what that made of it.
    wrapping: None: no key service can be asked here. What was opened is remembered while the file says the same: an
    instance must restart while nobody outside answers."""

    def __init__(self, path: Path, wrapping: Wrapping | None = None) -> None:
        self._path, self._wrapping = path, wrapping
        self._opened: tuple[list[str], SealingKey] | None = None
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
        if self._opened is None or self._opened[0] != said:
            self._opened = (said, self._read(said))
        return self._opened[1]

    def _read(self, said: list[str]) -> SealingKey:
        try:
            heading, named, *by, text = said
            key = base64.b64decode(text, validate=True)
        except ValueError:
            raise Problems(self._unread("it is not what anden wrote")) from None
        if heading == HEADING_KMS and len(by) == 1:
            key = self._service(by[0]).unwrap(by[0], key, named)
        elif heading != HEADING or by:
            raise Problems(self._unread("it is not what anden wrote"))
        if len(key) != KEY_BYTES:
            raise Problems(self._unread("it is not what anden wrote"))
        return SealingKey(named, key)

    def make(self) -> SealingKey:
        """See Keeper. Never in the place of another."""
        made = _fresh()
        self._write(f"{HEADING} {made.id} {_text(made.key)}", os.link)
        return made

    def seal_by(self, by: str | None) -> None:
        """See Keeper. The same key as before, so that whatever interrupts it, every secret opens."""
        made = self.get() or self.make()
        if by is None:
            self._write(f"{HEADING} {made.id} {_text(made.key)}", os.replace)
            return
        service = self._service(by)
        sealed = service.wrap(by, made.key, made.id)
        if service.unwrap(by, sealed, made.id) != made.key:
            raise Problems(Problem(by, "does not give back what it sealed", "nothing was changed", "Name another key."))
        self._write(f"{HEADING_KMS} {made.id} {by} {_text(sealed)}", os.replace)

    def _service(self, by: str) -> Wrapping:
        if self._wrapping is None:
            raise Problems(Problem(self.where, f"{by} seals it", "no key service can be asked here", "Use the twin."))
        return self._wrapping

    def _write(self, line: str, put: Callable[[Path, Path], None]) -> None:
        """Whole or not at all: it gets its name when it is on disk."""
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
            with os.fdopen(descriptor, "w") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            put(fresh, self._path)
            fresh.unlink(missing_ok=True)
            settle(self._path.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            why = error.strerror or str(error)
            raise Problems(Problem(self.where, "the key cannot be written", why, "Make room on its disk.")) from None

    def _unread(self, why: str) -> Problem:
        fix = "Put it back from a backup; without it, `anden secret set` each secret again after moving it away."
        return Problem(self.where, "the key of the secrets cannot be read", why, fix)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _fresh() -> SealingKey:
    return SealingKey(os.urandom(ID_BYTES).hex(), os.urandom(KEY_BYTES))
