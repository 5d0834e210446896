"""What each layer's network ACL lets in and out: a coarse second wall behind the security groups.

An ACL knows neither services nor connections, so it is drawn by layers and ports, and lets answers pass by their port
(ephemeral, 1024-65535). It never refuses what the security groups allow; what it refuses, they refuse as well, unless
somebody has changed them.

    layer     in                                           out
    private   calls of the private and edge layers         calls to the private layer, endpoints :443
              answers of endpoints and of what is outside  what is reached outside, on its ports
    data      the private layer on 443                     answers to the private layer
    edge      the edge layer on the entrance's port        the edge layer, services with a route, answers
              answers of services
    public    from the private layer to what is reached    what is reached, on its ports
              answers of what is outside                   answers to the private layer
    link      as public, for one link with `seen-as`; and who may come in by it, on the ports that are dialled
              answers of services                          services that may be opened, on their ports, and answers

With few rules to a direction, they are coarser where a lot is declared: see `fit`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, collapse_addresses
from itertools import groupby, pairwise

from anden.engines.aws.render.terrain import Entering, Outside, Terrain
from anden.engines.aws.render.vpc import DATA, EDGE, PRIVATE, PUBLIC
from anden.planning.addressing import edges

EPHEMERAL = (1024, 65535)
"""Ports that callers call from: NAT gateways and balancers use all of them (VPC user guide, "Network ACLs",
ephemeral ports)."""
HTTPS = 443
_WIDE = {PUBLIC: 3, DATA: 3, PRIVATE: 1}
"""Bits by which a layer's range, for all four zones, is narrower than the network (planning.addressing)."""


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """TCP to or from `network`, on the ports `first` to `last`."""

    network: IPv4Network
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Direction:
    """What passes one way. inside: to or from the VPC's own layers. outside: beyond the VPC; never the VPC itself, also
    where it is written as everywhere."""

    inside: tuple[Opening, ...] = ()
    outside: tuple[Opening, ...] = ()


@dataclass(frozen=True, slots=True)
class Wall:
    """One layer's."""

    inward: Direction
    outward: Direction


def range_of(terrain: Terrain, layer: str) -> IPv4Network:
    """The range that holds a layer's subnets in every zone, whether the environment has it or not."""
    if layer == EDGE:
        return edges(terrain.network)[0].supernet()
    blocks = list(terrain.network.subnets(prefixlen_diff=_WIDE[layer]))
    return blocks[{PUBLIC: 0, DATA: 1, PRIVATE: 1}[layer]]


def walls(terrain: Terrain, entrances: Iterable[int]) -> dict[str, Wall]:
    """The wall of each layer. entrances: where the internal balancer listens; while that changes, both ports."""
    private, data, edge = (range_of(terrain, layer) for layer in (PRIVATE, DATA, EDGE))
    calls, enters = _on(private, terrain.called), _on(private, terrain.entered)
    answers_private, answers_edge = _answers(private), _answers(edge)
    enter = _on(edge, entrances)
    among = (*calls, *_if(calls, answers_private))
    return {
        PRIVATE: Wall(
            Direction(
                (*among, *_on(edge, terrain.entered), _answers(data)), (*_answers_of(terrain.outside), *_from(terrain))
            ),
            Direction(
                (*among, *_if(enters, answers_edge), Opening(data, HTTPS, HTTPS)),
                (*_to(terrain.outside), *_answers_to(terrain)),
            ),
        ),
        DATA: Wall(Direction((Opening(private, HTTPS, HTTPS),)), Direction((answers_private,))),
        EDGE: Wall(
            Direction((*enter, answers_edge, *_if(enters, answers_private))),
            Direction((*enter, answers_edge, *enters)),
        ),
        PUBLIC: passing(private, terrain.internet),
    }  # fmt: skip


def passing(private: IPv4Network, reached: Iterable[Outside]) -> Wall:
    """The wall around NAT gateways: from the private layer to what is reached, and the answers back."""
    outside = tuple(reached)
    ports = sorted({each.port for each in outside})
    return Wall(
        Direction(inside=tuple(_on(private, ports)), outside=_answers_of(outside)),
        Direction(inside=_if(ports, _answers(private)), outside=_to(outside)),
    )


