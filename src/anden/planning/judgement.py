"""What becomes of a change in flight: go on, it is verified, or it has failed, and why.

A change is judged by what it started. An instance that ran and was healthy before it, and is in trouble now, is shown
as a finding; it holds the verdict up for as long as a new instance would have, and then no longer: somebody who
repairs one service must not be stopped by another one that is broken.
"""

from collections.abc import Iterator, Sequence
from math import ceil

from anden.model import zones
from anden.model.blueprint import Blueprint
from anden.model.change import Judgement, Verdict
from anden.model.manners import TWIN, Manners
from anden.model.observation import InstanceSeen, InstanceState, Observation
from anden.model.plan import Plan
from anden.model.topology import Service
from anden.planning.instances import Wanted
from anden.planning.placement import surge
from anden.planning.rolling import been_healthy
from anden.planning.steps import Rollout, draining_s, stopping_s

HEALTH_BOUND_S = 30.0
"""After a service's own grace (`start`), a new instance has this long to become healthy."""
EXITS_BEFORE_HEALTHY = 2
"""A new instance that ended this often before it ever was healthy will not become so."""
EXITS_AFTER_HEALTHY = 3
"""A new instance that was healthy and then ended this often while its change is in flight does not hold."""
CONFIGURE_S = 10.0
"""Allowed for the surroundings of a change: they are applied a few times."""
START_S = 0.1
"""Allowed for starting one instance: the local engine takes 25 ms, and its machine may be busy."""
EVIDENCE_INSTANCES = 3
"""How many failing instances give evidence."""
WORDS = {1: "once", 2: "twice"}


def judge(rollout: Rollout, observation: Observation, began: float, worked_s: float) -> Judgement:
    """The verdict on a change whose target is `rollout`'s (which keeps nothing of what it replaces).

    began: when the change came into its state, Unix seconds on the clock of `observation`. worked_s: how long control
    has been at it since; a time in which the control plane was away does not count, and no clock that is set does.

    VERIFIED: all that should run is current and healthy, nothing else is there but what stands in a lost zone, and the
    target's own configuration is applied. FAILED: a new instance does not become healthy, or the whole takes longer
    than `change_bound_s`. The clock of a change runs from when it came into its state, so that going back has all its
    time too.
    """
    plan = rollout.plan(observation)
    if plan.settled:
        return Judgement(Verdict.VERIFIED)
    if (waiting := _stranded(rollout, plan, observation)) is not None:
        return Judgement(Verdict.VERIFIED, waiting)
    new, before = _sorted_out(rollout, began, observation)
    manners = rollout.manners
    failures = [
        (one, reason)
        for wanted, one in new
        if (reason := _failure(wanted, one, began, min(observation.at - one.since, worked_s), manners)) is not None
    ]
    if failures:
        more = len(failures) - 1
        reason = failures[0][1] + (f", and {more} more like it" if more else "")
        return Judgement(Verdict.FAILED, reason, _evidence([one for one, _ in failures]))
    if _only(plan, before) and worked_s > max(_health_bound_s(wanted.service, manners) for wanted, _ in before):
        listed = ", ".join(str(one.id) for _, one in before)
        reason = f"{listed} {'is' if len(before) == 1 else 'are'} not healthy, and ran before this change"
        return Judgement(Verdict.VERIFIED, reason, _evidence([one for _, one in before]))
    bound = change_bound_s(rollout.target, manners)
    if worked_s > bound:
        return Judgement(Verdict.FAILED, _gave_up(bound, plan), _evidence([one for _, one in (*new, *before)]))
    return Judgement(Verdict.CONTINUE)


def change_bound_s(target: Blueprint, manners: Manners = TWIN) -> float:
    """Seconds after which a change to `target` is given up, whatever it waits for.

    Every round replaces `surge` instances of a service: one becomes healthy, one drains and stops. Services roll side
    by side, so the slowest of them counts; what the machine starts one after the other comes on top.
    """
    instances = sum(service.instances.max + surge(service) for service in target.topology.services)
    slowest = max((_rolling_s(service, manners) for service in target.topology.services), default=0.0)
    return ceil(CONFIGURE_S + instances * START_S + slowest)


