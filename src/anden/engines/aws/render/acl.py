"""Network ACLs as resources: one for each layer, and one for each link with `seen-as`.

    100             ICMP "too big": without it a path's largest packet is never learnt, for an ACL knows no connections
    1000 .. 9999    inside: to and from the VPC's own layers
    10000           the rest of the VPC is refused, before
    11000 .. 31999  outside: what is written as everywhere does not mean the VPC

A rule's number comes from what it lets through, and its logical name from its number: a rule that stays is never
touched, a new one is made before an old one goes, and two of the same number (rare) are told apart by the next free.
Questions to the VPC's resolver pass every ACL (VPC user guide, "Network ACLs").
"""

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from anden.engines.aws.render import seen_as
from anden.engines.aws.render.acl_openings import Direction, Opening, Wall, dialled, fit, passing, range_of, walls
from anden.engines.aws.render.template import Json, Part, Resource, apart, logical, ref, resource, tags
from anden.engines.aws.render.terrain import ANYWHERE, Terrain
from anden.engines.aws.render.vpc import PRIVATE, VPC_ID, subnet, subnets

MOST_RULES = 19
"""Rules a direction: AWS's quota is 20 and counts the last one, which refuses all (VPC user guide, "Amazon VPC quotas";
40 at most, on request)."""
MOST_INSIDE = 8
"""Rules of these for inside; outside has what is left."""
TOO_BIG = 100
INSIDE, REFUSED, OUTSIDE, END = 1_000, 10_000, 11_000, 32_000
"""Where rule numbers begin; AWS's highest is 32,766."""
TCP, ICMP, ALL = 6, 1, -1


def part(terrain: Terrain, entrances: Iterable[int]) -> Part:
    """All of them, with their subnets. entrances: where the internal balancer listens."""
    resources: dict[str, Resource] = {}
    wall_of = walls(terrain, entrances)
    subnets_of: dict[str, list[str]] = {}
    for layer, zone, _ in subnets(terrain):
        subnets_of.setdefault(layer, []).append(subnet(layer, zone))
    for layer, wall in wall_of.items():
        resources |= _wall(terrain, layer, logical(layer), wall, subnets_of[layer])
    for link in terrain.links:
        if link.seen_as is not None:
            private = range_of(terrain, PRIVATE)
            wall = dialled(private, passing(private, terrain.behind(link.name)), terrain.entering(link.name))
            here = [seen_as.subnet(link, zone) for zone, _ in seen_as.placed(terrain, link)]
            resources |= _wall(terrain, link.name, apart("link", link.name), wall, here)
    return Part(resources)


def _wall(terrain: Terrain, name: str, logical_id: str, wall: Wall, around: Iterable[str]) -> dict[str, Resource]:
    acl = f"{logical_id}Acl"
    found: dict[str, Resource] = {
        acl: resource("AWS::EC2::NetworkAcl", VpcId=ref(VPC_ID), Tags=tags(Name=f"{terrain.name}-{name}"))
    }
    for direction, outward in ((wall.inward, False), (wall.outward, True)):
        for number, properties in _rules(terrain.network, direction):
            found[f"{acl}{'Out' if outward else 'In'}{number}"] = resource(
                "AWS::EC2::NetworkAclEntry", NetworkAclId=ref(acl), Egress=outward, RuleNumber=number, **properties
            )
    for each in around:
        found[f"{each}Acl"] = resource(
            "AWS::EC2::SubnetNetworkAclAssociation", SubnetId=ref(each), NetworkAclId=ref(acl)
        )
    return found


def _rules(network: IPv4Network, direction: Direction) -> Iterator[tuple[int, dict[str, Json]]]:
    """Number and properties; none where nothing passes."""
    inside = fit(direction.inside, MOST_INSIDE)
    outside = fit(direction.outside, MOST_RULES - 2 - len(inside), ANYWHERE)
    if inside or outside:
        whose = str(ANYWHERE if outside else network)
        yield TOO_BIG, {"Protocol": ICMP, "RuleAction": "allow", "CidrBlock": whose, "Icmp": {"Type": 3, "Code": 4}}
    yield from numbered(inside, INSIDE, REFUSED)
    if outside:
        yield REFUSED, {"Protocol": ALL, "RuleAction": "deny", "CidrBlock": str(network)}
    yield from numbered(outside, OUTSIDE, END)


def numbered(openings: Iterable[Opening], start: int, end: int) -> Iterator[tuple[int, dict[str, Json]]]:
    """Rules that allow these, with numbers from `start` to before `end`, of which there are enough."""
    taken: set[int] = set()
    for each in openings:
        text = f"{each.network} {each.first}-{each.last}"
        number = start + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % (end - start)
        while number in taken:
            number = start + (number + 1 - start) % (end - start)
        taken.add(number)
        ports = {"From": each.first, "To": each.last}
        yield number, {"Protocol": TCP, "RuleAction": "allow", "CidrBlock": str(each.network), "PortRange": ports}
