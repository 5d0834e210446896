"""Where a drill takes place: an environment's API, time, and something that loads and watches it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from anden.drill.load import Load, LoadProcess, ModelledLoad, NoLoad
from anden.drill.watch import InlineWatch, ThreadWatch, Watch, sample
from anden.model import codec
from anden.model.drill import Disturbed, Drill, DrillKind
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.problem import Problems
from anden.model.traffic import Tally
from anden.web.caller import Api


@dataclass
class Ground:
    """at: the environment, for the API. connect: another way to its control plane, started if it is down.

    load, watch: make them, when the drill begins; a load of so many seconds at most. now, rest: its time, which is
    virtual on the simulated engine.
    """

    at: Mapping[str, Any]
    api: Api
    connect: Callable[[], Api]
    load: Callable[[Drill, float], Load]
    watch: Callable[[], Watch]
    now: Callable[[], float]
    rest: Callable[[float], None]
    down: bool = field(default=False, init=False)

    def disturb(self, drill: Drill) -> Disturbed:
        """Put the fault in. Raises Problems."""
        asked = {"kind": drill.kind, "name": drill.name, "outage": drill.outage, "for_s": drill.for_s}
        body = {"at": self.at, **asked}
        if drill.kind is not DrillKind.CONTROL:
            return codec.from_data(Disturbed, self.api.request("POST", "/v1/disturb", body))
        before = self.now()
        try:
            self.api.request("POST", "/v1/disturb", body)
        except Problems:
            if not self._gone():
                raise
        self.down = True
        return Disturbed("", before)

    def restore(self) -> None:
        """End the faults that last. Raises Problems."""
        self.api.request("POST", "/v1/restore", {"at": self.at})

    def revive(self) -> None:
        """Start the control plane again. Raises Problems."""
        self.api.close()
        self.api = self.connect()
        self.down = False

    def _gone(self) -> bool:
        """Whether the control plane has ended: it was asked to, and cannot say so any more."""
        try:
            self.api.request("GET", "/v1/version")
        except Problems:
            return True
        return False


def real(at: Mapping[str, Any], api: Api, connect: Callable[[], Api]) -> Ground:
    """With real requests, in real time. Looking has a connection of its own."""
    eyes = connect()

    def load(drill: Drill, for_s: float) -> Load:
        return LoadProcess(drill.urls, drill.rate, for_s) if drill.rate else NoLoad()

    def watch() -> Watch:
        return ThreadWatch(lambda: sample(eyes, at, time.time))

    return Ground(at, api, connect, load, watch, time.time, time.sleep)


# In virtual time.


class Model(Protocol):
    """See engines.simulated.load."""

    def until(self, now: float, seen: Observation, stopped: bool) -> Tally:
        """What became of the requests since the last call."""


class Virtual(Protocol):
    """See app.Virtual."""

    def rest(self, key: EnvironmentKey, folder: Path, seconds: float) -> None:
        """Let time pass."""

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is."""

    def model(self, services: Sequence[str], rate: float) -> Model:
        """A load from now on."""


class VirtualSession(Api, Protocol):
    """See app.Session."""

    @property
    def now(self) -> Callable[[], float]:
        """Its time, Unix seconds."""

    @property
    def virtual(self) -> Virtual | None:
        """How to let it pass."""


def virtual(
    key: EnvironmentKey,
    at: Mapping[str, Any],
    first: VirtualSession,
    connect: Callable[[], VirtualSession],
    services: Sequence[str],
) -> Ground:
    """With modelled requests to `services`. A control plane that was ended comes back as another session."""
    sessions = [first]

    def world() -> Virtual:
        if (found := sessions[-1].virtual) is None:
            raise AssertionError("the time of this engine is real")
        return found

    def again() -> Api:
        sessions.append(connect())
        return sessions[-1]

    def load(drill: Drill, for_s: float) -> Load:
        if not drill.rate:
            return NoLoad()
        model = world().model(services, drill.rate)
        return ModelledLoad(lambda now, stopped: model.until(now, world().observe(key), stopped))

    def now() -> float:
        return sessions[-1].now()

    return Ground(
        at, first, again, load, lambda: InlineWatch(lambda: sample(sessions[-1], at, now)), now,
        lambda seconds: world().rest(key, Path(at["folder"]), seconds),
    )  # fmt: skip
