"""Links as people see them."""

from ipaddress import IPv4Address

from anden.cli.render import links
from anden.cli.render.paint import Paint
from anden.model.link import LinkSeen, Session, TunnelSeen
from anden.model.problem import Problem

PLAIN = Paint(colour=False)
PEER = IPv4Address("203.0.113.10")
NOW = 1_000.0


def test_a_line_of_status() -> None:
    both = LinkSeen("core", PEER, 1, (TunnelSeen(1, True, 5.0), TunnelSeen(2, True, 5.0)))
    assert links.line(both, PLAIN) == "link core: tunnel 1 up, 2 standby"
    gone = LinkSeen("core", PEER, 2, (TunnelSeen(1, False, 5.0), TunnelSeen(2, True, 5.0)))
    assert links.line(gone, PLAIN) == "link core: tunnel 1 down, 2 up"
    lowered = LinkSeen("core", PEER, None, (TunnelSeen(1, False, 5.0, lowered=True), TunnelSeen(2, False)))
    assert links.line(lowered, PLAIN) == "link core: tunnel 1 lowered, 2 rising"


def test_each_tunnel_with_why_it_is_not_up() -> None:
    problem = Problem("link core, tunnel 2", "203.0.113.10 does not answer", "nothing came back", "Check it.")
    seen = LinkSeen(
        "core", PEER, 1,
        (
            TunnelSeen(1, True, 880.0, "198.51.100.100", False, 3 * 1024**2, 1024**2),
            TunnelSeen(2, False, 990.0, "198.51.100.101", problem=problem),
        ),
        True,
    )  # fmt: skip
    assert links.lines([seen], NOW, PLAIN) == [
        "link core, to 203.0.113.10, the twin's data centre",
        "TUNNEL  STATE  SINCE    FROM            IN    OUT",
        "1       up     2m ago   198.51.100.100  3 MB  1 MB",
        "2       down   10s ago  198.51.100.101",
        "! link core, tunnel 2: 203.0.113.10 does not answer",
        "  why: nothing came back",
        "  fix: Check it.",
    ]


def test_where_bgp_is_spoken_its_session_is_shown_and_why_it_does_not_carry() -> None:
    problem = Problem("link core, tunnel 1, BGP", "10.20.0.0/16 is not announced", "nothing is", "Announce it.")
    seen = LinkSeen(
        "core", PEER, 2,
        (
            TunnelSeen(1, True, 880.0, "198.51.100.100", bgp=Session("established", problem=problem)),
            TunnelSeen(2, True, 990.0, "198.51.100.101", bgp=Session("established", True)),
        ),
    )  # fmt: skip
    assert links.line(seen, PLAIN) == "link core: tunnel 1 no route, 2 up"
    assert links.lines([seen], NOW, PLAIN) == [
        "link core, to 203.0.113.10",
        "TUNNEL  STATE     BGP          SINCE    FROM            IN    OUT",
        "1       no route  established  2m ago   198.51.100.100  0 MB  0 MB",
        "2       up        established  10s ago  198.51.100.101  0 MB  0 MB",
        "! link core, tunnel 1, BGP: 10.20.0.0/16 is not announced",
        "  why: nothing is",
        "  fix: Announce it.",
    ]
    down = LinkSeen("core", PEER, None, (TunnelSeen(1, False, 5.0, bgp=Session("idle")),))
    assert "1       down   -    16m ago" in links.lines([down], NOW, PLAIN)[2]
