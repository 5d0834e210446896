"""How what begins on the other side of a link is tried, and what the answers prove. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from anden.model.blueprint import Blueprint
from anden.model.ids import ZoneName
from anden.model.mark import Marks
from anden.model.plan import Caveat
from anden.model.reach import Path, Probe, Probed, Seen
from anden.model.report import IncomingProof
from anden.model.topology import Link
from anden.planning import links, reachability


def dials(blueprint: Blueprint, link: Link, path: Path) -> Mapping[ZoneName, Probe]:
    """How that path is tried, by zone, from the first address that may.

    A service that nobody behind the link may open is dialled as one that may; where another one is dialled on that
    port, its own address is tried instead. None where it listens on nothing, or there is no address to dial.
    """
    if path.port == reachability.NO_PORT or not link.incoming:
        return {}
    entry = next((one for one in link.incoming if one.service == path.callee), link.incoming[0])
    zones = [zone.name for zone in blueprint.layout.zones]
    at: Mapping[ZoneName, IPv4Address] = links.dialled(link, zones)
    if any(one.port == path.port and one.service != path.callee for one in link.incoming):
        own = blueprint.placement(path.callee).address
        at = {} if own is None else dict.fromkeys(zones, own)
    source = _first(entry.sources[0])
    return {zone: Probe(link.caller, str(address), path.port, source=source) for zone, address in at.items()}


def questions(
    blueprint: Blueprint, marks: Marks, caveats: Sequence[Caveat]
) -> Iterator[tuple[IncomingProof, Probe | None]]:
    """What may begin on the other side, in each zone, from each network that may; and from one that may not, where the
    link has one. The proofs have no verdict yet."""
    zones = [zone.name for zone in blueprint.layout.zones]
    for link in blueprint.topology.links:
        for one in link.incoming:
            path = reachability.path(blueprint, link.caller, one.service, None, marks, caveats)
            stranger = _stranger(link.networks, one.sources)
            for zone, address in links.dialled(link, zones).items():
                to = f"{address}:{one.port}"
                for source in (*map(_first, one.sources), *([] if stranger is None else [stranger])):
                    admitted = source is not stranger
                    proof = IncomingProof(
                        link.name, one.service, zone, str(source), to, admitted, "blocked", path.reason
                    )
                    yield proof, Probe(link.caller, str(address), one.port, source=source) if path.open else None


def verdict(proof: IncomingProof, probed: Probed | None) -> tuple[str, str]:
    """`proved`, `silent` or `opens` (the other way round), `untried`, `blocked`; and why."""
    if probed is None:
        return proof.verdict, proof.reason
    if probed.seen is Seen.UNTRIED:
        return "untried", probed.note
    if proof.admitted:
        return ("proved", "") if probed.seen is Seen.OPEN else ("silent", probed.seen.value)
    return ("opens", "nobody lets it in") if probed.seen is Seen.OPEN else ("proved", "refused")


def _stranger(networks: Sequence[IPv4Network], sources: Sequence[IPv4Network]) -> IPv4Address | None:
    """An address behind the link that may not: the first in it, or just beside one that may."""
    near = [network[-1] + 1 for network in sources if int(network[-1]) < int(IPv4Address("255.255.255.255"))]
    tried = (*(_first(network) for network in networks), *near)
    return next(
        (
            each for each in tried
            if any(each in one for one in networks) and not any(each in one for one in sources)
        ), None,
    )  # fmt: skip


def _first(network: IPv4Network) -> IPv4Address:
    return next(iter(network.hosts()), network.network_address)
