"""What templates let through, held against what the planner says and the manifest declares: every difference in words.

This is the other side of the proof, and the only one that knows anden: it imports the model and the planner, and of the
aws engine only what it says that it does otherwise (caveats).
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from tests.parity.answer import FIREWALL, PARTLY, Answer, Ground

from anden.model.blueprint import Blueprint
from anden.model.ids import ZoneName
from anden.model.plan import Caveat
from anden.model.topology import Destination, Egress, Service, Topology
from anden.planning import links, reachability

ANYWHERE = IPv4Network("0.0.0.0/0")
ENDPOINTS = ("the endpoints", 443, 443)
"""What every service opens besides what it declares: AWS's own services, at private addresses."""
FORGED = ("evil.example", "localhost", "169.254.169.254")
"""Host headers of nobody here."""


def differences(ground: Ground, blueprint: Blueprint, caveats: Sequence[Caveat]) -> list[str]:
    """Every difference, in words; none is a proof that the templates are what was declared."""
    missing = {service.name for service in blueprint.topology.services} ^ ground.services.keys()
    if missing:
        return [f"services: {', '.join(sorted(missing))} are on one side only"]
    zones = [zone.name for zone in blueprint.layout.zones]
    return [
        *_matrix(ground, blueprint, caveats),
        *_outside(ground, blueprint, caveats),
        *_over_links(ground, blueprint, caveats),
        *_nothing_else(ground, blueprint.topology, zones),
        *_hosts(ground, blueprint, caveats),
        *(f"{name} can be opened from outside" for name in ground.exposed()),
    ]


# Service to service, service to destination.


def _matrix(ground: Ground, blueprint: Blueprint, caveats: Sequence[Caveat]) -> Iterator[str]:
    topology = blueprint.topology
    for path in reachability.matrix(blueprint, {}, caveats):
        if path.caller.startswith(reachability.LINK):
            continue
        place = topology.destination(path.callee) if topology.service(path.callee) is None else None
        seen = asked(ground, path.caller, path.callee, place, path.port)
        if place is not None and not path.open and seen.stop != FIREWALL and implied(topology, path.caller, place):
            continue
        stop = "" if path.open else path.hops[-1].kind
        if (path.open, stop) != (seen.open, seen.stop):
            yield f"{path.caller} → {path.callee}:{path.port}: {stop or 'open'}, seen {seen.stop or 'open'} {seen.why}"
        elif path.open and place is not None:
            yield from _way(ground, topology, path.caller, place, seen)


def asked(ground: Ground, caller: str, callee: str, place: Destination | None, port: int) -> Answer:
    """What the templates answer."""
    if place is None:
        return ground.to_service(caller, callee, port)
    if place.host is not None:
        return ground.to_host(caller, place.host, port)
    assert place.network is not None
    return ground.to_network(caller, place.network, port)


def implied(topology: Topology, caller: str, place: Destination) -> bool:
    """Whether a destination is let through by another one that the caller declares, on the same port: a security group
    knows addresses and no names, and a host name is every address (caveats say so)."""
    service = topology.service(caller)
    others = [topology.destination(name) for name in (service.reaches if service else ())]
    return any(
        other is not None and other.port == place.port and covered(other).overlaps(covered(place)) for other in others
    )


def covered(place: Destination) -> IPv4Network:
    """The addresses that a destination may have."""
    return place.network if place.network is not None else ANYWHERE


def _way(ground: Ground, topology: Topology, caller: str, place: Destination, seen: Answer) -> Iterator[str]:
    """By NAT from the environment's own addresses, one or one for each zone; by a link from what it declares."""
    if seen.by != ("link" if place.link is not None else "nat"):
        yield f"{caller} → {place.name} leaves by {seen.by}"
    elif seen.by == "nat":
        fixed = topology.zones if topology.egress is Egress.PER_ZONE else 1
        if len(seen.sources) != fixed:
            yield f"{caller} → {place.name} leaves from {len(seen.sources)} addresses, declared are {fixed}"
    else:
        link = next((each for each in topology.links if each.name == place.link), None)
        within = link.seen_as if link is not None and link.seen_as is not None else ground.network.inside[0]
        for source in seen.sources:
            if not isinstance(source, IPv4Network) or not source.subnet_of(within):
                yield f"{caller} → {place.name} is seen as {source}, declared is {within}"


