"""What an account and a region say of themselves: live quotas, what others use of them, and the zones on offer.

Reads only. What cannot be read is left out and said, with AWS's words: documented defaults count for it then.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anden.engines.aws.tables import Quotas
from anden.model.preflight import AccountFacts
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology

Clients = Callable[[str], Any]
"""The name of a service to a boto3 client for the region: `clients("ec2")`."""
MOST_THINGS = 10_000
"""Things of one kind that are counted; an account near its quotas of any of these has fewer."""
TAGS_A_CALL = 20
"""Resources of one DescribeTags (Elastic Load Balancing API reference)."""
TASKS_A_CALL = 100
"""Tasks of one DescribeTasks, and clusters of one DescribeClusters (ECS API reference)."""
CPU_UNITS = 1024
"""Of a vCPU, as a task's `cpu` has it."""
LONGEST_REASON = 200
"""Characters of AWS's words that are repeated."""
CONNECT_LIMIT_S, READ_LIMIT_S = 5, 20
RETRIES: Any = {"mode": "standard", "total_max_attempts": 4}
"""Of each call, with jitter, as botocore's standard mode has it."""
GONE = ("deleted", "deleting")
"""States of things that still show and count for nothing."""


def read(clients: Clients, topology: Topology, quotas: Quotas, now: float) -> AccountFacts:
    """The facts of the account that the clients lead to. now: Unix seconds.

    Raises Problems: it is another account than the manifest says.
    """
    unread: dict[str, str] = {}
    region = topology.region or ""
    try:
        account: str = clients("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        return AccountFacts("", region, now, unread={"account": reason(error)})
    if topology.account is not None and topology.account != account:
        raise Problems(_another(account, topology.account))
    limits: dict[str, float] = {}
    for service in sorted({quota.service for quota in quotas.quotas.values() if quota.service}):
        _fill(limits, unread, f"quotas of {service}", _quotas(clients, service, quotas))
    used: dict[str, float] = {}
    for what, count in USED.items():
        _fill(used, unread, what, count(clients, topology))
    zones: dict[str, float] = {}
    _fill(zones, unread, "zones", ((name, 1.0) for name in _zones(clients)))
    return AccountFacts(account, region, now, limits, used, tuple(zones), unread)


def clients(region: str) -> Clients:
    """Clients of the region, by the ordinary chain of credentials."""
    made: dict[str, Any] = {}
    config = Config(connect_timeout=CONNECT_LIMIT_S, read_timeout=READ_LIMIT_S, retries=RETRIES)

    def client(name: str) -> Any:
        if name not in made:
            # One session for each: what is wrong with a profile then shows where it is asked for.
            made[name] = Session(region_name=region).client(name, config=config)  # type: ignore[call-overload]
        return made[name]

    return client


def reason(error: BotoCoreError | ClientError) -> str:
    """AWS's words for why not, on one line."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        text = f"{said.get('Code', 'error')}: {said.get('Message', '')}".rstrip(": ")
    else:
        text = str(error)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _another(account: str, meant: str) -> Problem:
    what = f"the credentials are of account {account}, the manifest says {meant}"
    return Problem("account", what, "a client's environment lives in the client's account", "Use its credentials.")


def _fill(into: dict[str, float], unread: dict[str, str], what: str, found: Iterator[tuple[str, float]]) -> None:
    """What is found until AWS refuses to go on."""
    try:
        into.update(found)
    except (BotoCoreError, ClientError) as error:
        unread[what] = reason(error)


def _quotas(clients: Clients, service: str, quotas: Quotas) -> Iterator[tuple[str, float]]:
    """Keys and values of one service's quotas; what it does not list has its default. Two keys may share a code."""
    codes = [(each.code, each.key) for each in quotas.quotas.values() if each.service == service]
    listed = {each["QuotaCode"]: float(each["Value"]) for each in _paged(
        clients("service-quotas"), "list_service_quotas", "Quotas", ServiceCode=service
    )}  # fmt: skip
    yield from ((key, listed[code]) for code, key in codes if code in listed)


def _zones(clients: Clients) -> Iterator[str]:
    wanted = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
    found = clients("ec2").describe_availability_zones(Filters=wanted)
    yield from sorted(zone["ZoneName"] for zone in found["AvailabilityZones"])


# What others use. Things of this environment itself are left out: they are what is needed.


def _mine(tags: Sequence[Mapping[str, str]] | None, topology: Topology) -> bool:
    """Whether tags, in any of AWS's spellings, say that a thing is this environment's."""
    said = {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags or ()}
    return said.get("anden:client") == topology.client and said.get("anden:environment") == topology.environment


def _network(clients: Clients, topology: Topology) -> Iterator[tuple[str, float]]:
    ec2 = clients("ec2")
    for key, call, field in (
        ("vpcs", "describe_vpcs", "Vpcs"),
        ("internet-gateways", "describe_internet_gateways", "InternetGateways"),
        ("groups", "describe_security_groups", "SecurityGroups"),
    ):
        yield key, _others(_paged(ec2, call, field), topology)
    for key, call, field in (
        ("addresses", "describe_addresses", "Addresses"),
        ("vpn-connections", "describe_vpn_connections", "VpnConnections"),
        ("vpn-gateways", "describe_vpn_gateways", "VpnGateways"),
        ("customer-gateways", "describe_customer_gateways", "CustomerGateways"),
    ):
        yield key, _others(getattr(ec2, call)()[field], topology)


def _others(things: Iterator[Any] | Sequence[Any], topology: Topology) -> int:
    return sum(each.get("State") not in GONE and not _mine(each.get("Tags"), topology) for each in things)


def _paged(client: Any, call: str, field: str, **arguments: Any) -> Iterator[Any]:
    pages = client.get_paginator(call).paginate(**arguments)
    return islice((each for page in pages for each in page[field]), MOST_THINGS)


def _batches(things: Iterator[Any] | Sequence[Any], most: int) -> Iterator[list[Any]]:
    left = iter(things)
    while some := list(islice(left, most)):
        yield some


def _balancers(clients: Clients, topology: Topology) -> Iterator[tuple[str, float]]:
    elb = clients("elbv2")
    kinds = {each["LoadBalancerArn"]: each["Type"] for each in _paged(elb, "describe_load_balancers", "LoadBalancers")}
    applications, networks = ([arn for arn, its in kinds.items() if its == kind] for kind in ("application", "network"))
    targets = [each["TargetGroupArn"] for each in _paged(elb, "describe_target_groups", "TargetGroups")]
    for key, arns in (("balancers", applications), ("network-balancers", networks), ("target-groups", targets)):
        count = 0
        for some in _batches(arns, TAGS_A_CALL):
            described = elb.describe_tags(ResourceArns=some)["TagDescriptions"]
            count += sum(not _mine(each.get("Tags"), topology) for each in described)
        yield key, count


def _stacks(clients: Clients, topology: Topology) -> Iterator[tuple[str, float]]:
    yield "stacks", _others(_paged(clients("cloudformation"), "describe_stacks", "Stacks"), topology)


def _vcpus(clients: Clients, topology: Topology) -> Iterator[tuple[str, float]]:
    ecs = clients("ecs")
    units: Counter[str] = Counter()
    for some in _batches(_paged(ecs, "list_clusters", "clusterArns"), TASKS_A_CALL):
        for cluster in ecs.describe_clusters(clusters=some, include=["TAGS"])["clusters"]:
            if _mine(cluster.get("tags"), topology):
                continue
            arn = cluster["clusterArn"]
            listed = _paged(ecs, "list_tasks", "taskArns", cluster=arn, launchType="FARGATE")
            for tasks in _batches(listed, TASKS_A_CALL):
                for task in ecs.describe_tasks(cluster=arn, tasks=tasks)["tasks"]:
                    units[arn] += int(task.get("cpu", 0))
    yield "fargate-vcpu", sum(units.values()) / CPU_UNITS


USED: Mapping[str, Callable[[Clients, Topology], Iterator[tuple[str, float]]]] = {
    "networks in use": _network,
    "load balancers in use": _balancers,
    "stacks in use": _stacks,
    "vCPUs in use": _vcpus,
}
"""What is counted in an account, each part by itself, so that one that may not be read costs no other."""
