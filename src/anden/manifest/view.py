"""One environment as it was read, for the cross-checks: what is known of it even where something else is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anden.manifest.node import Node
from anden.manifest.record import Said
from anden.model.topology import Range


@dataclass(frozen=True, slots=True)
class View:
    """name: the environment's. said: its fields, what is common to all merged in. node: where it is declared itself.

    services, destinations, links, issuers: by name, those of which something could be read. Names of those that
    could not be read at all are in `unreadable`, so that nobody is told that they do not exist.
    """

    name: str
    said: Said
    node: Node
    services: Mapping[str, Said]
    destinations: Mapping[str, Said]
    links: Mapping[str, Said]
    issuers: Mapping[str, Said]
    unreadable: frozenset[str]

    @property
    def production(self) -> bool:
        """Whether it is one, as far as is known."""
        return self.said.get("production") is True

    def at(self, field: str) -> Node:
        """The node of a field of the environment, or the environment's own."""
        return self.said.node.entries.get(field, self.node)

    def routed(self) -> Iterator[tuple[str, Said, Said]]:
        """Name, service and route of each service with a route that could be read."""
        for name, service in self.services.items():
            route = service.get("route")
            if route is not None:
                yield name, service, route


def view(name: str, said: Said, node: Node) -> View:
    """The view of an environment's fields."""
    unreadable: set[str] = set()

    def readable(field: str) -> dict[str, Said]:
        entries: Mapping[str, Any] = said.get(field, {})
        found = {key: each for key, each in entries.items() if isinstance(each, Said)}
        unreadable.update(entries.keys() - found.keys())
        return found

    return View(
        name,
        said,
        node,
        services=readable("services"),
        destinations=readable("destinations"),
        links=readable("links"),
        issuers=readable("auth"),
        unreadable=frozenset(unreadable),
    )


def instances(service: Said) -> Range | None:
    """The service's range; None when what is written cannot be read."""
    if service.absent("instances"):
        return Range(1, 1)
    found: Range | None = service.get("instances")
    return found