# From behind a link.


def _over_links(ground: Ground, blueprint: Blueprint, caveats: Sequence[Caveat]) -> Iterator[str]:
    """At every address that is dialled, from every edge of what a rule may cut, on every port of anybody's."""
    topology = blueprint.topology
    zones = [zone.name for zone in blueprint.layout.zones]
    opened = [path for path in reachability.matrix(blueprint, {}, caveats) if path.open]
    every = {service.port for service in topology.services if service.port is not None} | {22, 443}
    every |= {port for door in ground.doors.all for port in door.listeners}
    declared: set[IPv4Address] = set()
    for link in topology.links:
        ours = {path.port: path.callee for path in opened if path.caller == link.caller}
        sources = {one.port: one.sources for one in link.incoming}
        addresses = links.dialled(link, zones).values() if link.incoming else ()
        declared.update(addresses)
        edges = {each for one in link.incoming for network in one.sources for each in _around(network)}
        edges |= {each for network in link.networks for each in (network[0], network[-1])}
        for address in addresses:
            for port in sorted(every | set(ours)):
                for source in sorted(each for each in edges if any(each in network for network in link.networks)):
                    meant = ours.get(port, "") if any(source in each for each in sources.get(port, ())) else ""
                    seen = ground.doors.dial(source, address, port)
                    if seen.service != meant:
                        yield f"{source} → {address}:{port}: {meant or 'nobody'}, seen {seen.service or seen.why}"
                    elif seen.sees == "the client":
                        yield f"{meant} sees {source} itself, and on the twin the balancer"
        allowed = {(str(network), port, port) for port in ours for network in sources[port]}
        for door in ground.doors.all:
            if set(door.addresses) == set(addresses):
                rules = frozenset((str(rule.peer), rule.first, rule.last) for rule in ground.doors.admits(door))
                yield from _same(f"{link.name} lets in", rules, allowed)
    standing = {address for door in ground.doors.all for address in door.addresses}
    yield from (f"somebody is at {address}, which nobody declares" for address in sorted(standing - declared))
    yield from (f"nobody is at {address}, which is declared" for address in sorted(declared - standing))


def _around(network: IPv4Network) -> tuple[IPv4Address, ...]:
    return (network[0] - 1, network[0], network[-1], network[-1] + 1)


# From outside.


def _outside(ground: Ground, blueprint: Blueprint, caveats: Sequence[Caveat]) -> Iterator[str]:
    for service in blueprint.topology.services:
        for caller in reachability.OUTSIDE:
            path = reachability.path(blueprint, caller, service.name, None, {}, caveats)
            seen = ground.from_outside(service.name)
            stop = "" if path.open else path.hops[-1].kind
            if (path.open, stop) != (seen.open, seen.stop):
                yield f"{caller} → {service.name}: {stop or 'open'}, seen {seen.stop or 'open'} {seen.why}"


def _hosts(ground: Ground, blueprint: Blueprint, caveats: Sequence[Caveat]) -> Iterator[str]:
    """Every Host header that anybody may think of, at the balancer itself, and every name of the gateway's."""
    topology = blueprint.topology
    opened: set[str] = {
        service.name
        for service in topology.services
        if reachability.path(blueprint, reachability.INTERNET, service.name, None, {}, caveats).open
    }
    own = [service.route.host for service in topology.services if service.route and service.route.host]
    inside = [name for service in topology.services for name in (service.name, f"{service.name}.internal")]
    paths = sorted({path for service in topology.services for path in _paths(service)} | {"/", "/none"})
    for path in paths:
        for listener in ground.entrance.listeners.values():
            for host in (*FORGED, *inside, *own, *([topology.domain] if topology.domain else [])):
                meant = routed(topology, host, path, opened)
                seen = ground.asked(listener, host, path)
                if seen.service != (meant.name if meant else ""):
                    yield f"Host {host}, {path}: {meant.name if meant else 'nobody'}, seen {seen.service or seen.why}"
                elif meant is not None:
                    yield from _checked(meant, seen.checks, seen.path, path)
        for host in ground.entrance.hosts():
            meant = routed(topology, host, path, opened)
            reached = ground.request(host, path)
            if reached.service != (meant.name if meant else ""):
                yield f"{host}{path}: {meant.name if meant else 'nobody'}, seen {reached.service or reached.why}"
            elif meant is not None:
                yield from _checked(meant, reached.checks, reached.path, path)


