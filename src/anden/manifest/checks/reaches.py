"""What is reached exists, in every environment in which it is reached."""

from collections.abc import Iterator

from anden.manifest.faults import Faults
from anden.manifest.names import is_name
from anden.manifest.node import Listing, Node, Scalar
from anden.manifest.record import Said
from anden.manifest.view import View
from anden.manifest.wording import listed


def reached_exists(views: tuple[View, ...], faults: Faults) -> None:
    """Each name in `reaches` is a service with a port or a destination; what is missing everywhere is said once."""
    missing: dict[tuple[str, int, str], tuple[Node, list[View]]] = {}
    used: dict[tuple[str, int, str], int] = {}
    for view in views:
        if view.said.broken & {"services", "destinations"}:
            continue
        known = view.services.keys() | view.destinations.keys() | view.unreadable
        for caller, service in view.services.items():
            for node, name in _reached(service):
                key = (node.path, node.line, name)
                used[key] = used.get(key, 0) + 1
                if name not in known:
                    missing.setdefault(key, (node, []))[1].append(view)
                elif name in view.services and view.services[name].absent("port"):
                    _no_port(caller, name, node, faults)
    every = {name for view in views for name in (*view.services, *view.destinations)} if missing else set()
    for key, (node, where) in missing.items():
        if used[key] == len(where):
            _nowhere(key[-1], node, every, faults)
        else:
            _only_elsewhere(key[-1], node, where, views, faults)


def _reached(service: Said) -> Iterator[tuple[Node, str]]:
    """By what is written, so that one name that is none hides no other."""
    node = service.node.entries.get("reaches")
    items = node.items if isinstance(node, Listing) else (node,)
    for item in items:
        if isinstance(item, Scalar) and is_name(item.text) and not item.null:
            yield item, item.text


def _no_port(caller: str, name: str, node: Node, faults: Faults) -> None:
    faults.add(
        node,
        f"nothing answers {caller} at {name}",
        f"{name} has no port: it listens on nothing",
        f"Give {name} a port, or take it out of reaches.",
    )


def _nowhere(name: str, node: Node, every: set[str], faults: Faults) -> None:
    close = faults.near(name, every)
    faults.add(
        node,
        f"there is no service or destination {name}",
        "what is reached must exist",
        f"Did you mean {close}?" if close else f"Declare {name}, or take it out of reaches.",
    )


def _only_elsewhere(name: str, node: Node, where: list[View], views: tuple[View, ...], faults: Faults) -> None:
    having = [view for view in views if name in view.services or name in view.destinations]
    if not having:  # declared where it is unreadable only
        return
    kind = "service" if any(name in view.services for view in having) else "destination"
    faults.add(
        node,
        f"{listed(view.name for view in where)} {'has' if len(where) == 1 else 'have'} no {kind} {name}",
        f"only {listed(view.name for view in having)} {'has' if len(having) == 1 else 'have'} it",
        f"Declare it under environments/{where[0].name}/{kind}s, or override reaches there.",
    )
