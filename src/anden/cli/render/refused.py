"""`anden refused`: who tried what."""

from dataclasses import replace

from anden.cli.render import words
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns, right
from anden.model.refused import Refused, RefusedReport

MOST_FIXES = 3


def lines(report: RefusedReport, paint: Paint, *, heading: bool = True) -> list[str]:
    """A line for each service and what it tried, then what would open the latest, and what the engine cannot tell."""
    said = _table(report, paint, heading=heading) if report.rows else ["Nothing was refused"]
    apart = [f"{paint.sign('≠')} {each.engine}: {each.subject}: {each.text}" for each in report.caveats]
    return said + (apart if heading else [])


def _table(report: RefusedReport, paint: Paint, *, heading: bool) -> list[str]:
    rows = [["SERVICE", "TRIED", "TIMES", "FIRST", "LAST", ""]] if heading else []
    rows += [
        [
            row.service, target(row), f"{row.count:,}", words.ago(row.first, report.at), words.ago(row.last, report.at),
            row.why,
        ]
        for row in report.rows
    ]  # fmt: skip
    said = columns(right(rows, (2,)))
    if heading:
        said[0] = paint.dim(said[0])
        fixes = dict.fromkeys(row.fix for row in report.rows if row.fix)
        said += [f"fix: {paint.link(fix)}" for fix in list(fixes)[:MOST_FIXES]]
    return said


def target(row: Refused) -> str:
    """`ledger:8080`, `192.0.2.7:53/udp`, `the name api.example`."""
    if row.port is None:
        return f"the name {row.to}"
    return f"{row.to}:{row.port}" + ("" if row.transport in ("tcp", "dns") else f"/{row.transport}")


def fresh(before: RefusedReport | None, now: RefusedReport) -> RefusedReport:
    """The rows that were tried again since, or for the first time."""
    if before is None:
        return now
    known = {(row.service, row.to, row.port, row.why): row.count for row in before.rows}
    rows = tuple(row for row in now.rows if row.count > known.get((row.service, row.to, row.port, row.why), 0))
    return replace(now, rows=rows)
