"""What may begin on the other side of a link: an internal Network Load Balancer for each link that lets something in.

    tunnel → virtual private gateway → balancer, at a fixed address in each zone's share of `seen-as`
           ─(a connection of its own)→ a healthy task, in any zone

The balancer stands in the edge stack, in a group that admits what the manifest names; each service has its listener and
its target group in a stack of its own. Clients' addresses end at the balancer, as on the twin: a task's group admits
the balancer's and no network of the client's.
"""

from collections.abc import Iterator

from anden.engines.aws.render import seen_as
from anden.engines.aws.render.naming import VPC, link_balancer, link_balancer_key, link_group, place, seen_subnet
from anden.engines.aws.render.target import (
    CHECK_EVERY_S,
    CHECK_WAIT_S,
    HEALTHY_AFTER,
    UNHEALTHY_AFTER,
    drain_s,
)
from anden.engines.aws.render.template import Json, Part, Resource, apart, ref, resource, tags
from anden.engines.aws.render.terrain import Terrain
from anden.model.blueprint import Blueprint
from anden.model.topology import Incoming, Link, Protocol, Service, Topology
from anden.planning.links import DIALLED

ANSWERS = "200-399"
"""What a healthy service answers at its health path (Elastic Load Balancing user guide, "Health checks for Network Load
Balancer target groups")."""


def balancers(blueprint: Blueprint, terrain: Terrain) -> Part:
    """The balancers of links; nothing where nothing comes in. Publishes each one's ARN."""
    name = place(blueprint.topology)
    resources: dict[str, Resource] = {}
    publishes: dict[str, Json] = {}
    for link in terrain.links:
        if not terrain.entering(link.name):
            continue
        balancer = apart("link", link.name, "balancer")
        # Fixed, so that the client's rule is written once (its CloudFormation reference, "SubnetMapping").
        addresses = [
            {"SubnetId": seen_subnet(link.name, zone), "PrivateIPv4Address": str(share.network_address + DIALLED)}
            for zone, share in seen_as.placed(terrain, link)
        ]
        resources[balancer] = resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer", Type="network", Scheme="internal", IpAddressType="ipv4",
            SubnetMappings=addresses, SecurityGroups=[link_group(link.name)],
            LoadBalancerAttributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}],
            Tags=tags(Name=f"{name}-{link.name}"),
        )  # fmt: skip
        publishes[link_balancer_key(link.name)] = ref(balancer)
    return Part(resources, publishes)


def entries(topology: Topology, service: Service) -> tuple[tuple[Link, Incoming], ...]:
    """The links by which the service may be opened, and how."""
    if service.port is None or not topology.links:
        return ()
    return tuple(
        (link, one)
        for link in topology.links
        if link.seen_as is not None
        for one in link.incoming
        if one.service == service.name
    )


def target(link: Link) -> str:
    """Logical name of a service's target group for a link, in its own stack."""
    return apart("link", link.name, "target")


def listener(link: Link) -> str:
    """The same of its listener."""
    return apart("link", link.name, "listener")


def part(topology: Topology, service: Service) -> Part:
    """The service's listeners and target groups, in its own stack."""
    return Part(dict(_doors(topology, service)))


def _doors(topology: Topology, service: Service) -> Iterator[tuple[str, Resource]]:
    for link, one in entries(topology, service):
        yield target(link), _group(topology, service, link)
        yield listener(link), resource(
            "AWS::ElasticLoadBalancingV2::Listener", LoadBalancerArn=link_balancer(link.name), Port=one.port,
            Protocol="TCP", DefaultActions=[{"Type": "forward", "TargetGroupArn": ref(target(link))}],
        )  # fmt: skip


def _group(topology: Topology, service: Service, link: Link) -> Resource:
    by_http = service.health.path is not None and service.protocol is Protocol.HTTP
    check: dict[str, Json] = {"HealthCheckProtocol": "TCP"}
    if by_http:
        check = {
            "HealthCheckProtocol": "HTTP", "HealthCheckPath": service.health.path, "Matcher": {"HttpCode": ANSWERS},
        }  # fmt: skip
    return resource(
        "AWS::ElasticLoadBalancingV2::TargetGroup", VpcId=VPC, TargetType="ip", Protocol="TCP", Port=service.port,
        **check, HealthCheckIntervalSeconds=CHECK_EVERY_S, HealthCheckTimeoutSeconds=CHECK_WAIT_S,
        HealthyThresholdCount=HEALTHY_AFTER, UnhealthyThresholdCount=UNHEALTHY_AFTER,
        TargetGroupAttributes=[
            {"Key": "preserve_client_ip.enabled", "Value": "false"},
            {"Key": "deregistration_delay.timeout_seconds", "Value": str(drain_s(service))},
        ],
        Tags=tags(Name=f"{place(topology)}-{service.name}-{link.name}"),
    )  # fmt: skip
