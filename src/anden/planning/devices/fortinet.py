"""The other side as a FortiGate. Syntax: Fortinet's "FortiOS CLI Reference", `config vpn ipsec phase1-interface`,
`phase2-interface`, `router static`, `router bgp`, `firewall policy`, `user peer`; that one pair of channels takes
several networks by a group of addresses, and that a FortiGate takes as answerer what lies within its own selectors:
Fortinet's technical tips 227304 and 327600.

FortiOS needs a policy on a tunnel's interface before it talks of it at all.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from anden.model.link import Admitted, Agreement, Bgp, Encryption, Integrity, Opening, Proposals, Tunnel
from anden.planning.devices import device
from anden.planning.devices.device import AEAD, Device, inside, known, theirs_inside

LONGEST_NAME = 15
"""Characters of an interface's name (FortiOS Administration Guide, "Phase 1 configuration")."""
DPD_RETRY_S, DPD_RETRIES = 10, 3
STANDBY_PRIORITY = 10
"""Of the second tunnel's route: with the same distance both are there, so that what comes by either passes the check of
its source; the smaller priority is taken."""
_WHERE = "Import both under System > Certificates first: what follows names them."
_SPELLED = {Encryption.AES256: "aes256", Encryption.AES256_GCM16: "aes256gcm", Integrity.SHA256: "sha256"}


def render(agreement: Agreement, openings: Sequence[Opening], admitted: Sequence[Admitted] = ()) -> str:
    """Commands of its shell. Raises ValueError while the agreement is not known."""
    own = f"anden-{agreement.link}"
    lines = [
        *_peers(agreement),
        "config vpn ipsec phase1-interface",
        *(line for tunnel in agreement.tunnels for line in _first(agreement, tunnel)),
        "end",
        "config firewall address",
        *_address(f"{own}-us", agreement.local),
        *(line for at, network in enumerate(agreement.remote, 1) for line in _address(f"{own}-you-{at}", network)),
        "end",
        "config firewall addrgrp",
        f'    edit "{own}-you"',
        f"        set member {' '.join(_quoted(f'{own}-you-{at}') for at, _ in enumerate(agreement.remote, 1))}",
        "    next",
        "end",
        "config vpn ipsec phase2-interface",
        *(line for tunnel in agreement.tunnels for line in _second(agreement, tunnel, own)),
        "end",
        "config system interface",
        *(line for tunnel in agreement.tunnels for line in _interface(agreement, tunnel)),
        "end",
        *(_speaker(agreement, agreement.bgp, own) if agreement.bgp is not None else _routes(agreement)),
        *_policy(agreement, openings, own),
        *(line for each in admitted for line in _lets_out(agreement, each, own)),
    ]
    more = [_WHERE] if agreement.certified else []
    told = (
        device.mark_keys(agreement),
        *more,
        'Replace "WAN" by the interface that has your address, and "LAN" by the one that leads to what we reach.',
    )
    return device.head(DEVICE, agreement, openings, admitted, "#", *told) + "\n".join(lines) + "\n"


def _proposals(offered: Proposals, *, key_exchange: bool) -> str:
    made = []
    for encryption in offered.encryption:
        for integrity in offered.integrity:
            if encryption not in AEAD:
                made.append(f"{_SPELLED[encryption]}-{_SPELLED[integrity]}")
            else:
                made.append(_SPELLED[encryption] + (f"-prf{_SPELLED[integrity]}" if key_exchange else ""))
    return " ".join(dict.fromkeys(made))


