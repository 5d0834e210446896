"""The other side as a router with Cisco IOS XE: IKEv2 and a tunnel interface for each tunnel, with the networks of the
link as its traffic selectors. Syntax: Cisco's "FlexVPN and Internet Key Exchange Version 2 Configuration Guide, Cisco
IOS XE", "Security and VPN Configuration Guide, Cisco IOS XE 17.x", chapter "IPsec Virtual Tunnel Interfaces", and
"Configure a Multi-SA Virtual Tunnel Interface on a Cisco IOS XE Router" (document 214728), which needs 16.12.

A tunnel interface without `tunnel protection ipsec policy` speaks for everything (any to any), and does not take what
our side asks for. With it, there is a pair of channels for each line of the access list.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from anden.model.link import Agreement, Encryption, Integrity, Opening, Proposals, Tunnel
from anden.planning.devices import device
from anden.planning.devices.device import AEAD, Device, known, theirs_inside

DPD_INTERVAL_S, DPD_RETRY_S = 10, 3
"""How long a silence is, and the pause between questions: IOS XE takes 10 and 2 at the least."""
FIRST_INTERFACE = 101
STANDBY_DISTANCE = 10
"""Administrative distance of the route by the second tunnel; 1 is a static route's own."""
_IKE = {Encryption.AES256: "aes-cbc-256", Encryption.AES256_GCM16: "aes-gcm-256"}
_ESP = {Encryption.AES256: "esp-aes 256", Encryption.AES256_GCM16: "esp-gcm 256"}
_HASH = {Integrity.SHA256: "sha256", Integrity.SHA384: "sha384"}
_HMAC = {Integrity.SHA256: "esp-sha256-hmac", Integrity.SHA384: "esp-sha384-hmac"}


def render(agreement: Agreement, openings: Sequence[Opening]) -> str:
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
        f"crypto ikev2 keyring {name}",
        *(line for tunnel in agreement.tunnels for line in _key(name, tunnel)),
        "!",
        *(line for tunnel in agreement.tunnels for line in _profile(agreement, tunnel)),
        *(line for _, transform in sets for line in transform),
        f"ip access-list extended {name}",
        *(f" permit ip {_wild(network)} {_wild(agreement.local)}" for network in agreement.remote),
        "!",
        *(line for tunnel in agreement.tunnels for line in _tunnel(agreement, tunnel, [its for its, _ in sets])),
        *(_route(agreement, tunnel) for tunnel in agreement.tunnels),
    ]
    told = (device.mark_keys(agreement), "Your filters are yours: none is written here.")
    return device.head(DEVICE, agreement, openings, "!", *told) + "\n".join(lines) + "\n"


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


def _profile(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    return [
        f"crypto ikev2 profile {agreement.link}-{tunnel.number}",
        f" match address local {agreement.peer}",
        f" match identity remote address {known(tunnel)} 255.255.255.255",
        f" identity local address {tunnel.peer_identity}",
        " authentication remote pre-share",
        " authentication local pre-share",
        f" keyring local {agreement.link}",
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
        f" tunnel protection ipsec policy ipv4 {agreement.link}",
        f" tunnel protection ipsec profile {its}",
        "!",
    ]


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
    "", several=False, render=render,
)  # fmt: skip
