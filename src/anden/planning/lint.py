"""Faults of a blueprint that no single field shows. Problems block `up`; warnings are said and pass.

Each rule is one function over the blueprint. What an engine cannot do yet is a caveat of that engine, not lint.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from anden.model.blueprint import Blueprint
from anden.model.mark import Marks
from anden.model.problem import Problem
from anden.model.topology import Egress, Protocol, Route, ScaleMetric, Service, Topology
from anden.planning.addressing import elsewhere, prefix_for, usable
from anden.planning.places import at, where, where_of

NEARLY_FULL = 0.8
"""The share of a private subnet's addresses from which on a warning is due: AWS's own interfaces need some as well."""
WIDE_PREFIX = 16
"""A network that is let in over a link and is wider than this is worth a word."""
LONGEST_START_S = 600.0
"""The longest grace that a new instance may have; the manifest takes no longer one either."""


@dataclass(frozen=True, slots=True)
class Lint:
    """problems block; warnings do not. Both in the order of the rules, then of the names."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """What every rule looks at."""

    blueprint: Blueprint
    marks: Marks
    services: dict[str, Service] = field(default_factory=dict)

    @property
    def topology(self) -> Topology:
        return self.blueprint.topology

    def at(self, service: Service, key: str) -> str:
        return where(self.marks, f"services/{service.name}/{key}")

    def of(self, key: str) -> str:
        return where_of(self.topology, self.marks, key)


_Rule = Callable[[_Case], Iterator[Problem]]


def lint(blueprint: Blueprint, marks: Marks) -> Lint:
    """Every problem and warning of the blueprint."""
    case = _Case(blueprint, marks, {service.name: service for service in blueprint.topology.services})
    return Lint(
        problems=tuple(problem for rule in BLOCKING for problem in rule(case)),
        warnings=tuple(problem for rule in WARNING for problem in rule(case)),
    )


# What blocks.


def _exhausted(case: _Case) -> Iterator[Problem]:
    """draft() refuses this already; an edited or older blueprint may still have it."""
    for subnet, zone, taken in _subnets(case):
        holds = len(usable(subnet))
        if taken > holds:
            wider = prefix_for(taken)
            yield Problem(
                case.of("network"),
                f"a deploy at max exhausts the private subnet of zone {zone} ({subnet})",
                f"{taken:,} addresses are needed at instances.max and surge, it holds {holds:,}",
                f"Use a network of a /{wider}." if wider else "Have fewer instances, or more zones.",
            )


def _overlapping(case: _Case) -> Iterator[Problem]:
    network = case.blueprint.layout.network
    for whose, other in elsewhere(case.topology).items():
        if network.overlaps(other):
            yield Problem(
                case.of("network"),
                f"{network} overlaps {whose}",
                "an address would mean two places",
                "Choose a network that it leaves free, or none: anden then allocates one.",
            )


def _same_route(case: _Case) -> Iterator[Problem]:
    by_route = defaultdict(list)
    for service, route in _routes(case):
        by_route[route.host, _prefix(route)].append(service)
    for (host, path), services in by_route.items():
        first = services[0]
        for other in services[1:]:
            yield Problem(
                case.at(other, "route"),
                f"{host or ''}{path} is routed to {first.name} already{at(case.marks, f'services/{first.name}/route')}",
                "a request goes to one service, so the other is never asked",
                f"Give {other.name} another path, or another host.",
            )


def _route_without_http(case: _Case) -> Iterator[Problem]:
    for service, route in _routes(case):
        if service.port is None:
            yield Problem(
                case.at(service, "route"),
                f"{route.path} leads to {service.name}, which listens on nothing",
                "the gateway sends requests to a service's port",
                f"Give {service.name} a port, or remove the route.",
            )
        elif service.protocol is Protocol.TCP:
            yield Problem(
                case.at(service, "route"),
                f"{route.path} leads to {service.name}, which speaks tcp",
                "the gateway routes HTTP requests",
                "Set protocol to http or http2, or remove the route.",
            )


def _nobody_answers(case: _Case) -> Iterator[Problem]:
    topology = case.topology
    known = {*case.services, *(str(place.name) for place in topology.destinations)}
    for caller in topology.services:
        for name in caller.reaches:
            path = f"reaches/{name}"
            if name not in known:
                yield Problem(
                    case.at(caller, path),
                    f"{topology.environment} has no service or destination {name}",
                    "what is reached must exist",
                    f"Declare {name}, or take it out of reaches.",
                )
            elif name in case.services and case.services[name].port is None:
                yield Problem(
                    case.at(caller, path),
                    f"nothing can answer {caller.name} at {name}",
                    f"{name} listens on nothing",
                    f"Give {name} a port, or take it out of reaches.",
                )


def _worker_by_requests(case: _Case) -> Iterator[Problem]:
    for service in case.topology.services:
        if service.port is None and service.scale is not None and service.scale.metric is ScaleMetric.REQUESTS:
            yield Problem(
                case.at(service, "scale"),
                f"{service.name} scales by requests and gets none",
                "it listens on nothing",
                f"Scale by cpu (`60% cpu`), or give {service.name} a port.",
            )


def _health_of_another_kind(case: _Case) -> Iterator[Problem]:
    for service in case.topology.services:
        path = service.health.path
        if path is None:
            continue
        if service.port is None:
            yield Problem(
                case.at(service, "health"),
                f"{service.name} has a health path and listens on nothing",
                "a service without a port is healthy while it runs",
                "Remove health, or declare a port.",
            )
        elif not path.startswith("/"):
            yield Problem(
                case.at(service, "health"),
                f"{path!r} is not a path",
                "health is checked by GET of a path that starts with /",
                "Leave health out for a TCP check." if path in ("", "none", "tcp") else f"Did you mean /{path}?",
            )
        elif service.protocol is Protocol.TCP:
            yield Problem(
                case.at(service, "health"),
                f"{service.name} speaks tcp and cannot answer GET {path}",
                "a health path needs http or http2 on the service's port",
                "Leave health out for a TCP check, or set protocol to http.",
            )


def _never_ready(case: _Case) -> Iterator[Problem]:
    for service in case.topology.services:
        if service.start_s > LONGEST_START_S:
            yield Problem(
                case.at(service, "start"),
                f"a start of {service.start_s:g} s cannot end well",
                f"health counts after {LONGEST_START_S:g} s at the latest, so that a broken version is noticed",
                f"Use {LONGEST_START_S:g} s or less, and do the slow work elsewhere.",
            )


# What is worth saying.


def _nearly_exhausted(case: _Case) -> Iterator[Problem]:
    for subnet, zone, taken in _subnets(case):
        holds = len(usable(subnet))
        if NEARLY_FULL * holds < taken <= holds:
            yield Problem(
                case.of("network"),
                f"a deploy at max takes {taken:,} of {holds:,} addresses in the private subnet of zone {zone}",
                "endpoints and balancers need some too, and a larger network replaces everything",
                "Plan a larger network.",
            )


def _shadowed(case: _Case) -> Iterator[Problem]:
    """The longest path wins, then a route with a host: only at the one host that there is can it hide another."""
    domain = case.topology.domain
    own = {_prefix(route): service for service, route in _routes(case) if domain and route.host == domain}
    for service, route in _routes(case):
        winner = own.get(_prefix(route)) if route.host is None else None
        if winner is not None:
            yield Problem(
                case.at(service, "route"),
                f"{route.path} is shadowed by the route of {winner.name} at {domain}{route.path}",
                f"{domain} is the environment's only host, and a route with a host wins",
                f"Give {service.name} another path, or take the host away from {winner.name}.",
            )


def _may_be_at_zero(case: _Case) -> Iterator[Problem]:
    for caller in case.topology.services:
        for name in caller.reaches:
            callee = case.services.get(name)
            if callee is not None and callee.port is not None and callee.instances.base == 0:
                yield Problem(
                    case.at(callee, "instances"),
                    f"{name} may have no instance when {caller.name} calls it",
                    f"its range {callee.instances} begins at 0, and a call does not start one",
                    f"Use 1..{callee.instances.max}, or have {caller.name} expect it.",
                )


def _unreachable(case: _Case) -> Iterator[Problem]:
    reached = {name for service in case.topology.services for name in service.reaches if name != service.name}
    for service in case.topology.services:
        if service.port is not None and service.route is None and service.name not in reached:
            yield Problem(
                where(case.marks, f"services/{service.name}"),
                f"nobody reaches {service.name}",
                "it has a port, no route, and is in no service's reaches",
                f"Add {service.name} to the reaches of its callers, or give it a route; a worker needs no port.",
            )


def _no_way_out(case: _Case) -> Iterator[Problem]:
    if case.topology.egress is not Egress.NONE:
        return
    outside = {place.name: place for place in case.topology.destinations if place.link is None}
    callers = defaultdict(list)
    for service in case.topology.services:
        for name in service.reaches:
            if name in outside:
                callers[name].append(service.name)
    for name, of in sorted(callers.items()):
        yield Problem(
            case.of("egress"),
            f"{name} is out of reach for {', '.join(of)}",
            "egress is none: nothing leaves the environment",
            "Set egress to one or per-zone, or take it out of reaches.",
        )


def _one_way_out(case: _Case) -> Iterator[Problem]:
    topology = case.topology
    if topology.production and topology.zones > 1 and topology.egress is Egress.ONE:
        yield Problem(
            case.of("egress"),
            f"one way out for {topology.zones} zones",
            "when its zone fails, no instance reaches the outside, and traffic between zones is charged",
            "Set egress to per-zone.",
        )


def _empty_zone(case: _Case) -> Iterator[Problem]:
    topology = case.topology
    if not topology.production:
        return
    for service in topology.services:
        if service.instances.max < topology.zones:
            yield Problem(
                case.at(service, "instances"),
                f"{service.name} never stands in all {topology.zones} zones",
                f"it has at most {service.instances.max} instance" + ("" if service.instances.max == 1 else "s"),
                f"Use {service.instances.base}..{topology.zones} or more.",
            )


def _open_route(case: _Case) -> Iterator[Problem]:
    """Only where the client has issuers: then a route without one is more often forgotten than meant."""
    topology = case.topology
    if not (topology.production and topology.auth):
        return
    for service, route in _routes(case):
        if route.auth is None:
            yield Problem(
                case.at(service, "route"),
                f"{route.path} answers anybody",
                f"other routes may ask for a token of {topology.auth[0].name}, this one asks for none",
                f"Add auth: {topology.auth[0].name}, if that is not meant.",
            )


def _still_elastic(case: _Case) -> Iterator[Problem]:
    for service in case.topology.services:
        if service.scale is not None and service.instances.base == service.instances.max:
            yield Problem(
                case.at(service, "scale"),
                f"{service.name} has a scale target and nowhere to scale",
                f"its range is {service.instances}",
                "Widen instances, or remove scale.",
            )


def _let_in_widely(case: _Case) -> Iterator[Problem]:
    for link in case.topology.links:
        for one in link.incoming:
            for source in one.sources:
                if source.prefixlen < WIDE_PREFIX:
                    yield Problem(
                        case.of(f"links/{link.name}/incoming/{one.service}"),
                        f"{source.num_addresses:,} addresses behind {link.name} are let in to {one.service}",
                        f"{source} is wider than a /{WIDE_PREFIX}: whoever takes over one machine there may open it",
                        "Name the networks of those who need it.",
                    )


BLOCKING: tuple[_Rule, ...] = (
    _exhausted,
    _overlapping,
    _same_route,
    _route_without_http,
    _nobody_answers,
    _worker_by_requests,
    _health_of_another_kind,
    _never_ready,
)
WARNING: tuple[_Rule, ...] = (
    _nearly_exhausted,
    _shadowed,
    _may_be_at_zero,
    _unreachable,
    _no_way_out,
    _one_way_out,
    _empty_zone,
    _open_route,
    _still_elastic,
    _let_in_widely,
)


def _subnets(case: _Case) -> Iterator[tuple[IPv4Network, str, int]]:
    """Each zone's private subnet and name, with how many places lie in it at instances.max and surge."""
    taken = Counter(slot.zone for placement in case.blueprint.placements for slot in placement.slots)
    for zone in case.blueprint.layout.zones:
        yield zone.private, zone.name, taken[zone.name]


def _routes(case: _Case) -> Iterator[tuple[Service, Route]]:
    for service in case.topology.services:
        if service.route is not None:
            yield service, service.route


def _prefix(route: Route) -> str:
    """A path as a prefix on a segment's edge: `/accounts/` and `/accounts` are the same one."""
    return route.path.rstrip("/") or "/"