def _first(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    ike = agreement.policy.ike
    return [
        f"    edit {_quoted(name(agreement, tunnel))}",
        '        set interface "WAN"',
        "        set ike-version 2",
        f"        set local-gw {agreement.peer}",
        f"        set keylife {ike.lifetime_s}",
        *_expected(agreement, tunnel),
        "        set net-device disable",
        "        set passive-mode enable",
        f"        set proposal {_proposals(ike, key_exchange=True)}",
        f"        set dhgrp {' '.join(ike.groups)}",
        "        set nattraversal enable",
        "        set dpd on-idle",
        f"        set dpd-retryinterval {DPD_RETRY_S}",
        f"        set dpd-retrycount {DPD_RETRIES}",
        f"        set remote-gw {known(tunnel)}",
        *_proof(agreement, tunnel),
        "    next",
    ]


def _expected(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    if not agreement.certified:
        return ["        set peertype any"]
    return ["        set peertype peer", f"        set peer {_quoted(name(agreement, tunnel))}"]


def _proof(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    if not agreement.certified:
        return [f"        # set psksecret <{device.missing(tunnel.key)}>"]
    return [
        "        set authmethod signature",
        f"        set certificate {_quoted(agreement.link)}",
        "        set localid-type address",
        f"        set localid {_quoted(tunnel.peer_identity)}",
    ]


def _peers(agreement: Agreement) -> list[str]:
    """Whose certificate a tunnel takes: of that authority, and for that address. A FortiGate looks at the subject."""
    if not agreement.certified:
        return []
    return [
        "config user peer",
        *(
            line
            for tunnel in agreement.tunnels
            for line in (
                f"    edit {_quoted(name(agreement, tunnel))}",
                f"        set ca {_quoted(device.authority(agreement))}",
                f"        set cn {_quoted(known(tunnel))}",
                "    next",
            )
        ),
        "end",
    ]


def _second(agreement: Agreement, tunnel: Tunnel, own: str) -> list[str]:
    esp, its = agreement.policy.esp, name(agreement, tunnel)
    return [
        f"    edit {_quoted(its)}",
        f"        set phase1name {_quoted(its)}",
        f"        set proposal {_proposals(esp, key_exchange=False)}",
        "        set pfs enable",
        f"        set dhgrp {' '.join(esp.groups)}",
        "        set replay enable",
        f"        set keylifeseconds {esp.lifetime_s}",
        *_selectors(agreement, own),
        "    next",
    ]


def _selectors(agreement: Agreement, own: str) -> list[str]:
    """With BGP the tunnel speaks for everything, or its neighbours would not hear each other; routes say what."""
    if agreement.bgp is not None:
        return [f"        set {end}-subnet 0.0.0.0 0.0.0.0" for end in ("src", "dst")]
    return [
        "        set src-addr-type name",
        "        set dst-addr-type name",
        f'        set src-name "{own}-you"',
        f'        set dst-name "{own}-us"',
    ]


def _interface(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    return [
        f"    edit {_quoted(name(agreement, tunnel))}",
        f"        set ip {theirs_inside(tunnel)} 255.255.255.255",
        f"        set remote-ip {inside(tunnel).ip} 255.255.255.252",
        "    next",
    ]


def _speaker(agreement: Agreement, bgp: Bgp, own: str) -> list[str]:
    us, you = f"{own}-us", f"{own}-you"
    return [
        "config router prefix-list",
        *_prefixes(us, [agreement.local]),
        *_prefixes(you, agreement.remote),
        "end",
        "config router route-map",
        *(line for tunnel in agreement.tunnels for line in _map(f"{you}-{tunnel.number}", you, device.metric(tunnel))),
        "end",
        "config router bgp",
        f"    set as {bgp.theirs}",
        "    config neighbor",
        *(line for tunnel in agreement.tunnels for line in _neighbour(agreement, bgp, tunnel, us, you)),
        "    end",
        "    config network",
        *(line for network in agreement.remote for line in _announced(network)),
        "    end",
        "end",
    ]


def _prefixes(its: str, networks: Sequence[IPv4Network]) -> list[str]:
    rules = [
        line
        for at, network in enumerate(networks, 1)
        for line in (
            f"            edit {at}",
            f"                set prefix {network.network_address} {network.netmask}",
            "                unset ge",
            "                unset le",
            "            next",
        )
    ]
    return [f'    edit "{its}"', "        config rule", *rules, "        end", "    next"]


def _map(its: str, prefixes: str, metric: int) -> list[str]:
    return [
        f'    edit "{its}"',
        "        config rule",
        "            edit 1",
        f'                set match-ip-address "{prefixes}"',
        f"                set set-metric {metric}",
        "            next",
        "        end",
        "    next",
    ]


def _neighbour(agreement: Agreement, bgp: Bgp, tunnel: Tunnel, us: str, you: str) -> list[str]:
    return [
        f'        edit "{inside(tunnel).ip}"',
        f"            set remote-as {bgp.ours}",
        f"            set keep-alive-timer {bgp.keepalive_s}",
        f"            set holdtime-timer {bgp.hold_s}",
        f'            set prefix-list-in "{us}"',
        f'            set route-map-out "{you}-{tunnel.number}"',
        *([f"            set weight {device.WEIGHT}"] if tunnel.number == 1 else []),
        f'            set description "link {agreement.link}, tunnel {tunnel.number}"',
        "        next",
    ]


def _announced(network: IPv4Network) -> list[str]:
    return ["        edit 0", f"            set prefix {network.network_address} {network.netmask}", "        next"]


def _routes(agreement: Agreement) -> list[str]:
    lines = (line for tunnel in agreement.tunnels for line in _route(agreement, tunnel))
    return ["config router static", *lines, "end"]


def _route(agreement: Agreement, tunnel: Tunnel) -> list[str]:
    seen = agreement.local
    priority = [] if tunnel.number == 1 else [f"        set priority {STANDBY_PRIORITY}"]
    return [
        "    edit 0",
        f"        set dst {seen.network_address} {seen.netmask}",
        f"        set device {_quoted(name(agreement, tunnel))}",
        *priority,
        "    next",
    ]


def _policy(agreement: Agreement, openings: Sequence[Opening], own: str) -> list[str]:
    """What we open, and nothing else; with nothing to open one that denies, for a tunnel needs a policy."""
    ports = sorted({each.port for each in openings})
    services = [f"{own}-{port}" for port in ports]
    made = [
        line
        for its, port in zip(services, ports, strict=True)
        for line in (f'    edit "{its}"', f"        set tcp-portrange {port}", "    next")
    ]
    return [
        *(["config firewall service custom", *made, "end"] if made else []),
        "config firewall policy",
        "    edit 0",
        f'        set name "{own[:35]}"',
        f"        set srcintf {' '.join(_quoted(name(agreement, tunnel)) for tunnel in agreement.tunnels)}",
        '        set dstintf "LAN"',
        f'        set srcaddr "{own}-us"',
        f'        set dstaddr "{own}-you"',
        f"        set action {'accept' if services else 'deny'}",
        '        set schedule "always"',
        f"        set service {' '.join(map(_quoted, services)) or _quoted('ALL')}",
        *([f"        set tcp-mss-sender {agreement.segment}", f"        set tcp-mss-receiver {agreement.segment}"]),
        "    next",
        "end",
    ]


def _lets_out(agreement: Agreement, one: Admitted, own: str) -> list[str]:
    """What may begin on their side: from where we let in, to where it is dialled."""
    its = f"{own}-to-{one.service}"
    sources = [(f"{its}-from-{at}", network) for at, network in enumerate(one.sources, 1)]
    places = [(f"{its}-at-{at}", IPv4Network(address)) for at, address in enumerate(one.addresses, 1)]
    return [
        "config firewall address",
        *(line for name, network in (*sources, *places) for line in _address(name, network)),
        "end",
        "config firewall service custom",
        f'    edit "{its}"',
        f"        set tcp-portrange {one.port}",
        "    next",
        "end",
        "config firewall policy",
        "    edit 0",
        f'        set name "{own[:29]}-{one.port}"',
        '        set srcintf "LAN"',
        f"        set dstintf {' '.join(_quoted(name(agreement, tunnel)) for tunnel in agreement.tunnels)}",
        f"        set srcaddr {' '.join(_quoted(name) for name, _ in sources)}",
        f"        set dstaddr {' '.join(_quoted(name) for name, _ in places)}",
        "        set action accept",
        '        set schedule "always"',
        f'        set service "{its}"',
        f"        set tcp-mss-sender {agreement.segment}",
        f"        set tcp-mss-receiver {agreement.segment}",
        "    next",
        "end",
    ]


def _address(its: str, network: IPv4Network) -> list[str]:
    return [f'    edit "{its}"', f"        set subnet {network.network_address} {network.netmask}", "    next"]


def name(agreement: Agreement, tunnel: Tunnel) -> str:
    """Of a tunnel's interface: the link's, cut, with the tunnel's number."""
    end = f"-{tunnel.number}"
    return agreement.link[: LONGEST_NAME - len(end)] + end


def _quoted(text: str) -> str:
    return f'"{text}"'


DEVICE = Device(
    "fortinet", "Fortinet FortiOS 7.0 or newer",
    (
        'Fortinet "FortiOS CLI Reference", vpn ipsec phase1-interface and phase2-interface',
        "Fortinet technical tips 227304 and 327600 (traffic selectors)",
    ),
    "", several=True, render=render, bgp_sources=("FortiOS CLI Reference, router prefix-list, route-map and bgp",),
)  # fmt: skip
