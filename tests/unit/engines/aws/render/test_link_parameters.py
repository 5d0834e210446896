"""What the aws engine asks of its tunnels is what `planning.links` tells the other side, parameter by parameter."""

from ipaddress import IPv4Network

import pytest

from anden.engines.aws.render.seen_as import parts_of
from anden.engines.aws.render.vpn import options
from anden.model.link import Encryption, Integrity, Proposals
from anden.planning.addressing import ZONE_NAMES
from anden.planning.link_policies import AWS
from anden.planning.links import shares

TUNNEL = options(AWS)
SPELLED = {
    Encryption.AES256: "AES256",
    Encryption.AES256_GCM16: "AES256-GCM-16",
    Integrity.SHA256: "SHA2-256",
}


@pytest.mark.parametrize(("phase", "proposals"), [("Phase1", AWS.ike), ("Phase2", AWS.esp)])
def test_a_phase_offers_what_is_agreed(phase: str, proposals: Proposals) -> None:
    assert TUNNEL[f"{phase}EncryptionAlgorithms"] == [{"Value": SPELLED[each]} for each in proposals.encryption]
    assert TUNNEL[f"{phase}IntegrityAlgorithms"] == [{"Value": SPELLED[each]} for each in proposals.integrity]
    assert TUNNEL[f"{phase}DHGroupNumbers"] == [{"Value": int(each)} for each in proposals.groups]
    assert TUNNEL[f"{phase}LifetimeSeconds"] == proposals.lifetime_s


def test_keys_are_renewed_and_peers_given_up_as_agreed() -> None:
    assert TUNNEL["RekeyMarginTimeSeconds"] == AWS.rekey_margin_s
    assert TUNNEL["RekeyFuzzPercentage"] == AWS.rekey_fuzz_percent
    assert TUNNEL["ReplayWindowSize"] == AWS.replay_window
    assert TUNNEL["DPDTimeoutSeconds"] == AWS.dpd_timeout_s


@pytest.mark.parametrize("block", ["100.64.10.0/28", "100.64.10.0/27", "100.64.10.0/26", "100.64.10.0/24"])
def test_each_zone_is_seen_as_the_same_addresses(block: str) -> None:
    network = IPv4Network(block)
    parts = parts_of(network)
    assert tuple(share for _, share in shares(network, ZONE_NAMES[: len(parts)])) == parts
