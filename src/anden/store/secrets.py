"""Secrets by name and version, each sealed (see `envelope`). See model.ports.Secrets."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from anden.model.event import Event
from anden.model.ids import EnvironmentKey
from anden.model.problem import Problem, Problems
from anden.model.secret import KEPT_VERSIONS, MOST_SECRETS, Secret, SecretValue, SecretVersion, shown, version_id
from anden.store.database import OF_KEY, Database, columns
from anden.store.envelope import About, BrokenSeal, Sealed, seal, unseal
from anden.store.sealing_key import Keeper, SealingKey

ID_BYTES = 16
OF_SECRET = f"{OF_KEY} AND name = ?"


class SealedSecrets:
    """keeper: who has the key. written: called after each durable write, before it is acknowledged."""

    def __init__(self, database: Database, keeper: Keeper, written: Callable[[], None]) -> None:
        self._database = database
        self._keeper = keeper
        self._written = written

    def held(self, key: EnvironmentKey, names: Iterable[str] | None = None) -> Mapping[str, Secret]:
        """See model.ports.Secrets."""
        rows = self._database.run(
            f"SELECT name, id, at, who FROM secrets WHERE {OF_KEY} ORDER BY name, number DESC",  # noqa: S608 - constants
            columns(key),
        )
        asked = None if names is None else set(names)
        found: dict[str, list[SecretVersion]] = {}
        for name, version, at, who in rows:
            if asked is None or name in asked:
                found.setdefault(name, []).append(SecretVersion(version, at, who))
        return {name: Secret(name, tuple(versions)) for name, versions in found.items()}

    def ready(self, key: EnvironmentKey) -> Iterator[Event]:
        """See model.ports.Secrets. Nothing: the key is made with the first one."""
        return iter(())

    def value(self, key: EnvironmentKey, name: str, version: str) -> SecretValue:
        """See model.ports.Secrets."""
        row = self._database.one(
            f"SELECT key, wrapped, body FROM secrets WHERE {OF_SECRET} AND id = ?",  # noqa: S608 - constants
            (*columns(key), name, version),
        )
        if row is None:
            raise Problems(gone(name, version))
        held, wrapped, body = row
        made = self._keeper.get()
        if made is None or made.id != held:
            raise Problems(self._other_key(held))
        try:
            return SecretValue(unseal(made.key, Sealed(wrapped, body), _about(key, name, version)).decode())
        except (BrokenSeal, UnicodeDecodeError):
            what, why = f"{shown(version)} does not open", "its record is not what was sealed: it was damaged or moved"
            raise Problems(
                Problem(f"secret {name}", what, why, f"`anden secret rotate {name}` puts a new one in its place.")
            ) from None

    def put(self, key: EnvironmentKey, name: str, value: SecretValue, who: str, at: float) -> SecretVersion:
        """See model.ports.Secrets."""
        with self._database.transaction():
            last = self._number(key, name)
            if not last and len(self.held(key)) >= MOST_SECRETS:
                what = f"{key.environment} has {MOST_SECRETS} secrets already"
                raise Problems(Problem(f"secret {name}", what, "no environment has more", "Remove one."))
            made = SecretVersion(version_id(last + 1, os.urandom(ID_BYTES).hex()), at, who)
            key_of = self._key()
            sealed = seal(key_of.key, value.reveal().encode(), _about(key, name, made.id))
            self._database.run(
                "INSERT INTO secrets (client, environment, engine, name, number, id, at, who, key, wrapped, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*columns(key), name, last + 1, made.id, at, who, key_of.id, sealed.wrapped, sealed.body),
            )
            self._database.seal("secrets", f"{OF_SECRET} AND id = ?", (*columns(key), name, made.id))
        self._written()
        return made

    def prune(self, key: EnvironmentKey, name: str, using: Iterable[str]) -> None:
        """See model.ports.Secrets."""
        kept = set(using)
        found = self.held(key, [name]).get(name)
        old = [one.id for one in (found.versions[KEPT_VERSIONS:] if found else ()) if one.id not in kept]
        self._drop(key, name, old)

    def remove(self, key: EnvironmentKey, name: str) -> str:
        """See model.ports.Secrets."""
        found = self.held(key, [name]).get(name)
        if found is None:
            raise Problems(none_of(key, name, self.held(key)))
        self._drop(key, name, [one.id for one in found.versions])
        return ""

    def seal_by(self, by: str | None) -> None:
        """See model.ports.Secrets."""
        self._key()
        self._keeper.seal_by(by)

    def _drop(self, key: EnvironmentKey, name: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        with self._database.transaction():
            for each in ids:
                self._database.run(
                    f"DELETE FROM secrets WHERE {OF_SECRET} AND id = ?",  # noqa: S608 - constants
                    (*columns(key), name, each),
                )
        self._written()

    def _number(self, key: EnvironmentKey, name: str) -> int:
        row: Any = self._database.one(
            f"SELECT max(number) FROM secrets WHERE {OF_SECRET}",  # noqa: S608 - constants
            (*columns(key), name),
        )
        return int(row[0] or 0)

    def _key(self) -> SealingKey:
        """The key to seal with. One is made only while nothing is sealed: another beside it would hide that the first
        was lost."""
        made = self._keeper.get()
        row = self._database.one("SELECT key FROM secrets WHERE key IS NOT ? LIMIT 1", (made.id if made else "",))
        if row is not None:
            raise Problems(self._other_key(str(row[0])))
        return made or self._keeper.make()

    def _other_key(self, id: str) -> Problem:
        what, why = f"the key {id}, which seals the secrets, is not there", "it was moved, or belongs to other records"
        fix = "Put it back from a backup; if it is lost, remove every secret and set it again."
        return Problem(self._keeper.where, what, why, fix)


def _about(key: EnvironmentKey, name: str, version: str) -> About:
    return About(key.client, key.environment, key.engine.value, name, version)


def gone(name: str, version: str) -> Problem:
    """A version that is not kept any more."""
    what = f"its {shown(version)} is not there"
    why = f"the newest {KEPT_VERSIONS} versions are kept, and none of a secret that was removed"
    return Problem(
        f"secret {name}", what, why, "`anden up` takes the newest; `anden secret list` says which there are."
    )


def none_of(key: EnvironmentKey, name: str, held: Mapping[str, Secret]) -> Problem:
    """There is no such secret."""
    known = ", ".join(held) or "there are none"
    return Problem(f"secret {name}", f"there is none of this name in {key}", known, "`anden secret list` lists them.")
