"""How much an environment needs of each quota of AWS. Pure.

What stacks hold is counted there; instances, their sizes and their addresses are counted from the blueprint. Where a
quota is for each of several (rules of a group), the one that needs most is named. Three levels: every service at its
base; at the end of its range; and there while all are deployed at once, which is when an environment is largest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from anden.engines.aws.cost import secret_names
from anden.engines.aws.inventory import Inventory, Item, take
from anden.engines.aws.render.naming import zone_of
from anden.engines.aws.render.template import Stack
from anden.model.blueprint import Blueprint
from anden.model.preflight import Need
from anden.model.topology import Service, Strategy
from anden.planning.placement import surge

ECS_SERVICE = "AWS::ECS::Service"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
TARGETS = "AWS::ElasticLoadBalancingV2::TargetGroup"
APPLICATION, NETWORK = "application", "network"
"""Types of balancers: the gateway's, and those of links."""
DOUBLES = (Strategy.BLUE_GREEN, Strategy.CANARY, Strategy.LINEAR)
"""Ways to deploy that run the new version whole beside the old one (ECS developer guide, "Blue/green deployments")."""
BALANCER_ADDRESSES = 8
"""Free addresses that a balancer wants in each subnet (ELB user guide, "Application Load Balancers: subnets")."""
LINK_ADDRESSES = 1
"""Interfaces of a VPC link in each of its subnets (API Gateway developer guide, "VPC links V2")."""

BY_REGION: Mapping[str, str] = {
    "vpcs": "AWS::EC2::VPC",
    "internet-gateways": "AWS::EC2::InternetGateway",
    "addresses": "AWS::EC2::EIP",
    "subnets": "AWS::EC2::Subnet",
    "route-tables": "AWS::EC2::RouteTable",
    "groups": "AWS::EC2::SecurityGroup",
    "target-groups": "AWS::ElasticLoadBalancingV2::TargetGroup",
    "balancer-rules": "AWS::ElasticLoadBalancingV2::ListenerRule",
    "vpc-links": "AWS::ApiGatewayV2::VpcLink",
    "vpn-connections": "AWS::EC2::VPNConnection",
    "vpn-gateways": "AWS::EC2::VPNGateway",
    "customer-gateways": "AWS::EC2::CustomerGateway",
    "keys": "AWS::KMS::Key",
    "roles": "AWS::IAM::Role",
    "alarms": "AWS::CloudWatch::Alarm",
    "parameters": "AWS::SSM::Parameter",
    "namespaces": "AWS::ServiceDiscovery::HttpNamespace",
    "scalable-targets": "AWS::ApplicationAutoScaling::ScalableTarget",
}
"""Quotas that a number of resources of one type counts against. An environment has one VPC and one balancer for its
gateway, so what is limited for each of them is counted the same way."""
BY_THING: Mapping[str, tuple[str, str]] = {
    "routes": ("AWS::EC2::Route", "RouteTableId"),
    "api-resources": ("AWS::ApiGateway::Resource", "RestApiId"),
    "vpn-gateway-connections": ("AWS::EC2::VPNConnection", "VpnGatewayId"),
}
"""Quotas of each thing that resources of a type name in a property."""


@dataclass(frozen=True, slots=True)
class _Tasks:
    """How many tasks a service has: at base, at max, and while it is deployed at max."""

    service: Service
    base: int
    max: int
    deploying: int


def needs(blueprint: Blueprint, stacks: Sequence[Stack]) -> tuple[Need, ...]:
    """Every need. stacks: the environment's, as rendered; those in the recovery region are another region's business,
    whose quotas nobody reaches with the little that is there."""
    stacks = [each for each in stacks if each.region in ("", blueprint.topology.region)]
    holds = take(stacks)
    tasks = _tasks(blueprint, holds)
    found = [
        *_compute(tasks),
        *(_flat(key, holds.count(kind)) for key, kind in BY_REGION.items()),
        *(_worst(key, holds.by(*named)) for key, named in BY_THING.items()),
        *_network(blueprint, holds, tasks),
        *_groups(holds),
        *_entrance(holds, tasks),
        *_over_links(blueprint, holds, tasks),
        _flat("secrets", len(secret_names(blueprint.topology))),
        *_stacks(stacks),
    ]
    return tuple(need for need in found if need.deploying)


