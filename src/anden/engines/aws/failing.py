"""What ECS tells of tasks that have ended, and what it does not tell of those that run. Pure.

ECS never restarts a task in place: it starts another. So a restart, as the twin counts it, is a task of the same
version that ended although nobody asked for it; ECS shows ended tasks for about an hour (ECS developer guide, "Viewing
stopped tasks"). They count as restarts of the youngest instance, which is the one that replaces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from anden.model.observation import Exit, Health, InstanceSeen, Observation

ASKED_FOR = ("ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption")
"""StopCode of a task that somebody, or a deployment, has ended."""
UNHEALTHY = ("failed elb health checks", "failed container health checks")
"""stoppedReason of a task that the scheduler has ended because it was unhealthy: nobody asked for that."""


def fell(task: Mapping[str, Any]) -> bool:
    """It ended, or was ended, because something was wrong with it."""
    reason = str(task.get("stoppedReason", "")).lower()
    return task.get("stopCode") not in ASKED_FOR or any(each in reason for each in UNHEALTHY)


def counted(
    instances: Sequence[InstanceSeen], ended: Sequence[tuple[str, Exit | None]], revisions: Sequence[str]
) -> tuple[InstanceSeen, ...]:
    """Instances of one service, oldest first, with what fell before them. ended: task definition and exit of each task
    that fell, oldest first. revisions: the instances' task definitions."""
    if not instances:
        return ()
    youngest, definition = instances[-1], revisions[-1]
    its = [how for task, how in ended if task == definition]
    if not its:
        return tuple(instances)
    last = next((how for how in reversed(its) if how is not None), None)
    return (*instances[:-1], replace(youngest, restarts=len(its), exit=youngest.exit or last))


def remembered(before: Observation | None, seen: Observation, proved: frozenset[str]) -> Observation:
    """With what was seen before: since when an instance that was healthy is not. An instance is known again by its
    address and its start. proved: services whose deployment is complete, which takes that their instances were healthy:
    for who looks for the first time."""
    known = {(one.service, one.address, one.since): one for one in (before.instances if before else ())}
    return replace(seen, instances=tuple(
        _remembered(known.get((one.service, one.address, one.since)), one, seen.at, one.service in proved)
        for one in seen.instances
    ))  # fmt: skip


def _remembered(before: InstanceSeen | None, one: InstanceSeen, at: float, proved: bool) -> InstanceSeen:
    ever = one.health is Health.HEALTHY or (before is not None and before.ever_healthy)
    if one.health is Health.HEALTHY:
        return replace(one, ever_healthy=True, unhealthy_since=None)
    if one.health is Health.UNHEALTHY and (ever or proved):
        since = before.unhealthy_since if before is not None else None
        return replace(one, ever_healthy=True, unhealthy_since=since if since is not None else at)
    return replace(one, ever_healthy=ever)
