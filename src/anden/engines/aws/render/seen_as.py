"""`seen-as`: what crosses a link is translated to addresses of a block that the client granted, by private NAT.

    private subnet ─(route: the link's networks)→ private NAT gateway of the zone, in a subnet of `seen-as`
                   ─(that subnet's route)→ virtual private gateway → tunnel

The block becomes one of the VPC's own, cut into four, one part a zone, so that a zone more moves none; a /27 gives two
and a /28 one. Nothing comes in this way: a private NAT gateway answers nobody who was not asked. What may come in has
an address of its own in each share (`incoming`), so the gateway's is said: AWS might choose that one for it.
"""

from ipaddress import IPv4Network

from anden.engines.aws.render.naming import zone_of
from anden.engines.aws.render.template import Resource, apart, ref, resource, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import PRIVATE, VPC_ID, made, routes, way
from anden.model.blueprint import Blueprint
from anden.model.topology import Link
from anden.planning.addressing import ZONE_NAMES
from anden.planning.links import SEEN

NARROWEST_SUBNET = 28
"""The smallest subnet of a VPC (VPC user guide, "Subnet sizing for IPv4")."""
_ZONE_BITS = 2
"""Four parts: as many as an environment has zones at most."""


def parts_of(block: IPv4Network) -> tuple[IPv4Network, ...]:
    """The parts for zones a, b, … in order; fewer than four where the block is small, none where it is no /28."""
    bits = min(_ZONE_BITS, NARROWEST_SUBNET - block.prefixlen)
    return tuple(block.subnets(prefixlen_diff=bits)) if bits >= 0 else ()


def subnet(link: Link, zone: str) -> str:
    """Logical name of the link's subnet in a zone."""
    return apart("link", link.name, "subnet", zone)


def placed(terrain: Terrain, link: Link) -> tuple[tuple[str, IPv4Network], ...]:
    """Zone and part of the block. A zone without a part is a problem that `limits` finds."""
    block = link.seen_as
    by_zone = dict(zip(ZONE_NAMES, parts_of(block), strict=False)) if block is not None else {}
    return tuple((zone.name, by_zone[zone.name]) for zone in terrain.zones if zone.name in by_zone)


def resources(blueprint: Blueprint, terrain: Terrain, link: Link, gateway: str, attached: str) -> dict[str, Resource]:
    """The block, its subnets with a NAT gateway in each, and the routes through them. gateway, attached: logical names
    of the virtual private gateway and of its attachment."""
    name = f"{terrain.name}-{link.name}"
    block, table = apart("link", link.name, "block"), f"Routes{apart('link', link.name)}"
    found: dict[str, Resource] = {
        block: resource("AWS::EC2::VPCCidrBlock", VpcId=ref(VPC_ID), CidrBlock=str(link.seen_as)),
        table: resource("AWS::EC2::RouteTable", VpcId=ref(VPC_ID), Tags=tags(Name=name)),
    }
    for network in link.networks:
        found[apart("link", link.name, "out", str(network))] = resource(
            "AWS::EC2::Route", after=[attached], RouteTableId=ref(table), DestinationCidrBlock=str(network),
            GatewayId=ref(gateway),
        )  # fmt: skip
    for zone, network in placed(terrain, link):
        here, nat = subnet(link, zone), apart("link", link.name, "nat", zone)
        found |= made(here, network, zone_of(blueprint, zone), f"{name}-{zone}", table, (block,))
        found[nat] = resource(
            "AWS::EC2::NatGateway", ConnectivityType="private", SubnetId=ref(here),
            PrivateIpAddress=str(network.network_address + SEEN), Tags=tags(Name=f"{name}-{zone}"),
        )  # fmt: skip
        for to in link.networks:
            found[way(zone, to)] = resource(
                "AWS::EC2::Route", RouteTableId=ref(routes(PRIVATE, zone)), DestinationCidrBlock=str(to),
                NatGatewayId=ref(nat),
            )  # fmt: skip
    return found
