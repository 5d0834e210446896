"""strongSwan's configuration of a link, from what both sides agree on: our endpoints' as a file and as messages of its
API (vici), the other side's as a file for a person.

Each of our endpoints is a daemon of its own. Keys appear by name: a message gets its value in the cell, just before it
is sent, and the other side's file has none.
"""

from enum import StrEnum
from pathlib import PurePath

from anden.model.link import Agreement, Encryption, Group, Integrity, Policy, Proposals, Tunnel

Message = dict[str, "str | list[str] | Message"]
"""What the API takes: sections of texts and lists of texts."""

CHILD = "net"
"""What every connection calls its one pair of data channels."""
SOCKET = "vici.sock"
LIBIPSEC_MTU = 1400
"""Of the user-space data plane's interface, which it does not let anybody choose."""
_PLUGINS = (
    "random", "nonce", "openssl", "aes", "sha1", "sha2", "hmac", "kdf", "pem", "pkcs1", "x509", "curve25519", "gmp",
    "gcm",
)  # fmt: skip
_ROUTES_AT = 40_000
"""Priority of the rule by which the tunnel's routes are looked at: behind the namespace's own."""
_SPELLED = {
    Encryption.AES256: "aes256",
    Encryption.AES256_GCM16: "aes256gcm16",
    Integrity.SHA256: "sha256",
    Group.MODP2048: "modp2048",
    Group.ECP256: "ecp256",
    Group.ECP384: "ecp384",
}
_AEAD = frozenset({Encryption.AES256_GCM16})
"""Those without an integrity of another's; strongSwan refuses a proposal with both sorts."""


class Dataplane(StrEnum):
    """Who encrypts: a library in the daemon, by a TUN interface, or the kernel."""

    LIBIPSEC = "libipsec"
    NETLINK = "netlink"


def settings(agreement: Agreement, folder: PurePath, dataplane: Dataplane) -> str:
    """The file that STRONGSWAN_CONF of one of our daemons names. folder: its own, where its API's socket is made.

    It writes no log: what it says is heard through the API, and nothing grows.
    """
    kernel = ("kernel-libipsec",) if dataplane is Dataplane.LIBIPSEC else ()
    watch = agreement.watch
    return f"""\
charon-systemd {{
    load = {" ".join((*_PLUGINS, *kernel, "kernel-netlink", "socket-default", "vici"))}
    install_virtual_ip = no
    routing_table_prio = {_ROUTES_AT}
    retransmit_timeout = {watch.retransmit_s}
    retransmit_base = 1.0
    retransmit_tries = {watch.retransmit_tries}
    plugins {{
        vici {{
            socket = unix://{folder / SOCKET}
        }}
    }}
}}
"""


def connection(agreement: Agreement, tunnel: Tunnel) -> Message:
    """The message `load-conn` of our side of a tunnel, by the link's name. Raises ValueError while its endpoint has no
    address.

    It neither starts by itself nor tries again: whoever raises it hears why it failed, and raises it again.
    """
    ours = _known(tunnel)
    policy = agreement.policy
    child: Message = {
        "local_ts": [str(agreement.local)],
        "remote_ts": [str(network) for network in agreement.remote],
        "esp_proposals": proposals(policy.esp, key_exchange=False),
        "rekey_time": f"{_rekey_s(policy, policy.esp)}s",
        "rand_time": f"{_random_s(policy)}s",
        "life_time": f"{policy.esp.lifetime_s}s",
        "replay_window": str(policy.replay_window),
        "start_action": "none",
        "dpd_action": "clear",
        "close_action": "none",
    }
    return {
        agreement.link: {
            "version": "2",
            "local_addrs": [ours],
            "remote_addrs": [str(agreement.peer)],
            "encap": "yes",
            "mobike": "no",
            "unique": "replace",
            "keyingtries": "1",
            "proposals": proposals(policy.ike, key_exchange=True),
            "rekey_time": f"{_rekey_s(policy, policy.ike)}s",
            "rand_time": f"{_random_s(policy)}s",
            "over_time": f"{policy.rekey_margin_s}s",
            "dpd_delay": f"{agreement.watch.dpd_delay_s}s",
            "local": {"auth": "psk", "id": ours},
            "remote": {"auth": "psk", "id": tunnel.peer_identity},
            "children": {CHILD: child},
        }
    }


