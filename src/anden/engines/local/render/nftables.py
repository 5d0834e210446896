"""The firewall of a cell as an nftables ruleset: default deny, from a Configuration alone.

Every packet between namespaces crosses the hub's forward hook once. What decides there:

1. a zone that is down: nothing of it passes, established or not;
2. connection tracking: what was let through once goes on;
3. the source's service, by a *data* map from address to number: a verdict map by address costs time for each member;
4. one small chain for each caller that declares anything: names, members, destinations.

Nothing is ever rejected: what is not declared meets silence, as in a security group.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from anden.engines.local.render.stations import BALANCER, INTERNET
from anden.model.configuration import Backend, Configuration

TABLE = "anden"
DNS_PORT = 53
NOBODY = 0
"""The mark of an address that no service owns. Services are numbered from 1."""


@dataclass(frozen=True, slots=True)
class _Chain:
    name: str
    rules: tuple[str, ...]
    hook: str = ""


def ruleset(configuration: Configuration, down: Collection[IPv4Network] = ()) -> str:
    """The text for `nft -f`: one transaction that replaces the whole table.

    down: networks (zones' subnets) that are cut off. Raises ValueError when two services claim one address.
    """
    numbers = _numbers(configuration.backends)
    callers = tuple(chain for backend in configuration.backends if (chain := _caller(backend, configuration)).rules)
    fixed = sorted({leave.address for leave in configuration.leaves})
    lines = [f"add table inet {TABLE}", f"delete table inet {TABLE}", "", f"table inet {TABLE} {{"]
    lines += _set("map services", "ipv4_addr : mark", [f"{a} : {n}" for a, n in sorted(numbers.items())])
    lines += _set("map leaves", "ipv4_addr : ipv4_addr", _leaves(configuration))
    lines += _set("set fixed", "ipv4_addr", [str(address) for address in fixed])
    lines += _set("set zone_down", "ipv4_addr", [str(n) for n in collapse_addresses(down)], interval=True)
    for backend in configuration.backends:
        lines += _outside(backend, configuration)
    for chain in (*callers, _balancer(configuration), _forward(configuration, callers), *_surroundings()):
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
    leaving = {allow.caller for allow in configuration.allows_out}
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
        (address, allow.transport.value, allow.port)
        for allow in mine
        if (address := known[allow.callee].address) is not None
    )
    members = sorted((known[allow.callee].number, allow.transport.value, allow.port) for allow in mine)
    rules = []
    if names:
        keys = [f"{address} . {transport} . {port}" for address, transport, port in names]
        rules.append(f'oifname "{BALANCER}" ip daddr . meta l4proto . th dport {_inline(keys)} accept')
    if any(allow.caller == backend.service for allow in configuration.allows_out):
        rules.append(f'oifname "{INTERNET}" ip daddr . meta l4proto . th dport @outside-{backend.service} accept')
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
    jumps = [f"{services[chain.name]} : goto {chain.name}" for chain in callers]
    layout = configuration.layout
    rules = [
        "ip saddr @zone_down drop",
        "ip daddr @zone_down drop",
        "ct state established,related accept",
        "ct state invalid drop",
        f'iifname "{BALANCER}" ip saddr {layout.balancer} goto from-the-balancer',
        *_by_number("saddr"),
        f"meta mark != {NOBODY} ip daddr {layout.resolver} meta l4proto {{ tcp, udp }} th dport {DNS_PORT} accept",
    ]
    if jumps:
        rules.append(f"meta mark vmap {_inline(jumps)}")
    return _Chain("forward", tuple(rules), "type filter hook forward priority filter; policy drop;")


def _surroundings() -> tuple[_Chain, ...]:
    """The hub itself is nobody's neighbour: it takes nothing, says nothing (no ICMP either), and translates sources."""
    return (
        _Chain(
            "input",
            ('iifname "lo" accept', "ct state established,related accept"),
            "type filter hook input priority filter; policy drop;",
        ),
        _Chain("output", ('oifname "lo" accept',), "type filter hook output priority filter; policy drop;"),
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
