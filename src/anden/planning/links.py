"""What both sides of a link have to agree on, from the topology and what an engine knows of its endpoints."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from anden.model.ids import ZoneName
from anden.model.link import Admitted, Agreement, Endpoint, Opening, Policy, Tunnel, Watch
from anden.model.topology import Link, Topology
from anden.planning.addressing import ZONE_NAMES
from anden.planning.link_policies import AWS, WATCH, bgp

ZONE_PREFIX = 28
"""Of a zone's share of `seen-as` at the least: AWS's smallest subnet."""
ZONE_BITS = 2
"""Four shares: as many as an environment has zones at most."""
SEEN, DIALLED = 5, 6
"""Which address of its zone's share a zone is seen as, and which one the other side dials: of the first that AWS leaves
to anybody, so that a rule for one engine fits the other."""
INSIDE = IPv4Network("169.254.0.0/16")
INSIDE_PREFIX = 30
RESERVED_INSIDE = frozenset(
    IPv4Network(f"169.254.{block}/30") for block in ("0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "169.252")
)
"""What AWS keeps for itself (Site-to-Site VPN user guide, Tunnel options, "Inside tunnel IPv4 CIDR")."""
FIRST_BLOCK = 6 * 64
"""Where insides begin: behind those that AWS keeps, and behind the twin's 169.254.1.1."""
FIRST_BGP_BLOCK = 128 * 64
"""Those of links that speak BGP are others: AWS makes another connection for a link that begins to, beside the old one,
and no two of a gateway have the same."""


def agreement(
    link: Link,
    network: IPv4Network,
    zones: Sequence[ZoneName],
    endpoints: Sequence[Endpoint],
    policy: Policy = AWS,
    watch: Watch = WATCH,
) -> Agreement:
    """The link's parameters. network: the environment's; endpoints: one a tunnel, the preferred first.

    Raises ValueError for another number of endpoints, or a `seen-as` too small for the zones (the manifest's checks
    refuse it before).
    """
    if len(endpoints) != link.tunnels:
        raise ValueError(f"{len(endpoints)} endpoints for {link.tunnels} tunnels")
    return Agreement(
        link=link.name,
        peer=link.peer,
        local=link.seen_as or network,
        remote=link.networks,
        zones=() if link.seen_as is None else shares(link.seen_as, zones),
        policy=policy,
        watch=watch,
        tunnels=tuple(
            Tunnel(number, ours, key, None if ours.address is None else str(ours.address), str(link.peer))
            for number, (ours, key) in enumerate(zip(endpoints, link.secret or ("",) * link.tunnels, strict=True), 1)
        ),
        bgp=None if link.bgp is None else bgp(link.bgp),
    )


def openings(topology: Topology, link: str) -> tuple[Opening, ...]:
    """What services open behind the link: its destinations that one of them reaches at least, by name."""
    reached = {name for service in topology.services for name in service.reaches}
    return tuple(
        Opening(place.name, place.network, place.port)
        for place in topology.destinations
        if place.link == link and place.network is not None and place.name in reached
    )


def admitted(topology: Topology, link: str, zones: Sequence[ZoneName]) -> tuple[Admitted, ...]:
    """What the other side may open, by service. zones: the environment's."""
    return tuple(
        Admitted(str(one.service), one.sources, tuple(dialled(each, zones).values()), one.port)
        for each in topology.links
        if each.name == link
        for one in each.incoming
    )


def dialled(link: Link, zones: Sequence[ZoneName]) -> dict[ZoneName, IPv4Address]:
    """The address that the other side dials in each zone, where something may come in; none without `seen-as`. Raises
    ValueError as `shares`."""
    if link.seen_as is None:
        return {}
    return {zone: share.network_address + DIALLED for zone, share in shares(link.seen_as, zones)}


def shares(block: IPv4Network, zones: Sequence[ZoneName]) -> tuple[tuple[ZoneName, IPv4Network], ...]:
    """Each zone's share of `seen-as`: cut into four, one a zone, so that a zone more moves none; into two or one where
    a /28 is reached before. Raises ValueError where a zone would have none."""
    bits = min(ZONE_BITS, ZONE_PREFIX - block.prefixlen)
    by_zone = dict(zip(ZONE_NAMES, block.subnets(prefixlen_diff=bits), strict=False)) if bits >= 0 else {}
    missing = [zone for zone in zones if zone not in by_zone]
    if missing:
        raise ValueError(f"{block} has no /{ZONE_PREFIX} for zone {', '.join(missing)}")
    return tuple((zone, by_zone[zone]) for zone in zones)


def numbers(links: Iterable[str], before: Mapping[str, int]) -> dict[str, int]:
    """A number for each link, by name: the one that it had, and for new links the smallest that nobody has or had.

    So a link keeps its place in the network whatever is added or removed beside it, and while a change is in flight
    no place means two links. before: the parent's.
    """
    names = sorted(links)
    free = (number for number in range(1, len(before) + len(names) + 1) if number not in before.values())
    return {name: before[name] if name in before else next(free) for name in names}


def inside(link: int, number: int, *, bgp: bool = False) -> IPv4Interface:
    """Our address in a tunnel where the engine does not choose: each tunnel has a /30 of its own, its first is ours.

    link: its number in the blueprint, from 1; number: the tunnel's, from 1. bgp: the link speaks it. Never one that AWS
    keeps.
    """
    begin = FIRST_BGP_BLOCK if bgp else FIRST_BLOCK
    first = int(INSIDE.network_address) + 4 * (begin + 2 * (link - 1) + number - 1)
    block = IPv4Network((first, INSIDE_PREFIX))
    return IPv4Interface((block.network_address + 1, INSIDE_PREFIX))
