"""What a drill's samples and tallies amount to. The definitions are told in docs/drills.md."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from anden.model.drill import Beat, Drill, DrillKind, DrillReport, Latency, Marks, Phase, PhaseName, Sample
from anden.model.histogram import Histogram
from anden.model.ids import EnvironmentKey
from anden.model.traffic import Tally

FINEST_S, MOST_BEATS = 0.5, 240
"""The timeline's step is half a second, or longer, in half seconds, where there would be more than MOST_BEATS."""
EXACT_S = 0.001
"""What times in a report are rounded to."""
_SLACK_S = 1e-6
UNSEEN = "it was over before anybody could see it, or it never took"
LOST = "not within the drill"
SERVER_ERROR = "HTTP 5xx"
UNWATCHED = "nothing watches the control plane: the next command finds it gone, and starts it"


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that a drill saw. tallies: each with the Unix time that it reaches to. hit: what was hit, resolved.

    unsettled: why it does not serve as before at the end; empty when it does. unloaded: when the load was ended before
    that, Unix seconds; None: it lasted to the end.
    """

    drill: Drill
    hit: str
    marks: Marks
    samples: Sequence[Sample]
    tallies: Sequence[tuple[float, Tally]]
    unsettled: str = ""
    unloaded: float | None = None


def report(key: EnvironmentKey, seen: Seen) -> DrillReport:
    """The whole of it."""
    marks, drill = seen.marks, seen.drill
    before = baseline(seen.samples, marks.fault_at)
    detect_s, detect_why = detected(seen, before)
    recover_s, recover_why = recovered(seen, before, detect_s)
    every = _Sum(seen.tallies)
    last = next((each for each in reversed(seen.samples) if each.answered), before)
    step = step_s(marks.ended_at - marks.began_at)
    return DrillReport(
        key.client, key.environment, key.engine.value, drill.title, drill, seen.hit, marks.began_at, every.sent,
        every.failed, every.lost, detect_s, recover_s, every.latency(), every.kinds, phases(seen), step,
        timeline(seen, step), not seen.unsettled, before.serving(), last.serving(), detect_why, recover_why,
        seen.unsettled, drill.rate > 0 or every.sent > 0,
        None if seen.unloaded is None or not drill.rate else _exact(seen.unloaded - marks.restored_at),
    )  # fmt: skip


def baseline(samples: Sequence[Sample], fault_at: float) -> Sample:
    """The last one before the fault; an empty one when there is none."""
    return next((each for each in reversed(samples) if each.answered and each.at <= fault_at), Sample(fault_at))


def passed(before: Sample, after: Sample) -> Tally:
    """The traffic that there was between two looks, by what the gateway's processes counted. A process that was not
    there before has counted from its own beginning. What one answered between its last look and its end is not known,
    nor what clients tried again, nor how long anything took; so what failed counts as lost."""
    sent = failed = 0
    for name, now in after.traffic.items():
        then = before.traffic.get(name)
        sent += now.requests - (then.requests if then else 0)
        failed += now.failed - (then.failed if then else 0)
    sent, failed = max(sent, 0), max(failed, 0)
    return Tally(0.0, sent, max(sent - failed, 0), failed, failed, {SERVER_ERROR: failed} if failed else {})


# What was hit.


def detected(seen: Seen, before: Sample) -> tuple[float | None, str]:
    """Seconds from the fault until a sample shows it; or why there was nothing to see."""
    if seen.drill.kind is DrillKind.CONTROL:
        return None, UNWATCHED
    if why := _untouched(seen, before):
        return None, why
    for sample in _after(seen):
        if harmed(seen.drill, seen.hit, before, sample):
            return _exact(sample.at - seen.marks.fault_at), ""
    return None, UNSEEN


def recovered(seen: Seen, before: Sample, detect_s: float | None) -> tuple[float | None, str]:
    """Seconds from the fault until all serve without what was hit, or what was killed is back; or why not."""
    kind, fault_at = seen.drill.kind, seen.marks.fault_at
    if kind is not DrillKind.CONTROL and (why := _untouched(seen, before)):
        return None, why
    if kind is DrillKind.CONTROL:
        start = seen.marks.restored_at
    elif detect_s is None:
        return None, UNSEEN
    else:
        start = fault_at + detect_s - EXACT_S
    for sample in _after(seen):
        if sample.at >= start - _SLACK_S and _back(seen, before, sample):
            return _exact(sample.at - fault_at), ""
    return None, LOST


def harmed(drill: Drill, hit: str, before: Sample, sample: Sample) -> bool:
    """Whether a sample shows what was hit as not healthy, or as another process."""
    if drill.kind is DrillKind.BALANCER:
        return bool(_pids(before, "balancer") - _pids(sample, "balancer"))
    if drill.kind is DrillKind.SUPERVISOR:
        return bool(_pids(before, "supervisor") - _pids(sample, "supervisor"))
    now = {each.id: each for each in sample.instances}
    touched = [each for each in before.instances if hit in ((each.zone if _zonal(drill) else each.id),)]
    for each in touched:
        found = now.get(each.id)
        if each.healthy and (found is None or not found.healthy or _moved(drill, each.process, found.process)):
            return True
    return False


def _zonal(drill: Drill) -> bool:
    return drill.kind is DrillKind.ZONE


def _moved(drill: Drill, before: object, now: object) -> bool:
    """A zone's instances may be replaced at any time; only what was killed is told by its process."""
    return drill.kind is DrillKind.KILL and before != now


