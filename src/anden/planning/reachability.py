"""Who reaches whom, through which hops: computed from the blueprint, and equal to what a live probe must see.

    service → service       instance · firewall · name · instance    (or the instance's address directly)
    service → destination   instance · firewall · route · nat · destination
                            instance · name · firewall · route · nat · destination, by a host's name
                            instance · firewall · route · nat · tunnel · destination, for what lies behind a link
    gateway → service       balancer (the route) · instance
    internet → service      internet · balancer (the route) · instance
    link → service          tunnel · firewall (`incoming`) · balancer · instance

The last hop that is shown of a blocked path is the one that stops it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Address

from anden.model.blueprint import Blueprint, Placement
from anden.model.mark import Mark, Marks, find
from anden.model.plan import Caveat
from anden.model.problem import Problem, Problems
from anden.model.reach import Hop, Path
from anden.model.topology import Destination, Egress, Link, Service
from anden.planning.firewall import withheld
from anden.planning.links import dialled
from anden.planning.places import at, mark_of, of_environment

GATEWAY = "gateway"
"""The caller that stands for the environment's own entrance."""
INTERNET = "internet"
"""The caller that stands for anybody outside; it comes in by the gateway only."""
LINK = "link:"
"""Before a link's name. In the place of a callee: what lies behind it on the port that is asked for. In the place of a
caller: whoever is there."""
OUTSIDE = (GATEWAY, INTERNET)
"""Names that `path` takes for a caller beside services; a service of the same name wins."""
NO_PORT = 0
"""The port in a Path to a service that listens on nothing."""


def path(
    blueprint: Blueprint, caller: str, callee: str, port: int | None, marks: Marks, caveats: Sequence[Caveat]
) -> Path:
    """Whether `caller` (a service, `gateway`, `internet`, `link:NAME`) may open `callee` (a service or a destination),
    and why.

    port: None is the callee's own. Raises Problems for names that the environment does not have.
    """
    return _Ground(blueprint, marks, caveats).path(caller, callee, port)


def matrix(blueprint: Blueprint, marks: Marks, caveats: Sequence[Caveat]) -> tuple[Path, ...]:
    """Every ordered pair of services (with itself too) on the callee's port, then every service and destination; then
    every link by which something may come in, and service.

    Sorted by caller; services that listen on nothing are callers only. n services, d destinations and l such links give
    up to n × (n + d + l) paths, about 8 µs each.
    """
    ground = _Ground(blueprint, marks, caveats)
    listening = sorted(name for name, service in ground.services.items() if service.port is not None)
    callees = listening + sorted(ground.destinations)
    inside = [ground.path(caller, callee, None) for caller in sorted(ground.services) for callee in callees]
    return (*inside, *(ground.path(caller, callee, None) for caller in callers(blueprint) for callee in listening))


def callers(blueprint: Blueprint) -> tuple[str, ...]:
    """The links by which something may come in, as callers are called: `link:core`; sorted."""
    return tuple(link.caller for link in blueprint.topology.links if link.incoming)


@dataclass(frozen=True, slots=True)
class _Way:
    """What was asked, and the hops so far."""

    caller: str
    callee: str
    port: int
    hops: tuple[Hop, ...]

    def then(self, *hops: Hop) -> "_Way":
        return replace(self, hops=self.hops + hops)

    def open(self, *hops: Hop, mark: Mark | None) -> Path:
        return Path(self.caller, self.callee, self.port, True, self.hops + hops, mark=mark)

    def blocked(self, stop: Hop, reason: str, fix: str = "", mark: Mark | None = None) -> Path:
        return Path(self.caller, self.callee, self.port, False, (*self.hops, stop), reason, fix, mark)


