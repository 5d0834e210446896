"""A cell of the benchmarks' own, driven through the local engine as control drives it."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anden.app import SystemClock
from anden.engines.local import place
from anden.engines.local.engine import LocalEngine
from anden.engines.local.images import LocalImages
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import Observation
from anden.model.plan import Action, Configure, Effect, Remove, StartInstance, Step
from anden.model.problem import Problems
from anden.model.topology import ImageSource, Issuer, Service, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from anden.planning.instances import specification
from bench.figure import Unmeasured

ROOT = Path(__file__).parents[1]
BANK = ROOT / "examples" / "banco-andino"
CLIENT = "bench"
PATIENCE_S = 60.0
LOOK_S = 0.01
ZONES = 1


def image(images: Path, folder: Path) -> Image:
    """The image of a build's folder, made when it is not in the cache. Raises Unmeasured."""
    images.mkdir(parents=True, exist_ok=True)
    try:
        for said in LocalImages(images, SystemClock()).resolve(folder, {"it": ImageSource(build=".")}):
            if isinstance(said, tuple):
                return said[1]
    except Problems as found:
        raise Unmeasured(str(found)) from found
    raise Unmeasured(f"no image came of {folder.name}")


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port


@dataclass
class Cell:
    """One environment: its engine, its place, its gateway's port on the loopback."""

    engine: LocalEngine
    key: EnvironmentKey
    place: place.Place
    port: int

    def blueprint(self, image: Image, *services: Service, auth: tuple[Issuer, ...] = ()) -> Blueprint:
        """What these services mean, all of one image. auth: whom routes may ask for."""
        ordered = tuple(sorted(services, key=lambda one: one.name))
        topology = Topology(CLIENT, self.key.environment, ordered, auth=auth)
        images = {str(one.name): image for one in services}
        return draft(topology, images, self.engine.facts(self.key, ZONES, topology), None)

    def do(self, *effects: Effect) -> None:
        """Do them. Raises Unmeasured when one fails."""
        steps = [Step(Action.UPDATE, getattr(effect, "id", effect.kind), "", effect) for effect in effects]
        for receipt in self.engine.execute(self.key, steps, f"127.0.0.1:{self.port}"):
            if receipt.problem is not None:
                raise Unmeasured(str(receipt.problem))

    def configure(self, blueprint: Blueprint) -> None:
        """Everything of it that is not an instance; starts the cell."""
        self.do(Configure(configure(blueprint, None, ())))

    def start(self, instances: Sequence[Instance]) -> None:
        """Start them at once and wait until all serve."""
        self.do(*map(StartInstance, instances))
        self.until_serving(len(instances))

    def until_serving(self, count: int) -> Observation:
        """Wait until so many instances serve. Raises Unmeasured after PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            seen = self.engine.observe(self.key)
            if sum(one.serving for one in seen.instances) >= count:
                return seen
            self.engine.wait(self.key, seen.version, LOOK_S * 10)
        raise Unmeasured(f"{count} instances did not serve within {PATIENCE_S:g} s")

    def init(self) -> int:
        """The process id of its init on this machine. Raises Unmeasured when the cell does not run."""
        keeper = self.place.keeper()
        found = children(keeper) if keeper is not None else []
        if not found:
            raise Unmeasured("the cell has ended")
        return found[0]

    def supervisor(self) -> int:
        """The process id of its supervisor on this machine."""
        return next(pid for pid in children(self.init()) if "cell.supervisor" in command(pid))

    def namespace(self, name: str) -> Path:
        """The network namespace of a station or an instance, as a path on this machine."""
        return Path(f"/proc/{self.init()}/root/run/netns/{name}")


def instances(blueprint: Blueprint, service: str) -> list[Instance]:
    """The base of a service, as instances."""
    placement = blueprint.placement(service)
    found = blueprint.topology.service(service)
    assert found is not None  # the blueprint was made with it
    return [specification(blueprint, service, slot) for slot in placement.slots[: found.instances.base]]


@contextlib.contextmanager
def cell(folder: Path, images: Path, environment: str) -> Iterator[Cell]:
    """A cell below `folder` that is gone at the end, whatever happened."""
    state = Path(tempfile.mkdtemp(prefix="cell-", dir=folder))
    key = EnvironmentKey(CLIENT, environment, EngineName.LOCAL)
    engine = LocalEngine(state, images, SystemClock())
    made = Cell(engine, key, place.of(state, key), free_port())
    try:
        yield made
    finally:
        with contextlib.suppress(Unmeasured):
            made.do(Remove())
        if (keeper := made.place.keeper()) is not None:
            os.kill(keeper, signal.SIGKILL)
        shutil.rmtree(state, ignore_errors=True)


def children(pid: int) -> list[int]:
    """A process's children, eldest first; none when it has ended."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return sorted(found)


def command(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
