"""The state of simulated environments, and what the passing of time does to it. Pure data, so that it can be kept."""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from ipaddress import IPv4Address, IPv4Network
from zlib import crc32

from anden.engines.simulated.behaviour import Behaviour
from anden.engines.simulated.tethers import Tethers
from anden.model.configuration import Configuration
from anden.model.fault import Fault
from anden.model.ids import Digest
from anden.model.instance import Instance
from anden.model.log import LogLine
from anden.model.observation import TAIL_LINES, Exit, Health, InstanceSeen, InstanceState
from anden.model.reach import Probed, ProbeKind, Seen
from anden.model.refused import Attempt

MOST_LINES = 200
"""Log lines kept for each instance."""
NEVER = float("inf")
NOTICED_S = 2.0
"""From a zone's failure until health checks have given up on what stands there."""
RETURNED_S = 0.2
"""From its return until they have had a good answer again."""
KILLED = -9
MOST_REFUSED = 1000
"""Refused attempts that are remembered."""
SUFFIX = ".internal"
STANDINS = IPv4Network("203.0.113.0/24")
"""What names outside lead to: documentation's own (RFC 5737)."""
NOT_BEGUN = "its process has not begun yet"


class ImpossibleError(Exception):
    """Somebody asked for a state that no real engine could be in: a fault of the program, never of its user."""


@dataclass(slots=True)
class Resident:
    """One instance. since: its specification's first start; entered: its latest start or exit; launch_at: its process
    does not begin before; busy_until: it has a request in flight until then; turns_at: when a zone's failure or return
    shows in its health, if it is to; out: nothing reaches it now. Unix seconds, steady.

    sick_until: it answers badly until then. flaps: how often it still ends by itself, flap_s after each start. leaves:
    when it is gone, after it was told to go; left: it is. revision: worked out once.
    """

    instance: Instance
    behaviour: Behaviour
    since: float
    entered: float
    state: InstanceState = InstanceState.STARTING
    health: Health = Health.UNKNOWN
    ever_healthy: bool = False
    unhealthy_since: float | None = None
    restarts: int = 0
    exit: Exit | None = None
    out: bool = False
    turns_at: float | None = None
    lines: list[LogLine] = field(default_factory=list)
    launch_at: float | None = None
    busy_until: float = 0.0
    dropped: int = 0
    sick_until: float | None = None
    flaps: int = 0
    flap_s: float = 0.0
    leaves: float | None = None
    left: bool = False
    revision: Digest | None = None

    @property
    def begun(self) -> bool:
        """Its process was started at least once: the balancer knows it."""
        return self.launch_at is None

    def begin(self, at: float) -> None:
        """Its process starts."""
        self.entered, self.state = at, InstanceState.STARTING
        self._judged(Health.UNKNOWN, at)
        for text in self.behaviour.lines:
            self.write(at, "stdout", text)

    def write(self, at: float, stream: str, text: str) -> None:
        """It writes a line."""
        self.lines.append(LogLine(at, self.instance.id, stream, text))
        del self.lines[:-MOST_LINES]

    def due(self) -> float:
        """When the next thing happens to it by itself; NEVER."""
        if self.state in (InstanceState.DRAINING, InstanceState.STOPPING):
            return NEVER if self.leaves is None else self.leaves
        if self.launch_at is not None:
            return self.launch_at
        if self.state is InstanceState.RESTARTING:
            return self.entered + self._pause()
        judged = self.entered + self.behaviour.start_s if self.health is Health.UNKNOWN else NEVER
        turns = (at for at in (self.turns_at, self.sick_until) if at is not None)
        return min(judged, self._ends(), *turns)

    def happen(self) -> None:
        """What is due happens."""
        at = self.due()
        if self.state in (InstanceState.DRAINING, InstanceState.STOPPING):
            self.left = True
        elif self.launch_at is not None:
            self.launch_at = None
            self.begin(at)
        elif self.state is InstanceState.RESTARTING:
            self.restarts += 1
            self.begin(at)
        elif at >= self._ends():
            self.flaps = max(self.flaps - 1, 0)
            self.end(at)
        else:
            self.state = InstanceState.RUNNING
            self.turns_at = None if self.turns_at is None or self.turns_at <= at else self.turns_at
            self.sick_until = None if self.sick_until is None or self.sick_until <= at else self.sick_until
            well = self.behaviour.healthy and not self.out and self.sick_until is None
            self._judged(Health.HEALTHY if well else Health.UNHEALTHY, at)

    def end(self, at: float, code: int | None = None) -> None:
        """Its process exits; by its own code when none is given."""
        self.exit = Exit(self.behaviour.code if code is None else code, at)
        self.entered, self.state = at, InstanceState.RESTARTING
        self.turns_at = self.sick_until = None
        self._judged(Health.UNHEALTHY, at)

    def cut(self, at: float) -> None:
        """Nothing reaches it any more, and checks will notice."""
        if not self.out:
            self.out, self.turns_at = True, at + NOTICED_S if self.state is InstanceState.RUNNING else None

    def join(self, at: float) -> None:
        """It is reached again."""
        if self.out:
            self.out, self.turns_at = False, at + RETURNED_S if self.state is InstanceState.RUNNING else None

    def _judged(self, health: Health, at: float) -> None:
        self.health = health
        self.ever_healthy = self.ever_healthy or health is Health.HEALTHY
        if health is Health.HEALTHY:
            self.unhealthy_since = None
        elif self.ever_healthy and self.unhealthy_since is None:
            self.unhealthy_since = at

    def sicken(self, at: float, until: float) -> None:
        """It runs, and answers badly until then."""
        self.state, self.sick_until = InstanceState.RUNNING, until
        self._judged(Health.UNHEALTHY, at)

    def leave(self, at: float | None) -> None:
        """It was told to go: it takes no new requests, and is gone at `at` (None: when it is told again)."""
        self.state, self.leaves = InstanceState.DRAINING, at

    def _ends(self) -> float:
        """When its process exits by itself; NEVER."""
        after = self.flap_s if self.flaps else self.behaviour.exits_after_s
        return NEVER if after is None else self.entered + after

    def _pause(self) -> float:
        policy = self.instance.restart
        return float(min(policy.first_s * 2.0 ** min(self.restarts, 30), policy.limit_s))

    def seen(self) -> InstanceSeen:
        """As an observation shows it."""
        spec = self.instance
        if self.revision is None:
            self.revision = spec.revision
        answer = "" if self.health is Health.UNKNOWN else "HTTP 200"
        if not self.begun:
            answer = NOT_BEGUN
        if self.health is Health.UNHEALTHY:
            runs = "timeout" if self.out else self.behaviour.answer
            answer = "connection refused" if self.state is InstanceState.RESTARTING else runs
        tail = tuple(line.text for line in self.lines[-TAIL_LINES:])
        return InstanceSeen(
            id=spec.id,
            service=spec.service,
            ordinal=spec.ordinal,
            zone=spec.zone,
            address=spec.address,
            revision=self.revision,
            image_name=spec.image_name,
            state=self.state,
            health=self.health,
            since=self.since,
            ever_healthy=self.ever_healthy,
            unhealthy_since=self.unhealthy_since,
            restarts=self.restarts,
            exit=self.exit,
            answer=answer,
            tail=() if self.health is Health.HEALTHY else tail,
            memory_bytes=None if self.state is InstanceState.RESTARTING else self.behaviour.memory_bytes,
        )


