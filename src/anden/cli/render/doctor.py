"""`anden doctor`."""

from anden.app import Doctor
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns


def lines(report: Doctor, paint: Paint) -> list[str]:
    """One line a check, what mends those that went wrong, and a verdict."""
    said = columns([[f"{paint.sign('✓' if each.ok else '✗')} {each.name}", each.detail] for each in report.checks])
    for index in reversed(range(len(report.checks))):
        if fix := report.checks[index].fix:
            said.insert(index + 1, f"  fix: {paint.link(fix)}")
    if report.ready:
        return [*said, "The twin can run here."]
    return [*said, "The twin cannot run here yet. init, check, plan, reach, schema and --on simulated can."]
