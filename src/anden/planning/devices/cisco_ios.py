"""The other side as a router with Cisco IOS XE: IKEv2 and a tunnel interface for each tunnel, with the networks of the
link as its traffic selectors. Syntax: Cisco's "FlexVPN and Internet Key Exchange Version 2 Configuration Guide, Cisco
IOS XE", "Security and VPN Configuration Guide, Cisco IOS XE 17.x", chapter "IPsec Virtual Tunnel Interfaces", and
"Configure a Multi-SA Virtual Tunnel Interface on a Cisco IOS XE Router" (document 214728), which needs 16.12.

A tunnel interface without `tunnel protection ipsec policy` speaks for everything (any to any), and does not take what
our side asks for. With it, there is a pair of channels for each line of the access list. With BGP it is left out, for
AWS asks for everything then; BGP: "IP Routing: BGP Configuration Guide, Cisco IOS XE".
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from anden.model.link import Admitted, Agreement, Bgp, Encryption, Integrity, Opening, Proposals, Tunnel
from anden.planning.devices import device
from anden.planning.devices.device import AEAD, Device, inside, known, theirs_inside

DPD_INTERVAL_S, DPD_RETRY_S = 10, 3
"""How long a silence is, and the pause between questions: IOS XE takes 10 and 2 at the least."""
FIRST_INTERFACE = 101
STANDBY_DISTANCE = 10
"""Administrative distance of the route by the second tunnel; 1 is a static route's own."""
_IKE = {Encryption.AES256: "aes-cbc-256", Encryption.AES256_GCM16: "aes-gcm-256"}
_ESP = {Encryption.AES256: "esp-aes 256", Encryption.AES256_GCM16: "esp-gcm 256"}
_HASH = {Integrity.SHA256: "sha256"}
_HMAC = {Integrity.SHA256: "esp-sha256-hmac"}


def render(agreement: Agreement, openings: Sequence[Opening], admitted: Sequence[Admitted] = ()) -> str:
    """Commands of configuration mode. Raises ValueError while the agreement is not known."""
    name, policy = agreement.link, agreement.policy
    ike = [_proposal(name, policy.ike, encryption) for encryption in policy.ike.encryption]
    sets = [_transform(name, policy.esp, encryption) for encryption in policy.esp.encryption]
    lines = [
        *(line for _, proposal in ike for line in proposal),
        f"crypto ikev2 policy {name}",
        f" match address local {agreement.peer}",
        *(f" proposal {its}" for its, _ in ike),
        "!",
        *(_trust(agreement) if agreement.certified else _keyring(agreement)),
        *(line for tunnel in agreement.tunnels for line in _profile(agreement, tunnel)),
        *(line for _, transform in sets for line in transform),
        *_selectors(agreement),
        *(line for tunnel in agreement.tunnels for line in _tunnel(agreement, tunnel, [its for its, _ in sets])),
        *(_speaker(agreement, agreement.bgp) if agreement.bgp is not None else _routes(agreement)),
    ]
    told = [device.mark_keys(agreement), "Your filters are yours: none is written here."]
    if agreement.certified:
        told.append(
            f"`crypto pki import {name} pem terminal PASSPHRASE` asks for the authority, the key and the certificate. "
            "With an elliptic key write `authentication local ecdsa-sig`."
        )
    if agreement.bgp is not None:
        told.append("`network` announces what your own routes lead to, and nothing that they do not.")
    return device.head(DEVICE, agreement, openings, admitted, "!", *told) + "\n".join(lines) + "\n"


def _proposal(name: str, offered: Proposals, encryption: Encryption) -> tuple[str, list[str]]:
    """GCM stands in a proposal of its own: it takes no integrity, and a pseudo-random function instead."""
    its = f"{name}-{'gcm' if encryption in AEAD else 'cbc'}"
    protects = "prf" if encryption in AEAD else "integrity"
    return its, [
        f"crypto ikev2 proposal {its}",
        f" encryption {_IKE[encryption]}",
        f" {protects} {' '.join(_HASH[each] for each in offered.integrity)}",
        f" group {' '.join(offered.groups)}",
        "!",
    ]


def _key(name: str, tunnel: Tunnel) -> list[str]:
    return [
        f" peer {name}-{tunnel.number}",
        f"  address {known(tunnel)}",
        f"  ! pre-shared-key <{device.missing(tunnel.key)}>",
    ]


def _keyring(agreement: Agreement) -> list[str]:
    name = agreement.link
    return [
        f"crypto ikev2 keyring {name}",
        *(line for tunnel in agreement.tunnels for line in _key(name, tunnel)),
        "!",
    ]


def _trust(agreement: Agreement) -> list[str]:
    """What the authority of the link's certificates and our own are kept in. Nobody is asked who was revoked, as on the
    twin."""
    return [
        f"crypto pki trustpoint {agreement.link}",
        " enrollment terminal pem",
        " revocation-check none",
        f" ! the authority {device.authority(agreement)}, and your certificate with its key",
        "!",
    ]


def _proof(agreement: Agreement) -> list[str]:
    if not agreement.certified:
        return [
            " authentication remote pre-share",
            " authentication local pre-share",
            f" keyring local {agreement.link}",
        ]
    return [
        " authentication remote rsa-sig",
        " authentication remote ecdsa-sig",
        " authentication local rsa-sig",
        f" pki trustpoint {agreement.link}",
    ]


