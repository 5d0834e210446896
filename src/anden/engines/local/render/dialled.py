"""What the other side of a link may open, as the balancer has it: a frontend for each address and port that it dials,
and beside the backend of each such service one of layer 4 with the same servers. Bytes pass, whatever they mean: a
Network Load Balancer looks at none either.
"""

from collections.abc import Iterator, Sequence

from anden.engines.local.endpoints import dialled
from anden.model.configuration import Configuration
from anden.model.ids import ServiceName
from anden.model.manners import Manners

DIALLED = ":dialled"
"""What the backend of layer 4 is called beside the service's own. No service has a colon in its name."""
OPEN = ":open"
"""What a backend is called that holds the same servers unchecked: for when none of them is healthy and the balancer
fails open."""
CONNECTIONS = 1000
"""At once, by one address and port, a process: a caller that holds thousands open must not shut out the gateway."""
IDLE_S = 350.0
"""How long a connection may be silent: AWS's Network Load Balancer drops it then."""


def doors(configuration: Configuration) -> Iterator[tuple[str, ServiceName, str, int]]:
    """Link, service, address and port of everything that is dialled."""
    for linked in configuration.links:
        name = linked.link.name
        leads = {allow.port: allow.service for allow in configuration.allows_in if allow.link == name}
        for port, service in sorted(leads.items()):
            for address in dialled(configuration.layout, linked).values():
                yield name, service, str(address), port


def services(configuration: Configuration) -> frozenset[ServiceName]:
    """Those that something leads to, and that listen."""
    listening = {backend.service for backend in configuration.backends if backend.port is not None}
    return frozenset(service for _, service, _, _ in doors(configuration)) & listening


def frontend(link: str, service: ServiceName, address: str, port: int, fd: int, manners: Manners) -> list[str]:
    """Where the other side dials."""
    lines = [f"frontend link:{link}:{address}:{port}", f"bind fd@{fd}", f"maxconn {CONNECTIONS}", "mode tcp"]
    lines.append(f"timeout client {_IDLE}")
    if manners.fails_open:
        lines.append(f"use_backend {service}{DIALLED}{OPEN} if {{ nbsrv({service}{DIALLED}) eq 0 }}")
    return [*lines, f"default_backend {service}{DIALLED}"]


def backend(name: str, health: Sequence[str], servers: Sequence[str]) -> list[str]:
    """Of layer 4. health: how its servers are asked, as in the service's own."""
    return [f"backend {name}", "balance leastconn", f"timeout server {_IDLE}", "mode tcp", *health, *servers]


_IDLE = f"{round(IDLE_S * 1000)}ms"
