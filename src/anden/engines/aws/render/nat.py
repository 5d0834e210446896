"""The way to the internet: an internet gateway, and NAT gateways on Elastic IPs that are the client's own.

Only with egress other than `none`. The addresses outlive the stack: somebody's firewall admits them. One NAT gateway
(`one`) is zone a's, so that going to `per-zone` and back keeps the address that is known already.
"""

from anden.engines.aws.render.naming import EVERY_ZONE, egress_address
from anden.engines.aws.render.template import Json, Part, Resource, att, logical, ref, resource, tags
from anden.engines.aws.render.terrain import ANYWHERE, Terrain
from anden.engines.aws.render.vpc import PRIVATE, PUBLIC, VPC_ID, routes, subnet, way
from anden.model.topology import Egress

ATTACHED = "InternetGatewayAttached"
"""Elastic IPs and routes to the gateway need it (CloudFormation user guide, "DependsOn attribute")."""


def part(terrain: Terrain) -> Part:
    """Publishes the addresses: `egress-a`, …, or `egress-all`."""
    if terrain.egress is Egress.NONE:
        return Part({})
    per_zone = terrain.egress is Egress.PER_ZONE
    gateway = "InternetGateway"
    resources: dict[str, Resource] = {
        gateway: resource("AWS::EC2::InternetGateway", Tags=tags(Name=terrain.name)),
        ATTACHED: resource("AWS::EC2::VPCGatewayAttachment", VpcId=ref(VPC_ID), InternetGatewayId=ref(gateway)),
        "PublicDefault": resource(
            "AWS::EC2::Route", after=[ATTACHED], RouteTableId=ref(routes(PUBLIC, "")),
            DestinationCidrBlock=str(ANYWHERE), GatewayId=ref(gateway),
        ),
    }  # fmt: skip
    publishes: dict[str, Json] = {}
    first = terrain.zones[0].name
    for zone in terrain.zones if per_zone else terrain.zones[:1]:
        address, nat = logical("egress", zone.name), logical("nat", zone.name)
        name = f"{terrain.name}-{zone.name}"
        resources[address] = resource(
            "AWS::EC2::EIP", after=[ATTACHED], keep=True, Domain="vpc", Tags=tags(Name=f"{name}-egress")
        )
        resources[nat] = resource(
            "AWS::EC2::NatGateway", after=["PublicDefault"], AllocationId=att(address, "AllocationId"),
            SubnetId=ref(subnet(PUBLIC, zone.name)), Tags=tags(Name=name),
        )  # fmt: skip
        publishes[egress_address(zone.name if per_zone else EVERY_ZONE).key] = att(address, "PublicIp")
    for zone in terrain.zones:
        resources[way(zone.name, ANYWHERE)] = resource(
            "AWS::EC2::Route", RouteTableId=ref(routes(PRIVATE, zone.name)), DestinationCidrBlock=str(ANYWHERE),
            NatGatewayId=ref(logical("nat", zone.name if per_zone else first)),
        )  # fmt: skip
    return Part(resources, publishes)
