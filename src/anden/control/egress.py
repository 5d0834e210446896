"""What `prove egress` asks for, and what the answers prove. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from anden.model.blueprint import Blueprint
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.reach import Probe, Probed, Seen
from anden.model.report import EgressProof
from anden.model.topology import Destination
from anden.planning import reachability

SAMPLE = IPv4Address("192.0.2.1")
"""Tried for a destination that is as wide as to contain it: documentation's own (RFC 5737), and nobody's."""


@dataclass(frozen=True, slots=True)
class Question:
    """One destination of one service from one zone. declared: the address that the other side should see, or a network
    that it lies in. probe None: it is not tried, for `reason`."""

    service: str
    zone: str
    destination: str
    declared: IPv4Address | IPv4Network | None
    probe: Probe | None
    reason: str = ""


def questions(blueprint: Blueprint, seen: Observation, marks: Marks, caveats: Sequence[Caveat]) -> tuple[Question, ...]:
    """Every declared destination of every service, from each zone in which it has an instance that serves."""
    found = []
    for service in blueprint.topology.services:
        inside = {str(one.zone): one.id for one in reversed(seen.of(service.name)) if one.serving}
        for name in service.reaches:
            place = blueprint.topology.destination(name)
            if place is None:
                continue
            path = reachability.path(blueprint, service.name, name, None, marks, caveats)
            for zone in sorted(inside) or [""]:
                declared = _declared(blueprint, seen, place, zone) if path.open else None
                probe = Probe(inside[zone], host_of(place), place.port, listen=True) if inside and path.open else None
                reason = path.reason or ("" if inside else f"no instance of {service.name} serves")
                found.append(Question(service.name, zone, name, declared, probe, reason))
    return tuple(found)


def _declared(
    blueprint: Blueprint, seen: Observation, place: Destination, zone: str
) -> IPv4Address | IPv4Network | None:
    """What the other side should see. Over a link nothing goes by the fixed addresses: it sees `seen-as`, and without
    that the instance's own address. A blueprint that made the environment did not know the fixed addresses yet."""
    if place.link is None:
        return blueprint.facts.leaves_from(zone) or seen.facts.leaves_from(zone)
    link = next((each for each in blueprint.topology.links if each.name == place.link), None)
    return link.seen_as if link is not None and link.seen_as is not None else blueprint.layout.network


def host_of(place: Destination) -> str:
    """An address to try for a destination: the only one, or the first host of its network; a name as it is."""
    if place.network is None:
        return str(place.host)
    return str(next(iter(place.network.hosts()), place.network.network_address))


def proof(question: Question, answers: Mapping[Probe, Probed]) -> EgressProof:
    """The verdict: `proved`, `opens` (nobody on the other side was asked, and the engine's provider gives the declared
    address), `differs`, `silent`, `untried` or `blocked`."""
    declared = str(question.declared) if question.declared else None
    probed = answers.get(question.probe) if question.probe else None
    observed, verdict, reason = None, "blocked", question.reason
    if question.probe is not None:
        observed = str(probed.source) if probed and probed.source else None
        if probed is not None and probed.seen is Seen.UNTRIED:
            verdict, reason = "untried", probed.note
        elif probed is not None and probed.seen is Seen.OPEN and observed is None and probed.by:
            as_said = probed.given and _as_declared(IPv4Network(probed.given), question.declared)
            verdict, reason = "opens" if as_said else "differs", _unseen(probed)
        elif probed is None or probed.seen is not Seen.OPEN or observed is None:
            verdict, reason = "silent", probed.seen.value if probed else "not tried"
        else:
            verdict = "proved" if _as_declared(IPv4Network(observed), question.declared) else "differs"
    return EgressProof(question.service, question.zone, question.destination, declared, observed, verdict, reason)


def _as_declared(observed: IPv4Network, declared: IPv4Address | IPv4Network | None) -> bool:
    return declared is not None and observed.subnet_of(IPv4Network(declared))


def _unseen(probed: Probed) -> str:
    if not probed.given:
        return f"it leaves by {probed.by}, whose address is not known; the other side was not asked"
    if "/" in probed.given:
        return f"it leaves by {probed.by} with its own address, of {probed.given}; the other side was not asked"
    return f"it leaves by {probed.by}, whose address AWS gives as {probed.given}; the other side was not asked"
