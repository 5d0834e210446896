"""The record of what somebody asked for: who, what, when, outcome."""

from dataclasses import dataclass
from enum import StrEnum

from anden.model.ids import EnvironmentKey

BRING_BACK = "bring back"
"""What the record calls it when control starts an environment again that died."""
FETCHED = "other keys of"
"""What the record calls it when an issuer has other keys than before; its address follows."""
RESTORED = "restore the records"
"""The words of a command that nobody gave: anden found its records damaged and took their last good copy."""


class Outcome(StrEnum):
    """How a command ended; RUNNING until it did, INTERRUPTED when the control plane died first."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Command:
    """who: the caller by peer credentials (`root`, `ana (via sudo)`). what: the words, secrets left out.

    Times in Unix seconds. detail: one line of why, for anything but `done`.
    """

    id: int
    key: EnvironmentKey
    who: str
    what: str
    at: float
    outcome: Outcome = Outcome.RUNNING
    ended_at: float | None = None
    detail: str = ""
