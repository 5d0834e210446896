"""Control over the simulated engine and a real store: a bench on which to drive it, watch it, and cut it off."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Target
from anden.model.traffic import Passed
from anden.store import Records, open_store

CLIENT, ENVIRONMENT = "banco", "dev"
KEY = EnvironmentKey(CLIENT, ENVIRONMENT, EngineName.SIMULATED)
START = 1_700_000_000.0
MOST_ADVANCES = 2_000

TWO = """
anden: 1
client: banco
services:
  web: { image: web:1.0, port: 8080, route: /, instances: 2..4, reaches: [api] }
  api: { image: api:1.0, port: 8080, instances: 1..3 }
"""


def manifest(**replaced: str) -> str:
    """TWO with pieces of text replaced: `manifest(web="web:2.0")` is another image of web."""
    text = TWO
    for name, image in replaced.items():
        text = text.replace(f"{name}:1.0", image)
    return text


class Watched(SimulatedEngine):
    """The simulated engine, which counts who serves after everything that it does."""

    def __init__(self, clock: VirtualClock, **options: Any) -> None:
        super().__init__(clock, **options)
        self.floors: dict[str, int] = {}
        self.strangers: tuple[str, ...] = ()
        """Issuers of whom tokens came by unknown keys, as a gateway shows it."""
        self.watching = False

    def watch(self, floors: Mapping[str, int]) -> None:
        """From now on at least so many instances of each service serve, whenever anybody looks."""
        self.floors, self.watching = dict(floors), True

    def check(self, key: EnvironmentKey) -> None:
        if self.watching:
            self.watching = False
            seen = self.observe(key)
            self.watching = True
            for service, floor in self.floors.items():
                serving = sum(one.serving for one in seen.of(service))
                assert serving >= floor, f"{serving} of {service} serve at {self._clock.now()}, fewer than {floor}"

    def execute(self, key: EnvironmentKey, steps: Any, gateway: str) -> Iterator[Any]:
        for receipt in super().execute(key, steps, gateway):
            self.check(key)
            yield receipt

    def observe(self, key: EnvironmentKey) -> Observation:
        seen = super().observe(key)
        self.check(key)
        return replace(seen, traffic={"balancer-1": Passed(0, 0, self.strangers)}) if self.strangers else seen

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        version = super().wait(key, seen, timeout_s)
        self.check(key)
        return version


class Crash(BaseException):
    """The control plane dies."""


class Fuse:
    """Lets `calls` calls through, and then everything ends."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def burn(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1


class Brittle:
    """An engine or a store behind a fuse that burns before and after each call, and between the items of a stream."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._brittle(found) if callable(found) else found

    def _brittle(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            self._fuse.burn()
            answer = call(*args, **options)
            if isinstance(answer, Iterator):
                return self._stream(answer)
            self._fuse.burn()
            return answer

        return called

    def _stream(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._fuse.burn()
            yield item


class Bench:
    """One client's control, engine and store. crash(): another control plane over what the first one left."""

    def __init__(self, folder: Path, *, file: bool = False, **options: Any) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.engine = Watched(self.clock, **options)
        self.path: Path | str = folder / "anden.db" if file else ":memory:"
        self.store: Records = open_store(self.path)
        self.control = self.controlling()
        self.said: list[Event] = []

    def controlling(self, fuse: Fuse | None = None) -> Control:
        engine: Any = Brittle(self.engine, fuse) if fuse else self.engine
        store: Any = Brittle(self.store, fuse) if fuse else self.store
        return Control(engine, SimulatedImages(), store, self.clock, InlineRunner())

    def crash(self) -> None:
        """The control plane has died: what it had in memory is gone."""
        if self.path != ":memory:":
            self.store.close()
            self.store = open_store(self.path)
        self.control = self.controlling()
        self.control.begin()

    def at(self, text: str | None = TWO, environment: str | None = ENVIRONMENT, folder: Path | None = None) -> Asked:
        return Asked(CLIENT, environment, folder or self.folder, text)

    def run(self, told: Iterator[Event | None]) -> Event:
        """Everything that a command tells; its last event. The events stay in `said`."""
        self.said = [event for event in told if event is not None]
        assert self.said[-1].kind is EventKind.END
        assert not any(event.kind is EventKind.END for event in self.said[:-1])
        return self.said[-1]

    def up(self, text: str = TWO, **options: Any) -> Event:
        return self.run(self.control.up(self.at(text), "ana", **options))

    def text(self) -> str:
        """What was told, one line an event, as a person would read it."""
        return "\n".join(f"{event.sign} {event.subject} {event.text}".strip() for event in self.said)

    def settle(self) -> None:
        """Tick until there is nothing left to do, without anybody asking for anything."""
        means = self.control._means
        for _ in range(MOST_ADVANCES):
            means.runner.advance(KEY, means.feeds[KEY], means.feeds[KEY].number, 1.0)
            news, _ = means.feeds[KEY].since(means.feeds[KEY].number - 1)
            last: Any = news[-1]
            if last.target is None or (
                last.plan.settled and last.change.state.value not in ("applying", "rolling-back")
            ):
                return
        raise AssertionError("it does not settle")

    @property
    def target(self) -> Target:
        found = self.store.target(KEY)
        assert found is not None
        return found

    def images(self) -> dict[str, list[str]]:
        """Service to the images that its instances run, those that serve only."""
        seen = self.engine.observe(KEY)
        found: dict[str, list[str]] = {}
        for one in seen.instances:
            if one.serving:
                found.setdefault(one.service, []).append(one.image_name)
        return found
