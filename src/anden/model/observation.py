"""What an engine saw, with its time. Facts only: what they mean is for `assess`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address

from anden.model.blueprint import Facts
from anden.model.fault import Fault
from anden.model.ids import Digest, EnvironmentKey, InstanceId, ServiceName, ZoneName
from anden.model.image import ImageSeen
from anden.model.link import LinkSeen
from anden.model.stack import StackSeen
from anden.model.traffic import Passed


class InstanceState(StrEnum):
    """Where an instance is in its life, as its supervisor knows it."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """It exited and waits for its next start; never "missing"."""
    DRAINING = "draining"
    STOPPING = "stopping"


class Health(StrEnum):
    """The balancer's judgement; healthy only when all its processes agree."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Exit:
    """How an instance last ended. `code`: exit status, or minus the signal. `at`: Unix seconds."""

    code: int
    at: float
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class InstanceSeen:
    """One instance.

    since: when its present specification was first started, Unix seconds. restarts: how often since then.
    ever_healthy: it was healthy at least once since then.
    unhealthy_since: since when it is not healthy although it was before, Unix seconds; None: it is, or never was.
    answer: the last health answer, in the balancer's words: `HTTP 500`, `connection refused`, `timeout`.
    tail: its last log lines, oldest first, at most TAIL_LINES; filled for an instance that is not healthy.
    """

    id: InstanceId
    service: ServiceName
    ordinal: int
    zone: ZoneName
    address: IPv4Address
    revision: Digest
    image_name: str
    state: InstanceState
    health: Health
    since: float
    ever_healthy: bool = False
    unhealthy_since: float | None = None
    restarts: int = 0
    exit: Exit | None = None
    answer: str = ""
    tail: tuple[str, ...] = ()
    memory_bytes: int | None = None
    cpu_seconds: float | None = None

    @property
    def serving(self) -> bool:
        """It takes new requests."""
        return self.health is Health.HEALTHY and self.state in (InstanceState.RUNNING, InstanceState.STARTING)


TAIL_LINES = 8
"""How many log lines an observation carries for an instance in trouble."""


@dataclass(frozen=True, slots=True)
class AlarmSeen:
    """An alarm of the engine's own that is on. service: whose it is; of a link `link NAME`.

    text: what it is about: `fewer tasks than the base of 2`. since: Unix seconds. why: what tipped it, in the engine's
    words. tells: somebody is told when it goes on; the others are what it is made of.
    """

    name: str
    service: str
    text: str
    since: float
    why: str = ""
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """An environment on an engine at `at` (Unix seconds).

    present: the environment exists and answers; stacks that only keep what outlives it do not make it so.
    configuration: the digest of what is applied.
    gateway: where the gateway listens, `127.0.0.1:8080`. boot: names the machine's boot, so that a reboot shows.
    version: grows with every change that the engine saw, and never goes back within a boot; `Engine.wait` compares it,
    and control believes nothing older than what it has seen or done.
    absent_reason: when not present, what the engine knows: `not running since boot`, `its keeper died`.
    faults: those of zones that a drill has put in and that last. People are told; planning does not look at them, for
    no real zone says that it has failed.
    processes: the engine's own that drills may hit, name to process id: `supervisor`, `balancer-3`, `balancer-4`.
    traffic: what came through the gateway, by those of them that are its; a moment old.
    stacks: what it is made of, where the engine applies templates. levels: service to the level that was last said
    (`SetLevel`) there, which its own scaling may have moved since. alarms: those that are on, where the engine has any.
    images: those in the account's registry, where the engine has one.
    """

    key: EnvironmentKey
    at: float
    present: bool
    configuration: Digest | None = None
    gateway: str | None = None
    instances: tuple[InstanceSeen, ...] = ()
    facts: Facts = field(default_factory=Facts)
    boot: str = ""
    version: int = 0
    absent_reason: str = ""
    faults: tuple[Fault, ...] = ()
    processes: Mapping[str, int] = field(default_factory=dict)
    traffic: Mapping[str, Passed] = field(default_factory=dict)
    stacks: tuple[StackSeen, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    alarms: tuple[AlarmSeen, ...] = ()
    images: tuple[ImageSeen, ...] = ()
    links: tuple[LinkSeen, ...] = ()
    gateway_tls: str | None = None
    """Where it listens with TLS beside `gateway`, where it does."""

    def of(self, service: str) -> tuple[InstanceSeen, ...]:
        """The instances of a service, by ordinal."""
        return tuple(seen for seen in self.instances if seen.service == service)

    def instance(self, id: str) -> InstanceSeen | None:
        """The instance of that id, if it was seen."""
        return next((seen for seen in self.instances if seen.id == id), None)
