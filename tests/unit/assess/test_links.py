"""What is said of links: nothing while all is well, a warning for one tunnel, trouble when nothing is carried."""

from dataclasses import replace
from ipaddress import IPv4Address

from anden.assess.links import AGAIN, assess
from anden.model.finding import Severity
from anden.model.link import LinkSeen, Outage, Session, TunnelSeen
from anden.model.problem import Problem

SILENT = Problem("link core, tunnel 1", "203.0.113.10 does not answer", "nothing came back", "Check its firewall.")


def link(*tunnels: TunnelSeen, by: int | None = None) -> LinkSeen:
    return LinkSeen("core", IPv4Address("203.0.113.10"), by, tunnels)


def test_nothing_is_said_of_what_is_up_or_has_only_begun() -> None:
    assert assess([link(TunnelSeen(1, True, 5.0), TunnelSeen(2, True, 5.0), by=1)]) == ()
    assert assess([link(TunnelSeen(1, False), TunnelSeen(2, False))]) == ()


def test_one_that_is_down_is_a_warning_with_its_cause() -> None:
    [found] = assess([link(TunnelSeen(1, False, 5.0, problem=SILENT), TunnelSeen(2, True, 5.0), by=2)])
    assert (found.severity, found.subject) == (Severity.WARNING, "link core")
    assert found.text == "tunnel 1 is down: 203.0.113.10 does not answer: nothing came back"
    assert found.fix == "Check its firewall."


def test_none_that_is_up_is_trouble_with_each_cause() -> None:
    down = link(TunnelSeen(1, False, 5.0, problem=SILENT), TunnelSeen(2, False, 6.0))
    [found] = assess([replace(down, outage=Outage(6.0))])
    assert found.severity is Severity.TROUBLE
    assert found.text == (
        "no tunnel is up: nothing behind it can be reached, since 1970-01-01 00:00:06 UTC; an incident is due"
    )
    assert found.evidence == (
        "tunnel 1: 203.0.113.10 does not answer: nothing came back",
        "tunnel 2: it has just gone",
    )


def test_what_was_lowered_is_said_with_what_raises_it() -> None:
    [found] = assess([link(TunnelSeen(1, False, 5.0, lowered=True), TunnelSeen(2, False, 5.0, lowered=True))])
    assert found.fix == "`anden link up core` raises it."
    [other] = assess([link(TunnelSeen(1, False, 5.0), TunnelSeen(2, True, 5.0), by=2)])
    assert other.fix == AGAIN


REFUSED = Problem("link core, tunnel 1, BGP", "10.9.0.0/16 is announced and was refused", "not declared", "Filter it.")
MISSING = Problem("link core, tunnel 1, BGP", "10.20.0.0/16 is not announced", "nothing is", "Announce it.")
CARRIES, WAITS = Session("established", True), Session("connect")


def test_a_tunnel_that_is_up_and_without_routes_carries_nothing() -> None:
    lost = TunnelSeen(1, True, 5.0, bgp=Session("established", problem=MISSING))
    [found] = assess([link(lost, TunnelSeen(2, True, 5.0, bgp=CARRIES), by=2)])
    assert found.severity is Severity.WARNING
    assert found.text == "tunnel 1 leads nowhere: 10.20.0.0/16 is not announced: nothing is"
    assert found.fix == "Announce it."
    [both] = assess([link(lost, TunnelSeen(2, True, 5.0, bgp=WAITS))])
    assert both.severity is Severity.TROUBLE
    assert both.text == "no tunnel carries: nothing behind it can be reached; an incident is due"
    assert both.evidence[1] == "tunnel 2: its BGP session is not there yet"


def test_what_is_announced_beside_it_is_a_warning_and_nothing_stops_for_it() -> None:
    more = TunnelSeen(1, True, 5.0, bgp=Session("established", True, problem=REFUSED))
    [found] = assess([link(more, TunnelSeen(2, True, 5.0, bgp=CARRIES), by=1)])
    assert found.severity is Severity.WARNING
    assert found.text == "tunnel 1: 10.9.0.0/16 is announced and was refused: not declared"
    assert assess([link(TunnelSeen(1, True, 5.0, bgp=CARRIES), TunnelSeen(2, True, 5.0, bgp=CARRIES), by=1)]) == ()
