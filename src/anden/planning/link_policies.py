"""Policies of links, as data. A policy is added with the page that its figures come from, or not at all."""

from anden.model.link import OUR_ASN, Bgp, Encryption, Group, Integrity, Policy, Proposals, Watch

_ENCRYPTION = (Encryption.AES256, Encryption.AES256_GCM16)
_INTEGRITY = (Integrity.SHA256,)
_GROUPS = (Group.MODP2048, Group.ECP256, Group.ECP384)

AWS = Policy(
    name="aws",
    ike=Proposals(_ENCRYPTION, _INTEGRITY, _GROUPS, lifetime_s=28_800),
    esp=Proposals(_ENCRYPTION, _INTEGRITY, _GROUPS, lifetime_s=3_600),
    rekey_margin_s=540,
    rekey_fuzz_percent=100,
    replay_window=1_024,
    dpd_timeout_s=30,
    mtu=1_446,
    source="AWS Site-to-Site VPN user guide, Tunnel options",
)
"""The subset of what AWS offers that `engines/aws/render/vpn.py` asks for; its figures are AWS's defaults."""

POLICIES = {policy.name: policy for policy in (AWS,)}
"""By name."""


def bgp(theirs: int) -> Bgp:
    """AWS's timers, which no option changes: as its downloadable configurations have them (Site-to-Site VPN user guide,
    "Customer gateway device dynamic routing configuration"). theirs: the other side's AS number."""
    return Bgp(OUR_ASN, theirs, hold_s=30, keepalive_s=10)


WATCH = Watch(dpd_delay_s=2, retransmit_s=1.0, retransmit_tries=3)
"""The twin's: a cut tunnel is given up within 6 s (measured: 5.1). AWS's own side waits for `dpd_timeout_s`."""
