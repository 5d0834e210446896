"""The aws engine's place in the house: it says what it will do otherwise, and refuses the rest in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from anden.engines.aws.caveats import caveats
from anden.engines.aws.foresight import foresee
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event
from anden.model.fault import Fault
from anden.model.foresight import Foresight
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.log import LogLine
from anden.model.manners import TWIN, Manners
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import Caveat, Receipt, Step
from anden.model.ports import Clock, Engine, Exec
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed
from anden.model.topology import Topology


def _later(what: str) -> Problems:
    why = "for now it only says what AWS does otherwise (`anden plan --on aws`)"
    return Problems(Problem("aws", f"the aws engine comes later: {what}", why, "Use the twin: leave out `--on aws`."))


class AwsEngine(Engine):
    """See model.ports.Engine: what a plan needs. Everything that would act on AWS raises Problems."""

    name = EngineName.AWS

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        """What AWS does otherwise than the twin."""
        return caveats(topology)

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        """Nothing is known before an account is looked at: fixed addresses are known after apply."""
        return Facts()

    def foresee(self, blueprint: Blueprint, current: Blueprint | None, marks: Marks) -> Foresight:
        """By documented quotas and list prices: no account is asked."""
        return foresee(blueprint, current, marks, None, datetime.fromtimestamp(self._clock.now(), UTC).date())

    def render(self, blueprint: Blueprint, manners: Manners = TWIN) -> Mapping[str, str]:
        """Raises Problems."""
        raise _later("no templates are rendered")

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        """Raises Problems."""
        raise _later("nothing is prepared")

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        """Raises Problems."""
        raise _later("it has no gateway")

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt]:
        """Raises Problems."""
        raise _later("nothing is applied")

    def observe(self, key: EnvironmentKey) -> Observation:
        """Nothing: this version brings nothing up there, and looks at no account."""
        return Observation(key, self._clock.now(), present=False, absent_reason="nothing is brought up on AWS yet")

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """Raises Problems."""
        raise _later("nothing is observed")

    def logs(self, key: EnvironmentKey, service: str | None, lines: int, follow: bool) -> Iterator[LogLine | None]:
        """Raises Problems."""
        raise _later("there are no logs")

    def exec(self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """Raises Problems."""
        raise _later("nothing runs there")

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe]) -> tuple[Probed, ...]:
        """Raises Problems."""
        raise _later("nothing can be probed")

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """Raises Problems."""
        raise _later("nothing can be drilled")

    def restore(self, key: EnvironmentKey) -> None:
        """Raises Problems."""
        raise _later("nothing can be drilled")
