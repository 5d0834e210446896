"""`anden reach`: one path hop by hop, or the whole matrix as a table."""

from collections.abc import Sequence

from anden.cli.render import words
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns
from anden.model.reach import Path, Probed, Seen
from anden.model.report import ReachReport

_SEEN = {
    Seen.OPEN: "connected",
    Seen.SILENT: "silence",
    Seen.REFUSED: "refused",
    Seen.UNRESOLVED: "the name does not resolve",
    Seen.UNTRIED: "not tried",
}


def lines(report: ReachReport, paint: Paint, *, matrix: bool) -> list[str]:
    """The matrix, or each path with its hops; then what live probes saw and whether it is what was computed."""
    said = table(report.paths, paint) if matrix else []
    if not matrix:
        for index, path in enumerate(report.paths):
            said += path_lines(path, paint, report.hops[index] if index < len(report.hops) else ())
    if report.probed:
        said += probed_lines(report, paint)
    return said


def path_lines(path: Path, paint: Paint, seen: Sequence[bool | None] = ()) -> list[str]:
    """`BLOCKED at firewall: not declared` with its fix, or `OPEN`, and the way as far as it goes.

    seen: what a live probe says of each hop; None: nothing."""
    signs = {True: paint.sign("✓") + " ", False: paint.sign("✗") + " ", None: "  "}
    rows = [
        [(signs[seen[index]] if index < len(seen) else "") + hop.kind, hop.what, paint.dim(hop.rule)]
        for index, hop in enumerate(path.hops)
    ]
    way = [f"  {line}" for line in columns(rows)]
    if path.open:
        where = f" ({path.mark})" if path.mark else ""
        return [f"{paint.good('OPEN')} {path.caller} → {path.callee}:{path.port}{where}", *way]
    at = next((hop.kind for hop in path.hops if not hop.passes), "")
    said = [paint.bad("BLOCKED") + (f" at {at}" if at else "") + (f": {path.reason}" if path.reason else "")]
    if path.fix:
        place = f" ({path.mark})" if path.mark and str(path.mark) not in path.fix else ""
        said.append(f"fix: {paint.link(path.fix)}{place}")
    # One hop alone says what the first line has said.
    return said + way if len(way) > 1 or seen else said


def table(paths: Sequence[Path], paint: Paint) -> list[str]:
    """Callers down, callees across; a cell has the open ports, or `·` where nothing may pass."""
    callers = list(dict.fromkeys(path.caller for path in paths))
    callees = list(dict.fromkeys(path.callee for path in paths))
    opened: dict[tuple[str, str], list[int]] = {}
    for path in paths:
        ports = opened.setdefault((path.caller, path.callee), [])
        if path.open:
            ports.append(path.port)
    rows = [["", *(paint.dim(callee) for callee in callees)]]
    for caller in callers:
        row = [caller]
        for callee in callees:
            if (caller, callee) not in opened:
                row.append("")
            elif here := opened[caller, callee]:
                row.append(paint.good(",".join(map(str, here))))
            else:
                row.append(paint.dim("·"))
        rows.append(row)
    total = sum(bool(ports) for ports in opened.values())
    return [*columns(rows), f"{total} of {words.count(len(opened), 'pair')} open; what is not declared is closed"]


def agrees(path: Path, seen: Seen) -> bool:
    """Whether a probe saw what was computed: open means connected (or actively refused by the other end). What could
    not be tried shows nothing."""
    if seen is Seen.UNTRIED:
        return False
    return seen is Seen.OPEN if path.open else seen is not Seen.OPEN


def disagreements(report: ReachReport) -> list[tuple[Probed, Path]]:
    """Probes that saw something else than their path says. A path is matched by caller and port, by position where
    probes and paths are as many."""
    if len(report.probed) == len(report.paths):
        pairs = list(zip(report.probed, report.paths, strict=True))
    else:
        pairs = [
            (probed, path)
            for probed in report.probed
            for path in report.paths[:1]
            if len(report.paths) == 1 and probed.probe.caller.startswith(path.caller)
        ]
    return [(probed, path) for probed, path in pairs if not agrees(path, probed.seen)]


def probed_lines(report: ReachReport, paint: Paint) -> list[str]:
    """One line a probe, and a verdict over all."""
    wrong = {id(probed) for probed, _ in disagreements(report)}
    rows = []
    for each in report.probed:
        sign = paint.sign("✗" if id(each) in wrong else "✓")
        source = f"seen from {each.source}" if each.source else each.note
        took = f"{each.took_s * 1000:.1f} ms"
        way = f"{each.probe.caller} → {each.probe.host}:{each.probe.port}"
        rows.append([f"{sign} live", way, _SEEN[each.seen], took, source])
    said = columns(rows)
    untried = sum(each.seen is Seen.UNTRIED for each in report.probed)
    of = f"of {len(report.probed)} probes"
    if len(wrong) > untried:
        said.append(paint.bad(f"{len(wrong) - untried} {of} saw something else than was computed"))
    if untried:
        said.append(paint.bad(f"{untried} {of} could not be tried"))
    if wrong:
        return said
    return [*said, f"{words.count(len(report.probed), 'probe')}: each saw what was computed"]


def caller_line(caller: str, report: ReachReport, paint: Paint) -> str:
    """`✓ accounts  12 ways`: one caller of `prove reach`, as it comes."""
    wrong = len(disagreements(report))
    sign = paint.sign("✗" if wrong else "✓")
    return f"{sign} {caller}  {words.count(len(report.probed), 'way')}" + (
        f", {wrong} not as computed" if wrong else ""
    )


def proof_lines(report: ReachReport, left: Sequence[str], paint: Paint) -> list[str]:
    """What was not as computed, and how much was. left: callers that nothing could be tried from, and why."""
    said = [
        f"{paint.sign('✗')} {path.caller} → {path.callee}:{path.port}: computed"
        f" {'open' if path.open else 'blocked'}, seen: {_SEEN[probed.seen]}"
        for probed, path in disagreements(report)
    ]
    said += [f"{paint.sign('…')} not tried: {text}" for text in left]
    right = len(report.probed) - len(disagreements(report))
    opened = sum(path.open for path in report.paths)
    ways = words.count(len(report.probed), "way")
    return [*said, f"{right} of {ways} are as computed: {opened} open, {len(report.paths) - opened} blocked"]
