"""The way to the internet: an internet gateway, and NAT gateways on the fixed addresses (`addresses`).

Only with egress other than `none`. One NAT gateway (`one`) is zone a's.
"""

from anden.engines.aws.render import addresses
from anden.engines.aws.render.naming import allocation
from anden.engines.aws.render.template import Part, Resource, logical, ref, resource, tags
from anden.engines.aws.render.terrain import ANYWHERE, Terrain
from anden.engines.aws.render.vpc import PRIVATE, PUBLIC, VPC_ID, routes, subnet, way
from anden.model.topology import Egress

ATTACHED = "InternetGatewayAttached"
"""Routes to the gateway need it (CloudFormation user guide, "DependsOn attribute")."""


def part(terrain: Terrain) -> Part:
    """The gateways, and the routes through them."""
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
    first = terrain.zones[0].name
    for each in addresses.zones(terrain):
        resources[logical("nat", each)] = resource(
            "AWS::EC2::NatGateway", after=["PublicDefault"], AllocationId=allocation(each),
            SubnetId=ref(subnet(PUBLIC, each)), Tags=tags(Name=f"{terrain.name}-{each}"),
        )  # fmt: skip
    for zone in terrain.zones:
        resources[way(zone.name, ANYWHERE)] = resource(
            "AWS::EC2::Route", RouteTableId=ref(routes(PRIVATE, zone.name)), DestinationCidrBlock=str(ANYWHERE),
            NatGatewayId=ref(logical("nat", zone.name if per_zone else first)),
        )  # fmt: skip
    return Part(resources)
