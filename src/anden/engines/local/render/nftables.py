"""The firewall of a cell as an nftables ruleset: default deny, from a Configuration alone.

Every packet between namespaces crosses the hub's forward hook once. What decides there:

1. a zone that is down: nothing of it passes, established or not;
2. connection tracking: what was let through once goes on;
3. the source's service, by a *data* map from address to number: a verdict map by address costs time for each member;
4. one small chain for each caller that declares anything: names, members, destinations;
5. what is left is refused, and noted: who tried to open what.

What lies behind links is in `behind`, names outside in `outside`.

What is not declared meets silence, never a rejection, as in a security group. With AWS's manners one thing is: a flow
to the internet that was silent for too long and then goes on meets a reset, as from a NAT gateway.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from anden.engines.local.endpoints import ANY_STATION
from anden.engines.local.render import behind, outside
from anden.engines.local.render.outside import TABLE, Grant
from anden.engines.local.render.stations import BALANCER, INTERNET, RESOLVER
from anden.model.configuration import Backend, Configuration

DNS_PORT = 53
NAT_IDLE = "nat-idle"
BEGINS = "tcp flags & (fin | syn | rst | ack) == syn"
GOES_ON = "tcp flags & (fin | syn | rst | ack) != syn"
FIRST, LAST = "refused", "refused-last"
"""Sets of refused attempts: what is left of an element's time says when it was made first, and last."""
FIRST_DIALLED, LAST_DIALLED = "dialled", "dialled-last"
"""The same of what began on the other side of links."""
KEY = "ip saddr . ip daddr . meta l4proto . th dport"
NOTED_S = 24 * 3600
"""How long a refused attempt is remembered."""
MOST_NOTED = 4096
"""Refused pairs of addresses, with port, that are remembered; further ones are refused without a note."""
MOST_DIALLED = 1024
"""The same of what begins on the other side of links."""
NOBODY = 0
"""The mark of an address that no service owns. Services are numbered from 1."""


@dataclass(frozen=True, slots=True)
class _Chain:
    name: str
    rules: tuple[str, ...]
    hook: str = ""


def ruleset(configuration: Configuration, down: Collection[IPv4Network] = (), granted: Collection[Grant] = ()) -> str:
    """The text for `nft -f`: one transaction that replaces the whole table.

    down: networks (zones' subnets) that are cut off. granted: what callers may open for a while, because a name led
    there; what is not declared any more is left out. Raises ValueError when two services claim one address.
    """
    numbers = _numbers(configuration.backends)
    callers = tuple(chain for backend in configuration.backends if (chain := _caller(backend, configuration)).rules)
    fixed = sorted({leave.address for leave in configuration.leaves})
    lines = [f"add table inet {TABLE}", f"delete table inet {TABLE}", "", f"table inet {TABLE} {{"]
    lines += _set("map services", "ipv4_addr : mark", [f"{a} : {n}" for a, n in sorted(numbers.items())])
    lines += _set("map leaves", "ipv4_addr : ipv4_addr", _leaves(configuration))
    lines += _set("set fixed", "ipv4_addr", [str(address) for address in fixed])
    lines += _set("set zone_down", "ipv4_addr", [str(n) for n in collapse_addresses(down)], interval=True)
    lines += _timeouts(configuration)
    for backend in configuration.backends:
        lines += _outside(backend, configuration)
        lines += behind.sets(backend.service, configuration)
    lines += behind.seen(configuration)
    lines += behind.openings(configuration)
    lines += outside.sets(configuration, granted)
    lines += _noted(FIRST, LAST, MOST_NOTED)
    if configuration.links:
        lines += _noted(FIRST_DIALLED, LAST_DIALLED, MOST_DIALLED)
    for chain in (*callers, _balancer(configuration), _forward(configuration, callers), *_surroundings(configuration)):
        lines += _written(chain)
    return "\n".join([*lines[:-1], "}", ""])


def zone_down(down: Collection[IPv4Network]) -> str:
    """The text that makes exactly these networks be cut off, in the table that `ruleset` made."""
    lines = [f"flush set inet {TABLE} zone_down"]
    if down:
        lines.append(f"add element inet {TABLE} zone_down {_inline(str(n) for n in collapse_addresses(down))}")
    return "\n".join([*lines, ""])


def _numbers(backends: Iterable[Backend]) -> dict[IPv4Address, int]:
    numbers: dict[IPv4Address, int] = {}
    for backend in backends:
        for member in backend.members:
            if numbers.setdefault(member.address, backend.number) != backend.number:
                raise ValueError(f"{member.address} belongs to two services, {backend.service} is one of them")
    return numbers