def dialled(private: IPv4Network, wall: Wall, entering: Iterable[Entering]) -> Wall:
    """The wall around a link with who may come in by it, its balancer's calls to the private layer, and the answers."""
    some = tuple(entering)
    if not some:
        return wall
    ports = sorted({each.port for each in some})
    begin = tuple(Opening(each.network, each.at, each.at) for each in some)
    answered = tuple(_answers(each.network) for each in some)
    return Wall(
        Direction((*wall.inward.inside, _answers(private)), (*wall.inward.outside, *begin)),
        Direction((*wall.outward.inside, *_on(private, ports)), (*wall.outward.outside, *answered)),
    )


def _from(terrain: Terrain) -> tuple[Opening, ...]:
    """What balancers of links open in the private layer: they stand in blocks of their own, beside the VPC's first."""
    blocks = {link.name: link.seen_as for link in terrain.links}
    found = {(blocks.get(each.link), each.port) for each in terrain.incoming}
    return tuple(Opening(block, port, port) for block, port in sorted(found, key=str) if block is not None)


def _answers_to(terrain: Terrain) -> tuple[Opening, ...]:
    return tuple(_answers(each.network) for each in _from(terrain))


def _on(network: IPv4Network, ports: Iterable[int]) -> list[Opening]:
    return [Opening(network, port, port) for port in ports]


def _answers(network: IPv4Network) -> Opening:
    return Opening(network, *EPHEMERAL)


def _if(any_: Sized, opening: Opening) -> tuple[Opening, ...]:
    """The opening, where there is anything to answer."""
    return (opening,) if any_ else ()


def _to(outside: Iterable[Outside]) -> tuple[Opening, ...]:
    return tuple(Opening(each.network, each.port, each.port) for each in outside)


def _answers_of(outside: Iterable[Outside]) -> tuple[Opening, ...]:
    return tuple(_answers(network) for network in sorted({each.network for each in outside}))


def fit(openings: Iterable[Opening], most: int, widest: IPv4Network | None = None) -> tuple[Opening, ...]:
    """Openings that let all of these through, in at most `most` rules, sorted. Exact where that is few enough; else to
    `widest`, port by port; else the narrowest gaps between ports are let through as well.

    Without `widest` networks stay what they are. Raises ValueError when there are more of them than rules.
    """
    found = _merged(openings)
    if len(found) > most and widest is not None:
        found = _merged(Opening(widest, each.first, each.last) for each in found)
    return found if len(found) <= most else _closed(found, len(found) - most)


def _merged(openings: Iterable[Opening]) -> tuple[Opening, ...]:
    """The same, in as few as it takes without letting more through: neighbouring ports, then neighbouring networks."""
    ranges: dict[tuple[int, int], list[IPv4Network]] = defaultdict(list)
    for network, group in groupby(sorted(set(openings)), key=lambda each: each.network):
        for first, last in _joined(group):
            ranges[first, last].append(network)
    return tuple(
        sorted(Opening(network, *ports) for ports, some in ranges.items() for network in collapse_addresses(some))
    )


def _joined(openings: Iterable[Opening]) -> Iterator[tuple[int, int]]:
    """Ranges of ports, apart from each other; the openings come sorted."""
    first = last = -1
    for each in openings:
        if each.first > last + 1:
            if last >= 0:
                yield first, last
            first = each.first
        last = max(last, each.last)
    if last >= 0:
        yield first, last


def _closed(openings: tuple[Opening, ...], count: int) -> tuple[Opening, ...]:
    """The same with `count` of the gaps between ports let through, the narrowest ones."""
    gaps = [
        (after.first - before.last, index)
        for index, (before, after) in enumerate(pairwise(openings))
        if before.network == after.network
    ]
    if len(gaps) < count:
        raise ValueError(f"{len(openings)} openings to more networks than there are rules")
    shut = {index for _, index in sorted(gaps)[:count]}
    found: list[Opening] = []
    for index, each in enumerate(openings):
        if index - 1 in shut:
            found[-1] = replace(found[-1], last=each.last)
        else:
            found.append(each)
    return tuple(found)
