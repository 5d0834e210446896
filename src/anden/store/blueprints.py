"""Blueprints by digest. They never change, so what was read once is kept."""

from collections import OrderedDict

from pydantic import ValidationError

from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.ids import Digest
from anden.store.database import Database

MOST_KEPT = 16
"""Blueprints kept in memory: the target and what it replaces, of a few environments."""


class Blueprints:
    """The table of blueprints."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: OrderedDict[str, Blueprint] = OrderedDict()

    def put(self, blueprint: Blueprint) -> None:
        """Keep it; the same digest again changes nothing."""
        with self._database.transaction():
            self._database.run(
                "INSERT INTO blueprints (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (blueprint.digest, codec.to_json(blueprint)),
            )
            self._database.seal("blueprints", "digest = ? AND seal = ''", (blueprint.digest,))

    def get(self, digest: Digest) -> Blueprint:
        """Raises KeyError when there is none, Problems when what stands there is not it."""
        with self._database.transaction(durable=False):
            if digest in self._read:
                self._read.move_to_end(digest)
                return self._read[digest]
            row = self._database.one("SELECT data FROM blueprints WHERE digest = ?", (digest,))
            if row is None:
                raise KeyError(digest)
            try:
                blueprint = codec.from_json(Blueprint, row[0])
            except ValidationError as fault:
                raise self._database.unreadable(f"blueprint {digest}", fault) from fault
            if blueprint.digest != digest:
                raise self._database.unreadable(f"blueprint {digest}", ValueError("its content has another digest"))
            self._read[digest] = blueprint
            while len(self._read) > MOST_KEPT:
                self._read.popitem(last=False)
            return blueprint
