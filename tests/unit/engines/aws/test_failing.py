"""Tasks that ended, as restarts, and what is remembered of those that run."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from anden.engines.aws.failing import counted, fell, remembered
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName, ZoneName, instance_id
from anden.model.observation import Exit, Health, InstanceSeen, InstanceState, Observation

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
KILLED = Exit(137, 90.0, out_of_memory=True)


def instance(number: int, health: Health = Health.HEALTHY, since: float = 10.0) -> InstanceSeen:
    return InstanceSeen(
        instance_id("web", number), ServiceName("web"), number, ZoneName("a"), IPv4Address(f"10.0.0.{number}"),
        Digest("sha256:1"), "web@1", InstanceState.RUNNING, health, since,
    )  # fmt: skip


def seen(at: float, *instances: InstanceSeen) -> Observation:
    return Observation(KEY, at, present=True, instances=instances)


@pytest.mark.parametrize(
    ("code", "reason", "counts"),
    [
        ("EssentialContainerExited", "Essential container in task exited", True),
        ("TaskFailedToStart", "CannotPullContainerError", True),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)", True),
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", False),
        ("UserInitiated", "", False),
    ],
)
def test_only_what_nobody_asked_for_counts(code: str, reason: str, counts: bool) -> None:
    assert fell({"stopCode": code, "stoppedReason": reason}) is counts


def test_what_fell_counts_for_the_youngest_of_the_same_version() -> None:
    ended = [("web:1", Exit(1, 5.0)), ("web:2", KILLED), ("web:2", None)]
    first, second = counted([instance(1), instance(2)], ended, ["web:2", "web:2"])
    assert (first.restarts, first.exit) == (0, None)
    assert (second.restarts, second.exit) == (2, KILLED)
    assert counted([], ended, []) == ()
    assert counted([instance(1)], ended, ["web:3"]) == (instance(1),)


def test_since_when_it_is_unhealthy_is_remembered_for_as_long_as_it_is() -> None:
    first = remembered(None, seen(20.0, instance(1)), frozenset())
    second = remembered(first, seen(30.0, instance(1, Health.UNHEALTHY)), frozenset())
    third = remembered(second, seen(40.0, instance(1, Health.UNHEALTHY)), frozenset())
    assert [each.instances[0].unhealthy_since for each in (first, second, third)] == [None, 30.0, 30.0]
    assert all(each.instances[0].ever_healthy for each in (first, second, third))
    healed = remembered(third, seen(50.0, instance(1)), frozenset())
    assert (healed.instances[0].unhealthy_since, healed.instances[0].ever_healthy) == (None, True)
    another = remembered(third, seen(50.0, replace(instance(1, Health.UNHEALTHY), since=45.0)), frozenset())
    assert (another.instances[0].unhealthy_since, another.instances[0].ever_healthy) == (None, False)


def test_who_looks_for_the_first_time_takes_a_finished_deployment_as_proof_that_it_was_healthy() -> None:
    fresh = remembered(None, seen(20.0, instance(1, Health.UNHEALTHY)), frozenset({"web"}))
    assert (fresh.instances[0].unhealthy_since, fresh.instances[0].ever_healthy) == (20.0, True)
    starting = remembered(None, seen(20.0, instance(1, Health.UNKNOWN)), frozenset({"web"}))
    assert (starting.instances[0].unhealthy_since, starting.instances[0].ever_healthy) == (None, False)
