"""Faults on purpose: each on the record, with who wanted it."""

from anden.control import views
from anden.control.asked import Asked
from anden.control.means import MOST_WHAT, Means
from anden.control.reading import meant
from anden.model.command import Outcome
from anden.model.drill import Disturbed, Drill, DrillKind
from anden.model.fault import LONGEST_S, Fault, FaultKind
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.problem import Problem, Problems
from anden.planning.addressing import ZONE_NAMES

SELF_END_MARGIN_S = 5.0
"""A zone's fault ends by itself this long after its time: whoever drills has restored it by then, or has died."""
MOST_TICKS = 100_000
"""In one stretch of virtual time; a tick that takes no time at all would otherwise go on for ever."""
_KINDS = {
    DrillKind.ZONE: FaultKind.ZONE,
    DrillKind.KILL: FaultKind.INSTANCE,
    DrillKind.BALANCER: FaultKind.BALANCER,
    DrillKind.SUPERVISOR: FaultKind.SUPERVISOR,
}


def disturb(means: Means, at: Asked, who: str, drill: Drill) -> Disturbed:
    """Put the fault in. Raises Problems: nothing runs, there is no such zone or instance, or the engine cannot."""
    key = meant(at, means.engine.name, means.store)
    what = f"drill {drill.title}"
    if drill.kind in (DrillKind.ZONE, DrillKind.CONTROL):
        what += f", {drill.for_s:g} s"
    command = means.store.begin_command(key, who, what[:MOST_WHAT], means.clock.now())
    if drill.kind is DrillKind.CONTROL and means.fall is not None:
        # Nobody ends the command: the next control plane finds it running, and records that it was interrupted.
        means.fall()
    outcome, detail = Outcome.REFUSED, ""
    try:
        fault = _fault(means, key, drill)
        outcome = Outcome.FAILED
        # Before it is in, and not when it is on record: what is over in between would be taken for what was usual.
        at_s = means.clock.now()
        means.engine.disturb(key, fault)
        outcome, detail = Outcome.DONE, fault.name
    except Problems as found:
        detail = str(found.problems[0])
        raise
    finally:
        means.store.end_command(command.id, outcome, " ".join(detail.split()), means.clock.now())
    means.runner.signal(key)
    return Disturbed(fault.name, at_s)


def restore(means: Means, at: Asked, who: str) -> None:
    """End every fault that lasts. Raises Problems."""
    key = meant(at, means.engine.name, means.store)
    command = means.store.begin_command(key, who, "drill restore", means.clock.now())
    outcome, detail = Outcome.FAILED, ""
    try:
        means.engine.restore(key)
        outcome = Outcome.DONE
    except Problems as found:
        detail = str(found.problems[0])
        raise
    finally:
        means.store.end_command(command.id, outcome, detail, means.clock.now())
    means.runner.signal(key)


def pass_time(means: Means, at: Asked, until: float) -> None:
    """Tick as often as something happens until `until`, in an engine's virtual time."""
    key = meant(at, means.engine.name, means.store)
    feed = means.feeds[key]
    for _ in range(MOST_TICKS):
        left = until - means.clock.now()
        if left <= 0:
            return
        means.runner.advance(key, feed, feed.number, left)


def _fault(means: Means, key: EnvironmentKey, drill: Drill) -> Fault:
    """What the engine is to do. Raises Problems."""
    if drill.kind is DrillKind.CONTROL:
        what, why = "this control plane cannot be ended by a drill", "it runs in the process that asks"
        raise Problems(Problem(str(key), what, why, "Drill one that runs in the background."))
    if not 0 < drill.for_s <= LONGEST_S:
        what, why = f"{drill.for_s:g} s is no time for a fault", f"one lasts up to {LONGEST_S:g} s"
        raise Problems(Problem(drill.title, what, why, "Use --for with less."))
    seen = means.look(key)
    if not seen.present:
        why = seen.absent_reason
        raise Problems(Problem(str(key), "nothing runs", why, f"Start it with `anden up -e {key.environment}`."))
    if drill.kind is DrillKind.ZONE:
        _check_zone(means, key, seen, drill.name)
        until = means.clock.now() + min(drill.for_s + SELF_END_MARGIN_S, LONGEST_S)
        return Fault(FaultKind.ZONE, drill.name, drill.outage, until)
    name = views.instance_of(means, key, drill.name) if drill.kind is DrillKind.KILL else ""
    return Fault(_KINDS[drill.kind], name)


def _check_zone(means: Means, key: EnvironmentKey, seen: Observation, name: str) -> None:
    target = means.store.target(key)
    if target is None or target.blueprint is None:
        return  # what runs is not on record; the engine knows its own zones
    zones = ZONE_NAMES[: means.store.blueprint(target.blueprint).topology.zones]
    if name not in zones:
        what, why = f"{key.environment} has no such zone", f"its zones are {', '.join(zones)}"
        raise Problems(Problem(f"zone {name}", what, why, "Choose one of these."))
