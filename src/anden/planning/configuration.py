"""Everything around the instances: backends, firewall, routes, fixed addresses.

While a change is in flight, instances of two blueprints serve side by side, and what surrounds them must suit both.
`configure` with `keeping` therefore gives the union: everybody keeps what they have, and gets what they will need.
So a change may turn round at any moment (a rollback): what served before it still finds all that it needs.

    members       the slots of both; an address that the target gives to another service is the target's
    port          both ports: old instances listen on the old one, new ones on the new (each is a server with a port
                  of its own to the balancer), and the internal name answers on both, for callers are replaced one by
                  one too. `port` is the old one until the new service is ready, then the new one; `also` is the other
    protocol      tcp when one of them is tcp: bytes pass, whatever they mean; the gateway sends tcp nothing meanwhile
    health path   none (TCP connects) when one of them has none: asking an old version at a path it lacks would stop it
    paths         one that exists stays with its service until the service that takes over is ready. A new path that a
                  shorter one of another service covers moves in the same way; other new ones join at once
    refusals      a path is closed while either blueprint says so: it is never open to a version that expects a guard
    guards        the same: a service's paths ask for what either blueprint asks for, all of it. Where that is tokens
                  of two issuers, nobody has both: closed until one of them is gone. Keys are the target's at once
    limits        of a path (rates, sizes, origins): the target's at once
    rewrites      the old version's until the service is ready, then the new one's
    links         both; where they have one of the same name, the target's
    incoming      both. A port that moves to another service stays where it is until that one is ready; from where it
                  may be opened is the target's at once
    tls           for every host of both
    layout        the target's, and so are the internal names' addresses: when the network itself changes, old instances
                  serve on and lose their names (differences say `replaces everything`)
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from anden.model.blueprint import Blueprint, Layout, Placement, Slot
from anden.model.configuration import (
    AllowIncoming,
    AllowService,
    Backend,
    Configuration,
    GatewayRoute,
    Leave,
    Linked,
    Member,
)
from anden.model.ids import ServiceName, ZoneName
from anden.model.manners import TWIN, Manners
from anden.model.plan import Caveat
from anden.model.secret import SecretRef
from anden.model.topology import Egress, Protocol, Service, Topology
from anden.planning import firewall, gates
from anden.planning.addressing import usable

_Place = tuple[str | None, str]
"""Host and path of a route."""


def configure(
    target: Blueprint,
    keeping: Blueprint | None,
    caveats: Sequence[Caveat],
    ready: Collection[str] = (),
    manners: Manners = TWIN,
) -> Configuration:
    """The target's configuration; with `keeping`, the union that suits both (see above).

    caveats: the engine's; what they withhold stays closed. ready: services of the target whose level serves.
    manners: how the engine is to behave; with several addresses for a name, the others are taken from the far end of
    the block of names, for placement fills it from the near one.
    """
    before = keeping if keeping is not None else target
    topologies = [each.topology for each in _both(target, before)]
    return Configuration(
        layout=target.layout,
        backends=_backends(target, before, ready, manners),
        allows=_allows(target, before),
        allows_out=tuple(
            sorted(
                {allow for each in topologies for allow in firewall.allows_out(each, caveats, target.layout.network)}
            )
        ),
        routes=_routes(target, before, caveats, ready),
        leaves=_leaves(target, before),
        manners=manners,
        names_out=(names := tuple(sorted({name for each in topologies for name in firewall.names_out(each, caveats)}))),
        never=firewall.never(target.layout.network, topologies) if names else (),
        links=_links(target, before),
        allows_behind=tuple(sorted({allow for each in topologies for allow in firewall.allows_behind(each, caveats)})),
        tls=tuple(sorted({host for each in topologies for host in _hosts(each)})),
        allows_in=_incoming(target, before, caveats, ready),
    )


def _hosts(topology: Topology) -> Iterator[str]:
    """Those that a client may ask the gateway for by TLS; without a domain there is none."""
    if topology.domain is not None:
        yield topology.domain.lower()
        yield from (each.route.host.lower() for each in topology.services if each.route and each.route.host)


def _links(target: Blueprint, before: Blueprint) -> tuple[Linked, ...]:
    """The target's, and those that it drops while instances of what it replaces may use them."""
    found: dict[str, Linked] = {}
    for each in reversed(_both(target, before)):
        for link in each.topology.links:
            keys = tuple(SecretRef(name, each.secrets.get(name, "")) for name in link.secret)
            found[link.name] = Linked(link, each.links[link.name], keys)
    return tuple(found[name] for name in sorted(found))


