"""The VPC and its subnets by layer, each with route tables of its own; only `nat` and `vpn` add routes that lead out.

The default security group of a VPC cannot be closed by CloudFormation, which knows no way to take its rules out (it
admits its own members, and lets them out). So nothing of anden's is in it: whatever has an interface names its groups.
The default network ACL and the main route table are used by no subnet either.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network

from anden.engines.aws.render.naming import zone_of
from anden.engines.aws.render.template import Json, Part, Resource, apart, att, logical, ref, resource, tags
from anden.engines.aws.render.terrain import Terrain
from anden.model.blueprint import Blueprint
from anden.planning.addressing import edges

VPC_ID = "Vpc"
"""Logical name of the VPC in its own stack; other stacks use `naming.VPC`."""
EDGE_ZONES = ("a", "b")
"""The zones of the two edge subnets, whatever the environment has: an Application Load Balancer needs two."""
PUBLIC, PRIVATE, DATA, EDGE = "public", "private", "data", "edge"
LAYERS = (PUBLIC, PRIVATE, DATA, EDGE)


def subnet(layer: str, zone: str) -> str:
    """Logical name of a layer's subnet: `PrivateA`; of the edge by number: `Edge0`."""
    return logical(layer, zone) if layer != EDGE else f"{logical(layer)}{zone}"


def routes(layer: str, zone: str) -> str:
    """Logical name of the route table of a layer's subnet: each private one has its own, the other layers share."""
    return f"Routes{logical(layer, zone)}" if layer == PRIVATE else f"Routes{logical(layer)}"


def way(zone: str, network: IPv4Network) -> str:
    """Logical name of the route from a zone's private subnet to `network`: the same whichever way it takes, for a table
    takes one route to a network, and a changed one must be changed in its place."""
    return apart(PRIVATE, zone, "to", str(network))


def subnets(terrain: Terrain) -> Iterator[tuple[str, str, IPv4Network]]:
    """Layer, zone (of the edge: its number) and addresses of every subnet in the VPC's own range."""
    for zone in terrain.zones:
        yield PUBLIC, zone.name, zone.public
        yield PRIVATE, zone.name, zone.private
        yield DATA, zone.name, zone.data
    for number, network in enumerate(edges(terrain.network)):
        yield EDGE, str(number), network


def part(blueprint: Blueprint, terrain: Terrain) -> Part:
    """The VPC, its subnets and their route tables, none of which leads anywhere yet. Publishes the VPC and the private,
    data and edge subnets: nothing but NAT gateways lives in the public ones."""
    resources: dict[str, Resource] = {
        VPC_ID: resource(
            "AWS::EC2::VPC", CidrBlock=str(terrain.network), EnableDnsSupport=True, EnableDnsHostnames=True,
            Tags=tags(Name=terrain.name),
        )
    }  # fmt: skip
    publishes: dict[str, Json] = {"vpc": ref(VPC_ID)}
    for layer, zone, network in subnets(terrain):
        here = zone_of(blueprint, EDGE_ZONES[int(zone)] if layer == EDGE else zone)
        resources |= made(subnet(layer, zone), network, here, f"{terrain.name}-{layer}-{zone}", routes(layer, zone))
        table = routes(layer, zone)
        if table not in resources:
            name = f"{terrain.name}-{layer}-{zone}" if layer == PRIVATE else f"{terrain.name}-{layer}"
            resources[table] = resource("AWS::EC2::RouteTable", VpcId=ref(VPC_ID), Tags=tags(Name=name))
        if layer != PUBLIC:
            publishes[f"{layer}-{zone}"] = att(subnet(layer, zone), "SubnetId")
    return Part(resources, publishes)


def made(
    logical_id: str, network: IPv4Network, zone: str, name: str, table: str, after: tuple[str, ...] = ()
) -> dict[str, Resource]:
    """A subnet in the region's `zone`, and its association with the route table."""
    return {
        logical_id: resource(
            "AWS::EC2::Subnet", after=after, VpcId=ref(VPC_ID), CidrBlock=str(network), AvailabilityZone=zone,
            MapPublicIpOnLaunch=False, Tags=tags(Name=name),
        ),
        f"{logical_id}Routes": resource(
            "AWS::EC2::SubnetRouteTableAssociation", SubnetId=ref(logical_id), RouteTableId=ref(table)
        ),
    }  # fmt: skip
