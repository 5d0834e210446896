"""What the aws engine asks of its tunnels is what `planning.links` tells the other side, parameter by parameter."""

from ipaddress import IPv4Network

import pytest

from anden.engines.aws.render.seen_as import parts_of
from anden.engines.aws.render.vpn import options
from anden.model.link import Encryption, Integrity, Policy, PolicyName
from anden.planning.addressing import ZONE_NAMES
from anden.planning.link_policies import POLICIES
from anden.planning.links import shares

SPELLED = {
    Encryption.AES256: "AES256",
    Encryption.AES256_GCM16: "AES256-GCM-16",
    Integrity.SHA256: "SHA2-256",
    Integrity.SHA384: "SHA2-384",
}


def test_every_name_of_a_policy_is_one() -> None:
    assert set(POLICIES) == set(PolicyName)
    assert all(name == policy.name for name, policy in POLICIES.items())


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("phase", ["Phase1", "Phase2"])
def test_a_phase_offers_what_is_agreed(phase: str, policy: Policy) -> None:
    proposals, tunnel = policy.ike if phase == "Phase1" else policy.esp, options(policy)
    assert tunnel[f"{phase}EncryptionAlgorithms"] == [{"Value": SPELLED[each]} for each in proposals.encryption]
    assert tunnel[f"{phase}IntegrityAlgorithms"] == [{"Value": SPELLED[each]} for each in proposals.integrity]
    assert tunnel[f"{phase}DHGroupNumbers"] == [{"Value": int(each)} for each in proposals.groups]
    assert tunnel[f"{phase}LifetimeSeconds"] == proposals.lifetime_s


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_keys_are_renewed_and_peers_given_up_as_agreed(policy: Policy) -> None:
    tunnel = options(policy)
    assert tunnel["RekeyMarginTimeSeconds"] == policy.rekey_margin_s
    assert tunnel["RekeyFuzzPercentage"] == policy.rekey_fuzz_percent
    assert tunnel["ReplayWindowSize"] == policy.replay_window
    assert tunnel["DPDTimeoutSeconds"] == policy.dpd_timeout_s


@pytest.mark.parametrize("block", ["100.64.10.0/28", "100.64.10.0/27", "100.64.10.0/26", "100.64.10.0/24"])
def test_each_zone_is_seen_as_the_same_addresses(block: str) -> None:
    network = IPv4Network(block)
    parts = parts_of(network)
    assert tuple(share for _, share in shares(network, ZONE_NAMES[: len(parts)])) == parts