def _back(seen: Seen, before: Sample, sample: Sample) -> bool:
    drill = seen.drill
    out = seen.hit if _zonal(drill) and sample.at < seen.marks.restored_at - _SLACK_S else None
    if short(sample, without=out):
        return False
    if drill.kind is DrillKind.KILL:
        was = {each.id: each.process for each in before.instances}.get(seen.hit)
        return all(each.id != seen.hit or each.process != was for each in sample.instances)
    if drill.kind in (DrillKind.BALANCER, DrillKind.SUPERVISOR):
        return harmed(drill, seen.hit, before, sample) and not _fewer(before, sample)
    return True


def _untouched(seen: Seen, before: Sample) -> str:
    """Why there was nothing that could have been harmed; empty when there was."""
    kind = seen.drill.kind
    if kind is DrillKind.ZONE and not any(each.zone == seen.hit for each in before.instances):
        return f"nothing stood in zone {seen.hit}"
    if kind in (DrillKind.BALANCER, DrillKind.SUPERVISOR) and not _pids(before, kind.value):
        return f"this engine does not tell the process of its {kind}"
    return ""


def _pids(sample: Sample, name: str) -> set[int]:
    return {pid for each, pid in sample.processes.items() if each == name or each.startswith(f"{name}-")}


def _after(seen: Seen) -> list[Sample]:
    return [each for each in seen.samples if each.answered and each.at > seen.marks.fault_at]


# Whether all serve.


def short(sample: Sample, without: str | None = None) -> str:
    """The first service that is below its level, as `accounts 1/2`, a zone's instances left out; empty: none is."""
    serving = Counter(each.service for each in sample.instances if each.healthy and each.zone != without)
    return next(
        (f"{name} {serving[name]}/{level}" for name, level in sample.levels.items() if serving[name] < level), ""
    )


def unsettled(sample: Sample | None, before: Sample | None) -> str:
    """Why the environment does not serve as it should (and as before, if that is given); empty when it does."""
    if sample is None or not sample.answered:
        return "its control plane does not answer"
    if sample.faults:
        return "a fault of a drill is still in: " + ", ".join(f"zone {each.name}" for each in sample.faults)
    if why := short(sample):
        return why
    return "" if before is None else _fewer(before, sample) or _surplus(sample) or _uneven(before, sample)


def _surplus(sample: Sample) -> str:
    """Instances that stood in for others and are not needed any more."""
    there = Counter(each.service for each in sample.instances)
    return next(
        (f"{name} {there[name]} of {level} are there" for name, level in sample.levels.items() if there[name] > level),
        "",
    )


