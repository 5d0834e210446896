"""The firewall from `reaches`: default deny, and one rule for each declared pair.

Everything is TCP: HTTP and HTTP/2 run over it, and QUIC is not offered. Questions to the resolver (port 53) are implied
for every instance and are no rule here. What nothing enforces yet (host names, links) yields no rule: it stays closed.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from anden.model.configuration import AllowDestination, AllowService
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


def withheld(caveats: Sequence[Caveat], name: str) -> str | None:
    """The text of the caveat that closes this destination, or this service's route; None: nothing closes it."""
    return next((caveat.text for caveat in caveats if name in caveat.withholds), None)


def _without(network: IPv4Network, inside: IPv4Network | None) -> tuple[IPv4Network, ...]:
    if inside is None or not network.overlaps(inside):
        return (network,)
    if inside.supernet_of(network):
        return ()
    return tuple(network.address_exclude(inside))