def _tasks(blueprint: Blueprint, holds: Inventory) -> tuple[_Tasks, ...]:
    made = {item.family: item for item in holds.of(ECS_SERVICE)}
    return tuple(
        _Tasks(each, each.instances.base, each.instances.max, _deploying(each, made.get(f"service-{each.name}")))
        for each in blueprint.topology.services
    )


def _deploying(service: Service, made: Item | None) -> int:
    """Tasks at max while a version replaces another: both versions whole, or as the service's template bounds it, or
    else what a change may start beyond the level on every engine."""
    most = service.instances.max
    if service.strategy in DOUBLES:
        return 2 * most
    percent = made.get("DeploymentConfiguration", "MaximumPercent") if made is not None else None
    if isinstance(percent, int):
        return max(most, floor(most * percent / 100))
    return most + surge(service)


def _compute(tasks: Sequence[_Tasks]) -> Iterator[Need]:
    sized = [(each, each.service.size.cpu_milli / 1000) for each in tasks]
    yield Need(
        "fargate-vcpu", sum(each.base * cpu for each, cpu in sized), sum(each.max * cpu for each, cpu in sized),
        sum(each.deploying * cpu for each, cpu in sized),
    )  # fmt: skip
    yield _flat("services", len(tasks))
    worst = max(tasks, key=lambda each: each.deploying, default=None)
    if worst is not None:
        # Each level by itself: the service with the largest base need not be the one that grows most.
        base, most = max(each.base for each in tasks), max(each.max for each in tasks)
        yield Need("service-tasks", base, most, worst.deploying, worst.service.name)


def _network(blueprint: Blueprint, holds: Inventory, tasks: Sequence[_Tasks]) -> Iterator[Need]:
    balancers = _balancers(holds, APPLICATION)
    endpoints = [item for item in holds.of("AWS::EC2::VPCEndpoint") if item.get("VpcEndpointType") == "Interface"]
    yield _flat("endpoints", len(endpoints))
    yield _worst("nat-gateways", _gateways_by_zone(blueprint, holds))
    yield _flat("vpc-blocks", holds.count("AWS::EC2::VPC") + holds.count("AWS::EC2::VPCCidrBlock"))
    for key, egress in (("acl-rules-in", False), ("acl-rules-out", True)):
        entries = [item for item in holds.of("AWS::EC2::NetworkAclEntry") if bool(item.get("Egress")) is egress]
        yield _worst(key, Counter(holds.thing(item.family, item.get("NetworkAclId")) for item in entries))
    fixed = sum(len(item.get("SubnetIds") or ()) for item in endpoints)
    fixed += holds.count("AWS::EC2::NatGateway")
    fixed += len(balancers) * 2 * BALANCER_ADDRESSES
    fixed += sum(len(item.get("SubnetMappings") or ()) for item in _balancers(holds, NETWORK))
    fixed += sum(len(item.get("SubnetIds") or ()) for item in holds.of("AWS::ApiGatewayV2::VpcLink")) * LINK_ADDRESSES
    yield Need(
        "interfaces", fixed + sum(each.base for each in tasks), fixed + sum(each.max for each in tasks),
        fixed + sum(each.deploying for each in tasks),
    )  # fmt: skip
    zones = len(blueprint.layout.zones)
    yield Need(
        "private-addresses", _in_a_zone([each.base for each in tasks], zones),
        _in_a_zone([each.max for each in tasks], zones), _in_a_zone([each.deploying for each in tasks], zones),
        f"of {zones}" if zones > 1 else "",
    )  # fmt: skip
    yield _worst("data-addresses", _endpoints_by_subnet(holds, endpoints))
    links = holds.count("AWS::ApiGatewayV2::VpcLink")
    yield _flat("edge-addresses", len(balancers) * BALANCER_ADDRESSES + links * LINK_ADDRESSES)


def _in_a_zone(counts: Sequence[int], zones: int) -> int:
    """Tasks in the fullest zone: ECS spreads each service evenly, and any zone may get the odd ones of all."""
    return sum(ceil(count / zones) for count in counts)


