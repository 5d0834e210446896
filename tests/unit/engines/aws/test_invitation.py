"""Whether a link on AWS is free for who is invited, as its telemetry says."""

import pytest
from tests.unit.engines.aws.recorded import Answers, recorded
from tests.unit.engines.aws.test_links import KEY, PUBLISHED, connection, telemetry, tunnel
from tests.unit.planning.devices.agreed import CORE, SPEAKING

from anden.engines.aws.invitation import require_free
from anden.engines.aws.session import Session
from anden.model.problem import Problems
from anden.model.topology import Link, Topology

DOWN = "IPSEC IS DOWN"


def asked(monkeypatch: pytest.MonkeyPatch, first: tuple[str, str], second: tuple[str, str], link: Link = CORE) -> str:
    """What is refused; empty: nothing."""
    made = connection(tunnel("192.0.2.22", "169.254.6.4/30"), tunnel("192.0.2.11", "169.254.6.0/30"))
    said = telemetry(("192.0.2.22", *second), ("192.0.2.11", *first))
    answers: Answers = {
        "GetParameter": PUBLISHED,
        "DescribeVpnConnections": made.replace("</item></vpnConnectionSet>", said),
    }
    return refused(monkeypatch, answers, link)


def refused(monkeypatch: pytest.MonkeyPatch, answers: Answers, link: Link = CORE) -> str:
    with recorded(answers) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        try:
            require_free(Session(), KEY, "us-east-1", Topology("banco", "dev", (), links=(link,)), "core")
        except Problems as found:
            return "\n".join(map(str, found.problems))
    return ""


def test_a_link_whose_tunnels_are_down_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, ("DOWN", DOWN), ("DOWN", DOWN)) == ""


def test_each_tunnel_that_stands_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asked(monkeypatch, ("DOWN", DOWN), ("UP", ""))
    assert said == (
        "link core, tunnel 2: it is up: somebody is on its other side; a second device with the identity 203.0.113.10 "
        "would take the tunnel over from it. Have tunnel 2 taken down on the device at 203.0.113.10 first, for as long "
        "as somebody joins."
    )
    assert len(asked(monkeypatch, ("UP", ""), ("UP", "")).splitlines()) == 2


def test_channels_that_stand_without_a_session_are_somebodys_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asked(monkeypatch, ("DOWN", "IPSEC IS UP"), ("DOWN", DOWN), SPEAKING)
    assert said.startswith("link core, tunnel 1: it is up")
    assert len(said.splitlines()) == 1


def test_where_aws_tells_of_no_tunnel_nobody_is_invited(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(monkeypatch, {"GetParameter": PUBLISHED, "DescribeVpnConnections": "<vpnConnectionSet/>"})
    assert "AWS does not tell of its tunnels" in said
