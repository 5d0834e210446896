"""`anden history`: the record of commands."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.table import columns
from anden.model.command import Command, Outcome
from anden.model.report import AuditReport


def lines(commands: Sequence[Command], paint: Paint, zone: tzinfo = UTC) -> list[str]:
    """Newest first, as they come: when, who, what, on which environment, with which outcome, and why."""
    if not commands:
        return ["No commands recorded yet"]
    rows = [[paint.dim(title) for title in ("AT", "WHO", "COMMAND", "ENVIRONMENT", "OUTCOME", "TOOK", "")]]
    for each in commands:
        tint = {Outcome.DONE: paint.good, Outcome.RUNNING: paint.dim}.get(each.outcome, paint.warn)
        took = words.seconds(each.ended_at - each.at) if each.ended_at is not None else ""
        rows.append(
            [
                words.moment(each.at, zone), clean(each.who), clean(each.what), str(each.key), tint(each.outcome),
                took, clean(each.detail),
            ]
        )  # fmt: skip
    return columns(rows)


def checked(report: AuditReport, client: str, paint: Paint) -> list[str]:
    """`anden history --verify`: what of the record holds, and what does not."""
    entries = words.count(report.entries, "entry", "entries")
    if report.fault:
        said = [
            f"{paint.sign('✗')} {client}: the record does not hold at {clean(report.fault)}",
            f"  right before it: {entries}; compare with a copy of anden.db and anden.db.head kept elsewhere",
        ]
    else:
        said = [f"{paint.sign('✓')} {client}: {entries}, each as it was written, to the last that the head names"]
    return [*(f"{paint.sign('!')} {clean(gap)}" for gap in report.gaps), *said]
