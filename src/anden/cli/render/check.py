"""`anden check`."""

from anden.app import Checked
from anden.cli.render import problems
from anden.cli.render.paint import Paint
from anden.cli.render.words import count


def said(report: Checked, paint: Paint) -> list[str]:
    """Every problem and warning, one a line, and how many there are when there are many."""
    lines = problems.lines(report.problems, paint)
    lines += [f"{paint.sign('!')} {line}" for line in problems.lines(report.warnings, paint)]
    if report.problems:
        lines.append(paint.strong(count(len(report.problems), "problem")))
    return lines


def summary(report: Checked) -> str:
    """`banco-andino: 2 environments, 3 services, 0 problems`."""
    parts = [
        count(len(report.environments), "environment"), count(report.services, "service"),
        count(len(report.problems), "problem"),
    ]  # fmt: skip
    if report.warnings:
        parts.append(count(len(report.warnings), "warning"))
    return f"{report.client}: {', '.join(parts)}"
