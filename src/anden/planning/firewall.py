"""The firewall from `reaches`: default deny, and one rule for each declared pair.

Everything is TCP: HTTP and HTTP/2 run over it, and QUIC is not offered. Questions to the resolver (port 53) are implied
for every instance and are no rule here. What an engine withholds yields no rule: it stays closed.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, collapse_addresses

from anden.model.configuration import AllowBehind, AllowDestination, AllowIncoming, AllowName, AllowService
from anden.model.plan import Caveat
from anden.model.topology import Egress, Topology


def allows(topology: Topology) -> tuple[AllowService, ...]:
    """A rule for each declared pair of services, on the callee's port; sorted. A callee without a port gives none."""
    services = {str(service.name): service for service in topology.services}
    found = {
        (caller.name, callee.name, callee.port)
        for caller in topology.services
        for name in caller.reaches
        if (callee := services.get(name)) is not None and callee.port is not None
    }
    return tuple(AllowService(*each) for each in sorted(found))


def allows_out(
    topology: Topology, caveats: Sequence[Caveat], inside: IPv4Network | None = None
) -> tuple[AllowDestination, ...]:
    """A rule for each destination by network that a service reaches and that no caveat withholds; sorted.

    With egress `none` nothing leaves and there is no rule. inside: the environment's own network (`layout.network`);
    it is cut out of wider destinations, so that `0.0.0.0/0:443` never opens one service to another.
    """
    if topology.egress is Egress.NONE:
        return ()
    places = {str(place.name): place for place in topology.destinations}
    return tuple(
        sorted(
            AllowDestination(caller.name, place.name, network, place.port)
            for caller in topology.services
            for name in dict.fromkeys(caller.reaches)
            if (place := places.get(name)) is not None
            and place.network is not None
            and place.link is None
            and withheld(caveats, name) is None
            for network in _without(place.network, inside)
        )
    )


def names_out(topology: Topology, caveats: Sequence[Caveat]) -> tuple[AllowName, ...]:
    """A rule for each destination by host name that a service reaches and that no caveat withholds; sorted.

    Names are compared as DNS does, without case and last dot. With egress `none` there is none, and nothing resolves.
    """
    if topology.egress is Egress.NONE:
        return ()
    places = {str(place.name): place for place in topology.destinations}
    return tuple(
        sorted(
            {
                AllowName(caller.name, place.name, place.host.lower().rstrip("."), place.port)
                for caller in topology.services
                for name in caller.reaches
                if (place := places.get(name)) is not None
                and place.host is not None
                and place.link is None
                and withheld(caveats, name) is None
            }
        )
    )


def allows_behind(topology: Topology, caveats: Sequence[Caveat]) -> tuple[AllowBehind, ...]:
    """A rule for each destination behind a link that a service reaches, where it lies in one of the link's networks
    and no caveat withholds it or the link; sorted."""
    places = {str(place.name): place for place in topology.destinations}
    networks = {link.name: link.networks for link in topology.links}
    return tuple(
        sorted(
            {
                AllowBehind(caller.name, place.name, place.link, place.network, place.port)
                for caller in topology.services
                for name in caller.reaches
                if (place := places.get(name)) is not None
                and place.link is not None
                and place.network is not None
                and any(place.network.subnet_of(one) for one in networks.get(place.link, ()))
                and withheld(caveats, name) is None
                and withheld(caveats, place.link) is None
            }
        )
    )


def allows_incoming(topology: Topology, caveats: Sequence[Caveat]) -> tuple[AllowIncoming, ...]:
    """A rule for each network that may open a service over a link, where no caveat withholds the link; sorted. A
    service without a port gives none, nor a link that has no address to dial."""
    listening = {service.name for service in topology.services if service.port is not None}
    return tuple(
        sorted(
            AllowIncoming(link.name, one.port, one.service, source)
            for link in topology.links
            if link.seen_as is not None and withheld(caveats, link.caller) is None
            for one in link.incoming
            if one.service in listening
            for source in one.sources
        )
    )


NOT_OUTSIDE = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this network" (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by carriers (RFC 6598)
            "127.0.0.0/8",  # this machine (RFC 1122)
            "169.254.0.0/16",  # link-local, and the metadata of clouds (RFC 3927)
            "172.16.0.0/12",  # private
            "192.168.0.0/16",  # private
            "224.0.0.0/3",  # multicast and reserved (RFC 5771, RFC 1112)
        ),
    )
)
"""What is nobody's on the internet. Documentation's networks are not among them: the twin's internet is theirs."""


def never(network: IPv4Network, topologies: Sequence[Topology]) -> tuple[IPv4Network, ...]:
    """Networks that no name outside may lead to, joined and sorted: what is not on the internet, the environment's own
    `network`, and what lies behind its links, with the addresses that links are seen as."""
    links = [link for each in topologies for link in each.links]
    behind = [one for link in links for one in link.networks]
    seen = [link.seen_as for link in links if link.seen_as is not None]
    return tuple(collapse_addresses([*NOT_OUTSIDE, network, *behind, *seen]))


def withheld(caveats: Sequence[Caveat], name: str) -> str | None:
    """The text of the caveat that closes this destination, or this service's route; None: nothing closes it."""
    return next((caveat.text for caveat in caveats if name in caveat.withholds), None)


def _without(network: IPv4Network, inside: IPv4Network | None) -> tuple[IPv4Network, ...]:
    if inside is None or not network.overlaps(inside):
        return (network,)
    if inside.supernet_of(network):
        return ()
    return tuple(network.address_exclude(inside))
