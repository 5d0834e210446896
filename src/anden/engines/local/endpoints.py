"""The twin's own endpoints of links: which addresses they have, from the link's number in the blueprint. Pure."""

from anden.engines.local.caveats import FIXED
from anden.model.blueprint import Blueprint
from anden.model.link import Agreement, Endpoint
from anden.model.topology import Link
from anden.planning import links

FIRST_ENDPOINT = 100
"""Behind the addresses that instances leave from."""


def endpoints(number: int, tunnels: int) -> tuple[Endpoint, ...]:
    """Those of the link with that number, the preferred one first. Each has an address of its own, as two devices of a
    cloud's have: invented, of documentation's (RFC 5737), and the same whatever other links there are.

    Raises ValueError for a number that a blueprint does not give.
    """
    first = FIRST_ENDPOINT + tunnels * (number - 1)
    if number < 1 or first + tunnels >= FIXED.num_addresses:
        raise ValueError(f"no link has the number {number}")
    return tuple(
        Endpoint(FIXED.network_address + first + place, links.inside(number, place + 1)) for place in range(tunnels)
    )


def agreed(blueprint: Blueprint, link: Link) -> Agreement:
    """What the twin and the other side of `link` agree on. Raises KeyError when the blueprint has no such link."""
    return links.agreement(
        link,
        blueprint.layout.network,
        [zone.name for zone in blueprint.layout.zones],
        endpoints(blueprint.links[link.name], len(link.secret)),
    )


def station(number: int, tunnel: int) -> str:
    """The network of an endpoint, by name. No instance can be called so, for names of services have no dots."""
    return f"link.{number}.{tunnel}"
