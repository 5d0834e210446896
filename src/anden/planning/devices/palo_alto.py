"""The other side as a firewall with PAN-OS, as `set` commands of configuration mode. Syntax: Palo Alto Networks'
"PAN-OS CLI Quick Start" (set commands) and "IPSec VPN Administration": "Set Up an IKE Gateway", "Define IKE Crypto
Profiles", "Define IPSec Crypto Profiles", "Set Up an IPSec Tunnel", "IKEv2": one traffic selector an exchange; "PAN-OS
Networking Administrator's Guide": "Configure BGP"; "PAN-OS
Administrator's Guide": "Configure a Certificate Profile".

Only what every version takes is offered: for AES-GCM in IKE, which came with 10.0.3, PAN-OS chooses the pseudo-random
function by itself.
"""

from collections.abc import Sequence

from anden.model.link import Admitted, Agreement, Bgp, Encryption, Integrity, Opening, Proposals, Tunnel
from anden.planning.devices import device
from anden.planning.devices.device import AEAD, Device, inside, known, theirs_inside

FIRST_INTERFACE = 101
DPD_INTERVAL_S = 10
"""Of IKEv2's liveness check."""
METRICS = 10, 20
"""Of the routes by the first tunnel and by the second."""
LONGEST_NAME = 29
"""Characters: the 31 that a crypto profile may have, without a tunnel's number."""
HOUR_S = 3600
_WHERE = "Import both under Device > Certificate Management first: what follows names them."
_SPELLED = {Encryption.AES256: "aes-256-cbc", Integrity.SHA256: "sha256"}


def render(agreement: Agreement, openings: Sequence[Opening], admitted: Sequence[Admitted] = ()) -> str:
    """Commands. Raises ValueError while the agreement is not known."""
    own, policy = f"anden-{agreement.link}"[:LONGEST_NAME], agreement.policy
    trust = f"set shared certificate-profile {own} CA {device.authority(agreement)}"
    lines = [
        *([trust] if agreement.certified else []),
        *_profile(f"network ike crypto-profiles ike-crypto-profiles {own}", policy.ike, "dh-group", "hash", ""),
        *_profile(
            f"network ike crypto-profiles ipsec-crypto-profiles {own}", policy.esp, "", "esp authentication", "esp "
        ),
        f"set network ike crypto-profiles ipsec-crypto-profiles {own} dh-group group{policy.esp.groups[0]}",
        *(line for tunnel in agreement.tunnels for line in _gateway(agreement, tunnel, own)),
        *(line for tunnel in agreement.tunnels for line in _tunnel(agreement, tunnel, own)),
        f"set zone {own} network layer3 [ {' '.join(_interface(tunnel) for tunnel in agreement.tunnels)} ]",
        "set network virtual-router default interface "
        f"[ {' '.join(_interface(tunnel) for tunnel in agreement.tunnels)} ]",
        *(_speaker(agreement, agreement.bgp, own) if agreement.bgp is not None else _routes(agreement, own)),
        *_rule(agreement, openings, own),
        *(line for each in admitted for line in _lets_out(each, own)),
    ]
    told = [
        device.mark_keys(agreement),
        *([_WHERE] if agreement.certified else []),
        "Replace WAN by the interface that has your address (ethernet1/1) and LAN by the zone of what we reach; leave "
        "out the lines that begin with #.",
        "PAN-OS keeps a tunnel's interface up while its tunnel is down: without a tunnel monitor its answers do not "
        "move to the second one."
        if agreement.bgp is None
        else "BGP is written for the virtual router, not for Advanced Routing; a rule announces what your own routes "
        "lead to, and nothing that they do not.",
    ]
    return device.head(DEVICE, agreement, openings, admitted, "#", *told) + "\n".join(lines) + "\n"


