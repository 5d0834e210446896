"""Control over a world of stacks and a real store: a bench on which to drive it, and cut it off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.control.bench import CLIENT, ENVIRONMENT, START, TWO, Brittle, Fuse
from tests.unit.control.stack_world import StackWorld

from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.simulated import SimulatedImages, VirtualClock
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.ports import Target
from anden.store import open_store

KEY = EnvironmentKey(CLIENT, ENVIRONMENT, EngineName.AWS)


class Bench:
    """One client's control over a world of stacks. crash(): another control plane over what the first one left."""

    def __init__(self, folder: Path, *, at_once: bool = False, world: type[StackWorld] = StackWorld) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.engine = world(self.clock, at_once=at_once)
        self.store = open_store(":memory:")
        self.control = self.controlling()
        self.said: list[Event] = []

    def controlling(self, fuse: Fuse | None = None) -> Control:
        engine: Any = Brittle(self.engine, fuse) if fuse else self.engine
        store: Any = Brittle(self.store, fuse) if fuse else self.store
        return Control(engine, SimulatedImages(), store, self.clock, InlineRunner())

    def at(self, text: str | None = TWO) -> Asked:
        return Asked(CLIENT, ENVIRONMENT, self.folder, text)

    def run(self, told: Iterator[Event | None]) -> Event:
        self.engine.history.clear()
        self.said = [event for event in told if event is not None]
        assert self.said[-1].kind is EventKind.END
        return self.said[-1]

    def up(self, text: str = TWO, **options: Any) -> Event:
        return self.run(self.control.up(self.at(text), "ana", **options))

    def text(self) -> str:
        return "\n".join(f"{event.sign} {event.subject} {event.text}".strip() for event in self.said)

    @property
    def target(self) -> Target:
        found = self.store.target(KEY)
        assert found is not None
        return found

    def settled(self) -> bool:
        """Whether every stack is as the target's blueprint says, and none is there beside them."""
        assert self.target.blueprint is not None
        blueprint = self.store.blueprint(self.target.blueprint)
        wanted = self.engine.stacks(blueprint, None, self.target.generations)
        seen = self.engine.observe(KEY).stacks
        return {one.family: one.template for one in seen} == {stack.family: stack.digest for stack in wanted}
