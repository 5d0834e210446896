"""Seeing an environment on AWS: its stacks, and its tasks as instances, such that `status` reads as on the twin.

A task has no ordinal of its own. Within a service the tasks are numbered by age, so that a number stays with its task
until an older one ends. A task behind the balancer is as healthy as its target group says; any other as its container
says, and, where the container has no check of its own, as soon as it runs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from anden.engines.aws import alarms, drift, failing, happenings, kept, levels, links
from anden.engines.aws.errors import explained
from anden.engines.aws.images import Images
from anden.engines.aws.preview import AFTER, BLUEPRINT, CLIENT, ENVIRONMENT, FAMILY, TEMPLATE
from anden.engines.aws.publishing import published
from anden.engines.aws.session import Session
from anden.model.blueprint import Facts
from anden.model.ids import Digest, EnvironmentKey, ServiceName, ZoneName, instance_id
from anden.model.observation import Exit, Health, InstanceSeen, InstanceState, Observation
from anden.model.stack import StackSeen, StackState
from anden.model.topology import Topology

SERVICES_A_CALL, TASKS_A_CALL = 10, 100
"""ECS API: DescribeServices, DescribeTasks."""
SETTLED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
STUCK = frozenset({"UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"})
WITHOUT = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"})
"""Nothing of it stands."""
OUT_OF_MEMORY = "outofmemory"
STATES = {
    "PROVISIONING": InstanceState.STARTING, "PENDING": InstanceState.STARTING, "ACTIVATING": InstanceState.STARTING,
    "RUNNING": InstanceState.RUNNING, "DEACTIVATING": InstanceState.DRAINING, "STOPPING": InstanceState.STOPPING,
    "DEPROVISIONING": InstanceState.STOPPING,
}  # fmt: skip
"""ECS developer guide, "Amazon ECS task lifecycle"."""


def observe(
    session: Session, key: EnvironmentKey, regions: Sequence[str], at: float, shelves: Images,
    before: Observation | None = None, topology: Topology | None = None,
) -> Observation:  # fmt: skip
    """What is, now. regions: the environment's own first. shelves: what is remembered of the registry. before: what was
    seen last, for what AWS itself does not keep. topology: what it is meant to be, where that is known. Raises
    Problems: AWS cannot be asked."""
    region = regions[0]
    known = kept.published(session, key, region)
    stacks = tuple(seen for each in dict.fromkeys(regions) for seen in _stacks(session, key, each, known))
    if all(one.kept is not None for one in stacks):
        reason = "there are no stacks of it in " + ", ".join(dict.fromkeys(regions))
        if stacks:
            reason += ", but for what is kept"
        return Observation(key, at, present=False, absent_reason=reason, boot="aws", stacks=stacks)
    cluster = levels.cluster(session, key, region)
    instances, services = _instances(session, cluster, region) if cluster else ((), {})
    seen = Observation(
        key, at, present=True, instances=instances, facts=facts(session, region, known, topology), boot="aws",
        stacks=stacks,
        levels={name: its.level for name, its in services.items() if its.level is not None},
        gateway=published(session, key, region, "edge/entrance"),
        alarms=alarms.on(session, key, region, services, [each.name for each in topology.links] if topology else ()),
        images=shelves.seen(session, key, region, {each.revision for each in instances}),
        links=links.seen(session, key, region, topology) if topology is not None and topology.links else (),
    )  # fmt: skip
    return failing.remembered(before, seen, frozenset(name for name, its in services.items() if its.deployed))


@dataclass(frozen=True, slots=True)
class _Service:
    """level: as it was last said. deployed: what it should run has become healthy."""

    level: int | None
    deployed: bool


def facts(session: Session, region: str, known: Mapping[str, str], topology: Topology | None) -> Facts:
    """Fixed addresses, and the region's zones for a, b, c, d. known: as `kept.published` gives it."""
    with explained(region):
        return Facts(kept.egress(known, topology), zones(session, region))


def zones(session: Session, region: str) -> Mapping[str, str]:
    """Our zones to the region's, in the order of their names: `a` to `us-east-1a`. Local zones are left out."""
    asked = session.client("ec2", region).describe_availability_zones(
        Filters=[{"Name": "state", "Values": ["available"]}]
    )
    plain = (
        each["ZoneName"] for each in asked["AvailabilityZones"]
        if each.get("ZoneType", "availability-zone") == "availability-zone"
    )  # fmt: skip
    return dict(zip("abcd", sorted(plain), strict=False))


