"""`anden state rebuild`."""

from anden.cli.render import problems, words
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns
from anden.model.report import StateReport


def lines(report: StateReport, paint: Paint) -> list[str]:
    """Where it lies, a row for each environment, and what could not be used."""
    said = [paint.strong(f"{report.client}, {report.place}, {words.count(report.blueprints, 'blueprint')}")]
    rows = [[paint.dim(title) for title in ("ENVIRONMENT", "TARGET", "LATEST CHANGE", "CHANGES", "COMMANDS")]]
    for each in report.environments:
        target = words.tag(each.blueprint) if each.blueprint else "none"
        change = each.change.state.replace("-", " ") if each.change else ""
        rows.append([each.environment, target, change, str(each.changes), str(each.commands)])
    if report.environments:
        said += columns(rows)
    if not report.problems:
        return [*said, f"{paint.sign('✓')} all of it reads back as it was written"]
    return [*said, *(f"{paint.sign('✗')} {problems.line(each, paint)}" for each in report.problems)]
