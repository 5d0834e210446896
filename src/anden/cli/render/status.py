"""`anden status`."""

from anden.cli.render import links, words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.table import columns
from anden.model.change import ChangeState
from anden.model.finding import Finding, Severity
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.manners import TWIN
from anden.model.manners import label as manners_label
from anden.model.report import InstanceStatus, ServiceStatus, StatusReport

_SAID = {ChangeState.FAILED, ChangeState.ROLLED_BACK, ChangeState.ROLLING_BACK, ChangeState.APPLYING}
"""States of the latest change that are worth a line; a verified one is the normal case."""


def label(client: str, environment: str, engine: str, manners: str = TWIN.name) -> str:
    """`banco-andino/production, twin`, or `…, twin as aws`."""
    return manners_label(EnvironmentKey(client, environment, EngineName(engine)), manners)


def lines(report: StatusReport, now: float, paint: Paint, *, instances: bool = False, drift: bool = False) -> list[str]:
    """The heading, a table of services (of instances as well when asked), findings, and where the gateway answers."""
    said = [heading(report, now, paint)]
    if not report.running and not report.services:
        return [*said, *_kept(report, paint), *_start(report, paint)]
    said += _services(report.services, paint)
    if instances:
        said += ["", *_instances(report.services, now, paint)]
    for finding in report.findings:
        said += finding_lines(finding, paint)
    said += [links.line(each, paint) for each in report.links]
    if drift:
        said.append(_compared(report, now))
    said += _change(report, paint)
    for difference in report.deployed:
        note = difference.note or "not in the manifest"
        said.append(f"{paint.sign('~')} {difference.subject}: {difference.text}, {note}")
    closed = [each for each in report.caveats if each.withholds]  # `plan` says the others as well
    said += [f"{paint.sign('≠')} {each.engine}: {each.subject}: {each.text}" for each in closed]
    if not report.running:
        said += _start(report, paint)
    elif report.gateway:
        said.append(_gateway(report, paint))
        if report.https is not None:
            said.append(f"tls     {paint.link(report.https)} at {report.gateway_tls}")
    return said


def heading(report: StatusReport, now: float, paint: Paint) -> str:
    """`banco-andino/production, twin, b7e1 = manifest, seen 1s ago`."""
    parts = [label(report.client, report.environment, report.engine, report.manners)]
    if report.blueprint:
        compared = {None: "", True: " = manifest", False: " ≠ manifest"}[report.matches_manifest]
        parts.append(words.tag(report.blueprint) + compared)
    if not report.running:
        parts.append(report.reason or "not running")
    elif report.seen_at is not None:
        parts.append(f"seen {words.ago(report.seen_at, now)}")
    return paint.strong(", ".join(parts))


def _start(report: StatusReport, paint: Paint) -> list[str]:
    on = "" if report.engine == EngineName.LOCAL else f" --on {report.engine}"
    return [f"  fix: {paint.link(f'anden up -e {report.environment}{on}')}"]


def _kept(report: StatusReport, paint: Paint) -> list[str]:
    """What is left of one that is down, and what ends that."""
    if not report.kept:
        return []
    said = []
    for each in report.kept:
        cost = f", ${each.month_usd:.2f} a month" if each.month_usd is not None else ""
        said.append(f"{paint.sign('!')} {each.family} is kept: {clean(each.what)}{cost}")
    release = f"anden down -e {report.environment} --on {report.engine} --release"
    return [*said, f"  gives it up for ever: {paint.link(release)}"]


def _services(services: tuple[ServiceStatus, ...], paint: Paint) -> list[str]:
    colour = {"healthy": paint.good, "degraded": paint.warn, "down": paint.bad}
    rows = [[paint.dim(title) for title in ("SERVICE", "HEALTHY", "RANGE", "IMAGE")]]
    for each in services:
        tint = colour.get(each.health, paint.warn)
        healthy = f"{each.healthy}/{each.level}"
        rows.append([each.name, tint(healthy), f"{each.base}..{each.max}", each.image])
    return columns(rows)


def _instances(services: tuple[ServiceStatus, ...], now: float, paint: Paint) -> list[str]:
    titles = ("INSTANCE", "ZONE", "ADDRESS", "STATE", "HEALTH", "RESTARTS", "MEMORY", "SINCE", "IMAGE")
    rows = [[paint.dim(title) for title in titles]]
    for service in services:
        rows += [_instance(each, now, paint) for each in service.instances]
    return columns(rows)


def _instance(each: InstanceStatus, now: float, paint: Paint) -> list[str]:
    health = {"healthy": paint.good, "unhealthy": paint.bad}.get(each.health, paint.warn)(each.health)
    memory = words.mebibytes(each.memory_bytes) if each.memory_bytes is not None else ""
    since = words.ago(each.since, now)
    return [each.id, each.zone, each.address, each.state, health, str(each.restarts), memory, since, each.image]


def finding_lines(finding: Finding, paint: Paint) -> list[str]:
    """`! ledger-2 (zone b): out of memory at 512 MB, 3 restarts`, its fix and its evidence."""
    tint = paint.bad if finding.severity is Severity.TROUBLE else paint.warn
    said = [f"{tint('!')} {clean(finding.subject)}: {clean(finding.text)}"]
    if finding.fix:
        place = f" ({finding.mark})" if finding.mark and str(finding.mark) not in finding.fix else ""
        said.append(f"  fix: {paint.link(clean(finding.fix))}{place}")
    return said + [paint.dim(f"  | {clean(line)}") for line in finding.evidence]


def _change(report: StatusReport, paint: Paint) -> list[str]:
    change = report.change
    if change is None or change.state not in _SAID:
        return []
    way = f"{words.tag(change.previous)} → {words.tag(change.target)}"
    why = f": {clean(change.reason)}" if change.reason else ""
    sign = paint.sign("…" if change.state in (ChangeState.APPLYING, ChangeState.ROLLING_BACK) else "✗")
    said = [f"{sign} change {change.id} ({way}) {change.state.replace('-', ' ')}{why}"]
    return said + [paint.dim(f"  | {clean(line)}") for line in change.evidence]


def _compared(report: StatusReport, now: float) -> str:
    if report.compared_at is None:
        return "changed by hand: not everything could be compared" if report.engine == EngineName.AWS else (
            "changed by hand: nothing can be here"
        )  # fmt: skip
    return f"changed by hand: compared {words.ago(report.compared_at, now)}, nothing but what is said here"


def _gateway(report: StatusReport, paint: Paint) -> str:
    urls = [each.url for each in report.services if each.url]
    return "gateway " + paint.link("  ".join(urls) if urls else f"{report.gateway}") + ("" if urls else ", no routes")
