"""What each environment should be."""

from pydantic import ValidationError

from anden.model import codec
from anden.model.ids import EnvironmentKey
from anden.model.ports import Target
from anden.store.database import OF_KEY, Database, columns, key_of


def put(database: Database, target: Target) -> None:
    """Replace what was said for its key."""
    with database.transaction():
        database.run(
            "INSERT INTO targets (client, environment, engine, blueprint, data) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (client, environment, engine) DO UPDATE SET blueprint = excluded.blueprint,"
            " data = excluded.data",
            (*columns(target.key), target.blueprint, codec.to_json(target)),
        )
        database.seal("targets", OF_KEY, columns(target.key))


def get(database: Database, key: EnvironmentKey) -> Target | None:
    """None: never heard of, or forgotten."""
    row = database.one(f"SELECT data FROM targets WHERE {OF_KEY}", columns(key))  # noqa: S608 - a constant
    return _target(database, key, row[0]) if row else None


def every(database: Database) -> tuple[Target, ...]:
    """All of them, by key."""
    rows = database.run("SELECT client, environment, engine, data FROM targets ORDER BY client, environment, engine")
    return tuple(_target(database, key_of(row), row[3]) for row in rows)


def forget(database: Database, key: EnvironmentKey) -> None:
    """Remove it."""
    with database.transaction():
        database.run(f"DELETE FROM targets WHERE {OF_KEY}", columns(key))  # noqa: S608 - a constant


def _target(database: Database, key: EnvironmentKey, text: str) -> Target:
    try:
        return codec.from_json(Target, text)
    except ValidationError as fault:
        raise database.unreadable(f"target of {key}", fault) from fault
