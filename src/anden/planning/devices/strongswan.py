"""The other side as strongSwan: swanctl.conf. Syntax: strongSwan's documentation, "swanctl.conf" and "IKEv2 Cipher
Suites". Loaded by strongSwan 5.9.8 in tests/live, where it raises tunnels.
"""

from collections.abc import Sequence

from anden.model.link import Admitted, Agreement, Encryption, Group, Integrity, Opening, Policy, Proposals, Tunnel
from anden.planning.devices import device
from anden.planning.devices.device import AEAD, Device, known

CHILD = "net"
"""What every connection calls its one pair of data channels."""
_SPELLED = {
    Encryption.AES256: "aes256",
    Encryption.AES256_GCM16: "aes256gcm16",
    Integrity.SHA256: "sha256",
    Integrity.SHA384: "sha384",
    Group.MODP2048: "modp2048",
    Group.ECP256: "ecp256",
    Group.ECP384: "ecp384",
}


def proposals(offered: Proposals, *, key_exchange: bool) -> list[str]:
    """In strongSwan's spelling: one for each way of encryption, in order of preference; it refuses one that mixes GCM
    with others. key_exchange: of IKE, whose proposals name a pseudo-random function too."""
    groups = [_SPELLED[group] for group in offered.groups]
    integrity = [_SPELLED[each] for each in offered.integrity]
    made = []
    for encryption in offered.encryption:
        between = integrity if encryption not in AEAD else [f"prf{each}" for each in integrity] if key_exchange else []
        made.append("-".join([_SPELLED[encryption], *between, *groups]))
    return made


def rekey_s(policy: Policy, phase: Proposals) -> int:
    """When new keys are asked for at the latest."""
    return phase.lifetime_s - policy.rekey_margin_s


def random_s(policy: Policy) -> int:
    """By how much earlier at the most."""
    return policy.rekey_margin_s * policy.rekey_fuzz_percent // 100


def theirs(
    agreement: Agreement, openings: Sequence[Opening] = (), admitted: Sequence[Admitted] = ()
) -> str:  # fmt: skip
    """swanctl.conf of the other side, without the keys. It answers and never starts: only one side may. Raises
    ValueError while the agreement is not known."""
    own, authority = files(agreement)
    said = [f"Below /etc/swanctl: x509/{own}, private/{own}, x509ca/{authority}."] if agreement.certified else []
    keys = [] if agreement.certified else [_key(agreement, tunnel) for tunnel in agreement.tunnels]
    beside = ("BGP is not strongSwan's: `--device bird` writes BIRD's file.",) if agreement.bgp is not None else ()
    notes = (device.mark_keys(agreement), *said, *beside)
    return device.head(DEVICE, agreement, openings, admitted, "#", *notes) + "".join(
        [
            "connections {\n",
            *(_connection(agreement, tunnel) for tunnel in agreement.tunnels),
            "}\n",
            *(["secrets {\n", *keys, "}\n"] if keys else []),
        ]
    )


def files(agreement: Agreement) -> tuple[str, str]:
    """Of the other side's certificate and key, and of the authority's, by name: in swanctl's folders x509 and private,
    and in x509ca."""
    return f"{agreement.link}.pem", f"{device.authority(agreement)}.pem"


def missing(key: str) -> str:
    """What stands in the file in a key's place."""
    return f"# secret = {device.missing(key)}"


def _connection(agreement: Agreement, tunnel: Tunnel) -> str:
    ours, policy = known(tunnel), agreement.policy
    own, authority = files(agreement)
    auth = "pubkey" if agreement.certified else "psk"
    shows = f"\n            certs = {own}" if agreement.certified else ""
    believes = f"\n            cacerts = {authority}" if agreement.certified else ""
    local, remote = device.carried(agreement, tunnel)
    return f"""\
    {agreement.link}-{tunnel.number} {{
        version = 2
        local_addrs = {agreement.peer}
        remote_addrs = {ours}
        encap = yes
        mobike = no
        unique = replace
        proposals = {", ".join(proposals(policy.ike, key_exchange=True))}
        rekey_time = {rekey_s(policy, policy.ike)}s
        rand_time = {random_s(policy)}s
        over_time = {policy.rekey_margin_s}s
        dpd_delay = {agreement.watch.dpd_delay_s}s
        local {{
            auth = {auth}
            id = {tunnel.peer_identity}{shows}
        }}
        remote {{
            auth = {auth}
            id = {ours}{believes}
        }}
        children {{
            {CHILD} {{
                local_ts = {", ".join(map(str, remote))}
                remote_ts = {", ".join(map(str, local))}
                esp_proposals = {", ".join(proposals(policy.esp, key_exchange=False))}
                rekey_time = {rekey_s(policy, policy.esp)}s
                rand_time = {random_s(policy)}s
                life_time = {policy.esp.lifetime_s}s
                replay_window = {policy.replay_window}
                start_action = none
                dpd_action = clear
            }}
        }}
    }}
"""


def _key(agreement: Agreement, tunnel: Tunnel) -> str:
    return f"""\
    ike-{agreement.link}-{tunnel.number} {{
        id-1 = {tunnel.peer_identity}
        id-2 = {known(tunnel)}
        {missing(tunnel.key)}
    }}
"""


DEVICE = Device(
    "strongswan", "strongSwan 5.9 or newer (/etc/swanctl/conf.d/)",
    ('strongSwan documentation, "swanctl.conf" and "IKEv2 Cipher Suites"',),
    "strongSwan 5.9.8, against the twin", several=True, render=theirs,
)  # fmt: skip