def _stacks(session: Session, key: EnvironmentKey, region: str, known: Mapping[str, str]) -> Iterator[StackSeen]:
    client = session.client("cloudformation", region)
    with explained(f"stacks of {key}"):
        for page in client.get_paginator("describe_stacks").paginate():
            for each in page["Stacks"]:
                tags = {tag["Key"]: tag["Value"] for tag in each.get("Tags", ())}
                if (tags.get(CLIENT), tags.get(ENVIRONMENT)) == (key.client, key.environment):
                    yield _stack(client, each, tags, region, known)


def _stack(
    client: Any, found: Mapping[str, Any], tags: Mapping[str, str], region: str, known: Mapping[str, str]
) -> StackSeen:
    status, its_id = found["StackStatus"], found["StackId"]
    state = _state(status)
    why = ""
    if state in (StackState.FAILED, StackState.STUCK):
        back = status == "UPDATE_ROLLBACK_FAILED"
        cause = happenings.hindrance(client, its_id) if back else happenings.cause(client, its_id)
        why = f"{cause.resource}: {cause.said}" if cause.resource else cause.said
    elif state is StackState.WORKING:
        why = status
    template = None if status in WITHOUT or TEMPLATE not in tags else Digest(tags[TEMPLATE])
    blueprint = Digest(tags[BLUEPRINT]) if BLUEPRINT in tags else None
    after = tuple(name for name in tags.get(AFTER, "").split() if name != "-")
    looked_at, drifted = (None, ()) if state is StackState.WORKING else drift.known(client, found)
    family = tags.get(FAMILY, "")
    held = kept.kept(family, known, region) if status not in WITHOUT else None
    return StackSeen(
        found["StackName"], family, region, state, template, blueprint, why, drifted, after, looked_at, held
    )


def _state(status: str) -> StackState:
    if status == "REVIEW_IN_PROGRESS":
        return StackState.FAILED
    if status.endswith("IN_PROGRESS"):
        return StackState.WORKING
    if status in SETTLED:
        return StackState.SETTLED
    return StackState.STUCK if status in STUCK else StackState.FAILED


def _instances(session: Session, cluster: str, region: str) -> tuple[tuple[InstanceSeen, ...], Mapping[str, _Service]]:
    client: Any = session.client("ecs", region)
    seen: list[InstanceSeen] = []
    found: dict[str, _Service] = {}
    with explained(f"cluster {cluster}"):
        services = [arn for page in client.get_paginator("list_services").paginate(cluster=cluster)
                    for arn in page["serviceArns"]]  # fmt: skip
        for some in _cut(services, SERVICES_A_CALL):
            for service in client.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]:
                name = service["serviceName"]
                tags = {tag["key"]: tag["value"] for tag in service.get("tags", ())}
                level = tags.get(levels.LEVEL, "")
                found[name] = _Service(int(level) if level.isdigit() else None, _deployed(service))
                healths = _healths(session, region, service)
                its_tasks = tasks(client, cluster, name)
                its = [
                    _instance(client, name, number, task, healths, session.kept)
                    for number, task in enumerate(its_tasks, 1)
                ]
                seen += failing.counted(
                    its,
                    _fallen(client, cluster, name) if its else (),
                    [task["taskDefinitionArn"] for task in its_tasks],
                )
    return tuple(sorted(seen, key=lambda each: (each.service, each.ordinal))), found


def _deployed(service: Mapping[str, Any]) -> bool:
    deployments = service.get("deployments", ())
    return len(deployments) == 1 and deployments[0].get("rolloutState") == "COMPLETED"


def _fallen(client: Any, cluster: str, service: str) -> list[tuple[str, Exit | None]]:
    """Task definition and exit of the tasks that ended because something was wrong, oldest first."""
    ended = tasks(client, cluster, service, "STOPPED")
    return [(task["taskDefinitionArn"], _exit(task, _own(task, service))) for task in ended if failing.fell(task)]


