"""Policies of links, as data. A policy is added with the page that its figures come from, or not at all.

All of them are subsets of what AWS offers (Site-to-Site VPN user guide, "Tunnel options"), with its lifetimes and
margins, so that each of them can be asked for on both engines.
"""

from dataclasses import replace

from anden.model.link import OUR_ASN, Bgp, Encryption, Group, Integrity, Policy, PolicyName, Proposals, Watch

_IKE_S, _ESP_S = 28_800, 3_600
_ENCRYPTION = (Encryption.AES256, Encryption.AES256_GCM16)
_INTEGRITY = (Integrity.SHA256,)
_GROUPS = (Group.MODP2048, Group.ECP256, Group.ECP384)
_GCM_384 = (Encryption.AES256_GCM16,), (Integrity.SHA384,), (Group.ECP384,)
_CBC_256 = (Encryption.AES256,), (Integrity.SHA256,), (Group.MODP2048,)

AWS = Policy(
    name=PolicyName.AWS.value,
    ike=Proposals(_ENCRYPTION, _INTEGRITY, _GROUPS, lifetime_s=_IKE_S),
    esp=Proposals(_ENCRYPTION, _INTEGRITY, _GROUPS, lifetime_s=_ESP_S),
    rekey_margin_s=540,
    rekey_fuzz_percent=100,
    replay_window=1_024,
    dpd_timeout_s=30,
    mtu=1_446,
    source="AWS Site-to-Site VPN user guide, Tunnel options",
)
"""The subset of what AWS offers that `engines/aws/render/vpn.py` asks for; its figures are AWS's defaults."""

GCM_384 = replace(
    AWS,
    name=PolicyName.GCM_384.value,
    ike=Proposals(*_GCM_384, lifetime_s=_IKE_S),
    esp=Proposals(*_GCM_384, lifetime_s=_ESP_S),
    source="AES-GCM, SHA-384 and ECDH-384 of Cisco's Next Generation Cryptography, Table 1; lifetimes as AWS's",
)
"""For a network team that takes nothing less. CNSA for IPsec (RFC 9206) asks for certificates as well: with pre-shared
keys this is its algorithms, and not CNSA."""

CBC_256 = replace(
    AWS,
    name=PolicyName.CBC_256.value,
    ike=Proposals(*_CBC_256, lifetime_s=_IKE_S),
    esp=Proposals(*_CBC_256, lifetime_s=_ESP_S),
    source="AES-CBC-256, HMAC-SHA-256 and group 14 of RFC 8247 (IKEv2) and RFC 8221 (ESP); lifetimes as AWS's",
)
"""One proposal, for a device without AES-GCM or elliptic curves in IKEv2, or one that chokes on a choice."""

POLICIES = {PolicyName(policy.name): policy for policy in (AWS, GCM_384, CBC_256)}
"""By name."""


def bgp(theirs: int) -> Bgp:
    """AWS's timers, which no option changes: as its downloadable configurations have them (Site-to-Site VPN user guide,
    "Customer gateway device dynamic routing configuration"). theirs: the other side's AS number."""
    return Bgp(OUR_ASN, theirs, hold_s=30, keepalive_s=10)


WATCH = Watch(dpd_delay_s=2, retransmit_s=1.0, retransmit_tries=3)
"""The twin's: a cut tunnel is given up within 6 s (measured: 5.1). AWS's own side waits for `dpd_timeout_s`."""
