"""The state of simulated environments, and what the passing of time does to it. Pure data, so that it can be kept."""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from anden.engines.simulated.behaviour import Behaviour
from anden.model.configuration import Configuration
from anden.model.ids import Digest
from anden.model.instance import Instance
from anden.model.log import LogLine
from anden.model.observation import TAIL_LINES, Exit, Health, InstanceSeen, InstanceState

MOST_LINES = 200
"""Log lines kept for each instance."""
NEVER = float("inf")


class ImpossibleError(Exception):
    """Somebody asked for a state that no real engine could be in: a fault of the program, never of its user."""


@dataclass(slots=True)
class Resident:
    """One instance. since: its specification's first start; entered: its latest start or exit; Unix seconds, steady.

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
    restarts: int = 0
    exit: Exit | None = None
    lines: list[LogLine] = field(default_factory=list)
    sick_until: float | None = None
    flaps: int = 0
    flap_s: float = 0.0
    leaves: float | None = None
    left: bool = False
    revision: Digest | None = None

    def begin(self, at: float) -> None:
        """Its process starts."""
        self.entered, self.state, self.health = at, InstanceState.STARTING, Health.UNKNOWN
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
        if self.state is InstanceState.RESTARTING:
            return self.entered + self._pause()
        judged = self.entered + self.behaviour.start_s if self.health is Health.UNKNOWN else NEVER
        return min(judged, self._ends(), NEVER if self.sick_until is None else self.sick_until)

    def happen(self) -> None:
        """What is due happens."""
        at = self.due()
        if self.state in (InstanceState.DRAINING, InstanceState.STOPPING):
            self.left = True
        elif self.state is InstanceState.RESTARTING:
            self.restarts += 1
            self.begin(at)
        elif at >= self._ends():
            self.flaps = max(self.flaps - 1, 0)
            self.end(at)
        else:
            self.sick_until = None
            self.state = InstanceState.RUNNING
            self.health = Health.HEALTHY if self.behaviour.healthy else Health.UNHEALTHY
            self.ever_healthy = self.ever_healthy or self.behaviour.healthy

    def end(self, at: float) -> None:
        """Its process exits."""
        self.exit, self.sick_until = Exit(self.behaviour.code, at), None
        self.entered, self.state, self.health = at, InstanceState.RESTARTING, Health.UNHEALTHY

    def sicken(self, until: float) -> None:
        """It runs, and answers badly until then."""
        self.state, self.health, self.sick_until = InstanceState.RUNNING, Health.UNHEALTHY, until

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
        if self.health is Health.UNHEALTHY:
            answer = "connection refused" if self.state is InstanceState.RESTARTING else self.behaviour.answer
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
            restarts=self.restarts,
            exit=self.exit,
            answer=answer,
            tail=() if self.health is Health.HEALTHY else tail,
            memory_bytes=None if self.state is InstanceState.RESTARTING else self.behaviour.memory_bytes,
        )


@dataclass(slots=True)
class World:
    """One environment that exists."""

    configuration: Configuration
    gateway: str
    residents: dict[str, Resident] = field(default_factory=dict)
    applied: Digest | None = None
    """The configuration's, worked out once."""

    def digest(self) -> Digest:
        """Of what is applied."""
        if self.applied is None:
            self.applied = self.configuration.digest
        return self.applied

    def due(self) -> float:
        """When the next thing happens by itself; NEVER."""
        return min((resident.due() for resident in self.residents.values()), default=NEVER)

    def pass_until(self, now: float) -> int:
        """Everything due until `now` happens, in order; how many things did. What has left is there no more."""
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

    def admit(self, instance: Instance, behaviour: Behaviour, at: float) -> None:
        """Start it. Raises ImpossibleError for what no engine could do."""
        if instance.id in self.residents:
            raise ImpossibleError(f"{instance.id} is started, and it is there already")
        holder = next((each for each in self.residents.values() if each.instance.address == instance.address), None)
        if holder is not None:
            raise ImpossibleError(f"{instance.id} is started at {instance.address}, where {holder.instance.id} is")
        backend = next((each for each in self.configuration.backends if each.service == instance.service), None)
        if backend is None or instance.address not in {member.address for member in backend.members}:
            raise ImpossibleError(f"{instance.id} is started at {instance.address}, which the firewall does not know")
        resident = Resident(instance, behaviour, since=at, entered=at)
        resident.begin(at)
        self.residents[instance.id] = resident

    def configure(self, configuration: Configuration) -> None:
        """Apply it. Raises ImpossibleError when it gives one address to two services."""
        holders: dict[object, str] = {}
        for backend in configuration.backends:
            for member in backend.members:
                if holders.setdefault(member.address, backend.service) != backend.service:
                    both = f"{holders[member.address]} and {backend.service}"
                    raise ImpossibleError(f"{member.address} is given to {both}")
        self.configuration, self.applied = configuration, None


@dataclass(slots=True)
class Kept:
    """Everything, as it is kept in a file. version: grows with everything that happens."""

    now: float = 0.0
    version: int = 0
    worlds: dict[str, World] = field(default_factory=dict)
    """By the key's text."""
