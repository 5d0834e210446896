"""An engine of stacks in memory: an account without AWS, whose time passes only when somebody lets it.

It refuses what CloudFormation would fail at (a stack that uses what is not there, one that is ended while another uses
it, one that somebody has in hand): those are faults of planning, and here they are found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from anden.engines.simulated import SimulatedImages, VirtualClock
from anden.engines.simulated.engine import SimulatedEngine
from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event, EventKind
from anden.model.foresight import Foresight
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName, ZoneName, instance_id
from anden.model.image import ImageSeen, ImageWanted
from anden.model.mark import Marks
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.plan import ApplyStack, Caveat, CopyImage, DeleteStack, Receipt, Remove, SetLevel, Step
from anden.model.problem import Problem, Problems
from anden.model.stack import StackSeen, StackState, StackWanted
from anden.model.topology import Topology
from anden.planning.configuration import configure

APPLY_S, DELETE_S = 60.0, 30.0
"""What an operation takes; those of one plan go on side by side."""
__all__ = ["APPLY_S", "SimulatedImages", "StackWorld", "service_family"]


class ImpossibleError(AssertionError):
    """A fault of planning."""


@dataclass
class Operation:
    """Something in flight: what becomes of the stack when it ends (None: it is gone)."""

    ends: float
    becomes: StackSeen | None
    problem: Problem | None = None


@dataclass
class Trouble:
    """What is to happen to the next operations on a family. times: how often. stuck: it cannot be put back."""

    why: str
    times: int = 1
    stuck: bool = False


@dataclass
class Account:
    """All of one environment's."""

    stacks: dict[str, StackSeen] = field(default_factory=dict)
    uses: dict[Digest, tuple[str, ...]] = field(default_factory=dict)
    under_way: dict[str, Operation] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    version: int = 0
    images: list[ImageSeen] = field(default_factory=list)

    def copied(self, image: ImageWanted) -> None:
        """It lies in its repository, which must be there."""
        if image.after not in self.stacks:
            raise ImpossibleError(image)
        self.images.append(ImageSeen(image.repository, image.digest))
        self.version += 1


def service_family(service: str) -> str:
    return f"service-{service}"


