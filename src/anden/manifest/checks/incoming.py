"""What may come in over a link: to a service that listens, at an address that is kept for it, from behind the link."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from anden.manifest.addresses import network_of
from anden.manifest.faults import Faults
from anden.manifest.figures import HIGHEST_PORT
from anden.manifest.node import Listing, Node, Scalar
from anden.manifest.record import Said
from anden.manifest.view import View
from anden.manifest.wording import listed


def dialled(view: View, faults: Faults) -> None:
    """The other side dials an address of `seen-as`."""
    for name, link in view.links.items():
        if link.get("incoming") and link.absent("seen-as"):
            faults.add(
                link.at("incoming"),
                f"what begins behind the link {name} has no address to dial",
                "it dials one of each zone's share of `seen-as`, and the link says none",
                "Add `seen-as`, a block that the client grants, such as 100.64.10.0/26.",
            )


def answered(view: View, faults: Faults) -> None:
    """By a service of the environment, with a port, and one for each port that is dialled."""
    for name, link in view.links.items():
        taken: dict[int, tuple[str, Node]] = {}
        for service, each, node in _incoming(link):
            if "services" in view.said.broken or service in view.unreadable:
                continue
            found = view.services.get(service)
            if found is None:
                _nobody(service, node, view, faults)
                continue
            if found.absent("port"):
                faults.add(
                    node,
                    f"nothing answers the link {name} at {service}",
                    f"{service} has no port: it listens on nothing",
                    f"Give {service} a port, or take it out of incoming.",
                )
            port: int | None = found.get("port") if each.absent("at") else each.get("at")
            if port is None:
                continue
            other, there = taken.setdefault(port, (service, node))
            if other != service:
                faults.add(
                    each.at("at"),
                    f"{service} and {other} are both dialled on port {port}",
                    f"a port leads to one service; the other is in line {there.line}",
                    f"Give {service} another port: `at: {_free(port, taken)}`.",
                )


def _free(port: int, taken: dict[int, tuple[str, Node]]) -> int:
    return next((other for other in (*range(port + 1, HIGHEST_PORT), *range(1024, port)) if other not in taken), port)


def _nobody(service: str, node: Node, view: View, faults: Faults) -> None:
    close = faults.near(service, view.services.keys())
    faults.add(
        node,
        f"{view.name} has no service {service}",
        "what comes in over a link is answered by a service",
        f"Did you mean {close}?" if close else f"Declare {service}, or take it out of incoming.",
    )


def begins_behind(view: View, faults: Faults) -> None:
    """Within the link's networks: from elsewhere nothing comes by it."""
    for name, link in view.links.items():
        networks = link.get("networks")
        if networks is None:
            continue
        for _, each, _ in _incoming(link):
            for item, source in _sources(each):
                if not any(source.subnet_of(network) for network in networks):
                    faults.add(
                        item,
                        f"{source} does not lie behind the link {name}",
                        f"it carries {listed(networks)} (line {link.at('networks').line})",
                        "Correct the network, or add it to the link.",
                    )


def _incoming(link: Said) -> Iterator[tuple[str, Said, Node]]:
    for service, each in (link.get("incoming") or {}).items():
        if isinstance(each, Said):
            yield service, each, each.node


def _sources(each: Said) -> Iterator[tuple[Node, IPv4Network]]:
    """Each that can be read, so that one that cannot hides no other."""
    node = each.at("from")
    for item in node.items if isinstance(node, Listing) else (node,):
        if isinstance(item, Scalar) and (source := network_of(item.text)) is not None:
            yield item, source


CHECKS = (dialled, answered, begins_behind)