def _rolling_s(service: Service, manners: Manners) -> float:
    rounds = ceil(service.instances.max / surge(service)) + 1
    stopping = draining_s(service, manners) + stopping_s(service, manners)
    return rounds * (_health_bound_s(service, manners) + stopping)


def _health_bound_s(service: Service, manners: Manners) -> float:
    """From asking for an instance to its being healthy; a process that has not begun cannot be late."""
    return manners.launch_s[1] + service.start_s + HEALTH_BOUND_S


_Found = list[tuple[Wanted, InstanceSeen]]


def _sorted_out(rollout: Rollout, began: float, observation: Observation) -> tuple[_Found, _Found]:
    """Current instances that do not serve: first those of this change or never healthy, then those that ran before."""
    new: _Found = []
    before: _Found = []
    for one in observation.instances if observation.present else ():
        wanted = rollout.wanted.get(one.service)
        if wanted is None or one.serving or not wanted.current(one):
            continue
        (before if one.since < began and been_healthy(one) else new).append((wanted, one))
    return new, before


def _stranded(rollout: Rollout, plan: Plan, observation: Observation) -> str | None:
    """In words: all that the plan still waits for stands in lost zones, and every base serves in the zones left. None:
    it waits for something else, or the zones left are too few."""
    gone = rollout.lost(observation)
    left = {one.id for one in zones.stranded(observation.instances, gone)}
    if plan.steps or not all(wait.address in left for wait in plan.waits):
        return None
    for name, wanted in rollout.wanted.items():
        if sum(one.serving for one in observation.of(name)) < wanted.service.instances.base:
            return None
    names = ", ".join(wait.address for wait in plan.waits)
    return f"zone {', '.join(sorted(gone))} does not answer: {names} wait for its return"


def _only(plan: Plan, before: _Found) -> bool:
    """Whether all that the plan still wants is that those instances become healthy."""
    troubled = {one.id for _, one in before}
    return bool(troubled) and not plan.steps and all(wait.address in troubled for wait in plan.waits)


def _failure(wanted: Wanted, one: InstanceSeen, began: float, lasted: float, manners: Manners) -> str | None:
    """Why this instance has failed; None while it may still become healthy. lasted: seconds that it had for it."""
    name = f"{one.id} ({wanted.version})"
    if one.since >= began:
        exits = max(one.restarts, 1 if one.exit is not None else 0)
        bound, when = (
            (EXITS_AFTER_HEALTHY, "since it was started")
            if one.ever_healthy
            else (EXITS_BEFORE_HEALTHY, "before it was healthy")
        )
        if exits >= bound:
            return f"{name} {_ended(wanted, one)} {_times(exits)} {when}"
    if one.ever_healthy or lasted <= _health_bound_s(wanted.service, manners):
        return None
    return f"{name} {_trouble(wanted, one)} for {lasted:.0f} s"


def _ended(wanted: Wanted, one: InstanceSeen) -> str:
    if one.exit is None:
        return "ended"
    if one.exit.out_of_memory:
        return f"ran out of memory ({wanted.service.size.memory_mib} MB)"
    return f"was killed by signal {-one.exit.code}" if one.exit.code < 0 else f"exited with {one.exit.code}"


def _trouble(wanted: Wanted, one: InstanceSeen) -> str:
    if one.state is InstanceState.RESTARTING:
        return "could not be started" if one.exit is None else f"{_ended(wanted, one)} and was not healthy"
    if not one.answer:
        return "did not become healthy"
    return f"answered {one.answer}" if one.answer.startswith("HTTP") else f"was not healthy ({one.answer})"


def _times(count: int) -> str:
    return WORDS.get(count, f"{count} times")


def _gave_up(bound: float, plan: Plan) -> str:
    for_what = "; ".join(f"{wait.address}: {wait.reason}" for wait in plan.waits[:EVIDENCE_INSTANCES])
    return f"gave up after {bound:.0f} s" + (f" ({for_what})" if for_what else "")


def _evidence(instances: Sequence[InstanceSeen]) -> tuple[str, ...]:
    return tuple(line for one in instances[:EVIDENCE_INSTANCES] for line in _lines(one))


def _lines(one: InstanceSeen) -> Iterator[str]:
    if one.answer:
        yield f"{one.id} health: {one.answer}"
    for line in one.tail:
        yield f"{one.id} | {line}"