def _profile(place: str, offered: Proposals, groups: str, hashes: str, before: str) -> list[str]:
    encryption = [_SPELLED[each] for each in offered.encryption if each not in AEAD]
    unit, much = ("hours", offered.lifetime_s // HOUR_S) if offered.lifetime_s % HOUR_S == 0 else (
        "seconds", offered.lifetime_s
    )  # fmt: skip
    return [
        f"set {place} {before}encryption [ {' '.join(encryption)} ]",
        f"set {place} {hashes} [ {' '.join(_SPELLED[each] for each in offered.integrity)} ]",
        *([f"set {place} {groups} [ {' '.join(f'group{each}' for each in offered.groups)} ]"] if groups else []),
        f"set {place} lifetime {unit} {much}",
    ]


def _gateway(agreement: Agreement, tunnel: Tunnel, own: str) -> list[str]:
    place = f"set network ike gateway {own}-{tunnel.number}"
    return [
        f"{place} protocol version ikev2",
        f"{place} protocol ikev2 ike-crypto-profile {own}",
        f"{place} protocol ikev2 dpd enable yes interval {DPD_INTERVAL_S}",
        f"{place} protocol-common nat-traversal enable yes",
        f"{place} protocol-common passive-mode yes",
        f"{place} local-address interface WAN",
        f"{place} peer-address ip {known(tunnel)}",
        f"{place} local-id type ipaddr id {tunnel.peer_identity}",
        f"{place} peer-id type ipaddr id {known(tunnel)}",
        *_proof(agreement, tunnel, place, own),
    ]


def _proof(agreement: Agreement, tunnel: Tunnel, place: str, own: str) -> list[str]:
    if not agreement.certified:
        return [f"# {place} authentication pre-shared-key key <{device.missing(tunnel.key)}>"]
    return [
        f"{place} authentication certificate local-certificate name {agreement.link}",
        f"{place} authentication certificate certificate-profile {own}",
        f"{place} authentication certificate allow-id-payload-mismatch no",
        f"{place} authentication certificate strict-validation-revocation no",
    ]


def _tunnel(agreement: Agreement, tunnel: Tunnel, own: str) -> list[str]:
    place = f"set network tunnel ipsec {own}-{tunnel.number}"
    return [
        f"set network interface tunnel units {_interface(tunnel)} ip {theirs_inside(tunnel)}/30",
        f"set network interface tunnel units {_interface(tunnel)} mtu {agreement.segment + 40}",
        f"{place} tunnel-interface {_interface(tunnel)}",
        f"{place} anti-replay yes",
        f"{place} auto-key ike-gateway {own}-{tunnel.number}",
        f"{place} auto-key ipsec-crypto-profile {own}",
        *_selectors(agreement, f"{place} auto-key proxy-id {own}"),
    ]


def _selectors(agreement: Agreement, place: str) -> list[str]:
    """With BGP there is none, and the tunnel speaks for everything, or its neighbours would not hear each other."""
    if agreement.bgp is not None:
        return []
    return [f"{place} local {network} remote {agreement.local} protocol any" for network in agreement.remote]


def _speaker(agreement: Agreement, bgp: Bgp, own: str) -> list[str]:
    place = "set network virtual-router default protocol bgp"
    groups = [f"{own}-{tunnel.number}" for tunnel in agreement.tunnels]
    return [
        f"{place} enable yes",
        f"{place} router-id {theirs_inside(agreement.tunnels[0])}",
        f"{place} local-as {bgp.theirs}",
        f"{place} install-route yes",
        *(line for tunnel in agreement.tunnels for line in _neighbour(bgp, tunnel, f"{place} peer-group", own)),
        *(f"{place} redist-rules {network} enable yes" for network in agreement.remote),
        *(
            line
            for tunnel in agreement.tunnels
            for line in _filtered(agreement, tunnel, f"{place} policy", f"{own}-{tunnel.number}")
        ),
        *(
            f"{place} policy {way} rules {own}-x {what}"
            for way in ("import", "export")
            for what in (
                "enable yes", f"used-by [ {' '.join(groups)} ]", "match address-prefix 0.0.0.0/0 exact no",
                "action deny",
            )
        ),
    ]  # fmt: skip


