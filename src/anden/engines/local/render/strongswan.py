"""strongSwan's configuration of our endpoints of a link, from what both sides agree on: as a file and as messages of
its API (vici). The other side's file is a device's (`planning.devices.strongswan`).

Each of our endpoints is a daemon of its own. Keys appear by name: a message gets its value in the cell, just before it
is sent.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from anden.model.link import LEAST_MTU, Agreement, Tunnel
from anden.planning.devices.device import carried, known
from anden.planning.devices.strongswan import CHILD, proposals, random_s, rekey_s

Message = dict[str, "str | list[str] | Message"]
"""What the API takes: sections of texts and lists of texts."""

SOCKET = "vici.sock"
LIBIPSEC_MTU = LEAST_MTU
"""Of the user-space data plane's interface, which it does not let anybody choose."""
_PLUGINS = (
    "random", "nonce", "openssl", "aes", "sha1", "sha2", "hmac", "kdf", "pem", "pkcs1", "x509", "curve25519", "gmp",
    "gcm",
)  # fmt: skip
_ROUTES_AT = 40_000
"""Priority of the rule by which the tunnel's routes are looked at: behind the namespace's own."""


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


@dataclass(frozen=True, slots=True)
class Proof:
    """A certificate, its key and the authority that it believes, each as PEM. since, until: when it was made, and when
    it ends, Unix seconds."""

    certificate: str
    authority: str
    key: str = field(repr=False)
    since: float
    until: float

    @property
    def renew_at(self) -> float:
        """When a third of its time is left, Unix seconds."""
        return self.until - (self.until - self.since) / 3


def connection(
    agreement: Agreement, tunnel: Tunnel, proof: Proof | None = None, expected: str = ""
) -> Message:  # fmt: skip
    """The message `load-conn` of our side of a tunnel, by the link's name. proof: ours, where certificates prove both
    sides; None: a key does. Raises ValueError while its endpoint has no address.

    A certificate of the other side's has to be of this authority, and has to name the identity that was agreed.
    expected: it has to be this one as well (PEM); empty: any.

    It neither starts by itself nor tries again: whoever raises it hears why it failed, and raises it again.
    """
    ours = known(tunnel)
    policy = agreement.policy
    local, remote = carried(agreement, tunnel)
    child: Message = {
        "local_ts": [str(network) for network in local],
        "remote_ts": [str(network) for network in remote],
        "esp_proposals": proposals(policy.esp, key_exchange=False),
        "rekey_time": f"{rekey_s(policy, policy.esp)}s",
        "rand_time": f"{random_s(policy)}s",
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
            "rekey_time": f"{rekey_s(policy, policy.ike)}s",
            "rand_time": f"{random_s(policy)}s",
            "over_time": f"{policy.rekey_margin_s}s",
            "dpd_delay": f"{agreement.watch.dpd_delay_s}s",
            "local": {**_auth("certs", proof.certificate if proof else None), "id": ours},
            "remote": {
                **_auth("cacerts", proof.authority if proof else None),
                **({"certs": [expected]} if expected else {}),
                "id": tunnel.peer_identity,
            },
            "children": {CHILD: child},
        }
    }


def _auth(said: str, pem: str | None) -> Message:
    return {"auth": "psk"} if pem is None else {"auth": "pubkey", said: [pem]}


def key(tunnel: Tunnel) -> Message:
    """The message `load-shared` of a tunnel but for `data`, the key's value, which the cell adds. Raises ValueError
    while its endpoint has no address."""
    return {"id": tunnel.key, "type": "IKE", "owners": [known(tunnel), tunnel.peer_identity]}


def mss(agreement: Agreement, dataplane: Dataplane) -> int:
    """The largest TCP segment that our endpoint lets two ends agree on, in bytes."""
    policy = agreement.policy
    return policy.mss if dataplane is Dataplane.NETLINK else min(policy.mss, LIBIPSEC_MTU - 40)
