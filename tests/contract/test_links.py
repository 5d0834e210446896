"""The contract of links: what a link's state reads, what gets through, both tunnels down, and their return."""

from ipaddress import IPv4Address, IPv4Network

from tests.contract.conftest import Make
from tests.contract.subject import Environment, service

from anden.assess.links import assess
from anden.model.finding import Severity
from anden.model.ids import DestinationName
from anden.model.link import LinkSeen
from anden.model.observation import Observation
from anden.model.reach import Probe, Probed, Seen
from anden.model.topology import Destination, Link, Topology

TIMEOUT_S = 0.7
PLACE = "10.20.4.17"
CORE = Link(
    "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)  # fmt: skip
SEEN = IPv4Address("100.64.10.5")


def linked(environment: str) -> Topology:
    """web reaches a port behind the link; other does not."""
    behind = Destination(DestinationName("core-api"), 8443, network=IPv4Network(f"{PLACE}/32"), link="core")
    services = (service("other"), service("web", reaches=("core-api",)))
    return Topology("contract", environment, services, destinations=(behind,), links=(CORE,))


def link(seen: Observation) -> LinkSeen:
    (found,) = seen.links
    assert (found.name, found.peer, [each.number for each in found.tunnels]) == ("core", CORE.peer, [1, 2])
    return found


def tried(environment: Environment) -> list[Probed]:
    """From web to what it reaches and to another port; from other to the same."""
    probes = [Probe(*each, TIMEOUT_S, listen=True) for each in (
        ("web-1", PLACE, 8443), ("web-1", PLACE, 8444), ("other-1", PLACE, 8443),
    )]  # fmt: skip
    return list(environment.engine.probe(environment.key, probes))


def test_a_link_carries_while_a_tunnel_is_up_and_says_since_when_and_why_it_does_not(make: Make) -> None:
    environment = make(linked)
    engine, key = environment.engine, environment.key
    environment.up("other-1", "web-1")

    alone = link(environment.until(lambda seen: (out := link(seen).outage) and len(out.why) == 2))
    assert (alone.by, alone.datacentre, alone.outage and alone.outage.until) == (None, False, None)
    assert [each.seen for each in tried(environment)] == [Seen.SILENT] * 3

    assert engine.datacentre(key, wanted=True) == ("core",)
    up = link(environment.until(lambda seen: all(each.up for each in link(seen).tunnels)))
    assert (up.by, up.datacentre, assess([up])) == (1, True, ())
    assert up.outage is not None
    assert up.outage.until is not None
    opened, *others = tried(environment)
    assert (opened.seen, opened.source) == (Seen.OPEN, SEEN)
    assert [each.seen for each in others] == [Seen.SILENT] * 2

    engine.turn_link(key, "core", 1, up=False)
    one = link(environment.until(lambda seen: link(seen).by == 2))
    (finding,) = assess([one])
    assert (finding.severity, finding.text) == (Severity.WARNING, "tunnel 1 is down: it was lowered on purpose")
    assert one.outage == up.outage, "the other one carries: that is no outage"
    engine.turn_link(key, "core", 1, up=True)
    environment.until(lambda seen: link(seen).by == 1)

    engine.datacentre(key, wanted=False)
    silent = "203.0.113.10 does not answer: nothing came back from there, neither a yes nor a no"
    why = (f"tunnel 1: {silent}", f"tunnel 2: {silent}")
    down = link(environment.until(lambda seen: (out := link(seen).outage) and out.why == why and out.until is None))
    assert down.by is None
    assert down.outage is not None
    assert up.outage.until < down.outage.since
    (finding,) = assess([down])
    assert (finding.severity, finding.subject, finding.evidence) == (Severity.TROUBLE, "link core", why)
    assert [each.seen for each in tried(environment)] == [Seen.SILENT] * 3

    engine.datacentre(key, wanted=True)
    back = link(environment.until(lambda seen: link(seen).by == 1))
    assert back.outage is not None
    assert (back.outage.since, back.outage.why) == (down.outage.since, why)
    assert back.outage.until is not None
    assert back.outage.until > down.outage.since
    assert tried(environment)[0].source == SEEN
