"""What a long command tells while it works, one line each; over the API as newline-delimited JSON."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anden.model.problem import Problem


class EventKind(StrEnum):
    """
    HEADING  the first line: what is being worked on (`banco-andino/certification, twin, 1 zone`)
    STEP     something that took time ended (`✓ ledger 2/2 healthy 0.4s`), or is under way (no sign)
    NOTE     worth saying (`≠ local: …`, `! …`)
    QUESTION the command needs a decision; `choices` maps an answer to what it does; the command ends, ask again with it
    PROBLEM  something is wrong; several may come
    END      always the last one: `outcome` in the words of model.command.Outcome, `data` the report
    """

    HEADING = "heading"
    STEP = "step"
    NOTE = "note"
    QUESTION = "question"
    PROBLEM = "problem"
    END = "end"


@dataclass(frozen=True, slots=True)
class Event:
    """sign: `✓`, `✗`, `+`, `~`, `-`, `!`, `…`, `≠` or empty. subject and text: two columns. took_s: seconds."""

    kind: EventKind
    subject: str = ""
    text: str = ""
    sign: str = ""
    took_s: float | None = None
    outcome: str = ""
    problem: Problem | None = None
    choices: dict[str, str] | None = None
    data: dict[str, Any] | None = None
