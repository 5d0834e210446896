"""The network of an environment, cut into blocks of 1/32: the same for one zone as for four, so a zone more moves none.

    block of 1/32    what                               of a /16          of a /22
    0 1 2 3          public subnets of zones a b c d    /21, 2,043 each   /27, 27 each
    4 5 6 7          data subnets of zones a b c d      /21, 2,043 each   /27, 27 each
    8 .. 11          names, one address each            /19, 8,187        /25, 123
    12 13            edge subnets of two zones          /21, 2,043 each   /27, 27 each
    14               the balancer's own address
    15               free
    16 .. 31         private subnets of zones a b c d   /19, 8,187 each   /25, 123 each

The edge subnets are the aws engine's: an Application Load Balancer needs subnets of a /27 or larger in two zones, even
for an environment of one zone, and a /22 is the smallest network that gives them. AWS takes the first four addresses
and the last one of every subnet, so nothing is placed there, on any engine. The resolver is the network's second host
address, as on AWS; it lies in the reserved part of the first public subnet.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network

from anden.model.blueprint import Layout, Zone
from anden.model.ids import ZoneName
from anden.model.mark import Marks
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology
from anden.planning.places import where_of

WIDEST_PREFIX = 16
"""The largest network: AWS's limit for a VPC."""
NARROWEST_PREFIX = 22
"""The smallest network: its edge subnets are a /27, the smallest that an Application Load Balancer takes."""
ZONE_NAMES = tuple(ZoneName(letter) for letter in "abcd")
MOST_ZONES = len(ZONE_NAMES)
RESERVED_FIRST = 4
"""Addresses at the start of a subnet that AWS keeps (network, router, resolver, future use)."""
RESERVED_LAST = 1
"""The broadcast address, which AWS keeps too."""

_BLOCK_BITS = 5
"""32 blocks."""
_WIDE_BITS = 2
"""Private subnets and names take four blocks."""
_PUBLIC, _DATA, _NAMES, _EDGE, _BALANCER, _PRIVATE = 0, 4, 8, 12, 14, 16


def layout(network: IPv4Network, zones: int) -> Layout:
    """The layout of `network` (/16 to /22) in 1 to 4 zones. Raises ValueError outside of these."""
    if not WIDEST_PREFIX <= network.prefixlen <= NARROWEST_PREFIX:
        raise ValueError(f"{network}: a network is a /{WIDEST_PREFIX} to a /{NARROWEST_PREFIX}")
    if not 1 <= zones <= MOST_ZONES:
        raise ValueError(f"{zones} zones: an environment has 1 to {MOST_ZONES}")
    return Layout(
        network=network,
        resolver=network.network_address + 2,
        names=_block(network, _NAMES, wide=True),
        balancer=_block(network, _BALANCER).network_address + RESERVED_FIRST,
        zones=tuple(
            Zone(
                name=name,
                public=_block(network, _PUBLIC + index),
                private=_block(network, _PRIVATE + (index << _WIDE_BITS), wide=True),
                data=_block(network, _DATA + index),
            )
            for index, name in enumerate(ZONE_NAMES[:zones])
        ),
    )


def edges(network: IPv4Network) -> tuple[IPv4Network, IPv4Network]:
    """The two edge subnets of `network`, for zones `a` and `b` of the region whatever the environment has."""
    return _block(network, _EDGE), _block(network, _EDGE + 1)


def _block(network: IPv4Network, index: int, *, wide: bool = False) -> IPv4Network:
    size = network.num_addresses >> _BLOCK_BITS
    prefix = network.prefixlen + _BLOCK_BITS - (_WIDE_BITS if wide else 0)
    return IPv4Network((int(network.network_address) + index * size, prefix))


def usable(subnet: IPv4Network) -> range:
    """The addresses of a subnet that may be placed, as integers."""
    first = int(subnet.network_address)
    return range(first + RESERVED_FIRST, first + subnet.num_addresses - RESERVED_LAST)


def prefix_for(places: int) -> int | None:
    """The narrowest network whose private subnets hold `places` each; None: not even the widest does."""
    for prefix in range(NARROWEST_PREFIX, WIDEST_PREFIX - 1, -1):
        if len(usable(IPv4Network((0, prefix + _BLOCK_BITS - _WIDE_BITS)))) >= places:
            return prefix
    return None


def candidates() -> Iterator[IPv4Network]:
    """The networks that are tried in turn, 272 of a /16; 172.30 downwards first: data centres mostly use 10.0.0.0/8.

    172.31 is left out (the default VPC of every AWS region), as is 172.17 (Docker's default, and AWS advises against
    it). Last comes 100.64.0.0/10, which is shared address space and not private to anybody.
    """
    yield from (IPv4Network(f"172.{second}.0.0/16") for second in range(30, 15, -1) if second != 17)
    yield from (IPv4Network(f"10.{(64 + second) % 256}.0.0/16") for second in range(256))
    yield IPv4Network("192.168.0.0/16")
    yield IPv4Network("100.64.0.0/16")


def allocate(topology: Topology, kept: IPv4Network | None, marks: Marks) -> IPv4Network:
    """The network of the environment: the declared one, else `kept` (the parent's), else the first free candidate.

    Free: no overlap with the links' networks, their `seen-as`, or private destinations. Raises Problems when the
    declared one has a size that cannot be laid out, or when no candidate is free.
    """
    if topology.network is not None:
        _check_size(topology.network, topology, marks)
        return topology.network
    foreign = elsewhere(topology)
    for network in (kept, *candidates()):
        if network is not None and not any(network.overlaps(other) for other in foreign.values()):
            return network
    raise Problems(
        Problem(
            where_of(topology, marks, "network"),
            "no private network is free",
            "every one that anden knows overlaps " + ", ".join(foreign),
            f"Narrow these, or declare a network (/{WIDEST_PREFIX} to /{NARROWEST_PREFIX}) that they leave free.",
        )
    )


def elsewhere(topology: Topology) -> dict[str, IPv4Network]:
    """What must not overlap the environment's network: whose it is, and the network.

    A destination that is wider than private space (`0.0.0.0/0`) means the internet and is left out.
    """
    found = {}
    for link in topology.links:
        for network in link.networks:
            found[f"link {link.name} ({network})"] = network
        if link.seen_as is not None:
            found[f"link {link.name}, seen-as ({link.seen_as})"] = link.seen_as
    for place in topology.destinations:
        if place.network is not None and (place.network.is_private or place.link is not None):
            found[f"destination {place.name} ({place.network})"] = place.network
    return found


def _check_size(network: IPv4Network, topology: Topology, marks: Marks) -> None:
    if not WIDEST_PREFIX <= network.prefixlen <= NARROWEST_PREFIX:
        wider = network.prefixlen < WIDEST_PREFIX
        example = IPv4Network((network.network_address, 16)) if wider else network.supernet(new_prefix=22)
        raise Problems(
            Problem(
                where_of(topology, marks, "network"),
                f"{network} cannot be laid out",
                f"a network is a /{WIDEST_PREFIX} to a /{NARROWEST_PREFIX}",
                f"Use {example}.",
            )
        )
