"""An Api with what is to be known of it, as the command line and drills hold it."""

# ruff: noqa: PLC0415

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from anden.control.environment import Control
    from anden.drill.ground import Model
    from anden.model.ids import EnvironmentKey
    from anden.model.observation import Observation
    from anden.model.ports import Clock, Engine
    from anden.web.caller import Api

FALLEN = Problem("the control plane", "was ended by a drill", "", "The next command starts it again.")


@dataclass
class Virtual:
    """An engine's virtual time, for a drill. fallen: control was ended by one, and what runs goes on without it."""

    engine: "Engine"
    clock: "Clock"
    control: "Control | None" = None
    fallen: bool = False

    def fall(self) -> None:
        """What a crash is to a process of its own."""
        self.fallen = True
        raise Problems(FALLEN)

    def rest(self, key: "EnvironmentKey", folder: Path, seconds: float) -> None:
        """Let time pass, with control's ticks in it while there is one."""
        from anden.control.asked import Asked

        until = self.clock.now() + seconds
        if self.control is not None and not self.fallen:
            self.control.pass_time(Asked(key.client, key.environment, folder), until)
        while self.clock.now() < until:
            self.engine.wait(key, self.engine.observe(key).version, until - self.clock.now())

    def observe(self, key: "EnvironmentKey") -> "Observation":
        """What the engine sees, whether or not there is a control plane."""
        return self.engine.observe(key)

    def model(self, services: Sequence[str], rate: float) -> "Model":
        """A load on these services that begins now, answered by whoever serves."""
        from anden.engines.simulated.load import ModelledLoad

        return ModelledLoad(services, rate, self.clock.now())


@dataclass
class Session:
    """An Api, with what is to be known of it. note: a caveat for people. now: the engine's time, in Unix seconds.
    virtual: set where that time passes only when somebody lets it."""

    api: "Api"
    note: str = ""
    now: Callable[[], float] = time.time
    virtual: "Virtual | None" = None

    def request(self, method: str, path: str, json: Mapping[str, Any] | None = None) -> Any:
        """See web.caller.Api."""
        if self.virtual is not None and self.virtual.fallen:
            raise Problems(FALLEN)
        return self.api.request(method, path, json)

    def stream(self, method: str, path: str, json: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """See web.caller.Api."""
        return self.api.stream(method, path, json)

    def close(self) -> None:
        """Let go of it."""
        self.api.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
