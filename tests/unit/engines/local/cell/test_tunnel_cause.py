"""The cause of a tunnel that is not up, from what strongSwan 5.9.8 said between two endpoints of ours: tunnel_logs."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from anden.engines.local.cell.tunnel_cause import cause
from anden.model.ids import ZoneName
from anden.model.link import Endpoint
from anden.model.topology import REHEARSAL, Link
from anden.planning.links import agreement

LOGS = Path(__file__).parent / "tunnel_logs"
CORE = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"))
ENDPOINTS = (Endpoint(IPv4Address("203.0.113.101")), Endpoint(IPv4Address("203.0.113.102")))
AGREED = agreement(CORE, IPv4Network("172.30.0.0/16"), [ZoneName("a")], ENDPOINTS)
FIRST = AGREED.tunnels[0]
BY_CERTIFICATE = agreement(
    replace(CORE, secret=(), certificate=REHEARSAL), IPv4Network("172.30.0.0/16"), [ZoneName("a")], ENDPOINTS
)

SAID = {
    "ike-proposals": "takes none of our proposals for IKE (phase 1)",
    "esp-proposals": "takes none of our proposals for ESP (phase 2)",
    "networks": "expects other networks (traffic selectors)",
    "identity": "refused who we are",
    "wrong-key": "refused who we are",
    "wrong-key-heard": "has another key",
    "unreachable": "does not answer",
}

CERTIFIED = {
    "certificate-identity": "203.0.113.10 shows a certificate of another identity",
    "certificate-of-another-authority": "203.0.113.10 shows a certificate of an authority that we do not trust",
    "certificate-of-another-authority-asked": "203.0.113.10 trusts another authority",
    "certificate-of-another-invitation": "203.0.113.10 shows another certificate than the invitation's",
    "certificate-our-identity": "203.0.113.10 refused our certificate, or has no key for its own",
    "certificate-our-key": "our key does not fit our certificate",
    "certificate-ours-ended": "our certificate has ended",
    "certificate-their-key": "203.0.113.10 refused our certificate, or has no key for its own",
    "certificate-theirs-ended": "203.0.113.10 shows a certificate that does not hold now",
}


@pytest.mark.parametrize("name", SAID)
def test_each_failure_has_its_cause(name: str) -> None:
    problem = cause(AGREED, FIRST, _said(name))
    assert problem.what == f"203.0.113.10 {SAID[name]}"
    assert problem.where == "link core, tunnel 1"
    assert problem.why
    assert problem.fix


def _said(name: str) -> list[str]:
    return (LOGS / f"{name}.txt").read_text().splitlines()


def test_every_log_is_asked_about() -> None:
    assert {file.stem for file in LOGS.glob("*.txt")} == SAID.keys() | CERTIFIED.keys()


@pytest.mark.parametrize("name", CERTIFIED)
def test_each_failure_of_certificates_has_its_cause(name: str) -> None:
    ended = 1_764_229_267.0 if name == "certificate-ours-ended" else None
    problem = cause(BY_CERTIFICATE, BY_CERTIFICATE.tunnels[0], _said(name), ended)
    assert problem.what == CERTIFIED[name]
    assert problem.where == "link core, tunnel 1"
    assert problem.fix


def test_what_is_seen_of_certificates_is_told() -> None:
    def why(name: str, ended: float | None = None) -> str:
        return cause(BY_CERTIFICATE, BY_CERTIFICATE.tunnels[0], _said(name), ended).why

    assert why("certificate-identity") == "its certificate says CN=203.0.113.99, and 203.0.113.10 is agreed"
    assert why("certificate-theirs-ended").startswith("it is valid from Nov 26 07:")
    assert why("certificate-ours-ended", 1_764_229_267.0).startswith("it ended at 2025-11-27 07:41:07 UTC")
    assert "CN=203.0.113.10, is not the link's authority" in why("certificate-of-another-authority")


def test_with_certificates_the_other_failures_have_their_cause_too() -> None:
    for name in ("networks", "unreachable", "ike-proposals", "esp-proposals"):
        said = cause(BY_CERTIFICATE, BY_CERTIFICATE.tunnels[0], _said(name))
        assert said.what == f"203.0.113.10 {SAID[name]}"


def test_the_newest_word_counts() -> None:
    silent, refused = (_said(name) for name in ("unreachable", "wrong-key"))
    assert cause(AGREED, FIRST, silent + refused).what.endswith("refused who we are")
    assert cause(AGREED, FIRST, refused + silent).what.endswith("does not answer")


def test_what_nobody_knows_is_told_as_it_was_said() -> None:
    assert cause(AGREED, FIRST, ["the moon is full"]).why == "strongSwan's last words: the moon is full"
    assert cause(AGREED, FIRST, []).why == "strongSwan did not say why"