def _incoming(
    target: Blueprint, before: Blueprint, caveats: Sequence[Caveat], ready: Collection[str]
) -> tuple[AllowIncoming, ...]:
    """What may begin on the other side of links, in the middle of a change."""
    new, old = (_dialled(each.topology, caveats) for each in (target, before))
    found = []
    for place in old | new:
        allows = new.get(place) or old[place]
        if place in new and place in old and old[place][0].service != allows[0].service:
            service = allows[0].service if allows[0].service in ready else old[place][0].service
            allows = [replace(allow, service=service) for allow in allows]
        found += allows
    return tuple(sorted(found))


def _dialled(topology: Topology, caveats: Sequence[Caveat]) -> dict[tuple[str, int], list[AllowIncoming]]:
    """Link and port to the rules; at least one each."""
    found: dict[tuple[str, int], list[AllowIncoming]] = {}
    for allow in firewall.allows_incoming(topology, caveats):
        found.setdefault((allow.link, allow.port), []).append(allow)
    return found


def _both(target: Blueprint, before: Blueprint) -> tuple[Blueprint, ...]:
    """Each of them once: most often nothing changes, and they are the same."""
    return (target,) if target is before else (target, before)


def parting(target: Blueprint, keeping: Blueprint, caveats: Sequence[Caveat], manners: Manners = TWIN) -> Configuration:
    """The target's configuration, and beside it the services that it drops, while their last instances finish.

    They may still call whom they could call; no path, no name and no caller leads to them any more.
    """
    narrow = configure(target, None, caveats, manners=manners)
    stays = {backend.service for backend in narrow.backends}
    both = configure(target, keeping, caveats, manners=manners)
    last = [replace(backend, address=None, more=()) for backend in both.backends if backend.service not in stays]
    gone = {backend.service for backend in last}
    return replace(
        narrow,
        backends=tuple(sorted((*narrow.backends, *last), key=lambda backend: backend.service)),
        allows=tuple(sorted({*narrow.allows, *(a for a in both.allows if a.caller in gone and a.callee not in gone)})),
        allows_out=tuple(sorted({*narrow.allows_out, *(a for a in both.allows_out if a.caller in gone)})),
        leaves=both.leaves,
        names_out=(names := tuple(sorted({*narrow.names_out, *(a for a in both.names_out if a.caller in gone)}))),
        never=both.never if names else (),
        links=both.links,
        allows_behind=tuple(sorted({*narrow.allows_behind, *(a for a in both.allows_behind if a.caller in gone)})),
    )


def turning(target: Blueprint, keeping: Blueprint) -> frozenset[str]:
    """The services whose being ready changes the union: those that take over a path, a port, a
    link's port, or a health path."""
    old = {service.name: service for service in keeping.topology.services}
    taking = {
        service.name
        for service in target.topology.services
        if service.name in old and _expected(service) != _expected(old[service.name])
    }
    standing = _standing(dict(_places(keeping)))
    for (host, path), service in _places(target):
        winner = _winner(standing, host, path)
        if winner is not None and winner.name != service.name:
            taking.add(service.name)
    dialled = _dialled(keeping.topology, ())
    for place, allows in _dialled(target.topology, ()).items():
        if place in dialled and dialled[place][0].service != allows[0].service:
            taking.add(allows[0].service)
    return frozenset(taking)


# Backends: what balancer and firewall know of a service.


