"""`anden preflight`, and a plan's lines of what will not hold."""

from collections.abc import Iterator
from math import ceil

from anden.cli.render import problems, words
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns, right
from anden.model.preflight import Basis, PreflightReport, QuotaCheck

SPARE = 0.5
"""A quota of which less than this share is needed holds with room to spare."""
DEFAULTED = "*"


def text(report: PreflightReport, paint: Paint, *, everything: bool = False) -> list[str]:
    """The heading, a row for each quota that matters, what will not hold and how to raise it, and what was read."""
    place = f"{report.client}/{report.environment}, {report.engine} {report.region}"
    place += f" {report.account}" if report.account else ""
    said = [paint.strong(f"{place}: {_verdict(report)}")]
    shown = [each for each in report.checks if everything or _matters(each)]
    rows = [[paint.dim(each) for each in ("QUOTA", "ALLOWED", "USED", "BASE", "MAX", "DEPLOYING", "")]]
    rows += [_row(each, paint) for each in shown]
    said += columns(right(rows, (1, 2, 3, 4, 5))) if shown else []
    more = len(report.checks) - len(shown)
    if more:
        said.append(paint.dim(f"… {words.count(more, 'quota')} more with room to spare: --all"))
    for each in report.shortfalls:
        said.append(f"{paint.sign('✗')} {shortfall(each)}")
        said.append(f"  {remedy(each, report.region, paint)}")
    said += [f"{paint.sign('✗')} {problems.line(each, paint)}" for each in report.problems]
    return [*said, *_basis(report, paint)]


def _verdict(report: PreflightReport) -> str:
    if report.holds:
        return "everything holds"
    return f"{words.count(len(report.shortfalls) + len(report.problems), 'thing')} will not hold"


def _matters(check: QuotaCheck) -> bool:
    return not check.holds or (check.used or 0) + check.need.deploying >= SPARE * check.allowed


def _row(check: QuotaCheck, paint: Paint) -> list[str]:
    need = check.need
    name = check.name + (f" ({need.of})" if need.of else "")
    allowed = number(check.allowed) + (DEFAULTED if check.guessed else "")
    used = "-" if check.used is None else number(check.used)
    verdict = "" if check.holds else paint.bad(check.verdict.value)
    sign = paint.sign("✓" if check.holds else "✗")
    levels = [number(each) for each in (need.base, need.max, need.deploying)]
    return [f"{sign} {name}", allowed, used, *levels, verdict]


def number(amount: float) -> str:
    """`2,000`, `8.25`."""
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"


def shortfall(check: QuotaCheck) -> str:
    """`Fargate vCPU: 6 allowed by default, 14 needed at max, 18 while all are deployed`."""
    need = check.need
    allowed = f"{number(check.allowed)} allowed" + (" by default" if check.guessed else "")
    allowed += f", {number(check.used)} used by others" if check.used else ""
    which = f" ({need.of})" if need.of else ""
    needed = f"{number(need.max)} needed at max"
    needed += f", {number(need.deploying)} while all are deployed" if need.deploying > need.max else ""
    return f"{check.name}{which}: {allowed}, {needed}"


def remedy(check: QuotaCheck, region: str, paint: Paint) -> str:
    """How to raise it, as a command where there is one."""
    if check.request:
        service, _, code = check.request.partition("/")
        wanted = ceil((check.used or 0) + check.need.deploying)
        return "raise: " + paint.link(
            f"aws service-quotas request-service-quota-increase --region {region}"
            f" --service-code {service} --quota-code {code} --desired-value {wanted}"
        )
    if check.raisable:
        return f"raise: ask AWS Support ({check.source})"
    if check.basis is Basis.NETWORK:
        return "fixed: use a larger network, more zones, or fewer instances"
    return f"fixed: AWS raises it for nobody ({check.source}); have fewer of them, or divide the environment"


def _basis(report: PreflightReport, paint: Paint) -> Iterator[str]:
    if any(each.guessed for each in report.checks):
        yield (
            f"{DEFAULTED} AWS's documented default, as of {report.defaults_of}: an account may have been given more,"
            " and a new one less."
        )
    if report.read_at is not None and "account" not in report.unread:
        yield f"Read from the account at {words.moment(report.read_at)} UTC."
    for what, why in report.unread.items():
        yield paint.warn(f"! not read: {what}: {why}")
