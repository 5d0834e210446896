"""What a long command tells, one line an event."""

from collections.abc import Sequence
from dataclasses import dataclass

from anden.cli.render import problems, words
from anden.cli.render.paint import Paint, clean, pad
from anden.model.event import Event, EventKind

TEXT_COLUMNS, MOST_TEXT_COLUMNS = 24, 48
"""Shorter texts are padded, so that the times of steps stand below each other; a longer one pushes its time away."""
TOOK_COLUMNS = 7


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the columns of subjects and of texts. They only ever grow, while events come."""

    subject: int = len("gateway")
    text: int = TEXT_COLUMNS

    def fitting(self, event: Event) -> "Columns":
        """Wide enough for a step as well."""
        if event.kind is not EventKind.STEP:
            return self
        text = len(event.text) if len(event.text) <= MOST_TEXT_COLUMNS else 0
        return Columns(max(self.subject, len(event.subject)), max(self.text, text))


def columns_for(subjects: Sequence[str]) -> Columns:
    """Wide enough for all of these."""
    return Columns(max([Columns().subject, *(len(subject) for subject in subjects)]))


def line(event: Event, columns: Columns, paint: Paint) -> str:
    """The event as one line: sign, subject, text, time. END and QUESTION have none of their own."""
    text = clean(event.text)
    match event.kind:
        case EventKind.HEADING:
            return paint.strong(text or clean(event.subject))
        case EventKind.PROBLEM if event.problem is not None:
            return problems.line(event.problem, paint)
        case EventKind.PROBLEM:
            return paint.bad(f"{event.subject}: {text}" if event.subject else text)
        case EventKind.STEP | EventKind.NOTE:
            return _columns(event, text, columns, paint)
    return ""


def _columns(event: Event, text: str, columns: Columns, paint: Paint) -> str:
    sign = paint.sign(event.sign) if event.sign else " "
    if event.kind is EventKind.NOTE and event.sign == "|":
        return paint.dim(f"  | {text}")  # evidence: a log line, a health answer
    if event.kind is EventKind.NOTE:
        # `≠ local: …`, `! ledger-2 (zone b): …`: a sentence, not a row.
        subject = clean(event.subject)
        return f"{sign} {subject}: {text}" if subject else f"{sign} {text}"
    said = f"{sign} {pad(clean(event.subject), columns.subject)}  "
    if event.took_s is None:
        return (said + text).rstrip()
    took = words.seconds(event.took_s)
    return said + pad(text, columns.text) + paint.dim(took.rjust(TOOK_COLUMNS))