def _backends(target: Blueprint, before: Blueprint, ready: Collection[str], manners: Manners) -> tuple[Backend, ...]:
    known = [_known(each) for each in _both(target, before)]
    new, old = known[0], known[-1]
    owners = {} if target is before else {slot.address: one.service for one in target.placements for slot in one.slots}
    numbers = _numbers(target, before)
    names = {placement.address for placement in target.placements}
    found = []
    for name in sorted(new.keys() | old.keys()):
        sides = [side for each in known if (side := each.get(name)) is not None]
        members = _members(name, [placement for _, placement in reversed(sides)], owners)
        own = new[name][1].address if name in new else None
        if own is None and name in old and old[name][1].address not in names:
            own = old[name][1].address
        listening = [service for service, _ in sides if service.port is not None]
        if name not in ready:
            listening.reverse()
        found.append(_backend(name, numbers[name], members, own, listening))
    if manners.name_addresses > 1:
        taken = {*names, *(placement.address for placement in before.placements)}
        found = [replace(each, more=_more(each, target.layout, taken)) for each in found]
    return tuple(found)


def _more(backend: Backend, layout: Layout, taken: Collection[IPv4Address | None]) -> tuple[IPv4Address, ...]:
    """The internal name's second address: the first one mirrored in the block of names, so that it stays for as long
    as that does. None where somebody's first address is already, in a block that is more than half full."""
    block = usable(layout.names)
    if backend.address is None or backend.port is None or int(backend.address) not in block:
        return ()
    mirrored = IPv4Address(block[0] + block[-1] - int(backend.address))
    return () if mirrored in taken else (mirrored,)


def _members(
    name: ServiceName, placements: Sequence[Placement], owners: Mapping[IPv4Address, ServiceName]
) -> tuple[Member, ...]:
    """The slots of a service in one or both blueprints, the one whose zones count last. owners: who has an address in
    the target; empty where nothing changes, for then each has its own."""
    slots: Collection[Slot] = [slot for placement in placements for slot in placement.slots]
    if owners:
        slots = {slot.address: slot for slot in slots if owners.get(slot.address, name) == name}.values()
    return tuple([Member(slot.address, slot.zone) for slot in sorted(slots, key=_address)])


def _address(slot: Slot) -> int:
    # Addresses are compared in Python, their numbers in C.
    return int(slot.address)


def _backend(
    name: ServiceName,
    number: int,
    placed: tuple[Member, ...],
    address: IPv4Address | None,
    listening: Sequence[Service],
) -> Backend:
    """listening: the service in one or both blueprints, the one that gives its port first; none when it has no port."""
    if not listening:
        return Backend(service=name, number=number, members=placed)
    ports = dict.fromkeys(service.port for service in listening if service.port is not None)
    protocols = [service.protocol for service in listening]
    paths = [service.health.path for service in listening]
    first, *rest = ports
    return Backend(
        service=name,
        number=number,
        members=placed,
        port=first,
        protocol=Protocol.TCP if Protocol.TCP in protocols else protocols[0],
        address=address,
        health_path=None if None in paths else paths[0],
        timeout_s=max(service.timeout_s for service in listening),
        also=tuple(sorted(rest)),
    )


def _known(blueprint: Blueprint) -> dict[ServiceName, tuple[Service, Placement]]:
    placements = {placement.service: placement for placement in blueprint.placements}
    return {service.name: (service, placements[service.name]) for service in blueprint.topology.services}


def _numbers(target: Blueprint, before: Blueprint) -> dict[ServiceName, int]:
    """The target's numbers. A service that it drops keeps its own unless somebody else has it now."""
    numbers = {placement.service: placement.number for placement in target.placements}
    taken = set(numbers.values())
    for placement in before.placements:
        if placement.service in numbers:
            continue
        number = placement.number
        if number in taken:
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        numbers[placement.service] = number
        taken.add(number)
    return numbers


def _allows(target: Blueprint, before: Blueprint) -> tuple[AllowService, ...]:
    """Every pair that either declares, on every port that either gives the callee."""
    ports: dict[str, set[int]] = {}
    both = _both(target, before)
    for blueprint in both:
        for service in blueprint.topology.services:
            if service.port is not None:
                ports.setdefault(service.name, set()).add(service.port)
    declared = dict.fromkeys((allow.caller, allow.callee) for each in both for allow in firewall.allows(each.topology))
    found = sorted((caller, callee, port) for caller, callee in declared for port in ports[callee])
    return tuple(AllowService(*each) for each in found)


