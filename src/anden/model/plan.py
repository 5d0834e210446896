"""A plan: the steps from what is to what the blueprint says, and what it does not do yet, and why."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from anden.model.configuration import Configuration
from anden.model.ids import Digest, EngineName, EnvironmentKey, InstanceId, ServiceName
from anden.model.image import ImageWanted
from anden.model.instance import Instance
from anden.model.mark import Mark
from anden.model.problem import Problem
from anden.model.stack import StackWanted


class Action(StrEnum):
    """What a step or a difference does, by the sign that people see."""

    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"


@dataclass(frozen=True, slots=True)
class Configure:
    """Make the environment's surroundings be `configuration`; creates the environment when there is none."""

    configuration: Configuration
    kind: Literal["configure"] = "configure"


@dataclass(frozen=True, slots=True)
class StartInstance:
    """Start it and register it with the balancer, unhealthy until a check says otherwise.

    launch_s: how long after this its process begins; until then it is STARTING, and the balancer does not know it.
    """

    instance: Instance
    launch_s: float = 0.0
    kind: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class StopInstance:
    """Drain it for at most `drain_s`, SIGTERM, SIGKILL after `stop_s`, and remove everything of it."""

    id: InstanceId
    drain_s: float
    stop_s: float
    kind: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True)
class Remove:
    """End the environment and leave nothing of it."""

    kind: Literal["remove"] = "remove"


@dataclass(frozen=True, slots=True)
class ApplyStack:
    """Make the stack be `stack`, for `blueprint`, which it is tagged with. Creates it when there is none; all of it
    happens or nothing does. drift: what becomes of what was changed by hand: `revert` puts it back as the template
    says, `keep` leaves it; empty: as the engine does it for such an environment."""

    stack: StackWanted
    blueprint: Digest
    drift: Literal["", "revert", "keep"] = ""
    kind: Literal["apply-stack"] = "apply-stack"


@dataclass(frozen=True, slots=True)
class DeleteStack:
    """End the stack. What must be kept (records, images) stays, and is listed. lift: what protects resources
    of it against deletion is taken off first."""

    name: str
    family: str
    region: str
    lift: bool = False
    kind: Literal["delete-stack"] = "delete-stack"


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Let `service` run `level` instances from now on, until its elasticity moves it. Said once: a level that the
    engine's own scaling has moved since is not put back."""

    service: ServiceName
    level: int
    kind: Literal["level"] = "level"


@dataclass(frozen=True, slots=True)
class CopyImage:
    """Bring the image, by digest, to the registry of the account that `blueprint` names. Nothing to do where it lies
    there already."""

    image: ImageWanted
    blueprint: Digest
    kind: Literal["copy-image"] = "copy-image"


Effect = Configure | StartInstance | StopInstance | Remove | ApplyStack | DeleteStack | SetLevel | CopyImage


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do now. Steps of a plan are ordered; those with the same `action` on instances may run at once.

    address: what it touches: `network`, `accounts-3`. reason: why, for a person: `surge for accounts 1.4.3`.
    """

    action: Action
    address: str
    reason: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Wait:
    """What the plan does not do yet, and why: `accounts-1`, `until accounts-3 is healthy`."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the difference between two blueprints, with the manifest's line that causes it.

    subject: `accounts`, `path`, `network`. text: `1.4.2 → 1.4.3`. note: a promise kept meanwhile: `never below 2`.
    """

    action: Action
    subject: str
    text: str
    mark: Mark | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Caveat:
    """What an engine cannot do the same way (`≠ local: …`), never hidden.

    withholds: names of destinations or services' routes that are therefore closed on this engine.
    """

    engine: EngineName
    subject: str
    text: str
    withholds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one tick would do. An empty plan (no steps, no waits) means that what is, is what should be."""

    key: EnvironmentKey
    target: Digest | None
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def settled(self) -> bool:
        """Nothing to do and nothing to wait for."""
        return not self.steps and not self.waits


@dataclass(frozen=True, slots=True)
class Receipt:
    """What executing a step gave. `problem` is None when it was done; `took_s` in seconds."""

    address: str
    action: Action
    took_s: float
    problem: Problem | None = None
