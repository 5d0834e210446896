"""A drill: a fault on purpose, what was asked meanwhile, what was seen, and what it amounts to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anden.model.fault import Fault, Outage
from anden.model.traffic import Passed


class DrillKind(StrEnum):
    """What is hit, in the words of `anden drill`."""

    ZONE = "zone"
    KILL = "kill"
    BALANCER = "balancer"
    SUPERVISOR = "supervisor"
    CONTROL = "control"
    """The control plane itself: it ends, stays away for as long as the fault lasts, and is started again."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What is asked for.

    name: a zone's; a service's or an instance's for `kill`; empty otherwise. for_s: how long the fault lasts, or how
    long is watched when it is done at once. rate: requests a second; 0: none of ours. urls: asked for in turn.
    """

    kind: DrillKind
    name: str = ""
    outage: Outage = Outage.CUT
    for_s: float = 20.0
    rate: float = 100.0
    urls: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`zone b (frozen)`, `kill accounts`, `balancer`."""
        said = f"{self.kind} {self.name}".strip()
        return f"{said} ({self.outage})" if self.kind is DrillKind.ZONE and self.outage is not Outage.CUT else said


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A fault is in, at `at` (Unix seconds). name: what it really hit, as the instance for a service's name."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One instance as a drill sees it. since, restarts: which process it is (of model.observation.InstanceSeen)."""

    id: str
    service: str
    zone: str
    healthy: bool
    since: float
    restarts: int

    @property
    def process(self) -> tuple[float, int]:
        """Names its process: another one after a restart or a replacement."""
        return (self.since, self.restarts)


@dataclass(frozen=True, slots=True)
class Sample:
    """The environment at `at` (Unix seconds), as its control plane says.

    answered False: the control plane did not say. levels: service to how many should serve. processes: the cell's own.
    traffic: what came through the gateway, by its processes.
    """

    at: float
    answered: bool = True
    levels: Mapping[str, int] = field(default_factory=dict)
    instances: tuple[Standing, ...] = ()
    processes: Mapping[str, int] = field(default_factory=dict)
    traffic: Mapping[str, Passed] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def serving(self) -> dict[str, int]:
        """Zone to how many instances serve; zones with none that serves are there too."""
        found = {each.zone: 0 for each in self.instances}
        for each in self.instances:
            found[each.zone] += each.healthy
        return dict(sorted(found.items()))


class PhaseName(StrEnum):
    """The parts of a drill, in order."""

    BEFORE = "before"
    FAULT = "fault"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Marks:
    """When what happened, Unix seconds. fault_at: it was in. restored_at: it was taken back, or its time was over."""

    began_at: float
    fault_at: float
    restored_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, from the intended send time to the last byte; None: nothing was answered."""

    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    longest_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """Times in seconds since the drill began. Requests by when they were answered or failed."""

    name: PhaseName
    from_s: float
    until_s: float
    requests: int
    failed: int
    failed_after_retry: int
    latency: Latency


@dataclass(frozen=True, slots=True)
class Beat:
    """One step of the timeline, until `until_s` seconds since the drill began.

    serving: zone to instances that serve; None: the control plane did not say.
    """

    until_s: float
    sent: int
    answered: int
    failed: int
    failed_after_retry: int
    p50_ms: float | None
    p99_ms: float | None
    serving: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a drill amounts to; public as `--json`: add to it, do not change it.

    at: when it began, Unix seconds. hit: what really was, `accounts-2` for `kill accounts`.
    requests, failed, failed_after_retry: of our own load, its first attempts and after one retry on a new connection.
    detect_s: from the fault until anden itself shows it. recover_s: from the fault until every service serves at its
    level again without what was hit, or what was killed is back. None: `detect_why` and `recover_why` say why.
    settled: everything serves as before; `settled_why` when not. placement: zone to serving instances, before and at
    the end. loaded False: no load of ours, so that only instances were watched.
    """

    client: str
    environment: str
    engine: str
    title: str
    drill: Drill
    hit: str
    at: float
    requests: int
    failed: int
    failed_after_retry: int
    detect_s: float | None
    recover_s: float | None
    latency: Latency
    kinds: Mapping[str, int]
    phases: tuple[Phase, ...]
    step_s: float
    timeline: tuple[Beat, ...]
    settled: bool
    before: Mapping[str, int]
    """Zone to instances that served before."""
    after: Mapping[str, int]
    """The same at the end."""
    detect_why: str = ""
    recover_why: str = ""
    settled_why: str = ""
    loaded: bool = True
    unloaded_after_s: float | None = None
    """The load was ended so long after the fault, because nothing settled under it; None: it lasted to the end."""
