"""`anden secret list`, for people."""

from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.table import columns
from anden.model.report import SecretsReport
from anden.model.secret import SecretStatus


def lines(report: SecretsReport, now: float, paint: Paint) -> list[str]:
    """A table; what is missing says how to mend it."""
    if not report.secrets:
        return [f"{report.client}/{report.environment}: no secrets, and nothing names one"]
    rows = [[paint.dim(title) for title in ("SECRET", "VERSION", "KEPT", "SINCE", "BY", "USED BY")]]
    rows += [_row(each, now, paint) for each in report.secrets]
    gone = [each.name for each in report.secrets if not each.version]
    on = "" if report.engine == "local" else f" --on {report.engine}"
    fixes = [f"  fix: {paint.link(f'anden secret set {name} -e {report.environment}{on}')}" for name in gone]
    return columns(rows) + fixes


def _row(each: SecretStatus, now: float, paint: Paint) -> list[str]:
    version = each.version or paint.bad("missing")
    if each.running:
        version += paint.warn(f" ({', '.join(each.running)} runs)")
    since = words.ago(each.at, now) if each.at is not None else ""
    used = "; ".join(each.used_by) or paint.dim("nobody")
    return [each.name, version, str(each.kept), since, clean(each.who), used]
