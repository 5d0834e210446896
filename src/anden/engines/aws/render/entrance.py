"""What the gateway lets through to services: decided once, for the REST API, the balancer's rules and the caveats.

A door that cannot be watched stays shut: where a route asks for a token and the balancer has no TLS, it answers 503.
So does one to a service that speaks no HTTP, as on the twin: its path is not left to a shorter route of another's.
Where no rule could be written at all there is no door, and `Entrance.none` says why.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from anden.model.topology import Issuer, Protocol, Service, Topology

STAGE = "anden"
"""The REST API's only stage. AWS's documentation says that a private integration passes the stage's name on as the
first segment of the path (API Gateway developer guide, "Private integrations for REST APIs"); the balancer's rules
take paths with it and without it, and cut it off."""
MOST_PATTERN = 128
"""Characters of a path in a listener rule's condition (Elastic Load Balancing API, "PathPatternConditionConfig")."""
LONGEST_PATH = MOST_PATTERN - len(f"/{STAGE}/*")
"""Characters of a route's path, so that all its patterns fit."""
NUMBERS = 380
"""Services whose rules have priorities of their own: the largest `Placement.number`."""
GATEWAY_TIMEOUT_S = 29
"""API Gateway's integration timeout for a regional REST API, until a higher quota is asked for (its "Quotas" page)."""
_PLAIN = re.compile(r"(?:/[A-Za-z0-9._:-]+)*")
"""Paths that both a REST API's resources and a listener rule can say (API Gateway: `a-zA-Z0-9._-:`)."""


@dataclass(frozen=True, slots=True)
class Door:
    """A way in. path: as it is matched: no slash at its end, empty for all. hosts: the only ones that it opens for;
    none: any. issuer: whose token is asked for. closed: when not empty, why it answers 503 to everybody."""

    service: Service
    path: str
    hosts: tuple[str, ...] = ()
    issuer: Issuer | None = None
    closed: str = ""

    def priority(self, number: int) -> int:
        """Of the listener rule, 1 to 49,020 (50,000 is the last one): longer paths first, and unique without looking
        at other services. number: the placement's, 1 to 380."""
        return (MOST_PATTERN - len(self.path)) * NUMBERS + number


@dataclass(frozen=True, slots=True)
class Entrance:
    """doors: by service. none: services with a route to which no door leads, and why. hosts: the names that the gateway
    answers to, the environment's own first; none without a domain."""

    doors: Mapping[str, Door]
    none: Mapping[str, str]
    hosts: tuple[str, ...]


def entrance(topology: Topology) -> Entrance:
    """Every way in. Two services never have the same one."""
    own = {
        service.route.path.rstrip("/")
        for service in topology.services
        if service.route is not None and topology.domain is not None and service.route.host == topology.domain
    }
    doors: dict[str, Door] = {}
    none: dict[str, str] = {}
    for service in topology.services:
        if service.route is None:
            continue
        why = _why_none(topology, service, own)
        if why is None:
            doors[service.name] = _door(topology, service)
        else:
            none[service.name] = why
    hosts = [] if topology.domain is None else [topology.domain, *(host for d in doors.values() for host in d.hosts)]
    return Entrance(doors, none, tuple(dict.fromkeys(hosts)))


def _door(topology: Topology, service: Service) -> Door:
    assert service.route is not None  # noqa: S101 - asked by the caller
    auth, host = service.route.auth, service.route.host or topology.domain
    issuer = next((each for each in topology.auth if each.name == auth), None)
    closed = ""
    if service.port is None or service.protocol is Protocol.TCP:
        closed = "closed: a route is HTTP, and API Gateway and the ALB pass no bare TCP"
    elif auth is not None and topology.domain is None:
        closed = f"closed: tokens of {auth} are checked on TLS only, and the environment has no domain"
    elif auth is not None and issuer is None:
        closed = f"closed: nobody knows the issuer {auth}"
    elif len(service.route.scopes) > 1:
        closed = "closed: it is documented nowhere whether the ALB asks for all of several scopes, or for one of them"
    return Door(service, service.route.path.rstrip("/"), (host,) if host else (), issuer, closed)


def _why_none(topology: Topology, service: Service, own: Collection[str]) -> str | None:
    """own: the paths that have a route at the environment's own domain by name."""
    route = service.route
    assert route is not None  # noqa: S101 - asked by the caller
    path = route.path.rstrip("/")
    found = None
    if not _PLAIN.fullmatch(path):
        found = f"{route.path} cannot be said there: a REST API's paths have letters, digits and . _ : - only"
    elif len(path) > LONGEST_PATH:
        found = f"its path has {len(path)} characters: an ALB's rule takes {LONGEST_PATH} beside the stage's name"
    elif path.split("/")[1:2] == [STAGE]:
        found = f"/{STAGE} is the name of the REST API's stage: choose another path"
    elif route.host is not None and topology.domain is None:
        found = f"nobody can ask for {route.host}: only an environment with a domain has names of its own"
    elif route.host is None and path in own:
        found = f"another service has {topology.domain}{route.path}, and a route with a host wins"
    return found


def timeout_s(service: Service) -> int:
    """How long the gateway waits for the service, in whole seconds."""
    return max(1, min(math.ceil(service.timeout_s), GATEWAY_TIMEOUT_S))
