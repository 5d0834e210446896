"""The cause of a tunnel that is not up, from what strongSwan 5.9.8 said between two endpoints of ours: tunnel_logs."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from anden.engines.local.cell.tunnel_cause import cause
from anden.model.ids import ZoneName
from anden.model.link import Endpoint
from anden.model.topology import Link
from anden.planning.links import agreement

LOGS = Path(__file__).parent / "tunnel_logs"
CORE = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"))
ENDPOINTS = (Endpoint(IPv4Address("203.0.113.101")), Endpoint(IPv4Address("203.0.113.102")))
AGREED = agreement(CORE, IPv4Network("172.30.0.0/16"), [ZoneName("a")], ENDPOINTS)
FIRST = AGREED.tunnels[0]

SAID = {
    "ike-proposals": "takes none of our proposals for IKE (phase 1)",
    "esp-proposals": "takes none of our proposals for ESP (phase 2)",
    "networks": "expects other networks (traffic selectors)",
    "identity": "refused who we are",
    "wrong-key": "refused who we are",
    "wrong-key-heard": "has another key",
    "unreachable": "does not answer",
}


@pytest.mark.parametrize("name", SAID)
def test_each_failure_has_its_cause(name: str) -> None:
    problem = cause(AGREED, FIRST, (LOGS / f"{name}.txt").read_text().splitlines())
    assert problem.what == f"203.0.113.10 {SAID[name]}"
    assert problem.where == "link core, tunnel 1"
    assert problem.why
    assert problem.fix


def test_every_log_is_asked_about() -> None:
    assert {file.stem for file in LOGS.glob("*.txt")} == SAID.keys()


def test_the_newest_word_counts() -> None:
    silent, refused = ((LOGS / f"{name}.txt").read_text().splitlines() for name in ("unreachable", "wrong-key"))
    assert cause(AGREED, FIRST, silent + refused).what.endswith("refused who we are")
    assert cause(AGREED, FIRST, refused + silent).what.endswith("does not answer")


def test_what_nobody_knows_is_told_as_it_was_said() -> None:
    assert cause(AGREED, FIRST, ["the moon is full"]).why == "strongSwan's last words: the moon is full"
    assert cause(AGREED, FIRST, []).why == "strongSwan did not say why"