def _leaves(configuration: Configuration) -> list[str]:
    """Only the callers that declare a destination have an entry, and only in zones that have a fixed address."""
    fixed = {str(leave.zone): leave.address for leave in configuration.leaves}
    leaving = {allow.caller for allow in configuration.allows_out} | {one.caller for one in configuration.names_out}
    found = {
        member.address: address
        for backend in configuration.backends
        if backend.service in leaving
        for member in backend.members
        if (address := fixed.get(member.zone, fixed.get("*"))) is not None
    }
    return [f"{inside} : {outside}" for inside, outside in sorted(found.items())]


def _outside(backend: Backend, configuration: Configuration) -> list[str]:
    """The set of what a caller may open outside. Networks are joined first: a set of intervals takes no overlaps."""
    wanted: dict[tuple[str, int], list[IPv4Network]] = {}
    for allow in configuration.allows_out:
        if allow.caller == backend.service:
            wanted.setdefault((allow.transport.value, allow.port), []).append(allow.network)
    if not wanted:
        return []
    elements = [
        f"{network} . {transport} . {port}"
        for (transport, port), networks in sorted(wanted.items())
        for network in collapse_addresses(networks)
    ]
    kind = "ipv4_addr . inet_proto . inet_service"
    return _set(f"set outside-{backend.service}", kind, elements, interval=True)


def _caller(backend: Backend, configuration: Configuration) -> _Chain:
    known = {callee.service: callee for callee in configuration.backends}
    mine = [allow for allow in configuration.allows if allow.caller == backend.service and allow.callee in known]
    names = sorted(
        (address, allow.transport.value, allow.port) for allow in mine for address in known[allow.callee].addresses
    )
    members = sorted((known[allow.callee].number, allow.transport.value, allow.port) for allow in mine)
    rules = []
    if names:
        keys = [f"{address} . {transport} . {port}" for address, transport, port in names]
        rules.append(f'oifname "{BALANCER}" ip daddr . meta l4proto . th dport {_inline(keys)} accept')
    by_network = any(allow.caller == backend.service for allow in configuration.allows_out)
    by_name = backend.service in outside.callers(configuration)
    out = ((by_network, f"outside-{backend.service}"), (by_name, outside.set_of(backend.service)))
    for which in [name for there, name in out if there]:
        declared = f'oifname "{INTERNET}" ip daddr . meta l4proto . th dport @{which}'
        if configuration.manners.nat_idle_s is not None:
            # Connection tracking has forgotten it, for only what begins or was forgotten comes here.
            rules.append(f"{declared} {GOES_ON} reject with tcp reset")
            rules.append(f'{declared} {BEGINS} ct timeout set "{NAT_IDLE}" accept')
        rules.append(f"{declared} accept")
    rules += behind.rules(backend.service, configuration)
    if members:
        keys = [f"{number} . {transport} . {port}" for number, transport, port in members]
        rules += _by_number("daddr")
        rules.append(f"meta mark . meta l4proto . th dport {_inline(keys)} accept")
    return _Chain(f"from-{backend.service}", tuple(rules))


def _balancer(configuration: Configuration) -> _Chain:
    """Requests and health checks: every service's members, on its port or ports, and nothing else."""
    keys = [
        f"{backend.number} . {port}"
        for backend in configuration.backends
        if backend.port is not None
        for port in sorted({backend.port, *backend.also})
    ]
    if not keys:
        return _Chain("from-the-balancer", ("drop",))
    return _Chain("from-the-balancer", (*_by_number("daddr"), f"meta mark . tcp dport {_inline(keys)} accept"))


def _forward(configuration: Configuration, callers: Iterable[_Chain]) -> _Chain:
    services = {f"from-{backend.service}": backend.number for backend in configuration.backends}
    jumps = [f"{services[chain.name]} : jump {chain.name}" for chain in callers]
    layout = configuration.layout
    rules = [
        "ip saddr @zone_down drop",
        "ip daddr @zone_down drop",
        "ct state established,related accept",
        "ct state invalid drop",
        *behind.admissions(configuration),
        *_from_links(configuration),
        f'iifname "{BALANCER}" ip saddr {layout.balancer} goto from-the-balancer',
        *_by_number("saddr"),
        f"meta mark != {NOBODY} ip daddr {layout.resolver} meta l4proto {{ tcp, udp }} th dport {DNS_PORT} accept",
    ]
    if jumps:
        rules.append(f"meta mark vmap {_inline(jumps)}")
    # What comes here is refused. That an instance tried is noted, by whom and whither, in two sets of bounded size.
    rules.append(f'iifname {{ "{BALANCER}", "{RESOLVER}", "{INTERNET}" }} drop')
    rules += [f"{begins} add @{FIRST} {{ {KEY} }}" for begins in (BEGINS, "meta l4proto udp")]
    rules += [f"{begins} update @{LAST} {{ {KEY} }}" for begins in (BEGINS, "meta l4proto udp")]
    return _Chain("forward", tuple(rules), "type filter hook forward priority filter; policy drop;")


