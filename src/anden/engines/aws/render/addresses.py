"""The fixed addresses: Elastic IPs that are the client's own, a stack for each.

Somebody's firewall admits them, so they outlive the environment: `down` leaves their stacks, the next `up` finds them,
and a zone that goes and comes back finds its own (docs/decisions/0022-kept.md). With egress `one` the only address is
zone a's, so that going to `per-zone` and back keeps the address that is known already.
"""

from collections.abc import Sequence

from anden.engines.aws.render.naming import allocation, fixed_address
from anden.engines.aws.render.template import Part, att, resource, tags
from anden.engines.aws.render.terrain import Terrain
from anden.model.topology import Egress

ADDRESS = "Address"
"""Its logical name."""


def zones(terrain: Terrain) -> Sequence[str]:
    """The zones that have an address of their own."""
    if terrain.egress is Egress.NONE:
        return ()
    return [zone.name for zone in terrain.zones[: None if terrain.egress is Egress.PER_ZONE else 1]]


def part(terrain: Terrain, zone: str) -> Part:
    """A zone's address. It is of no VPC until a NAT gateway has it."""
    address = resource("AWS::EC2::EIP", keep="replaced", Domain="vpc", Tags=tags(Name=f"{terrain.name}-{zone}-egress"))
    publishes = {
        allocation(zone).key: att(ADDRESS, "AllocationId"),
        fixed_address(zone).key: att(ADDRESS, "PublicIp"),
    }
    return Part({ADDRESS: address}, publishes)
