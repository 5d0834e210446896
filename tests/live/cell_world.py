"""Cells for tests of the local engine: a small image, a blueprint of one or two services, and the engine itself."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anden.engines.local import place
from anden.engines.local.engine import LocalEngine
from anden.engines.local.images import LocalImages
from anden.machine import SystemClock
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import InstanceSeen, Observation
from anden.model.plan import Action, Configure, Effect, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.topology import Health, ImageSource, Range, Route, Service, Size, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from anden.planning.instances import specification

IMAGES = Path(os.environ.get("ANDEN_TEST_IMAGES", "/var/tmp/anden-test-images"))
PATIENCE_S = 20.0
SERVER = """
import http.server, os, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    wbufsize = 65536  # head and body leave in one packet: nobody can ask again for an answer that a fault cuts in two
    def do_GET(self):
        what, _, amount = self.path.strip("/").partition("/")
        if what == "crash":
            os._exit(int(amount))
        if what == "eat":
            self.server.eaten = bytearray(int(amount) * 1024 * 1024)
            for at in range(0, len(self.server.eaten), 4096): self.server.eaten[at] = 1
        if what == "say":
            for number in range(int(amount)): print(f"line {number} " + "x" * 80)
            sys.stdout.flush()
        if what == "by-name":
            with open(f"/dev/{amount}", "w") as out: print("by name", file=out)
        if what == "slow":
            time.sleep(float(amount))
        body = os.environ["ANDEN_INSTANCE"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *words): pass
def leave(*_):
    print("leaving", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
print("a word on stderr", file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


def image() -> Image:
    """The server's image, built once for all runs."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="anden-t-") as folder:
        (Path(folder) / "server.py").write_text(SERVER)
        (Path(folder) / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY server.py /server.py\n")
        source = {"web": ImageSource(build=".")}
        for said in LocalImages(IMAGES, SystemClock()).resolve(Path(folder), source):
            if isinstance(said, tuple):
                return said[1]
    raise AssertionError("no image came")


def service(name: str = "web", **fields: object) -> Service:
    """A routed service of that image; any field of model.topology.Service."""
    command = ("/usr/bin/python3", "-u", "/server.py")
    has = {"port": 8080, "route": Route("/"), "health": Health("/"), "command": command, "user": "1000:1000"}
    return Service(name=name, source=ImageSource(build="."), **{**has, **fields})  # type: ignore[arg-type]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port


@dataclass
class Cell:
    """One environment on an engine with a state folder of its own."""

    state: Path
    image: Image
    environment: str = "dev"
    gateway: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    zones: int = 1

    def __post_init__(self) -> None:
        self.key = EnvironmentKey("tests", self.environment, EngineName.LOCAL)
        self.engine = LocalEngine(self.state, IMAGES, SystemClock())
        self.place = place.of(self.state, self.key)

    def blueprint(self, *services: Service) -> Blueprint:
        """What these services mean."""
        ordered = tuple(sorted(services, key=lambda one: one.name))
        topology = Topology("tests", self.environment, ordered, zones=self.zones)
        images = {str(one.name): self.image for one in services}
        return draft(topology, images, self.engine.facts(self.key, self.zones, topology), None)

    def try_(self, *effects: Effect) -> list[Receipt]:
        """Do them, whatever comes of it."""
        steps = [Step(Action.UPDATE, getattr(effect, "id", effect.kind), "", effect) for effect in effects]
        return list(self.engine.execute(self.key, steps, self.gateway))

    def do(self, *effects: Effect) -> list[Receipt]:
        """Do them; fails the test when one fails."""
        receipts = self.try_(*effects)
        assert [str(receipt.problem) for receipt in receipts if receipt.problem] == []
        assert len(receipts) == len(effects)
        return receipts

    def up(self, *services: Service) -> list[Instance]:
        """Configure, start the base of every service, and wait until all serve."""
        blueprint = self.blueprint(*services)
        instances = [
            specification(blueprint, one.name, slot)
            for one in services
            for slot in blueprint.placement(one.name).slots[: one.instances.base]
        ]
        self.do(Configure(configure(blueprint, None, ())), *map(StartInstance, instances))
        self.until(lambda seen: len(seen.instances) == len(instances) and all(one.serving for one in seen.instances))
        return instances

    def down(self) -> None:
        """End it."""
        self.do(Remove())

    def see(self, name: str = "web-1") -> InstanceSeen:
        """One instance, now."""
        seen = self.engine.observe(self.key).instance(name)
        assert seen is not None
        return seen

    def until(self, true: Callable[[Observation], bool], limit_s: float = PATIENCE_S) -> Observation:
        """The first observation of which it is true."""
        deadline = time.monotonic() + limit_s
        while True:
            seen = self.engine.observe(self.key)
            if true(seen):
                return seen
            assert time.monotonic() < deadline, f"not within {limit_s} s: {seen}"
            time.sleep(0.02)

    def get(self, path: str = "/", timeout_s: float = 10.0, method: str = "GET") -> str:
        """What the gateway answers. A GET that kills its instance is sent again by the balancer, a POST is not."""
        request = urllib.request.Request(f"http://{self.gateway}{path}", method=method)
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - the gateway
            text: str = answer.read().decode()
            return text

    def run(self, *argv: str, stdin: bytes = b"", timeout_s: float = 20.0) -> str:
        """What a command in web-1 printed, when it exits with 0."""
        done = self.engine.exec(self.key, "web-1", argv, stdin, timeout_s)
        assert done.code == 0, done
        return done.stdout

    def pids(self, of: str) -> list[int]:
        """Process ids, on this machine, of the cell's processes whose command line has `of`."""
        keeper = self.place.keeper()
        assert keeper is not None
        return [pid for pid in descendants(keeper) if of in command(pid)]

    def init(self) -> int:
        """The process id of its init on this machine."""
        keeper = self.place.keeper()
        (found,) = [pid for pid in self.pids("cell.keeper") if pid != keeper]
        return found

    def program(self, name: str = "web-1") -> int:
        """The process id, on this machine, of an instance's program."""
        for pid in self.pids("/server.py"):
            with contextlib.suppress(OSError):
                if f"ANDEN_INSTANCE={name}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes() + b"\0":
                    return pid
        raise AssertionError(f"{name} does not run")


def command(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += [int(child) for child in task.read_text().split()]
    return found


def left_of(cell: Cell) -> list[str]:
    """What a cell that has ended left on the machine."""
    found = [f"process {pid}: {command(pid)}" for pid in all_pids() if str(cell.place.folder) in command(pid)]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(cell.state) in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**{cell.place.group}")]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*{cell.place.group}")]
    found += [str(path) for path in cell.state.rglob("*")]
    return found


def all_pids() -> list[int]:
    """Of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


@contextlib.contextmanager
def cell(environment: str = "dev", zones: int = 1) -> Iterator[Cell]:
    """A cell of the test's own, whatever becomes of it."""
    state = Path(tempfile.mkdtemp(prefix="anden-t-"))
    made = Cell(state, image(), environment, zones=zones)
    try:
        yield made
    finally:
        with contextlib.suppress(Exception):
            made.try_(Remove())
        if (keeper := made.place.keeper()) is not None:
            os.kill(keeper, signal.SIGKILL)
        shutil.rmtree(state, ignore_errors=True)


__all__ = [
    "Cell", "Configure", "Instance", "Range", "Remove", "Size", "StartInstance", "StopInstance", "all_pids", "cell",
    "configure", "left_of", "service", "specification",
]  # fmt: skip