def _neighbour(bgp: Bgp, tunnel: Tunnel, place: str, own: str) -> list[str]:
    """A group for each, for what is said to one of them differs."""
    group = f"{place} {own}-{tunnel.number}"
    peer = f"{group} peer {own}-{tunnel.number}"
    return [
        f"{group} enable yes",
        f"{group} type ebgp",
        f"{peer} enable yes",
        f"{peer} peer-as {bgp.ours}",
        f"{peer} local-address interface {_interface(tunnel)} ip {theirs_inside(tunnel)}/30",
        f"{peer} peer-address ip {inside(tunnel).ip}",
        f"{peer} connection-options keep-alive-interval {bgp.keepalive_s}",
        f"{peer} connection-options hold-time {bgp.hold_s}",
    ]


def _filtered(agreement: Agreement, tunnel: Tunnel, place: str, its: str) -> list[str]:
    into, out = f"{place} import rules {its}", f"{place} export rules {its}"
    return [
        f"{into} enable yes",
        f"{into} used-by {its}",
        f"{into} match route-table unicast",
        f"{into} match address-prefix {agreement.local} exact yes",
        f"{into} action allow update weight {device.WEIGHT if tunnel.number == 1 else 0}",
        f"{out} enable yes",
        f"{out} used-by {its}",
        f"{out} match route-table unicast",
        *(f"{out} match address-prefix {network} exact yes" for network in agreement.remote),
        f"{out} action allow update med {device.metric(tunnel)}",
    ]


def _routes(agreement: Agreement, own: str) -> list[str]:
    return [line for tunnel in agreement.tunnels for line in _route(agreement, tunnel, own)]


def _route(agreement: Agreement, tunnel: Tunnel, own: str) -> list[str]:
    place = f"set network virtual-router default routing-table ip static-route {own}-{tunnel.number}"
    metric = METRICS[0] if tunnel.number == 1 else METRICS[1]
    return [
        f"{place} destination {agreement.local}",
        f"{place} interface {_interface(tunnel)}",
        f"{place} metric {metric}",
    ]


def _rule(agreement: Agreement, openings: Sequence[Opening], own: str) -> list[str]:
    """What we open, and nothing else; PAN-OS denies between zones what no rule allows."""
    ports = sorted({each.port for each in openings})
    if not ports:
        return []
    place = f"set rulebase security rules {own}"
    services = " ".join(f"{own}-tcp-{port}" for port in ports)
    return [
        *(f"set service {own}-tcp-{port} protocol tcp port {port}" for port in ports),
        f"{place} from {own} to LAN source {agreement.local} destination "
        f"[ {' '.join(sorted({str(each.network) for each in openings}))} ]",
        f"{place} application any service [ {services} ] action allow",
    ]


def _lets_out(one: Admitted, own: str) -> list[str]:
    """What may begin on their side: from where we let in, to where it is dialled."""
    service, rule = f"{own}-in-tcp-{one.port}", f"set rulebase security rules {own}-{one.port}"
    sources, addresses = (" ".join(map(str, each)) for each in (one.sources, one.addresses))
    return [
        f"set service {service} protocol tcp port {one.port}",
        f"{rule} from LAN to {own} source [ {sources} ] destination [ {addresses} ]",
        f"{rule} application any service [ {service} ] action allow",
    ]


def _interface(tunnel: Tunnel) -> str:
    return f"tunnel.{FIRST_INTERFACE + tunnel.number - 1}"


DEVICE = Device(
    "palo-alto", "Palo Alto Networks PAN-OS 9.1 or newer",
    ('Palo Alto Networks "PAN-OS CLI Quick Start"', '"IPSec VPN Administration"'),
    "", several=False, render=render, bgp_sources=("PAN-OS Networking Administrator's Guide, BGP",),
)  # fmt: skip
