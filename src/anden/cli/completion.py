"""What Tab offers: names from the manifest of the folder. A manifest that cannot be read offers nothing."""

import click
from click.shell_completion import CompletionItem

from anden.cli import place
from anden.cli.options import Words
from anden.model.log import GATEWAY
from anden.model.problem import Problems
from anden.planning.addressing import ZONE_NAMES


def _items(names: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _place(ctx: click.Context) -> place.Place | None:
    try:
        return place.anywhere(ctx.ensure_object(Words).said)
    except Problems:
        return None


def environments(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The manifest's environments."""
    here = _place(ctx)
    return _items([*here.read.environments] if here and here.read else [], incomplete)


def services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The manifest's services."""
    here = _place(ctx)
    return _items([*here.services] if here else [], incomplete)


def logged(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The manifest's services, and the gateway."""
    here = _place(ctx)
    return _items([*here.services, GATEWAY] if here else [], incomplete)


def zones(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The environment's zones."""
    here = _place(ctx)
    return _items([*ZONE_NAMES[: here.topology.zones]] if here and here.topology else [], incomplete)


def ends(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The manifest's services and destinations, and who is behind links."""
    here = _place(ctx)
    topology = here.topology if here else None
    places = [place.name for place in topology.destinations] if topology else []
    behind = [link.caller for link in topology.links] if topology else []
    return _items([*(here.services if here else ()), *places, *behind], incomplete)
