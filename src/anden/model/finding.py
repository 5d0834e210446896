"""What an assessment says of an observation, and what it would do about it."""

from dataclasses import dataclass
from enum import StrEnum

from anden.model.mark import Mark


class Severity(StrEnum):
    """How bad: worth knowing, worth looking at, or hurting users now."""

    NOTE = "note"
    WARNING = "warning"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: `ledger-2 (zone b)`. text: `out of memory at 512 MB, 3 restarts`. fix: `size.memory: 1 GB`, with its
    place in the manifest. evidence: log lines, health answers."""

    severity: Severity
    subject: str
    text: str
    fix: str = ""
    mark: Mark | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A level that an assessment would set. Control accepts it only within the contracted range."""

    service: str
    level: int
    reason: str