def _from_links(configuration: Configuration) -> list[str]:
    """What else begins on the other side of a link ends here, before anybody asks whose address it has: their cables'
    filter is loose, so an instance's could be forged. It is noted apart, so that whoever is there crowds out nobody."""
    if not configuration.links:
        return []
    notes = [
        f'iifname "{ANY_STATION}" {begins} {does} @{name} {{ {KEY} }}'
        for does, name in (("add", FIRST_DIALLED), ("update", LAST_DIALLED))
        for begins in (BEGINS, "meta l4proto udp")
    ]
    return [*notes, f'iifname "{ANY_STATION}" drop']


def _timeouts(configuration: Configuration) -> list[str]:
    """How long connection tracking remembers a silent flow to the internet; otherwise the kernel's own five days."""
    idle_s = configuration.manners.nat_idle_s
    if idle_s is None:
        return []
    policy = f"policy = {{ established : {max(round(idle_s), 1)} }}"
    return [f"\tct timeout {NAT_IDLE} {{", "\t\tprotocol tcp", "\t\tl3proto ip", f"\t\t{policy}", "\t}", ""]


def _noted(first: str, last: str, most: int) -> list[str]:
    """The sets of refused attempts. One element counts the packets of a pair and says when it was made; the other one
    is made anew by each packet."""
    lines = []
    for name, more in ((first, ["\t\tcounter"]), (last, [])):
        kind = "\t\ttype ipv4_addr . ipv4_addr . inet_proto . inet_service"
        bounds = ["\t\tflags dynamic,timeout", f"\t\tsize {most}", f"\t\ttimeout {NOTED_S}s"]
        lines += [f"\tset {name} {{", kind, *bounds, *more, "\t}", ""]
    return lines


def _surroundings(configuration: Configuration) -> tuple[_Chain, ...]:
    """The hub itself is nobody's neighbour: it takes nothing, says nothing (no ICMP either), and translates sources.
    The one thing that it says with AWS's manners is the reset of a forgotten flow to the internet."""
    resets = () if configuration.manners.nat_idle_s is None else ("tcp flags & (fin | syn | rst) == rst accept",)
    return (
        _Chain(
            "input",
            ('iifname "lo" accept', "ct state established,related accept"),
            "type filter hook input priority filter; policy drop;",
        ),
        _Chain("output", ('oifname "lo" accept', *resets), "type filter hook output priority filter; policy drop;"),
        _Chain(
            "leave",
            (f'oifname "{INTERNET}" snat ip to ip saddr map @leaves',),
            "type nat hook postrouting priority srcnat; policy accept;",
        ),
        # Without an entry in `leaves` nothing is translated and nothing stopped: this chain sees sources after it.
        _Chain(
            "left",
            (f'oifname "{INTERNET}" ip saddr != @fixed drop',),
            "type filter hook postrouting priority srcnat + 10; policy accept;",
        ),
        *(_Chain(name, rules, hook) for name, hook, rules in behind.chains(configuration)),
    )


def _by_number(side: str) -> tuple[str, str]:
    """A lookup that finds nothing ends the rule and leaves the mark as it was: so it is reset first."""
    return (f"meta mark set {NOBODY}", f"meta mark set ip {side} map @services")


def _inline(keys: Iterable[str]) -> str:
    return "{ " + ", ".join(keys) + " }"


def _set(name: str, kind: str, elements: Collection[str], *, interval: bool = False) -> list[str]:
    lines = [f"\t{name} {{", f"\t\ttype {kind}"]
    if interval:
        lines.append("\t\tflags interval")
    if elements:
        lines.append("\t\telements = {")
        lines += [f"\t\t\t{element}," for element in elements]
        lines.append("\t\t}")
    return [*lines, "\t}", ""]


def _written(chain: _Chain) -> Iterator[str]:
    yield f"\tchain {chain.name} {{"
    if chain.hook:
        yield f"\t\t{chain.hook}"
    yield from (f"\t\t{rule}" for rule in chain.rules)
    yield "\t}"
    yield ""
