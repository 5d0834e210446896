"""What a simulated network lets through: read from the applied configuration only.

Written apart from planning.reachability on purpose, and from the other end (rules and addresses, not names and
declarations): where the two agree on every pair, neither of them merely repeats itself.
"""

from ipaddress import AddressValueError, IPv4Address

from anden.engines.simulated.world import World
from anden.model.instance import Instance
from anden.model.observation import InstanceState
from anden.model.reach import Probe, Probed, ProbeKind, Seen
from anden.planning import links

TOOK_S = 0.001
"""What a connection takes."""


def tried(world: World, probe: Probe, caller: Instance) -> Probed:
    """The outcome of one probe. Silence takes the whole of its timeout."""
    address = _resolved(world, probe.host, caller.service)
    if address is None:
        return Probed(probe, Seen.UNRESOLVED, took_s=TOOK_S)
    if probe.kind is ProbeKind.PING:
        # Rules name ports, and an echo has none; only one's own address is not asked through the network.
        own = address == caller.address
        return Probed(probe, Seen.OPEN if own else Seen.SILENT, took_s=TOOK_S if own else probe.timeout_s)
    seen, source = _connected(world, caller, address, probe)
    idle_s = world.configuration.manners.nat_idle_s
    if seen is Seen.OPEN and source is not None and idle_s is not None and probe.quiet_s > idle_s:
        return Probed(probe, Seen.REFUSED, took_s=probe.quiet_s)
    return Probed(probe, seen, source, probe.timeout_s if seen is Seen.SILENT else TOOK_S + probe.quiet_s)


def from_behind(world: World, probe: Probe) -> Probed:
    """The same of one that begins on the other side of a link: what that lets in is dialled at its own addresses."""
    configuration, port = world.configuration, probe.port
    zones = [zone.name for zone in configuration.layout.zones]
    linked = next(each for each in configuration.links if each.link.caller == probe.caller)
    dialled = {str(address) for address in links.dialled(linked.link, zones).values()}
    admitted = any(
        allow.port == port and (probe.source is None or probe.source in allow.network)
        for allow in configuration.allows_in
        if allow.link == linked.link.name
    )
    seen = Seen.OPEN if admitted and probe.host in dialled else Seen.SILENT
    return Probed(probe, seen, took_s=TOOK_S if seen is Seen.OPEN else probe.timeout_s)


def _resolved(world: World, host: str, caller: str) -> IPv4Address | None:
    try:
        return IPv4Address(host)
    except AddressValueError:
        return next(iter(world.resolve(host)), None) or world.asks(caller, host)


def _connected(world: World, caller: Instance, address: IPv4Address, probe: Probe) -> tuple[Seen, IPv4Address | None]:
    configuration, port = world.configuration, probe.port
    for backend in configuration.backends:
        named = address in backend.addresses
        placed = address in {member.address for member in backend.members}
        if not named and not placed:
            continue
        rules = {(rule.callee, rule.port) for rule in configuration.allows if rule.caller == caller.service}
        if (backend.service, port) not in rules:
            return Seen.SILENT, None
        if named:
            listens = port == backend.port or port in backend.also
            return (Seen.OPEN if listens else Seen.SILENT), None
        return _at(world, address, port), None
    if address in configuration.layout.network:
        return Seen.SILENT, None
    leaving = [leave.address for leave in configuration.leaves if leave.zone in (caller.zone, "*")]
    opened = any(
        rule.caller == caller.service and rule.port == port and address in rule.network
        for rule in configuration.allows_out
    ) or (
        (caller.service, address, port) in world.granted
        and any(rule.caller == caller.service and rule.port == port for rule in configuration.names_out)
    )
    if not leaving or not opened or not probe.listen:
        return Seen.SILENT, None
    return Seen.OPEN, leaving[0]


def _at(world: World, address: IPv4Address, port: int) -> Seen:
    """What answers at an instance's address: itself, its host while it has no process there, or nothing at all."""
    resident = next((each for each in world.residents.values() if each.instance.address == address), None)
    if resident is None:
        return Seen.SILENT
    runs = resident.begun and resident.state in (InstanceState.STARTING, InstanceState.RUNNING)
    return Seen.OPEN if runs and resident.instance.port == port else Seen.REFUSED