def _uneven(before: Sample, sample: Sample) -> str:
    """Zones that are not as even as they were; which zone has which number does not matter."""
    counts = sorted(sample.serving().values()), sorted(count for count in before.serving().values())
    width = max(map(len, counts))
    padded = [[0] * (width - len(each)) + each for each in counts]
    if padded[0] == padded[1]:
        return ""
    return "zones are not as even as before: " + " ".join(f"{zone} {n}" for zone, n in sample.serving().items())


def _fewer(before: Sample, sample: Sample) -> str:
    """Processes of the environment's own that are not back."""
    kinds = Counter(name.partition("-")[0] for name in before.processes)
    now = Counter(name.partition("-")[0] for name in sample.processes)
    return next((f"{now[kind]} of {count} {kind} processes" for kind, count in kinds.items() if now[kind] < count), "")


# The load.


class _Sum:
    """Tallies added up."""

    def __init__(self, tallies: Sequence[tuple[float, Tally]]) -> None:
        self.sent = sum(each.sent for _, each in tallies)
        self.answered = sum(each.answered for _, each in tallies)
        self.failed = sum(each.failed for _, each in tallies)
        self.lost = sum(each.failed_after_retry for _, each in tallies)
        kinds: Counter[str] = Counter()
        self.histogram = Histogram()
        for _, each in tallies:
            kinds.update(each.kinds)
            self.histogram.add(each.latency)
        self.kinds: Mapping[str, int] = dict(sorted(kinds.items()))

    def ms(self, percent: float) -> float | None:
        us = self.histogram.percentile(percent)
        return None if us is None else round(us / 1000, 3)

    def latency(self) -> Latency:
        return Latency(*(self.ms(percent) for percent in (50, 90, 99, 99.9, 100)))


def phases(seen: Seen) -> tuple[Phase, ...]:
    """Before, during and after the fault."""
    marks = seen.marks
    edges = (marks.began_at, marks.fault_at, marks.restored_at, marks.ended_at)
    found = []
    for name, start, end in zip(PhaseName, edges, edges[1:], strict=False):
        part = _Sum(_between(seen.tallies, start, end, last=name is PhaseName.AFTER))
        span = _exact(start - marks.began_at), _exact(end - marks.began_at)
        found.append(Phase(name, *span, part.sent, part.failed, part.lost, part.latency()))
    return tuple(found)


def _exact(seconds: float) -> float:
    return round(seconds, 3)


def step_s(length_s: float) -> float:
    """How long a step of the timeline is."""
    return FINEST_S * max(1, ceil(length_s / FINEST_S / MOST_BEATS - _SLACK_S))


def timeline(seen: Seen, step: float) -> tuple[Beat, ...]:
    """The whole drill in steps of the same length; the last one may reach past its end."""
    began, ended = seen.marks.began_at, seen.marks.ended_at
    count = max(1, ceil((ended - began) / step - _SLACK_S))
    parts: list[list[tuple[float, Tally]]] = [[] for _ in range(count)]
    for at, tally in seen.tallies:
        parts[min(count - 1, max(0, ceil((at - began) / step - _SLACK_S) - 1))].append((at, tally))
    states: list[Sample | None] = [None] * count
    for sample in seen.samples:
        states[min(count - 1, max(0, ceil((sample.at - began) / step - _SLACK_S) - 1))] = sample
    beats, state = [], None
    for number, part in enumerate(parts):
        total = _Sum(part)
        state = states[number] or state
        serving = state.serving() if state is not None and state.answered else None
        beats.append(
            Beat(
                (number + 1) * step, total.sent, total.answered, total.failed, total.lost, total.ms(50), total.ms(99),
                serving,
            )
        )  # fmt: skip
    return tuple(beats)


def _between(
    tallies: Sequence[tuple[float, Tally]], start: float, end: float, *, last: bool
) -> list[tuple[float, Tally]]:
    """Those that end in it; the last phase takes what comes after as well, and the first what came before."""
    upper: Callable[[float], bool] = (lambda at: True) if last else (lambda at: at <= end)
    return [(at, tally) for at, tally in tallies if at > start and upper(at)]