def standin(host: str) -> IPv4Address:
    """An address of documentation's for a name (RFC 5737), always the same one."""
    return STANDINS[1 + crc32(host.encode()) % (STANDINS.num_addresses - 2)]


@dataclass(slots=True)
class World:
    """One environment that exists. outages: zone to the fault that a drill has put in. processes: the engine's own, by
    made-up ids."""

    configuration: Configuration
    gateway: str
    residents: dict[str, Resident] = field(default_factory=dict)
    outages: dict[str, Fault] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=lambda: {"supervisor": 1, "balancer-1": 2, "balancer-2": 3})
    asked: int = 0
    """How many answers its resolver gave: each begins with another address."""
    outside: dict[str, IPv4Address] = field(default_factory=dict)
    """What the internet says of names; of all others it says what `standin` says."""
    refused: dict[str, Attempt] = field(default_factory=dict)
    """By what was tried, what was tried last at the end."""
    granted: set[tuple[str, IPv4Address, int]] = field(default_factory=set)
    """Service, address and port that a name outside led to."""
    applied: Digest | None = None
    """The configuration's, worked out once."""
    tethers: Tethers = field(default_factory=Tethers)
    """Its links."""

    def digest(self) -> Digest:
        """Of what is applied."""
        if self.applied is None:
            self.applied = self.configuration.digest
        return self.applied

    def resolve(self, name: str) -> tuple[IPv4Address, ...]:
        """The addresses of an internal name, as the next answer has them; none when there is no such name."""
        plain = name.removesuffix(SUFFIX)
        found = next((each.addresses for each in self.configuration.backends if each.service == plain), ())
        self.asked += 1
        first = self.asked % len(found) if found else 0
        return found[first:] + found[:first]

    def note(self, probed: Probed, service: str, now: float) -> None:
        """Remember a probe that met silence, or a name that does not exist."""
        probe = probed.probe
        question = probed.seen is Seen.UNRESOLVED
        if probe.kind is ProbeKind.PING or not (question or probed.seen is Seen.SILENT):
            return
        found = None if question else next(iter(self.resolve(probe.host)), None)
        to = probe.host.lower() if question else str(found or self.outside.get(probe.host) or probe.host)
        key = f"{service} {to} {'' if question else probe.port}"
        known = self.refused.pop(key, None)
        count, first = (known.count, known.first) if known else (0, now)
        transport, why = ("dns", "not declared") if question else ("tcp", "")
        self.refused[key] = Attempt(
            service, to, None if question else probe.port, transport, count + 1, first, now, why
        )  # fmt: skip
        while len(self.refused) > MOST_REFUSED:
            del self.refused[next(iter(self.refused))]

    def asks(self, caller: str, host: str) -> IPv4Address | None:
        """What a name outside leads to for that service, which may open it from now on; None: to it there is none, or
        it leads where no name outside may."""
        ways = [one for one in self.configuration.names_out if one.caller == caller and one.host == host.lower()]
        at = self.outside.get(host.lower()) or standin(host.lower())
        if not ways or any(at in network for network in self.configuration.never):
            return None
        self.granted |= {(caller, at, way.port) for way in ways}
        return at

    def due(self) -> float:
        """When the next thing happens by itself; NEVER."""
        ends = (fault.until for fault in self.outages.values())
        return min((*(resident.due() for resident in self.residents.values()), *ends, self.tethers.due()))

    def pass_until(self, now: float, shift: float = 0.0) -> int:
        """Everything due until `now` happens, in order; how many things did. shift: from steady to the wall clock's."""
        over = [fault for fault in self.outages.values() if fault.until <= now]
        for fault in sorted(over, key=lambda fault: fault.until):
            self.rejoin(fault.name, fault.until)
        return len(over) + self._pass(now) + self.tethers.pass_until(now, shift)

    def fail(self, fault: Fault, at: float) -> None:
        """A zone fails."""
        self.outages[fault.name] = fault
        for resident in self.residents.values():
            if resident.instance.zone == fault.name:
                resident.cut(at)

    def rejoin(self, zone: str, at: float) -> None:
        """It returns."""
        del self.outages[zone]
        for resident in self.residents.values():
            if resident.instance.zone == zone:
                resident.join(at)

    def replace_process(self, kind: str) -> None:
        """The first process of a kind is killed, and another takes its place at once."""
        name = min(each for each in self.processes if each.startswith(kind))
        number = max(self.processes.values()) + 1
        del self.processes[name]
        self.processes[kind if kind == name else f"{kind}-{number}"] = number

    def _pass(self, now: float) -> int:
        """What has left is there no more."""
        queue = [(at, name) for name, resident in self.residents.items() if (at := resident.due()) <= now]
        heapify(queue)
        count = 0
        while queue:
            _, name = heappop(queue)
            self.residents[name].happen()
            count += 1
            if self.residents[name].left:
                del self.residents[name]
            elif (at := self.residents[name].due()) <= now:
                heappush(queue, (at, name))
        return count

    def admit(self, instance: Instance, behaviour: Behaviour, at: float, launch_s: float = 0.0) -> None:
        """Start it; its process begins `launch_s` later. Raises ImpossibleError for what no engine could do."""
        if instance.id in self.residents:
            raise ImpossibleError(f"{instance.id} is started, and it is there already")
        holder = next((each for each in self.residents.values() if each.instance.address == instance.address), None)
        if holder is not None:
            raise ImpossibleError(f"{instance.id} is started at {instance.address}, where {holder.instance.id} is")
        backend = next((each for each in self.configuration.backends if each.service == instance.service), None)
        if backend is None or instance.address not in {member.address for member in backend.members}:
            raise ImpossibleError(f"{instance.id} is started at {instance.address}, which the firewall does not know")
        resident = Resident(instance, behaviour, since=at, entered=at, out=instance.zone in self.outages)
        if launch_s > 0:
            resident.launch_at = at + launch_s
        else:
            resident.begin(at)
        self.residents[instance.id] = resident

    def configure(self, configuration: Configuration, at: float) -> None:
        """Apply it. Raises ImpossibleError when it gives one address to two services."""
        holders: dict[object, str] = {}
        for backend in configuration.backends:
            for member in backend.members:
                if holders.setdefault(member.address, backend.service) != backend.service:
                    both = f"{holders[member.address]} and {backend.service}"
                    raise ImpossibleError(f"{member.address} is given to {both}")
        self.configuration, self.applied = configuration, None
        self.tethers.configure(configuration.links, at)


@dataclass(slots=True)
class Kept:
    """Everything, as it is kept in a file. version: grows with everything that happens."""

    now: float = 0.0
    version: int = 0
    worlds: dict[str, World] = field(default_factory=dict)
    """By the key's text."""
