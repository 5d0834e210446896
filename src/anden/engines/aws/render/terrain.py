"""What an environment's network must hold: while a change is in flight, all that the old and the new blueprint need.

The network's stack is applied before the services. What only the old blueprint needs (a zone, a link, a destination)
must therefore stay until the last of its tasks is gone; the stack is applied once more, without it, at the end.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from anden.engines.aws.render import naming
from anden.model.blueprint import Blueprint, Zone
from anden.model.topology import Destination, Egress, Link, Topology

_STRENGTH = (Egress.NONE, Egress.ONE, Egress.PER_ZONE)
ANYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True, order=True)
class Outside:
    """Something outside that a service reaches. link: the name of the link that it lies behind; "" for the internet,
    where a host name is every address."""

    network: IPv4Network
    port: int
    link: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Entering:
    """Somebody behind `link`, in `network`, who may dial `at`. port: the service's own."""

    link: str
    network: IPv4Network
    at: int
    port: int


@dataclass(frozen=True, slots=True)
class Terrain:
    """The network of an environment. All tuples are sorted.

    name: of everything in it. network: the VPC's. zones: with their subnets. called: ports on which services call
    each other. entered: ports of services with a route. outside: what services reach beyond the VPC. hosts: the names
    among it. lasting: it is a productive environment, whose records outlive it. numbers: each link's own. incoming:
    who may come in over links.
    """

    name: str
    network: IPv4Network
    zones: tuple[Zone, ...]
    egress: Egress
    links: tuple[Link, ...]
    called: tuple[int, ...]
    entered: tuple[int, ...]
    outside: tuple[Outside, ...]
    hosts: tuple[str, ...]
    lasting: bool
    numbers: Mapping[str, int] = field(default_factory=dict)
    incoming: tuple[Entering, ...] = ()

    @property
    def internet(self) -> tuple[Outside, ...]:
        """What is reached by the NAT gateways."""
        return tuple(each for each in self.outside if not each.link)

    def behind(self, link: str) -> tuple[Outside, ...]:
        """What is reached by that link."""
        return tuple(each for each in self.outside if each.link == link)

    def entering(self, link: str) -> tuple[Entering, ...]:
        """Who may come in by that link."""
        return tuple(each for each in self.incoming if each.link == link)


def terrain(blueprint: Blueprint, keeping: Blueprint | None = None) -> Terrain:
    """The network for `blueprint`, and for `keeping` as well, the blueprint that a change replaces. What lies in
    another VPC cannot be kept: when the network itself changes, everything is replaced (differences say so)."""
    layout = blueprint.layout
    both = [blueprint]
    if keeping is not None and keeping.layout.network == layout.network:
        both.append(keeping)
    topologies = [each.topology for each in both]
    zones = {zone.name: zone for each in reversed(both) for zone in each.layout.zones}
    links: dict[str, Link] = {}
    for link in (link for topology in topologies for link in topology.links):
        kept = links.setdefault(link.name, link)
        links[link.name] = replace(kept, networks=tuple(sorted({*kept.networks, *link.networks})))
    return Terrain(
        name=naming.place(blueprint.topology),
        network=layout.network,
        zones=tuple(zones[name] for name in sorted(zones)),
        egress=max((topology.egress for topology in topologies), key=_STRENGTH.index),
        links=tuple(links[name] for name in sorted(links)),
        called=_ports(topologies, {name for each in topologies for s in each.services for name in s.reaches}),
        entered=_ports(topologies, {s.name for each in topologies for s in each.services if s.route is not None}),
        outside=tuple(sorted({found for topology in topologies for found in _outside(topology, links)})),
        hosts=tuple(sorted({host for topology in topologies for host in _hosts(topology)})),
        lasting=blueprint.topology.production,
        numbers={name: number for each in reversed(both) for name, number in each.links.items()},
        incoming=tuple(sorted({found for topology in topologies for found in _entering(topology, topologies)})),
    )


def _ports(topologies: Iterable[Topology], names: Iterable[str]) -> tuple[int, ...]:
    """The ports of these services, in whichever blueprint they have one: old callers call new tasks, and vice versa."""
    wanted = frozenset(names)
    services = (service for topology in topologies for service in topology.services if service.name in wanted)
    return tuple(sorted({service.port for service in services if service.port is not None}))


def _reached(topology: Topology) -> Iterator[Destination]:
    """Every destination that some service reaches, once."""
    names = {name for service in topology.services for name in service.reaches}
    return (place for place in topology.destinations if place.name in names)


def _outside(topology: Topology, links: Collection[str]) -> Iterator[Outside]:
    for place in _reached(topology):
        if place.link is not None:
            if place.link in links and place.network is not None:
                yield Outside(place.network, place.port, place.link)
        elif topology.egress is not Egress.NONE:
            yield Outside(place.network if place.network is not None else ANYWHERE, place.port)


def _entering(topology: Topology, topologies: Iterable[Topology]) -> Iterator[Entering]:
    """topologies: in whichever the service has a port."""
    for link in topology.links:
        for one in link.incoming if link.seen_as is not None else ():
            for port in _ports(topologies, [one.service]):
                yield from (Entering(link.name, source, one.port, port) for source in one.sources)


def _hosts(topology: Topology) -> Iterator[str]:
    for place in _reached(topology):
        if place.host is not None and place.link is None and topology.egress is not Egress.NONE:
            yield place.host
