"""What the twin cannot do the same way, and therefore says. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from anden.model.blueprint import Facts
from anden.model.ids import EngineName
from anden.model.plan import Caveat
from anden.model.topology import Egress, Strategy, Topology

FIXED = IPv4Network("198.51.100.0/24")
"""The twin's fixed addresses: documentation's own (RFC 5737, TEST-NET-2), which nobody on the internet has."""
FIRST_FIXED = 10
ZONES = "abcd"
_BY_CERTIFICATE = "; both sides are proved by certificates of the twin's own making"


def caveats(topology: Topology) -> tuple[Caveat, ...]:
    """Everything that this engine does otherwise, or not at all, for this topology."""
    return tuple(Caveat(EngineName.LOCAL, *one) for one in _all(topology))


def facts(topology: Topology, zones: int) -> Facts:
    """The addresses that instances leave from: invented, and fixed."""
    if topology.egress is Egress.NONE:
        return Facts()
    if topology.egress is Egress.ONE:
        return Facts({"*": _fixed(0)})
    return Facts({zone: _fixed(number) for number, zone in enumerate(ZONES[:zones], start=1)})


def _fixed(number: int) -> IPv4Address:
    return FIXED.network_address + FIRST_FIXED + number


def _all(topology: Topology) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    outside = [place for place in topology.destinations if place.link is None and place.host is not None]
    if outside and topology.egress is not Egress.NONE:
        listed = ", ".join(place.name for place in outside)
        text = (
            f"{listed}: the twin's internet answers for names, with addresses of documentation's; nobody else is asked"
        )
        yield "names", text, ()
    keyed = {issuer.name: issuer.keys_file for issuer in topology.auth if issuer.keys}
    for name, file in keyed.items():
        text = "its keys are fetched from where its openid-configuration says; AWS has a place of its own for them"
        if file is not None:
            text = f"tokens are verified by the keys in {file}; the issuer is not asked for newer ones"
        yield f"auth {name}", text, ()
    for link in topology.links:
        text = "its tunnels end on this machine: who answers is the data centre of `up --with-datacentre`, or nobody"
        yield f"link {link.name}", text + _BY_CERTIFICATE * (link.certificate is not None), ()
    known = {link.name for link in topology.links}
    for one in topology.destinations:
        if one.link is not None and one.link not in known:
            yield f"link {one.link}", f"it is nowhere described: {one.name} cannot be reached", (one.name,)
    hosts = [one.name for one in topology.destinations if one.link is not None and one.network is None]
    if hosts:
        yield "names behind links", f"{', '.join(hosts)}: only addresses are looked for there", tuple(hosts)
    for service in topology.services:
        route = service.route
        if route is not None and route.auth is not None and route.auth not in keyed:
            text = f"{route.path} answers 503: the issuer's keys ({route.auth}) were not fetched, and no file has them"
            yield f"route {service.name}", text, (service.name,)
    if any(each.route is not None and (each.route.rate or each.route.rate_each) for each in topology.services):
        text = "two processes count apart: who keeps to a rate is never refused, who asks twice as often always is"
        yield "rates", text, ()
    for service in topology.services:
        if service.strategy is not Strategy.ROLLING:
            yield f"deploy {service.name}", f"{service.strategy} is refused at up: only rolling is there yet", ()
    yield from _whole(topology)


def _whole(topology: Topology) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if topology.production:
        yield "production", "approval, signatures and inspection of images are not asked for here", ()
    if topology.domain is not None:
        text = (
            f"{topology.domain} has a certificate of this twin's own authority, which nobody trusts before "
            "`anden trust`, and no DNS leads to it: the gateway listens on this machine"
        )
        yield "domain", text, ()
    if any(
        service.scale is not None or service.instances.base != service.instances.max for service in topology.services
    ):
        yield "scale", "levels move by `anden scale` only; nothing follows the load yet", ()
    if topology.recovery is not None:
        yield "recovery", f"no copies are made to {topology.recovery}", ()
    if topology.egress is not Egress.NONE:
        yield "egress", f"the internet is the twin's own; fixed addresses are invented ({FIXED})", ()