def _own(task: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    """The container that is the service's, among those that ECS adds."""
    return next((each for each in task.get("containers", ()) if each["name"] == service), {})


def tasks(client: Any, cluster: str, service: str, status: str = "RUNNING") -> list[Mapping[str, Any]]:
    """Those that should run, or have ended; oldest first."""
    pages = client.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=service, desiredStatus=status)
    arns = [arn for page in pages for arn in page["taskArns"]]
    found: list[Mapping[str, Any]] = []
    for some in _cut(arns, TASKS_A_CALL):
        found += client.describe_tasks(cluster=cluster, tasks=some)["tasks"]
    return sorted(found, key=lambda task: (str(task["createdAt"]), task["taskArn"]))


def _healths(session: Session, region: str, service: Mapping[str, Any]) -> Mapping[str, tuple[str, str]] | None:
    """Address to the balancer's state and reason of it; None: it is behind no balancer."""
    groups = [each["targetGroupArn"] for each in service.get("loadBalancers", ()) if each.get("targetGroupArn")]
    if not groups:
        return None
    client, found = session.client("elbv2", region), {}
    for group in groups:
        for each in client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]:
            health = each["TargetHealth"]
            found[each["Target"]["Id"]] = (health["State"], health.get("Description", health.get("Reason", "")))
    return found


def _revision(client: Any, arn: str, service: str, known: dict[str, Any]) -> tuple[Digest, str]:
    """The image's digest and its name. known: by ARN: task definitions never change."""
    if arn not in known:
        defined = client.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        own = [each for each in defined["containerDefinitions"] if each["name"] == service]
        image = (own or defined["containerDefinitions"])[0]["image"]
        name, _, digest = image.partition("@")
        known[arn] = (Digest(digest), f"{name.rpartition('/')[2]}@{digest}" if digest else image)
    found: tuple[Digest, str] = known[arn]
    return found


def _instance(
    client: Any, service: str, number: int, task: Mapping[str, Any], healths: Mapping[str, tuple[str, str]] | None,
    known: dict[str, Any],
) -> InstanceSeen:  # fmt: skip
    revision, image = _revision(client, task["taskDefinitionArn"], service, known)
    own = _own(task, service)
    address = _address(task)
    health, answer = _health(task, own, healths, address)
    began = task.get("startedAt") or task["createdAt"]
    return InstanceSeen(
        id=instance_id(service, number), service=ServiceName(service), ordinal=number, zone=_zone(task),
        address=IPv4Address(address), revision=revision, image_name=image,
        state=STATES.get(task["lastStatus"], InstanceState.STOPPING), health=health, since=began.timestamp(),
        ever_healthy=health is Health.HEALTHY, exit=_exit(task, own), answer=answer,
    )  # fmt: skip


def _zone(task: Mapping[str, Any]) -> ZoneName:
    """The last letter of the region's own name for it."""
    return ZoneName((task.get("availabilityZone") or "a")[-1])


def _address(task: Mapping[str, Any]) -> str:
    for attachment in task.get("attachments", ()):
        for each in attachment.get("details", ()):
            if each["name"] == "privateIPv4Address":
                return str(each["value"])
    return "0.0.0.0"  # noqa: S104 - no address yet


def _health(
    task: Mapping[str, Any], own: Mapping[str, Any], healths: Mapping[str, tuple[str, str]] | None, address: str
) -> tuple[Health, str]:
    if task["lastStatus"] != "RUNNING":
        return Health.UNKNOWN, ""
    if healths is not None:
        state, why = healths.get(address, ("initial", ""))
        if state == "healthy":
            return Health.HEALTHY, ""
        return (Health.UNKNOWN if state == "initial" else Health.UNHEALTHY), why
    judged = own.get("healthStatus") or task.get("healthStatus") or "UNKNOWN"
    if judged == "UNHEALTHY":
        return Health.UNHEALTHY, "its container's check fails"
    return Health.HEALTHY, ""


def _exit(task: Mapping[str, Any], own: Mapping[str, Any]) -> Exit | None:
    if "exitCode" not in own or own["exitCode"] is None:
        return None
    ended = task.get("stoppedAt") or task.get("stoppingAt") or task["createdAt"]
    return Exit(int(own["exitCode"]), ended.timestamp(), OUT_OF_MEMORY in own.get("reason", "").lower())


def _cut(names: Sequence[str], size: int) -> Iterable[list[str]]:
    return (list(names[at : at + size]) for at in range(0, len(names), size))
