"""Changes: blueprints on their way. At most one of a key is open, and the database itself sees to it."""

import json
from collections.abc import Sequence
from typing import Any

from anden.model.change import OPEN_STATES, Change, ChangeState
from anden.model.ids import Digest, EnvironmentKey
from anden.store.database import OF_KEY, Database, columns, key_of

_FIELDS = "client, environment, engine, id, target, previous, state, command, created_at, updated_at, reason, evidence"
_OPEN = "state IN ('applying', 'rolling-back')"
ENDS = frozenset(ChangeState) - OPEN_STATES - {ChangeState.PLANNED}
"""States that a change does not leave."""


def open_change(
    database: Database, key: EnvironmentKey, target: Digest, previous: Digest | None, command: int, at: float
) -> Change:
    """A new one in APPLYING; the open one, if any, becomes SUPERSEDED in the same transaction."""
    with database.transaction():
        superseded = (ChangeState.SUPERSEDED.value, at, *columns(key))
        before = database.one(f"SELECT id FROM changes WHERE {OF_KEY} AND {_OPEN}", columns(key))  # noqa: S608
        database.run(f"UPDATE changes SET state = ?, updated_at = ? WHERE {OF_KEY} AND {_OPEN}", superseded)  # noqa: S608
        database.run(
            "INSERT INTO changes (client, environment, engine, target, previous, state, command, created_at,"
            " updated_at, reason, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '[]')",
            (*columns(key), target, previous, ChangeState.APPLYING.value, command, at, at),
        )
        opened = database.last_id()
        database.seal("changes", "id IN (?, ?)", (before[0] if before else opened, opened))
        return _get(database, opened)


def move(database: Database, id: int, state: ChangeState, at: float, reason: str, evidence: Sequence[str]) -> Change:
    """Move it on. An empty reason or evidence keeps what was said before. Raises ValueError from an end."""
    with database.transaction():
        before = _get(database, id)
        if before.state in ENDS:
            raise ValueError(f"change {id} has ended as {before.state}; it cannot become {state}")
        said = (reason or before.reason, json.dumps(list(evidence or before.evidence), ensure_ascii=False))
        database.run(
            "UPDATE changes SET state = ?, updated_at = ?, reason = ?, evidence = ? WHERE id = ?",
            (state.value, at, *said, id),
        )
        database.seal("changes", "id = ?", (id,))
        return _get(database, id)


def newest(database: Database, key: EnvironmentKey, most: int) -> tuple[Change, ...]:
    """Newest first."""
    rows = database.run(
        f"SELECT {_FIELDS} FROM changes WHERE {OF_KEY} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
        (*columns(key), most),
    )
    return tuple(_change(row) for row in rows)


def _get(database: Database, id: int) -> Change:
    row = database.one(f"SELECT {_FIELDS} FROM changes WHERE id = ?", (id,))  # noqa: S608 - constants
    if row is None:
        raise KeyError(id)
    return _change(row)


def _change(row: Sequence[Any]) -> Change:
    _, _, _, number, target, previous, state, command, created_at, updated_at, reason, evidence = row
    return Change(
        id=number,
        key=key_of(row),
        target=Digest(target),
        previous=Digest(previous) if previous is not None else None,
        state=ChangeState(state),
        command=command,
        created_at=created_at,
        updated_at=updated_at,
        reason=reason,
        evidence=tuple(json.loads(evidence)),
    )
