"""Who calls whom by Service Connect, and in which order services are made.

A task knows only the names that existed when its service was last deployed (ECS developer guide, "Amazon ECS Service
Connect components"). So callees are made before their callers, and a caller is deployed anew when whom it reaches, or
where, changes: `Mesh.label` goes into its task definition. Services that reach each other in a ring cannot both come
first; who of them was made before the other must be restarted once (a caveat says so).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from anden.model.ids import ServiceName
from anden.model.topology import Service, Topology


@dataclass(frozen=True, slots=True)
class Mesh:
    """callees: service to the services that it reaches, by name, sorted. served: services that somebody reaches.
    rank: services in a ring share one; a callee's is lower than its callers' otherwise."""

    callees: Mapping[str, tuple[Service, ...]]
    served: frozenset[str]
    rank: Mapping[str, int]

    def before(self, service: str) -> tuple[ServiceName, ...]:
        """The callees that are made first."""
        return tuple([each.name for each in self.callees[service] if self.rank[each.name] != self.rank[service]])

    def ring(self, service: str) -> tuple[ServiceName, ...]:
        """The callees that cannot be made first, for they reach the service as well; itself is not among them."""
        return tuple(
            each.name
            for each in self.callees[service]
            if each.name != service and self.rank[each.name] == self.rank[service]
        )

    def connects(self, service: str) -> bool:
        """Whether its tasks have a proxy: it calls, or is called."""
        return bool(self.callees[service]) or service in self.served

    def label(self, service: str) -> str:
        """Whom it reaches and where, as one text: `ledger:8080/http queue:5672/tcp`."""
        return " ".join(f"{each.name}:{each.port}/{each.protocol}" for each in self.callees[service])


def mesh(topology: Topology) -> Mesh:
    """Who calls whom; a callee without a port is called by nobody."""
    services = {str(service.name): service for service in topology.services}
    listening = {name: service for name, service in services.items() if service.port is not None}
    callees = {
        name: tuple([listening[callee] for callee in sorted({*service.reaches} & listening.keys())])
        for name, service in services.items()
    }
    served = frozenset([str(callee.name) for each in callees.values() for callee in each])
    return Mesh(callees, served, _ranks({name: [str(each.name) for each in found] for name, found in callees.items()}))


def _ranks(edges: Mapping[str, list[str]]) -> dict[str, int]:
    """Strongly connected components, numbered callees first (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    rank: dict[str, int] = {}
    open_: list[str] = []
    number = 0
    for start in edges:
        work: list[tuple[str, Iterator[str]]] = []
        if start not in index:
            index[start] = low[start] = len(index)
            open_.append(start)
            work.append((start, iter(edges[start])))
        while work:
            name, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    number += 1
                    while name not in rank:
                        rank[open_.pop()] = number
            elif following not in index:
                index[following] = low[following] = len(index)
                open_.append(following)
                work.append((following, iter(edges[following])))
            elif following not in rank:
                low[name] = min(low[name], index[following])
    return rank