class StackWorld(SimulatedEngine):
    """See model.ports.Engine; what it does not override nobody asks here. at_once: `execute` returns when operations
    have begun, as an engine would that leaves waiting to whoever observes."""

    name = EngineName.AWS

    def __init__(self, clock: VirtualClock, *, at_once: bool = False) -> None:
        super().__init__(clock)
        self._time = clock
        self._at_once = at_once
        self._accounts: dict[EnvironmentKey | None, Account] = {}
        self.troubles: dict[str, Trouble] = {}
        self.unreadable: Problem | None = None
        """Why the account cannot be looked at."""
        self.keeps_drift = False
        """Whether it goes on saying that a stack was changed by hand after that was applied again."""
        self.lacks: tuple[Problem, ...] = ()
        """What the account has no room for."""
        self.history: list[str] = []
        """What was begun: `+ network`."""

    @property
    def account(self) -> Account:
        """The only environment's."""
        return self.of(next(iter(self._accounts), None))

    def of(self, key: EnvironmentKey | None) -> Account:
        """One environment's; each has its own, however alike their names are."""
        if key is not None and None in self._accounts:
            self._accounts[key] = self._accounts.pop(None)
        return self._accounts.setdefault(key, Account())

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        return ()

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        return Facts()

    def foresee(self, blueprint: Blueprint, current: Blueprint | None, marks: Marks) -> Foresight:
        return Foresight(problems=self.lacks)

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        return iter(())

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        return ""

    def stacks(
        self, blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]
    ) -> tuple[StackWanted, ...]:
        """Sharded as the aws engine's, with as much in each as makes it differ when the real one would."""
        configuration = configure(blueprint, keeping, ())
        groups = sorted(each.service for each in configuration.backends)
        allows = [str(codec.to_data(each)) for each in configuration.allows]
        network = str(blueprint.layout.network)
        return (
            _stack("network", {"network": network}, lasting=True),
            _stack("firewall", {"groups": groups}, "network"),
            _stack("rules", {"allows": allows}, "firewall", "network"),
            _stack("data", {}, lasting=True),
            _stack("edge", {}, "data", "firewall", "network"),
            *(
                _stack(
                    service_family(each.name),
                    {
                        "image": blueprint.images[each.name].name, "base": each.instances.base,
                        "generation": generations.get(each.name, 0),
                    },
                    "data", "edge", "firewall", "rules",
                )
                for each in blueprint.topology.services
            ),
        )  # fmt: skip

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt | Event]:  # type: ignore[override]
        began, account = self._time.steady(), self.of(key)
        mine: list[tuple[Step, Operation]] = []
        for step in steps:
            self.history += [f"{step.action} {step.address}"] * (not isinstance(step.effect, Remove))
            match step.effect:
                case ApplyStack(stack=wanted, blueprint=blueprint):
                    yield Event(EventKind.STEP, wanted.family, "making what it holds", "…")
                    mine.append((step, self._apply(account, wanted, blueprint)))
                case DeleteStack(family=family):
                    if family in account.stacks:
                        mine.append((step, self._delete(account, family)))
                    else:
                        yield Receipt(step.address, step.action, 0.0)  # somebody was quicker: that is what was wanted
                case SetLevel(service=service, level=level):
                    account.levels[service] = level
                    account.version += 1
                    yield Receipt(step.address, step.action, 0.0)
                case CopyImage(image=image):
                    account.copied(image)
                    yield Receipt(step.address, step.action, 0.0)
                case Remove():
                    yield Receipt(step.address, step.action, 0.0)
                case other:
                    raise ImpossibleError(other)
        if self._at_once:
            yield from (Receipt(step.address, step.action, 0.0) for step, _ in mine)
            return
        for step, operation in mine:
            self._time.reach(operation.ends)
            self._end(account)
            yield Receipt(step.address, step.action, self._time.steady() - began, operation.problem)

    def _apply(self, account: Account, wanted: StackWanted, blueprint: Digest) -> Operation:
        old = account.stacks.get(wanted.family)
        if old is not None and old.state not in (StackState.SETTLED, StackState.FAILED):
            raise ImpossibleError(f"{wanted.family} is {old.state}")
        missing = [each for each in wanted.after if each not in account.stacks or each in account.under_way]
        if missing:
            raise ImpossibleError(f"{wanted.family} uses {missing}")
        done = StackSeen(
            wanted.name, wanted.family, wanted.region, StackState.SETTLED, wanted.digest, blueprint, after=wanted.after,
            drifted=old.drifted if old and self.keeps_drift else (),
        )  # fmt: skip
        problem = None
        if (trouble := self._trouble(wanted.family)) is not None:
            state = StackState.STUCK if trouble.stuck else StackState.FAILED
            stood = old or replace(done, template=None, blueprint=None, after=())
            done = replace(stood, state=state, why=trouble.why)
            problem = Problem(f"stack {wanted.name}", "was rolled back", trouble.why, "Mend it, then `anden up` again.")
        working = replace(old or replace(done, template=None), state=StackState.WORKING, why="")
        account.uses[wanted.digest] = wanted.after
        account.stacks[wanted.family] = working
        account.version += 1
        operation = account.under_way[wanted.family] = Operation(self._time.steady() + APPLY_S, done, problem)
        return operation

    def _delete(self, account: Account, family: str) -> Operation:
        users = [name for name, one in account.stacks.items() if family in one.after and name != family]
        if users:
            raise ImpossibleError(f"{family} is used by {users}")
        old = account.stacks[family]
        becomes, problem = None, None
        if (trouble := self._trouble(family)) is not None:
            becomes = replace(old, state=StackState.STUCK, why=trouble.why)
            problem = Problem(f"stack {old.name}", "was not deleted", trouble.why, "Mend it, then `anden down` again.")
        account.stacks[family] = replace(old, state=StackState.WORKING)
        account.version += 1
        operation = account.under_way[family] = Operation(self._time.steady() + DELETE_S, becomes, problem)
        return operation

    def _trouble(self, family: str) -> Trouble | None:
        trouble = self.troubles.get(family)
        if trouble is None or trouble.times == 0:
            return None
        trouble.times -= 1
        return trouble

    def _end(self, account: Account) -> None:
        """End what has taken its time."""
        for family, operation in list(account.under_way.items()):
            if operation.ends <= self._time.steady():
                del account.under_way[family]
                account.version += 1
                if operation.becomes is None:
                    del account.stacks[family]
                else:
                    account.stacks[family] = operation.becomes

    def observe(self, key: EnvironmentKey) -> Observation:
        if self.unreadable is not None:
            raise Problems(self.unreadable)
        account = self.of(key)
        self._end(account)
        stacks = tuple(account.stacks[family] for family in sorted(account.stacks))
        return Observation(
            key, self._time.now(), present=bool(stacks), instances=tuple(_instances(account)), version=account.version,
            stacks=stacks, levels=dict(account.levels), images=tuple(account.images),
            absent_reason="" if stacks else "no stack of it is there",
        )  # fmt: skip

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """Until something ends, or for that long."""
        account = self.of(key)
        ends = min((each.ends for each in account.under_way.values()), default=float("inf"))
        self._time.reach(min(ends, self._time.steady() + timeout_s))
        self._end(account)
        return account.version


def _instances(account: Account) -> Iterator[InstanceSeen]:
    for family, one in sorted(account.stacks.items()):
        if not family.startswith("service-") or one.template is None:
            continue
        service = ServiceName(family.removeprefix("service-"))
        for ordinal in range(1, account.levels.get(service, 1) + 1):
            yield InstanceSeen(
                instance_id(service, ordinal), service, ordinal, ZoneName("a"), IPv4Address(f"172.16.0.{ordinal}"),
                one.template, service, InstanceState.RUNNING, Health.HEALTHY, 0.0,
            )  # fmt: skip


def _stack(family: str, what: object, *after: str, lasting: bool = False) -> StackWanted:
    return StackWanted(f"anden-{family}", family, "us-east-1", json.dumps({family: what}), after, lasting)
