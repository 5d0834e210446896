"""BIRD's configuration of one side of a link: of the other one, beside its strongSwan, and by `speaker` of ours too.
Syntax: CZ.NIC's "BIRD 2.0 User's Guide". Loaded by BIRD 2.0.12 in tests/live, where sessions are established.

No route of a machine comes from it or goes to it: there is no `protocol kernel`. strongSwan's selectors choose the
tunnel here, and BIRD says what lies behind, and hears it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from anden.model.link import Admitted, Agreement, Bgp, Opening
from anden.planning.devices import device
from anden.planning.devices.device import Device, inside, theirs_inside

MOST_ROUTES = 100
"""Announced by one neighbour: with more AWS ends the session (Site-to-Site VPN quotas, "Routes")."""
_HELD = 1_000
"""Routes that are looked at and held, whatever is announced. What comes beyond is forgotten at once."""
ANNOUNCED = "announced"
_REACHES = 2
"""Hops: neighbours inside of a tunnel have no network in common that an interface says."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One session. name: BIRD's, of letters, digits and `_`. here, there: its ends. metric: None: none is said."""

    name: str
    here: IPv4Address
    there: IPv4Address
    metric: int | None = None


def speaker(
    own: int, other: int, timers: Bgp, announced: Sequence[IPv4Network], taken: Sequence[IPv4Network],
    neighbours: Sequence[Neighbour],
) -> str:  # fmt: skip
    """The file. own, other: AS numbers. announced: nothing else is said. taken: nothing else is believed; what else is
    heard is kept apart, so that it can be shown."""
    routes = "".join(f"    route {network} blackhole;\n" for network in announced)
    believed = ", ".join(map(str, taken))
    return f"""\
log stderr {{ fatal, bug }};
router id {neighbours[0].here};
protocol device {{ }}
protocol static {ANNOUNCED} {{
    ipv4;
{routes}}}
filter taken {{
    if net ~ [ {believed} ] then accept;
    reject;
}}
""" + "".join(_session(own, other, timers, each) for each in neighbours)


def _session(own: int, other: int, timers: Bgp, neighbour: Neighbour) -> str:
    metric = "" if neighbour.metric is None else f"bgp_med = {neighbour.metric}; "
    return f"""\
protocol bgp {neighbour.name} {{
    local {neighbour.here} as {own};
    neighbor {neighbour.there} as {other};
    multihop {_REACHES};
    strict bind yes;
    hold time {timers.hold_s};
    keepalive time {timers.keepalive_s};
    connect delay time 1;
    connect retry time 5;
    error wait time 1, 5;
    graceful restart off;
    long lived graceful restart off;
    ipv4 {{
        import keep filtered on;
        import filter taken;
        receive limit {_HELD} action block;
        export filter {{ if proto = "{ANNOUNCED}" then {{ {metric}accept; }} reject; }};
    }};
}}
"""


def theirs(
    agreement: Agreement, openings: Sequence[Opening] = (), admitted: Sequence[Admitted] = ()
) -> str:  # fmt: skip
    """bird.conf of the other side. Raises ValueError while the agreement is not known, and where no BGP is spoken."""
    bgp = device.spoken(agreement)
    name = agreement.link.replace("-", "_")
    neighbours = [
        Neighbour(f"{name}_{tunnel.number}", theirs_inside(tunnel), inside(tunnel).ip, device.metric(tunnel))
        for tunnel in agreement.tunnels
    ]
    told = (
        "It goes beside strongSwan's (`--device strongswan`). "
        f"{' and '.join(str(each.here) for each in neighbours)} have to be addresses of this machine, on lo for "
        "example (/32).",
    )
    head = device.head(DEVICE, agreement, openings, admitted, "#", *told)
    return head + speaker(bgp.theirs, bgp.ours, bgp, agreement.remote, [agreement.local], neighbours)


DEVICE = Device(
    "bird", "BIRD 2 beside strongSwan (/etc/bird/bird.conf)",
    ('CZ.NIC "BIRD 2.0 User\'s Guide"',),
    "BIRD 2.0.12, against the twin", several=True, render=theirs, bgp_only=True,
)  # fmt: skip