def _gateways_by_zone(blueprint: Blueprint, holds: Inventory) -> Counter[str]:
    places = {f"{item.family}/{item.name}": item.get("AvailabilityZone") for item in holds.of("AWS::EC2::Subnet")}
    known = {zone_of(blueprint, zone.name): f"zone {zone.name}" for zone in blueprint.layout.zones}
    counted: Counter[str] = Counter()
    for item in holds.of("AWS::EC2::NatGateway"):
        subnet = holds.thing(item.family, item.get("SubnetId"))
        place = places.get(subnet)
        counted[known.get(place, str(place)) if isinstance(place, str) else subnet] += 1
    return counted


def _endpoints_by_subnet(holds: Inventory, endpoints: Sequence[Item]) -> Counter[str]:
    return Counter(holds.thing(item.family, subnet) for item in endpoints for subnet in item.get("SubnetIds") or ())


def _groups(holds: Inventory) -> Iterator[Need]:
    for key, kind, inline in (
        ("group-rules-in", "AWS::EC2::SecurityGroupIngress", "SecurityGroupIngress"),
        ("group-rules-out", "AWS::EC2::SecurityGroupEgress", "SecurityGroupEgress"),
    ):
        counted = holds.by(kind, "GroupId")
        for item in holds.of("AWS::EC2::SecurityGroup"):
            counted[f"{item.family}/{item.name}"] += len(item.get(inline) or ())
        yield _worst(key, counted)
    used: Counter[str] = Counter()
    for item in holds.of(ECS_SERVICE):
        given = item.get("NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups")
        used[item.family] = len(given or ())
    for kind, named in (
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "SecurityGroups"),
        ("AWS::ApiGatewayV2::VpcLink", "SecurityGroupIds"),
        ("AWS::EC2::VPCEndpoint", "SecurityGroupIds"),
    ):
        for item in holds.of(kind):
            used[f"{item.family}/{item.name}"] = len(item.get(named) or ())
    yield _worst("interface-groups", used)


def _entrance(holds: Inventory, tasks: Sequence[_Tasks]) -> Iterator[Need]:
    routed = [each for each in tasks if each.service.route is not None]
    balancers = _balancers(holds, APPLICATION)
    yield _flat("balancers", len(balancers))
    of_links = sum(item.get("Protocol") == "TCP" for item in holds.of(TARGETS))
    yield _flat("balancer-target-groups", holds.count(TARGETS) - of_links)
    if balancers:
        yield Need(
            "balancer-targets", sum(each.base for each in routed), sum(each.max for each in routed),
            sum(each.deploying for each in routed),
        )  # fmt: skip


def _balancers(holds: Inventory, kind: str) -> Sequence[Item]:
    return [item for item in holds.of(BALANCER) if (item.get("Type") or APPLICATION) == kind]


def _over_links(blueprint: Blueprint, holds: Inventory, tasks: Sequence[_Tasks]) -> Iterator[Need]:
    """The balancers that other sides of links dial: theirs have quotas of their own."""
    balancers = _balancers(holds, NETWORK)
    if not balancers:
        return
    yield _flat("network-balancers", len(balancers))
    through_links = [item for item in holds.of(LISTENER) if item.get("Protocol") == "TCP"]
    counted = Counter(holds.thing(item.family, item.get("LoadBalancerArn")) for item in through_links)
    yield _worst("network-balancer-listeners", counted)
    levels = [
        (link.name, [each for each in tasks if any(one.service == each.service.name for one in link.incoming)])
        for link in blueprint.topology.links
    ]
    name, some = max(levels, key=lambda each: sum(one.deploying for one in each[1]))
    yield Need(
        "network-balancer-targets", sum(each.base for each in some), sum(each.max for each in some),
        sum(each.deploying for each in some), f"link {name}",
    )  # fmt: skip


def _stacks(stacks: Sequence[Stack]) -> Iterator[Need]:
    yield _flat("stacks", len(stacks))
    yield _worst("stack-resources", Counter({each.family: len(each.template["Resources"]) for each in stacks}))
    yield _worst("stack-parameters", Counter({each.family: len(each.template["Parameters"]) for each in stacks}))
    yield _worst("template-bytes", Counter({each.family: len(each.text.encode()) for each in stacks}))


def _flat(quota: str, count: float) -> Need:
    """The same at every level."""
    return Need(quota, count, count, count)


def _worst(quota: str, counted: Counter[str]) -> Need:
    """The one that needs most; the first by name of several."""
    if not counted:
        return _flat(quota, 0)
    most = max(counted.values())
    name = min(name for name, count in counted.items() if count == most)
    return Need(quota, most, most, most, name)
