"""`anden drill`: what is seen while it runs, and the report."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.status import label
from anden.cli.render.table import columns
from anden.drill.picture import Picture
from anden.model.drill import Beat, Drill, DrillKind, DrillReport, Phase, PhaseName, Sample
from anden.model.report import StatusReport

BLOCKS = "▁▂▃▄▅▆▇█"
UP, DOWN = "●", "○"
CHART_COLUMNS = 60
_DOES = {
    DrillKind.ZONE: "fails", DrillKind.KILL: "an instance is killed", DrillKind.BALANCER: "a process of it is killed",
    DrillKind.SUPERVISOR: "it is killed", DrillKind.CONTROL: "it is killed and left down",
}  # fmt: skip


def question(drill: Drill, report: StatusReport) -> str:
    """What a person is asked before production is hit."""
    load = f"under {drill.rate:g} requests a second" if drill.rate else "under the traffic that there is"
    where = label(report.client, report.environment, report.engine)
    return f"Drill {clean(drill.title)} in {where}: {_DOES[drill.kind]}, {drill.for_s:g} s {load}"


# While it runs.


def screen(picture: Picture, heading: str, paint: Paint) -> list[str]:
    """The few lines that change."""
    drill = picture.drill
    hit = f" → {clean(picture.hit)}" if picture.hit and picture.hit != drill.name else ""
    said = [paint.strong(f"{heading}: drill {clean(drill.title)}{hit}, {drill.for_s:g} s"), _clock(picture, paint)]
    if drill.rate or picture.sent:
        answers, failures = picture.answers[-CHART_COLUMNS:], picture.failures[-CHART_COLUMNS:]
        full = drill.rate or _full(answers, failures)
        said += [
            f"answers   {paint.good(bars(answers, full))} {_last(answers):.0f}/s",
            f"failures  {paint.bad(bars(failures, full))} {_last(failures):.0f}/s",
            f"latency   p50 {ms(picture.p50_ms)}, p99 {ms(picture.p99_ms)} now",
            f"so far    {picture.sent:,} requests, {picture.failed:,} failed, "
            f"{picture.failed_after_retry:,} after one retry",
        ]
    said.append(_zones(picture, paint))
    if picture.why:
        said.append(paint.warn(f"waits     {clean(picture.why)}"))
    return said


def log(picture: Picture) -> str:
    """The same in one line, for a log."""
    parts = [f"{picture.at_s:5.1f}s {picture.phase:<6}"]
    if picture.drill.rate or picture.sent:
        rates = f"{_last(picture.answers):.0f}/s answered, {_last(picture.failures):.0f}/s failed"
        parts.append(f"{rates}, p99 {ms(picture.p99_ms)}")
    if picture.blind or picture.sample is None:
        parts.append("the control plane says nothing")
    else:
        parts.append(" ".join(f"{zone} {up}/{all_}" for zone, (up, all_) in _by_zone(picture.sample).items()))
    return "  ".join([*parts, *([clean(picture.why)] if picture.why else [])])


def _clock(picture: Picture, paint: Paint) -> str:
    tint = paint.bad if picture.phase is PhaseName.FAULT else paint.good
    if picture.until_s is None:
        left = f"until all serves as before, {words.seconds(picture.at_s - picture.since_s)} so far"
    else:
        left = f"{words.seconds(max(0.0, picture.until_s - picture.at_s))} left"
    name = {PhaseName.BEFORE: "calm", PhaseName.FAULT: "the fault is in", PhaseName.AFTER: "afterwards"}[picture.phase]
    return f"{words.seconds(picture.at_s):<9} {tint(name)}, {left}"


def _zones(picture: Picture, paint: Paint) -> str:
    if picture.sample is None:
        return paint.dim("instances nothing was seen yet")
    found = []
    for zone in _by_zone(picture.sample):
        ordered = sorted((each for each in picture.sample.instances if each.zone == zone), key=lambda each: each.id)
        dots = "".join(paint.good(UP) if each.healthy else paint.bad(DOWN) for each in ordered)
        found.append(f"zone {zone} {dots}")
    blind = paint.warn("  as last seen: the control plane says nothing") if picture.blind else ""
    return "instances " + "  ".join(found) + blind


def _by_zone(sample: Sample) -> Mapping[str, tuple[int, int]]:
    """Zone to (how many serve, how many are there)."""
    return {zone: (up, sum(each.zone == zone for each in sample.instances)) for zone, up in sample.serving().items()}


def bars(values: Sequence[float], top: float) -> str:
    """A small chart; a value of `top` or more is a full block, and anything above nothing is more than the lowest."""
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[0 if each <= 0 else min(steps, max(1, round(each / top * steps)))] for each in values)


def _last(values: Sequence[float]) -> float:
    return values[-1] if values else 0.0


def ms(value: float | None) -> str:
    """`2.1 ms`, `340 ms`, `1.2 s`; `-` for nothing."""
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


# The report.


def lines(report: DrillReport, paint: Paint) -> list[str]:
    """The whole report as text."""
    began = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    where = label(report.client, report.environment, report.engine)
    said = [paint.strong(f"{where}: drill {clean(report.title)}, {report.drill.for_s:g} s, {began}")]
    if report.hit and report.hit != report.drill.name:
        said.append(f"hit {clean(report.hit)}")
    said += [_requests(report, paint), _detected(report, paint), _recovered(report, paint)]
    if report.unloaded_after_s is not None:
        after = f"{report.unloaded_after_s:.0f} s after the fault"
        said.append(f"{paint.sign('!')} the load was ended {after}: it did not settle under it")
    said += [_settled(report, paint), ""]
    if report.loaded:
        said += [*_phases(report.phases, paint), "", *_charts(report), ""]
    said.append(f"serving before {_counts(report.before)}, at the end {_counts(report.after)}")
    return said


def _requests(report: DrillReport, paint: Paint) -> str:
    if not report.loaded:
        return f"{paint.sign('!')} no load of ours, and no traffic was counted: only instances were watched"
    kinds = ", ".join(f"{clean(kind)} × {count:,}" for kind, count in report.kinds.items())
    sign = "✗" if report.failed_after_retry else "✓"
    if not report.drill.rate:
        said = f"{report.requests:,} requests of the real traffic, counted by the gateway: {report.failed:,} failed"
        return f"{paint.sign(sign)} {said}{f' ({kinds})' if kinds else ''}; what clients tried again is not known"
    return (
        f"{paint.sign(sign)} {report.requests:,} requests at {report.drill.rate:g} a second: {report.failed:,} failed"
        f"{f' ({kinds})' if kinds else ''}, {report.failed_after_retry:,} after one retry"
    )


def _detected(report: DrillReport, paint: Paint) -> str:
    if report.detect_s is None:
        return f"{paint.sign('!')} not detected: {clean(report.detect_why)}"
    return f"{paint.sign('✓')} detected after {report.detect_s:.1f} s"


def _recovered(report: DrillReport, paint: Paint) -> str:
    if report.recover_s is None:
        return f"{paint.sign('!')} not recovered: {clean(report.recover_why)}"
    return f"{paint.sign('✓')} recovered after {report.recover_s:.1f} s"


def _settled(report: DrillReport, paint: Paint) -> str:
    if report.settled:
        return f"{paint.sign('✓')} everything serves as before"
    return f"{paint.sign('✗')} not everything serves as before: {clean(report.settled_why)}"


def _phases(phases: Sequence[Phase], paint: Paint) -> list[str]:
    titles = ("PHASE", "SECONDS", "REQUESTS", "FAILED", "AFTER RETRY", "P50", "P99", "LONGEST")
    rows = [[paint.dim(title) for title in titles]]
    for each in phases:
        latency = (each.latency.p50_ms, each.latency.p99_ms, each.latency.longest_ms)
        counts = (each.requests, each.failed, each.failed_after_retry)
        rows.append([each.name, f"{each.until_s - each.from_s:.1f}", *(f"{n:,}" for n in counts), *map(ms, latency)])
    return columns(rows)


def _charts(report: DrillReport) -> list[str]:
    beats = whole(report)
    width = max(1, -(-len(beats) // CHART_COLUMNS))
    groups = [beats[at : at + width] for at in range(0, len(beats), width)]
    each_s = report.step_s * width
    answers = [sum(beat.answered for beat in group) / (len(group) * report.step_s) for group in groups]
    failures = [sum(beat.failed for beat in group) / (len(group) * report.step_s) for group in groups]
    fault = next(phase for phase in report.phases if phase.name is PhaseName.FAULT)
    ends = [group[-1].until_s for group in groups]
    under = "".join("━" if fault.from_s < end <= fault.until_s + each_s - 1e-6 else " " for end in ends)
    rate = report.drill.rate or _full(answers, failures)
    return [
        f"answers   {bars(answers, rate)}  full: {rate:g}/s",
        f"failures  {bars(failures, rate)}  a column: {each_s:g} s",
        f"fault     {under}".rstrip(),
    ]


def _full(answers: Sequence[float], failures: Sequence[float]) -> float:
    """What fills a chart of traffic that nobody chose the rate of."""
    return max(1.0, *answers, *failures)


def whole(report: DrillReport) -> Sequence[Beat]:
    """The timeline without a last step that the drill's end cut short."""
    end = report.phases[-1].until_s
    return [beat for beat in report.timeline if beat.until_s <= end + 1e-6] or report.timeline


def _counts(serving: Mapping[str, int]) -> str:
    return " ".join(f"{zone} {count}" for zone, count in serving.items()) or "nothing"