def routed(topology: Topology, host: str, path: str, opened: set[str]) -> Service | None:
    """The service that a request is meant for: of routes at that host, the longest path on a segment's edge."""
    best: tuple[int, Service] | None = None
    for service in topology.services:
        route = service.route
        if route is None or (at := route.host or topology.domain) not in (None, host):
            continue
        if route.host is not None and topology.domain is None:
            continue  # without a domain there are no names there, and nobody can ask for one (caveats)
        prefix = route.path.rstrip("/")
        if path == prefix or path.startswith(f"{prefix}/"):
            length = len(prefix)
            if (best is None or length > best[0]) and (at is not None or route.host is None):
                best = (length, service)
    return best[1] if best is not None and best[1].name in opened else None


def _checked(service: Service, checks: Sequence[str], seen: str, path: str) -> Iterator[str]:
    wanted = ("jwt-validation",) if service.route is not None and service.route.auth is not None else ()
    if tuple(checks) != wanted:
        yield f"{service.name} {path}: asked for {', '.join(checks) or 'nothing'}, declared is {wanted}"
    meant = _rewritten(service, path)
    if seen.rstrip("/") != meant.rstrip("/"):  # a REST API knows no slash at the end of a path
        yield f"{service.name} is asked for {seen}, which was {path}, and should be {meant}"


def _rewritten(service: Service, path: str) -> str:
    """What the service is asked for: the route's beginning of the path replaced, where that is declared."""
    route = service.route
    if route is None or route.rewrite is None:
        return path
    return (route.rewrite.rstrip("/") + path[len(route.path.rstrip("/")) :]) or "/"


def _paths(service: Service) -> Iterator[str]:
    if service.route is not None:
        path = service.route.path.rstrip("/")
        yield from (path or "/", f"{path}/", f"{path}/below/it", f"{path or '/'}beside", path.upper() or "/")


# Nothing else.


def _nothing_else(ground: Ground, topology: Topology, zones: Sequence[ZoneName]) -> Iterator[str]:
    """Every rule of every service's group is one that the manifest declares, and the other way round."""
    inside = ground.network.inside[0]
    services: dict[str, Service] = {service.name: service for service in topology.services}
    for name, service in services.items():
        out: set[tuple[str, int, int]] = {ENDPOINTS}
        for reached in service.reaches:
            callee, place = services.get(reached), topology.destination(reached)
            if callee is not None and callee.port is not None:
                out.add((callee.name, callee.port, callee.port))
            elif (
                callee is None and place is not None and (place.link is not None or topology.egress is not Egress.NONE)
            ):
                out |= {(str(each), place.port, place.port) for each in _beyond(place, inside)}
        yield from _same(f"{name} may open", ground.ways_out(name), out)
        callers: set[str] = {
            each.name for each in topology.services if name in each.reaches and service.port is not None
        }
        into: set[tuple[str, int, int]] = {
            (caller, service.port, service.port) for caller in callers if service.port is not None
        }
        if service.route is not None and service.port is not None and ground.entrance.listeners:
            into.add(("the balancer", service.port, service.port))
        for link in topology.links:
            if service.port is not None and any(one.service == name for one in link.incoming):
                addresses = " and ".join(map(str, links.dialled(link, zones).values()))
                into.add((f"the balancer at {addresses}", service.port, service.port))
        yield from _same(f"{name} may be opened by", ground.ways_in(name), into)


def _beyond(place: Destination, inside: IPv4Network) -> Iterator[IPv4Network]:
    """A destination without the environment's own network, where it is written wider. A host name is everywhere: what
    of it is inside, no other group lets in."""
    network = covered(place)
    if place.network is None or not network.overlaps(inside) or place.link is not None:
        yield network
    elif not network.subnet_of(inside):
        yield from network.address_exclude(inside)


def _same(what: str, seen: frozenset[tuple[str, int, int]], declared: set[tuple[str, int, int]]) -> Iterator[str]:
    for each in sorted(seen - declared):
        yield f"{what} {each}, which nobody declares"
    for each in sorted(declared - seen):
        yield f"{what} {each} as declared, and no rule says so"


__all__ = ["PARTLY", "asked", "differences", "implied", "routed"]
