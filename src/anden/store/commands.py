"""The record of what somebody asked for. Every row is told to the audit as well, in the same transaction."""

from collections.abc import Sequence
from typing import Any

from anden.model.command import Command, Outcome
from anden.model.ids import EnvironmentKey
from anden.store import audit
from anden.store.database import OF_KEY, Database, columns, key_of

_FIELDS = "client, environment, engine, id, who, what, at, outcome, ended_at, detail"
DEAD = "the control plane ended before it did"
"""The detail of a command that an earlier control plane left running."""


def begin(database: Database, key: EnvironmentKey, who: str, what: str, at: float) -> Command:
    """Record it as RUNNING."""
    with database.transaction():
        database.run(
            "INSERT INTO commands (client, environment, engine, who, what, at, outcome, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, '')",
            (*columns(key), who, what, at, Outcome.RUNNING.value),
        )
        begun = database.last_id()
        database.seal("commands", "id = ?", (begun,))
        command = _get(database, begun)
        audit.append(database, command)
        return command


def end(database: Database, id: int, outcome: Outcome, detail: str, at: float) -> Command:
    """Record how it ended. Raises ValueError when that was recorded already."""
    with database.transaction():
        before = _get(database, id)
        if before.outcome is not Outcome.RUNNING:
            raise ValueError(f"command {id} has ended as {before.outcome}")
        database.run(
            "UPDATE commands SET outcome = ?, detail = ?, ended_at = ? WHERE id = ?", (outcome.value, detail, at, id)
        )
        database.seal("commands", "id = ?", (id,))
        command = _get(database, id)
        audit.append(database, command)
        return command


def interrupt(database: Database) -> None:
    """Commands that a dead control plane left running are INTERRUPTED. Nobody knows when: they get no end."""
    running = database.run("SELECT id FROM commands WHERE outcome = ?", (Outcome.RUNNING.value,))
    if not running:
        return
    with database.transaction():
        for (number,) in running:
            database.run(
                "UPDATE commands SET outcome = ?, detail = ? WHERE id = ?", (Outcome.INTERRUPTED.value, DEAD, number)
            )
            database.seal("commands", "id = ?", (number,))
            audit.append(database, _get(database, number))


def newest(database: Database, key: EnvironmentKey | None, most: int) -> tuple[Command, ...]:
    """Newest first; of every environment when key is None."""
    condition, values = (f"WHERE {OF_KEY}", columns(key)) if key else ("", ())
    rows = database.run(
        f"SELECT {_FIELDS} FROM commands {condition} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
        (*values, most),
    )
    return tuple(_command(row) for row in rows)


def _get(database: Database, id: int) -> Command:
    row = database.one(f"SELECT {_FIELDS} FROM commands WHERE id = ?", (id,))  # noqa: S608 - constants
    if row is None:
        raise KeyError(id)
    return _command(row)


def _command(row: Sequence[Any]) -> Command:
    _, _, _, number, who, what, at, outcome, ended_at, detail = row
    return Command(number, key_of(row), who, what, at, Outcome(outcome), ended_at, detail)