class _Ground:
    """A blueprint with its names indexed, so that one path costs the same in an environment of 1,000 services."""

    def __init__(self, blueprint: Blueprint, marks: Marks, caveats: Sequence[Caveat]) -> None:
        topology = blueprint.topology
        self.blueprint = blueprint
        self.marks = marks
        self.services: dict[str, Service] = {service.name: service for service in topology.services}
        self.destinations: dict[str, Destination] = {place.name: place for place in topology.destinations}
        self.placements: Mapping[str, Placement] = {placement.service: placement for placement in blueprint.placements}
        self.reaches: dict[str, frozenset[str]] = {
            service.name: frozenset(service.reaches) for service in topology.services
        }
        self.links: dict[str, Link] = {link.caller: link for link in topology.links}
        self.caveats = tuple(caveats)

    @cached_property
    def instances(self) -> dict[str, str]:
        """Service to its first place: `accounts (172.30.128.4)`."""
        return {
            name: f"{name} ({placement.slots[0].address})" if placement.slots else name
            for name, placement in self.placements.items()
        }

    def path(self, caller: str, callee: str, port: int | None) -> Path:
        if callee.startswith(LINK):
            callee = self._behind(caller, callee.removeprefix(LINK), port)
        self._check(caller, callee)
        if caller in self.links:
            return self._from_link(caller, callee, port)
        service, place = self.services.get(callee), self.destinations.get(callee)
        own = service.port if service else place.port if place else None
        asked = port if port is not None else own if own is not None else NO_PORT
        if caller not in self.services:
            begin = (Hop("internet", "anybody", "", True),) if caller == INTERNET else ()
            return self._from_outside(_Way(caller, callee, asked, begin), service)
        way = _Way(caller, callee, asked, (Hop("instance", self.instances[caller], "", True),))
        if service is not None:
            return self._to_service(way, service)
        return self._to_destination(way, place) if place is not None else self._to_outside(way)

    def _behind(self, caller: str, link: str, port: int | None) -> str:
        """The destination behind a link that is meant by the link's name: one on that port, and one that the caller
        reaches before one that it does not. Raises Problems: there is none."""
        behind = [place for place in self.destinations.values() if place.link == link and port in (None, place.port)]
        behind.sort(key=lambda place: (place.name not in self.reaches.get(caller, ()), place.name))
        if behind:
            return str(behind[0].name)
        links = {one.name: one for one in self.blueprint.topology.links}
        if link not in links:
            raise Problems(self._unknown(f"{LINK}{link}", [LINK + name for name in links]))
        ports = sorted({place.port for place in self.destinations.values() if place.link == link})
        what = f"nothing behind it is declared{f' on port {port}' if port is not None and ports else ''}"
        why = (
            f"it has ports {', '.join(map(str, ports))}"
            if ports
            else "a link opens what destinations name, and no more"
        )
        raise Problems(Problem(f"{LINK}{link}", what, why, f"Declare a destination with `link: {link}`."))

    def _check(self, caller: str, callee: str) -> None:
        problems = []
        if caller in self.destinations and caller not in self.services:
            why = "a destination is outside and opens nothing; what comes from outside comes by the gateway"
            problems.append(Problem(caller, f"{caller} is no caller", why, f"Ask for `{INTERNET}` instead."))
        elif caller not in self.services and caller not in OUTSIDE and caller not in self.links:
            problems.append(self._unknown(caller, [*self.services, *OUTSIDE, *self.links]))
        if callee not in self.services and callee not in self.destinations and callee not in OUTSIDE:
            problems.append(self._unknown(callee, [*self.services, *self.destinations]))
        if problems:
            raise Problems(problems)

    def _unknown(self, name: str, known: list[str]) -> Problem:
        close = get_close_matches(name, known, n=1)
        environment = self.blueprint.topology.environment
        return Problem(
            name,
            f"{environment} has no service or destination of this name",
            f"it has {_listed(sorted(known))}",
            f"Did you mean {close[0]}?" if close else "Choose one of these.",
        )

    def _to_service(self, way: "_Way", callee: Service) -> Path:
        caller = way.caller
        if callee.port is None:
            reason = f"{callee.name} listens on nothing"
            fix = f"declare a port in services.{callee.name}{at(self.marks, f'services/{callee.name}')}"
            return way.blocked(Hop("firewall", f"{caller} → {callee.name}", reason, False), reason, fix)
        refusal = self._undeclared(way, callee.port)
        if refusal:
            return refusal
        mark = self._declared(way)
        address = self.placements[callee.name].address
        return way.open(
            Hop("firewall", f"{caller} → {callee.name}:{callee.port}", _with("declared", mark), True),
            Hop("name", f"{callee.name}.internal ({address}:{callee.port})", "", True),
            Hop("instance", self.instances[callee.name], "", True),
            mark=mark,
        )

    def _to_destination(self, way: "_Way", place: Destination) -> Path:
        refusal = self._undeclared(way, place.port)
        if refusal:
            return refusal
        mark = self._declared(way)
        rule = f"{way.caller} → {place.to}"
        closed = withheld(self.caveats, place.name)
        passed = Hop("firewall", rule, _with("declared", mark), True)
        if place.link is not None:
            closed = closed or withheld(self.caveats, place.link)
            return self._over(way.then(passed), place, place.link, closed, mark)
        if closed is not None:
            return way.blocked(Hop("firewall", rule, closed, False), closed, mark=mark)
        topology = self.blueprint.topology
        if topology.egress is Egress.NONE:
            field = of_environment(topology, "egress").replace("/", ".")
            line = mark_of(topology, self.marks, "egress")
            stop = Hop("nat", "nothing leaves", "egress: none", False)
            fix = f"set {field} to one or per-zone" + (f" ({line})" if line else "")
            return way.then(passed).blocked(stop, "egress is none: nothing leaves the environment", fix, line)
        asked = () if place.host is None else (Hop("name", place.host, f"answered to {way.caller}", True),)
        return way.open(
            *asked,
            passed,
            Hop("route", "0.0.0.0/0 → internet", "what is not the environment's own", True),
            Hop("nat", self._leaves_from(way.caller), f"egress: {topology.egress}", True),
            Hop("destination", f"{place.name} ({place.to})", "", True),
            mark=mark,
        )

    def _over(self, way: "_Way", place: Destination, name: str, closed: str | None, mark: Mark | None) -> Path:
        """Over a link: by the route to the network that the destination lies in, as whom the link is seen, and through
        a tunnel of its. closed: why the link takes nothing."""
        link = next((one for one in self.blueprint.topology.links if one.name == name), None)
        own = mark_of(self.blueprint.topology, self.marks, f"links/{name}")
        if closed is not None or link is None:
            reason = closed or f"there is no link {name}"
            return way.blocked(Hop("tunnel", name, reason, False), reason, mark=mark)
        network = next(
            (one for one in link.networks if place.network is not None and place.network.subnet_of(one)), None
        )
        seen = f"seen as {link.seen_as}" if link.seen_as is not None else "seen by its own address"
        if network is None:
            reason = f"{place.to} is in none of the networks of link {name}"
            return way.blocked(Hop("route", place.to, reason, False), reason, mark=own)
        return way.open(
            Hop("route", f"{network} → link {name}", _with("declared", own), True),
            Hop("nat", seen, _with("declared", own) if link.seen_as is not None else "no seen-as", True),
            Hop("tunnel", f"{name} (peer {link.peer})", "IPsec: one of its tunnels", True),
            Hop("destination", f"{place.name} ({place.to}), in the client's network", "", True),
            mark=mark,
        )

    def _from_outside(self, way: "_Way", service: Service | None) -> Path:
        if service is None:
            reason = f"the gateway sends requests to services only, and {way.callee} is none"
            return way.blocked(Hop("balancer", GATEWAY, "routes lead inside", False), reason)
        if service.route is None:
            fix = f"add route to services.{service.name}{at(self.marks, f'services/{service.name}')}"
            return way.blocked(Hop("balancer", GATEWAY, "no route", False), f"{service.name} has no route", fix)
        mark = find(self.marks, f"services/{service.name}/route")
        entrance = f"{GATEWAY} {service.route.host or ''}{service.route.path}"
        closed = withheld(self.caveats, service.name)
        if way.port != service.port:
            closed = f"the route leads to port {service.port}" if service.port else f"{service.name} listens on nothing"
        if closed is not None:
            return way.blocked(Hop("balancer", entrance, closed, False), closed, mark=mark)
        auth = service.route.auth
        routed = "routed" if auth is None else f"routed, with a token of {auth}"
        return way.open(
            Hop("balancer", entrance, _with(routed, mark), True),
            Hop("instance", self.instances[service.name], "", True),
            mark=mark,
        )

    def _from_link(self, caller: str, callee: str, port: int | None) -> Path:
        """From the other side of a link: to what it lets in, at the addresses that are dialled, and to nothing else."""
        link, service = self.links[caller], self.services.get(callee)
        own = mark_of(self.blueprint.topology, self.marks, f"links/{link.name}")
        entry = next((one for one in link.incoming if one.service == callee), None)
        listens = service.port if service is not None and service.port is not None else NO_PORT
        asked = port if port is not None else entry.port if entry is not None else listens
        way = _Way(caller, callee, asked, ())
        closed = withheld(self.caveats, caller)
        if closed is not None:
            return way.blocked(Hop("tunnel", link.name, closed, False), closed, mark=own)
        way = way.then(Hop("tunnel", f"{link.name} (peer {link.peer})", "IPsec: one of its tunnels", True))
        rule = f"{link.name} → {callee}:{asked}"
        if entry is None or service is None or listens == NO_PORT:
            field = of_environment(self.blueprint.topology, f"links/{link.name}/incoming").replace("/", ".")
            place = mark_of(self.blueprint.topology, self.marks, f"links/{link.name}/incoming") or own
            fix = f"add {callee} to {field}" + (f" ({place})" if place else "")
            reason = "what begins on the other side is dropped, where incoming does not name it"
            if service is None:
                reason, fix = f"only services are opened over a link, and {callee} is none", ""
            elif listens == NO_PORT:
                reason, fix = f"{callee} listens on nothing", ""
            return way.blocked(Hop("firewall", rule, "default deny", False), reason, fix, own)
        mark = mark_of(self.blueprint.topology, self.marks, f"links/{link.name}/incoming/{callee}")
        if asked != entry.port:
            stop = Hop("firewall", rule, f"only port {entry.port} is open", False)
            reason = f"{callee} is dialled on port {entry.port}, not {asked}"
            return way.blocked(stop, reason, f"use port {entry.port}", mark)
        zones = [zone.name for zone in self.blueprint.layout.zones]
        at_ = " and ".join(map(str, dialled(link, zones).values()))
        return way.open(
            Hop("firewall", f"{' and '.join(map(str, entry.sources))} → {at_}:{asked}", _with("declared", mark), True),
            Hop("balancer", f"{at_}:{asked} → {callee}:{listens}", "TCP; it opens a connection of its own", True),
            Hop("instance", self.instances[callee], "", True),
            mark=mark,
        )

    def _to_outside(self, way: "_Way") -> Path:
        stop = Hop("firewall", f"{way.caller} → {way.callee}", "default deny", False)
        if way.callee == GATEWAY:
            reason = "instances do not call the gateway; they call each other by name"
            return way.blocked(stop, reason, "reach the service itself")
        fix = f"declare a destination and add it to services.{way.caller}.reaches{self._reaches_at(way)}"
        return way.blocked(stop, "only named destinations are reached", fix)

    def _undeclared(self, way: "_Way", declared: int) -> Path | None:
        """The blocked path when the firewall has no rule for this pair and port."""
        rule = f"{way.caller} → {way.callee}:{way.port}"
        if way.callee not in self.reaches[way.caller]:
            fix = f"add {way.callee} to services.{way.caller}.reaches{self._reaches_at(way)}"
            mark = find(self.marks, f"services/{way.caller}/reaches")
            return way.blocked(Hop("firewall", rule, "default deny", False), "not declared", fix, mark)
        if way.port != declared:
            stop = Hop("firewall", rule, f"only port {declared} is open", False)
            reason = f"{way.callee} is declared on port {declared}, not {way.port}"
            return way.blocked(stop, reason, f"use port {declared}", self._declared(way))
        return None

    def _leaves_from(self, caller: str) -> str:
        zones = sorted({slot.zone for slot in self.placements[caller].slots})
        known: dict[IPv4Address | None, list[str]] = {}
        for zone in zones:
            known.setdefault(self.blueprint.facts.leaves_from(zone), []).append(zone)
        everywhere = len(known) == 1
        return ", ".join(
            f"{address or 'address known after apply'}" + ("" if everywhere else f" (zone {' and '.join(of)})")
            for address, of in known.items()
        )

    def _declared(self, way: "_Way") -> Mark | None:
        return find(self.marks, f"services/{way.caller}/reaches/{way.callee}")

    def _reaches_at(self, way: "_Way") -> str:
        return at(self.marks, f"services/{way.caller}/reaches")


def _with(word: str, mark: Mark | None) -> str:
    return f"{word} at {mark}" if mark else word


MOST_NAMES = 12
"""How many names a message lists."""


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