def key(tunnel: Tunnel) -> Message:
    """The message `load-shared` of a tunnel but for `data`, the key's value, which the cell adds. Raises ValueError
    while its endpoint has no address."""
    return {"id": tunnel.key, "type": "IKE", "owners": [_known(tunnel), tunnel.peer_identity]}


def theirs(agreement: Agreement) -> str:
    """swanctl.conf of the other side, without the keys. It answers and never starts: only one side may. Raises
    ValueError while the agreement is not known."""
    return _HEAD.format(link=agreement.link) + "".join(
        [
            "connections {\n",
            *(_their_connection(agreement, tunnel) for tunnel in agreement.tunnels),
            "}\n",
            "secrets {\n",
            *(_their_key(agreement, tunnel) for tunnel in agreement.tunnels),
            "}\n",
        ]
    )


def missing(key: str) -> str:
    """What stands in the other side's file in a key's place."""
    return f"# secret = the value of {key}, handed over apart"


def proposals(offered: Proposals, *, key_exchange: bool) -> list[str]:
    """In strongSwan's spelling: one for each way of encryption, in order of preference. key_exchange: of IKE, whose
    proposals name a pseudo-random function too."""
    groups = [_SPELLED[group] for group in offered.groups]
    integrity = [_SPELLED[each] for each in offered.integrity]
    made = []
    for encryption in offered.encryption:
        between = integrity if encryption not in _AEAD else [f"prf{each}" for each in integrity] if key_exchange else []
        made.append("-".join([_SPELLED[encryption], *between, *groups]))
    return made


def mss(agreement: Agreement, dataplane: Dataplane) -> int:
    """The largest TCP segment that our endpoint lets two ends agree on, in bytes."""
    policy = agreement.policy
    return policy.mss if dataplane is Dataplane.NETLINK else min(policy.mss, LIBIPSEC_MTU - 40)


def _rekey_s(policy: Policy, phase: Proposals) -> int:
    return phase.lifetime_s - policy.rekey_margin_s


def _random_s(policy: Policy) -> int:
    return policy.rekey_margin_s * policy.rekey_fuzz_percent // 100


def _known(tunnel: Tunnel) -> str:
    if tunnel.our_identity is None:
        raise ValueError(f"the endpoint of tunnel {tunnel.number} has no address yet")
    return tunnel.our_identity


_HEAD = """\
# Link {link}: your side, for strongSwan 5.9 or newer (/etc/swanctl/conf.d/). Written by anden.
# The keys are not in it. Put them in where `secret` is missing; until then no tunnel rises.
"""


def _their_connection(agreement: Agreement, tunnel: Tunnel) -> str:
    ours, policy = _known(tunnel), agreement.policy
    return f"""\
    {agreement.link}-{tunnel.number} {{
        version = 2
        local_addrs = {agreement.peer}
        remote_addrs = {ours}
        encap = yes
        mobike = no
        unique = replace
        proposals = {", ".join(proposals(policy.ike, key_exchange=True))}
        rekey_time = {_rekey_s(policy, policy.ike)}s
        rand_time = {_random_s(policy)}s
        over_time = {policy.rekey_margin_s}s
        dpd_delay = {agreement.watch.dpd_delay_s}s
        local {{
            auth = psk
            id = {tunnel.peer_identity}
        }}
        remote {{
            auth = psk
            id = {ours}
        }}
        children {{
            {CHILD} {{
                local_ts = {", ".join(map(str, agreement.remote))}
                remote_ts = {agreement.local}
                esp_proposals = {", ".join(proposals(policy.esp, key_exchange=False))}
                rekey_time = {_rekey_s(policy, policy.esp)}s
                rand_time = {_random_s(policy)}s
                life_time = {policy.esp.lifetime_s}s
                replay_window = {policy.replay_window}
                start_action = none
                dpd_action = clear
            }}
        }}
    }}
"""


def _their_key(agreement: Agreement, tunnel: Tunnel) -> str:
    return f"""\
    ike-{agreement.link}-{tunnel.number} {{
        id-1 = {tunnel.peer_identity}
        id-2 = {_known(tunnel)}
        {missing(tunnel.key)}
    }}
"""
