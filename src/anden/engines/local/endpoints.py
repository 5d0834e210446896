"""The twin's own endpoints of links: which addresses they have, from the link's number in the blueprint. Pure."""

from ipaddress import IPv4Address

from anden.engines.local.caveats import FIXED
from anden.model.blueprint import Layout
from anden.model.configuration import Linked
from anden.model.ids import ZoneName
from anden.model.link import Agreement, Endpoint
from anden.planning import links

FIRST_ENDPOINT = 100
"""Behind the addresses that instances leave from."""
ANY_STATION = "link.*"
"""All of their cables, as the firewall writes it."""


def endpoints(number: int, tunnels: int, *, bgp: bool = False) -> tuple[Endpoint, ...]:
    """Those of the link with that number, the preferred one first. Each has an address of its own, as two devices of a
    cloud's have: invented, of documentation's (RFC 5737), and the same whatever other links there are.

    Raises ValueError for a number that a blueprint does not give.
    """
    first = FIRST_ENDPOINT + tunnels * (number - 1)
    if number < 1 or first + tunnels >= FIXED.num_addresses:
        raise ValueError(f"no link has the number {number}")
    return tuple(
        Endpoint(FIXED.network_address + first + place, links.inside(number, place + 1, bgp=bgp))
        for place in range(tunnels)
    )


def agreed(layout: Layout, linked: Linked) -> Agreement:
    """What the twin and the other side of a link agree on."""
    link = linked.link
    zones = [zone.name for zone in layout.zones]
    own = endpoints(linked.number, link.tunnels, bgp=link.bgp is not None)
    return links.agreement(link, layout.network, zones, own)


def seen(agreement: Agreement) -> dict[ZoneName, IPv4Address]:
    """The address that the other side sees of each zone's instances; none without `seen-as`."""
    return {zone: share.network_address + links.SEEN for zone, share in agreement.zones}


def dialled(layout: Layout, linked: Linked) -> dict[ZoneName, IPv4Address]:
    """The address that the other side dials in each zone, where something may come in."""
    return links.dialled(linked.link, [zone.name for zone in layout.zones])


def wire(number: int) -> str:
    """The network between a link's endpoints and the other side, by name; the data centre stands in it."""
    return f"link.{number}"


def station(number: int, tunnel: int) -> str:
    """The network of an endpoint, by name. No instance can be called so, for names of services have no dots."""
    return f"link.{number}.{tunnel}"
