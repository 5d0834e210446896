"""What was seen last of each environment; only the latest is kept, and a power cut may lose it."""

from pydantic import ValidationError

from anden.model import codec
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.store.database import OF_KEY, SEALED, Database, columns


def put(database: Database, observation: Observation) -> None:
    """Keep it in the place of the one before."""
    with database.transaction(durable=False):
        database.run(
            "INSERT INTO observations (client, environment, engine, data) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (client, environment, engine) DO UPDATE SET data = excluded.data",
            (*columns(observation.key), codec.to_json(observation)),
        )
        database.seal("observations", OF_KEY, columns(observation.key))


def get(database: Database, key: EnvironmentKey) -> Observation | None:
    """The latest one; one that cannot be read counts as none, since the next tick replaces it."""
    row = database.one(f"SELECT data, seal = {SEALED['observations']} FROM observations WHERE {OF_KEY}", columns(key))  # noqa: S608 - constants
    if row is None or not row[1]:
        return None
    try:
        return codec.from_json(Observation, row[0])
    except ValidationError:
        return None


def forget(database: Database, key: EnvironmentKey) -> None:
    """Remove it."""
    with database.transaction():
        database.run(f"DELETE FROM observations WHERE {OF_KEY}", columns(key))  # noqa: S608 - a constant
