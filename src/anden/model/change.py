"""A blueprint on its way to become the target."""

from dataclasses import dataclass
from enum import StrEnum

from anden.model.ids import Digest, EnvironmentKey


class ChangeState(StrEnum):
    """planned → applying → verified, or → rolling-back → rolled-back, or failed, or superseded by a newer change."""

    PLANNED = "planned"
    APPLYING = "applying"
    VERIFIED = "verified"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN_STATES = frozenset({ChangeState.APPLYING, ChangeState.ROLLING_BACK})
"""States in which what the change replaces may still be running. At most one change of a key is in one of them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `previous`: the blueprint to go back to (None: the first one). Times in Unix seconds.

    reason: why it is in its state: `accounts-3 answered HTTP 500`. evidence: log lines and health answers.
    command: the id of the command that asked for it.
    """

    id: int
    key: EnvironmentKey
    target: Digest
    previous: Digest | None
    state: ChangeState
    command: int
    created_at: float
    updated_at: float
    reason: str = ""
    evidence: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What planning says of a change in flight."""

    CONTINUE = "continue"
    VERIFIED = "verified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason and what was seen."""

    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()
