"""What an nftables ruleset says of links: who may open what behind them, as whom they are seen, and how large a segment
may be. A flow goes out by a link's cables only. What begins there is dropped, but for what the link lets in: to the
balancer, at the addresses that are kept for it.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from anden.engines.local.endpoints import agreed, dialled, station
from anden.engines.local.endpoints import seen as seen_of
from anden.engines.local.render.stations import BALANCER
from anden.engines.local.render.strongswan import Dataplane, mss
from anden.model.configuration import Configuration, Linked
from anden.model.ids import ZoneName

_KIND = "ipv4_addr . inet_proto . inet_service"


def sets(caller: str, configuration: Configuration) -> list[str]:
    """The set of what a caller may open behind each link, and none where it may nothing."""
    lines = []
    for linked in configuration.links:
        wanted: dict[tuple[str, int], list[IPv4Network]] = {}
        for allow in configuration.allows_behind:
            if allow.caller == caller and allow.link == linked.link.name:
                wanted.setdefault((allow.transport.value, allow.port), []).append(allow.network)
        elements = [
            f"\t\t\t{network} . {transport} . {port},"
            for (transport, port), networks in sorted(wanted.items())
            for network in collapse_addresses(networks)
        ]
        if elements:
            head = [f"\tset {_behind(linked, caller)} {{", f"\t\ttype {_KIND}", "\t\tflags interval"]
            lines += [*head, "\t\telements = {", *elements, "\t\t}", "\t}", ""]
    return lines


def rules(caller: str, configuration: Configuration) -> list[str]:
    """A caller's: by the cables of the link that the destination lies behind, and by no other."""
    may = {allow.link for allow in configuration.allows_behind if allow.caller == caller}
    return [
        f'oifname "{_cables(linked)}" ip daddr . meta l4proto . th dport @{_behind(linked, caller)} accept'
        for linked in configuration.links
        if linked.link.name in may
    ]


def seen_as(linked: Linked) -> str:
    """The map from an instance's address to the one that the other side sees."""
    return f"seen-{linked.number}"


def seen(configuration: Configuration) -> list[str]:
    """The maps of links that are seen as something, and the sets of what may leave by them at all."""
    lines = []
    for linked in configuration.links:
        by_zone = _by_zone(configuration, linked)
        callers = {allow.caller for allow in configuration.allows_behind if allow.link == linked.link.name}
        members = sorted(
            (member.address, member.zone)
            for backend in configuration.backends
            if backend.service in callers
            for member in backend.members
        )
        if not by_zone or not members:
            continue
        elements = [f"\t\t\t{address} : {by_zone[zone]}," for address, zone in members if zone in by_zone]
        head = [f"\tmap {seen_as(linked)} {{", "\t\ttype ipv4_addr : ipv4_addr", "\t\telements = {"]
        lines += [*head, *elements, "\t\t}", "\t}", ""]
    return lines


def openings(configuration: Configuration) -> list[str]:
    """The sets of what may begin on the other side of each link: from where, to which address and port. Networks are
    joined first: a set of intervals takes no overlaps."""
    lines = []
    for linked in configuration.links:
        wanted: dict[int, list[IPv4Network]] = {}
        for allow in configuration.allows_in:
            if allow.link == linked.link.name:
                wanted.setdefault(allow.port, []).append(allow.network)
        elements = [
            f"\t\t\t{network} . {address} . {port},"
            for port, networks in sorted(wanted.items())
            for network in collapse_addresses(networks)
            for address in dialled(configuration.layout, linked).values()
        ]
        if elements:
            head = [f"\tset {_incoming(linked)} {{", "\t\ttype ipv4_addr . ipv4_addr . inet_service"]
            lines += [*head, "\t\tflags interval", "\t\telements = {", *elements, "\t\t}", "\t}", ""]
    return lines


def admissions(configuration: Configuration) -> list[str]:
    """What links let in: it goes to the balancer, and to nobody else."""
    return [
        f'iifname "{_cables(linked)}" oifname "{BALANCER}" ip saddr . ip daddr . tcp dport @{_incoming(linked)} accept'
        for linked in configuration.links
        if _admits(configuration, linked)
    ]


def chains(configuration: Configuration) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, hook and rules: the translation of sources, what makes sure of it, and the clamp of segments."""
    if not configuration.links:
        return
    translated, checked, clamped = [], [], []
    for linked in configuration.links:
        by_zone = _by_zone(configuration, linked)
        cables = f'oifname "{_cables(linked)}"'
        callers = any(allow.link == linked.link.name for allow in configuration.allows_behind)
        if by_zone and callers:
            translated.append(f"{cables} snat ip to ip saddr map @{seen_as(linked)}")
        known = sorted(set(by_zone.values())) if by_zone else [configuration.layout.network]
        if _admits(configuration, linked):  # the balancer's answers to who dialled it
            known = sorted({*known, *dialled(configuration.layout, linked).values()})
        # What has no entry is not translated, and is stopped here: this chain sees sources after it.
        checked.append(f"{cables} ip saddr != {{ {', '.join(map(str, known))} }} drop")
        largest = mss(agreed(configuration.layout, linked), Dataplane.LIBIPSEC)
        for side in ("iifname", "oifname"):
            begins = f'{side} "{_cables(linked)}" tcp flags & (syn | rst) == syn'
            clamped.append(f"{begins} tcp option maxseg size set {largest}")
    if translated:
        yield "leave-by-link", "type nat hook postrouting priority srcnat; policy accept;", tuple(translated)
    yield "left-by-link", "type filter hook postrouting priority srcnat + 10; policy accept;", tuple(checked)
    yield "clamp", "type filter hook forward priority mangle; policy accept;", tuple(clamped)


def _by_zone(configuration: Configuration, linked: Linked) -> dict[ZoneName, IPv4Address]:
    return seen_of(agreed(configuration.layout, linked))


def _admits(configuration: Configuration, linked: Linked) -> bool:
    dials = linked.link.seen_as is not None
    return dials and any(allow.link == linked.link.name for allow in configuration.allows_in)


def _incoming(linked: Linked) -> str:
    return f"incoming-{linked.number}"


def _behind(linked: Linked, caller: str) -> str:
    return f"behind-{linked.number}-{caller}"


def _cables(linked: Linked) -> str:
    return station(linked.number, 0).removesuffix("0") + "*"