def _profile(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    return [
        f"crypto ikev2 profile {agreement.link}-{tunnel.number}",
        f" match address local {agreement.peer}",
        f" match identity remote address {known(tunnel)} 255.255.255.255",
        f" identity local address {tunnel.peer_identity}",
        *_proof(agreement),
        f" lifetime {agreement.policy.ike.lifetime_s}",
        f" dpd {DPD_INTERVAL_S} {DPD_RETRY_S} on-demand",
        "!",
    ]


def _transform(name: str, offered: Proposals, encryption: Encryption) -> tuple[str, list[str]]:
    its = f"{name}-esp-{'gcm' if encryption in AEAD else 'cbc'}"
    hmac = "" if encryption in AEAD else f" {_HMAC[offered.integrity[0]]}"
    return its, [f"crypto ipsec transform-set {its} {_ESP[encryption]}{hmac}", " mode tunnel", "!"]


def _tunnel(agreement: Agreement, tunnel: Tunnel, sets: Sequence[str]) -> list[str]:
    its, policy = f"{agreement.link}-{tunnel.number}", agreement.policy
    return [
        f"crypto ipsec profile {its}",
        f" set transform-set {' '.join(sets)}",
        f" set pfs group{policy.esp.groups[0]}",
        f" set security-association lifetime seconds {policy.esp.lifetime_s}",
        f" set security-association replay window-size {policy.replay_window}",
        f" set ikev2-profile {its}",
        " responder-only",
        "!",
        f"interface {_interface(tunnel)}",
        f" description link {agreement.link}, tunnel {tunnel.number}",
        f" ip address {theirs_inside(tunnel)} 255.255.255.252",
        f" ip tcp adjust-mss {agreement.segment}",
        f" tunnel source {agreement.peer}",
        " tunnel mode ipsec ipv4",
        f" tunnel destination {known(tunnel)}",
        *([f" tunnel protection ipsec policy ipv4 {agreement.link}"] if agreement.bgp is None else []),
        f" tunnel protection ipsec profile {its}",
        "!",
    ]


def _selectors(agreement: Agreement) -> list[str]:
    """With BGP the tunnel speaks for everything, or its neighbours would not hear each other; routes say what."""
    if agreement.bgp is not None:
        return []
    lines = [f" permit ip {_wild(network)} {_wild(agreement.local)}" for network in agreement.remote]
    return [f"ip access-list extended {agreement.link}", *lines, "!"]


def _speaker(agreement: Agreement, bgp: Bgp) -> list[str]:
    us, you = f"{agreement.link}-us", f"{agreement.link}-you"
    lists = [
        f"ip prefix-list {us} seq 5 permit {agreement.local}",
        *(f"ip prefix-list {you} seq {5 * at} permit {each}" for at, each in enumerate(agreement.remote, 1)),
        "!",
    ]
    maps = [
        line
        for tunnel in agreement.tunnels
        for line in (
            f"route-map {you}-{tunnel.number} permit 10",
            f" match ip address prefix-list {you}",
            f" set metric {device.metric(tunnel)}",
            "!",
        )
    ]
    return [
        *lists,
        *maps,
        f"router bgp {bgp.theirs}",
        *(line for tunnel in agreement.tunnels for line in _neighbour(agreement, bgp, tunnel)),
        " address-family ipv4",
        *(f"  network {network.network_address} mask {network.netmask}" for network in agreement.remote),
        *(line for tunnel in agreement.tunnels for line in _filtered(agreement, tunnel, us, you)),
        " exit-address-family",
        "!",
    ]


def _neighbour(agreement: Agreement, bgp: Bgp, tunnel: Tunnel) -> list[str]:
    there = f" neighbor {inside(tunnel).ip}"
    return [
        f"{there} remote-as {bgp.ours}",
        f"{there} description link {agreement.link}, tunnel {tunnel.number}",
        f"{there} timers {bgp.keepalive_s} {bgp.hold_s}",
    ]


def _filtered(agreement: Agreement, tunnel: Tunnel, us: str, you: str) -> list[str]:
    there = f"  neighbor {inside(tunnel).ip}"
    return [
        f"{there} activate",
        f"{there} prefix-list {us} in",
        f"{there} route-map {you}-{tunnel.number} out",
        *([f"{there} weight {device.WEIGHT}"] if tunnel.number == 1 else []),
    ]


def _routes(agreement: Agreement) -> list[str]:
    return [_route(agreement, tunnel) for tunnel in agreement.tunnels]


def _route(agreement: Agreement, tunnel: Tunnel) -> str:
    """It goes with its interface, which is down while its tunnel is."""
    seen = agreement.local
    standby = "" if tunnel.number == 1 else f" {STANDBY_DISTANCE}"
    return f"ip route {seen.network_address} {seen.netmask} {_interface(tunnel)}{standby}"


def _interface(tunnel: Tunnel) -> str:
    return f"Tunnel{FIRST_INTERFACE + tunnel.number - 1}"


def _wild(network: IPv4Network) -> str:
    return f"{network.network_address} {network.hostmask}"


DEVICE = Device(
    "cisco-ios", "Cisco IOS XE 16.12 or newer",
    (
        'Cisco "FlexVPN and Internet Key Exchange Version 2 Configuration Guide"',
        '"Security and VPN Configuration Guide, Cisco IOS XE 17.x"',
        'document 214728 "Configure a Multi-SA Virtual Tunnel Interface"',
    ),
    "", several=False, render=render, bgp_sources=('"IP Routing: BGP Configuration Guide, Cisco IOS XE"',),
)  # fmt: skip
