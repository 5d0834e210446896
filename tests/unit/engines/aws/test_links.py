"""Our endpoints of a link, as AWS's API tells them."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from tests.unit.engines.aws.recorded import Answers, recorded

from anden.engines.aws.links import endpoints, seen
from anden.engines.aws.session import Session
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.link import Endpoint, LinkSeen
from anden.model.link import Session as Bgp
from anden.model.problem import Problems
from anden.model.topology import Link, Topology
from anden.planning.links import inside

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
INSIDES = [inside(1, 1), inside(1, 2)]
PUBLISHED: dict[str, Any] = {"Parameter": {"Name": "/anden/banco/dev/network/link-core", "Value": "vpn-1"}}


def tunnel(outside: str, within: str) -> str:
    address = f"<outsideIpAddress>{outside}</outsideIpAddress>" if outside else ""
    return f"<item>{address}<tunnelInsideCidr>{within}</tunnelInsideCidr></item>"


def connection(*tunnels: str) -> str:
    options = f"<options><tunnelOptionSet>{''.join(tunnels)}</tunnelOptionSet></options>"
    return f"<vpnConnectionSet><item><vpnConnectionId>vpn-1</vpnConnectionId>{options}</item></vpnConnectionSet>"


def told(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> tuple[Endpoint, ...]:
    with recorded(answers) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        return endpoints(Session(), KEY, "us-east-1", "core", INSIDES)


def test_the_inside_says_which_tunnel_is_which(monkeypatch: pytest.MonkeyPatch) -> None:
    said = connection(tunnel("192.0.2.22", "169.254.6.4/30"), tunnel("192.0.2.11", "169.254.6.0/30"))
    assert told(monkeypatch, {"GetParameter": PUBLISHED, "DescribeVpnConnections": said}) == (
        Endpoint(IPv4Address("192.0.2.11"), INSIDES[0]),
        Endpoint(IPv4Address("192.0.2.22"), INSIDES[1]),
    )


@pytest.mark.parametrize(
    "answers",
    [
        {"GetParameter": (400, "ParameterNotFound", "")},
        {"GetParameter": PUBLISHED, "DescribeVpnConnections": connection(tunnel("", "169.254.6.0/30"))},
        {"GetParameter": PUBLISHED, "DescribeVpnConnections": "<vpnConnectionSet/>"},
    ],
    ids=["no connection", "no address yet", "gone"],
)
def test_before_it_is_there_no_address_is_known(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> None:
    assert told(monkeypatch, answers) == (Endpoint(None, INSIDES[0]), Endpoint(None, INSIDES[1]))


def test_who_may_not_ask_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problems, match="may not GetParameter"):
        told(monkeypatch, {"GetParameter": (400, "AccessDenied", "not you")})


# Tunnels.


def telemetry(*tunnels: tuple[str, str, str]) -> str:
    said = "".join(
        f"<item><outsideIpAddress>{outside}</outsideIpAddress><status>{status}</status><statusMessage>{message}"
        "</statusMessage><lastStatusChange>2026-11-27T02:00:00.000Z</lastStatusChange></item>"
        for outside, status, message in tunnels
    )
    return f"<vgwTelemetry>{said}</vgwTelemetry></item></vpnConnectionSet>"


def looked(monkeypatch: pytest.MonkeyPatch, answers: Answers, bgp: int | None = None) -> tuple[LinkSeen, ...]:
    core = Link("core", IPv4Address("203.0.113.20"), (IPv4Network("10.21.0.0/16"),), ("vpn-1", "vpn-2"), bgp=bgp)
    with recorded(answers) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        return seen(Session(), KEY, "us-east-1", Topology("banco", "dev", (), links=(core,)))


def test_tunnels_are_numbered_by_their_insides_and_a_fallen_one_says_what_aws_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = connection(tunnel("192.0.2.22", "169.254.6.4/30"), tunnel("192.0.2.11", "169.254.6.0/30"))
    said = made.replace(
        "</item></vpnConnectionSet>",
        telemetry(("192.0.2.22", "UP", "1 BGP ROUTES"), ("192.0.2.11", "DOWN", "IPSEC IS DOWN")),
    )
    (link,) = looked(monkeypatch, {"GetParameter": PUBLISHED, "DescribeVpnConnections": said})
    one, two = link.tunnels
    assert (one.number, one.up, one.address) == (1, False, "192.0.2.11")
    assert (two.number, two.up, two.address, two.since) == (2, True, "192.0.2.22", 1795744800.0)
    assert link.by == 2
    assert two.problem is None
    assert str(one.problem) == (
        "link core, tunnel 1: it is down; AWS says: IPSEC IS DOWN. Check that 203.0.113.20 runs, admits UDP 500 and"
        " 4500 from 192.0.2.11, and is configured as `anden link config core` says."
    )


def by_bgp(monkeypatch: pytest.MonkeyPatch, first: tuple[str, int], second: tuple[str, int]) -> LinkSeen:
    """Status, and how many routes are accepted, of each tunnel."""
    made = connection(tunnel("192.0.2.11", "169.254.128.0/30"), tunnel("192.0.2.22", "169.254.128.4/30"))
    said = telemetry(("192.0.2.11", first[0], "IPSEC IS UP"), ("192.0.2.22", second[0], "BGP"))
    for count in (first[1], second[1]):
        said = said.replace("</lastStatusChange></item>", f"</lastStatusChange><routes>{count}</routes></item>", 1)
    said = said.replace("routes>", "acceptedRouteCount>")
    answers: Answers = {
        "GetParameter": PUBLISHED,
        "DescribeVpnConnections": made.replace("</item></vpnConnectionSet>", said),
    }
    (link,) = looked(monkeypatch, answers, bgp=65010)
    return link


def test_by_bgp_a_tunnel_carries_what_is_announced_as_far_as_aws_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    link = by_bgp(monkeypatch, ("UP", 0), ("UP", 1))
    assert link.by == 2
    one, two = link.tunnels
    assert (two.bgp, two.problem) == (Bgp("established", True), None)
    assert one.bgp is not None
    assert not one.carries
    assert one.bgp.problem is not None
    assert one.bgp.problem.what == "0 networks are announced, declared are 1"
    more = by_bgp(monkeypatch, ("UP", 3), ("UP", 1)).tunnels[0].bgp
    assert more is not None
    assert more.carries
    assert more.problem is not None


def test_a_tunnel_without_its_session_is_down_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    link = by_bgp(monkeypatch, ("DOWN", 0), ("UP", 1))
    assert link.tunnels[0].bgp is None
    assert str(link.tunnels[0].problem) == (
        "link core, tunnel 1: its BGP session is not established; AWS says: IPSEC IS UP. Have 203.0.113.20 be AS 65010,"
        " and take us for AS 64512, at the neighbours inside of the tunnel."
    )


def test_a_link_that_does_not_stand_yet_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked(monkeypatch, {"GetParameter": (400, "ParameterNotFound", "")}) == ()
    assert looked(monkeypatch, {"GetParameter": PUBLISHED, "DescribeVpnConnections": "<vpnConnectionSet/>"}) == ()