def _leaves(target: Blueprint, before: Blueprint) -> tuple[Leave, ...]:
    """The target's fixed addresses; the old ones only for zones that the target does not know."""
    known = [each for each in (target, before) if each.topology.egress is not Egress.NONE]
    found: dict[str, IPv4Address] = {}
    for blueprint in known:
        standing = dict(found)
        for zone, address in blueprint.facts.egress.items():
            if zone not in standing and "*" not in standing:
                found[zone] = address
    return tuple(Leave(ZoneName(zone), found[zone]) for zone in sorted(found))


# Routes: what the gateway knows.


def _routes(
    target: Blueprint, before: Blueprint, caveats: Sequence[Caveat], ready: Collection[str]
) -> tuple[GatewayRoute, ...]:
    new, old = dict(_places(target)), dict(_places(before))
    issuers = {each.name: each for blueprint in (before, target) for each in blueprint.topology.auth}
    routed = [_routed(blueprint) for blueprint in (before, target)]
    routes = []
    for place, service in _held(new, old, ready):
        sides = [side for side in (new.get(place), old.get(place)) if side is not None]
        if service is new.get(place):
            sides = [side for side in sides if side.name == service.name]
        asked = {id(each): each for one in routed for each in one.get(service.name, ())}
        asked |= {id(side): side for side in sides}
        guard, closed = gates.guard(asked.values(), issuers)
        refused = next((text for side in sides if (text := _refusal(side, caveats))), closed)
        guard = None if refused else guard
        said = next(side.route for side in sides if side.route is not None)
        routes.append(
            GatewayRoute(
                place[1], service.name, place[0], refused, guard,
                rewrite=_rewrite(sides, ready), body_bytes=said.body_bytes, rate=said.rate, rate_each=said.rate_each,
                cors=said.cors,
            )
        )  # fmt: skip
    return tuple(sorted(routes, key=lambda route: (route.path, route.service, route.host or "", route.refused)))


def _rewrite(sides: Sequence[Service], ready: Collection[str]) -> str | None:
    """The old version's until the new one is ready, as with ports: only one of them can be asked what it expects.

    sides: who has the path, the target's first."""
    side = sides[0] if sides[0].name in ready else sides[-1]
    return side.route.rewrite if side.route is not None else None


def _held(
    new: Mapping[_Place, Service], old: Mapping[_Place, Service], ready: Collection[str]
) -> Iterator[tuple[_Place, Service]]:
    """Which service each place leads to in the middle of a change."""
    standing = _standing(old)
    for place in {**old, **new}:
        service = new.get(place)
        if service is None:
            yield place, old[place]
            continue
        winner = _winner(standing, *place)
        if winner is None or winner.name == service.name or service.name in ready:
            yield place, service
        elif place in old:
            yield place, old[place]


def _routed(blueprint: Blueprint) -> dict[ServiceName, list[Service]]:
    """Those with a route, by name: a version that expects a guard has it on every path."""
    found: dict[ServiceName, list[Service]] = {}
    for each in blueprint.topology.services:
        if each.route is not None:
            found.setdefault(each.name, []).append(each)
    return found


def _places(blueprint: Blueprint) -> Iterator[tuple[_Place, Service]]:
    for service in blueprint.topology.services:
        if service.route is not None:
            yield (service.route.host, service.route.path), service


def _expected(service: Service) -> tuple[object, ...]:
    """What a version expects to be asked, and where."""
    rewrite = None if service.route is None else service.route.rewrite
    return service.port, service.protocol, service.health, rewrite


def _standing(routes: Mapping[_Place, Service]) -> dict[_Place, Service]:
    """The same, by the path as it is matched: on segments' edges, a last slash says nothing."""
    return {(host, path.rstrip("/")): service for (host, path), service in routes.items()}


def _winner(standing: Mapping[_Place, Service], host: str | None, path: str) -> Service | None:
    """The service that answers for `path` on `host`: a route with the host before one without, then the longest."""
    for on in dict.fromkeys((host, None)):
        prefix = path.rstrip("/")
        while (on, prefix) not in standing and prefix:
            prefix = prefix.rpartition("/")[0]
        if (on, prefix) in standing:
            return standing[on, prefix]
    return None


def _refusal(service: Service, caveats: Sequence[Caveat]) -> str:
    """Why the gateway answers 503 for the service's path; empty when it does not."""
    return firewall.withheld(caveats, service.name) or ""
