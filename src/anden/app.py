"""Wires it all: the only module that names engines and store together, and the door through which `cli` goes.

What is slow to import is imported where it is used: `anden check` must not wait for a web server.
"""

# ruff: noqa: PLC0415

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from anden import rendering
from anden.machine import Check, Doctor, called, doctor, lacks, root
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.paper import cost, described, preflight, unpatchable
from anden.rendering import Rendered
from anden.web.files import Files

if TYPE_CHECKING:
    from anden.control.environment import Control
    from anden.drill.ground import Model
    from anden.drill.picture import Picture
    from anden.model.blueprint import Blueprint
    from anden.model.drill import Drill, DrillReport
    from anden.model.ids import EnvironmentKey
    from anden.model.mark import Marks
    from anden.model.observation import Observation
    from anden.model.ports import Clock, Engine, Images, Store
    from anden.model.report import StateReport
    from anden.model.topology import Topology
    from anden.web.caller import Api

__all__ = [
    "Check",
    "Checked",
    "Doctor",
    "Rendered",
    "Session",
    "called",
    "check",
    "connect",
    "consider",
    "cost",
    "doctor",
    "drill",
    "drills",
    "main",
    "preflight",
    "rebuild",
    "render",
    "run",
    "serve",
]

KNOCK_LIMIT_S = 2.0
"""How long the gateway may take to answer once `up` has everything healthy; it is told, and holds nothing up."""
SIMULATION_LOCK_LIMIT_S = 10.0
ONE_MACHINE = (
    "! state is kept on this machine only: the account has no state bucket yet, so no other operator sees the target,"
    " and nothing keeps two apart"
)
FALLEN = Problem("the control plane", "was ended by a drill", "", "The next command starts it again.")


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)


# How the command line reaches control.


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


def connect(client: str, engine: EngineName, *, start: bool, seen: bool = False) -> Session:
    """An Api for that client and engine.

    local: the daemon of the client's state folder, started when `start`, or when there is state to look at. Otherwise
    control in this process with an empty store, so that everything is compared with nothing; with `seen` (what runs
    must be seen) that is refused to whoever is not root. simulated and aws: control in this process.
    Raises Problems.
    """
    if engine is EngineName.SIMULATED:
        return _simulated(client)
    if engine is EngineName.AWS:
        return _aws(client, needed=start or seen)
    return _local(client, start=start, seen=seen)


def _local(client: str, *, start: bool, seen: bool) -> Session:
    able = not lacks(tools=False)
    if not able and (start or seen):
        raise Problems(lacks(tools=False))
    if able:
        from anden.web import daemon

        files = Files(root() / client)
        if daemon.current(files, client):
            from anden.web.client import SocketApi

            return Session(SocketApi(files.socket, client, files.log))
        if start and (lacking := lacks(tools=True)):
            raise Problems(lacking)
        if start or files.store.exists():
            return Session(daemon.start(files, client, ["-m", "anden.app", str(files.folder)]))
    note = "" if able else "! compared with nothing: what runs is seen by root only"
    return _twin(client, note)


def consider(client: str, engine: EngineName) -> Session:
    """An Api over control in this process that knows of nothing that runs: what is computed, is from the manifest."""
    if engine is EngineName.AWS:
        return _in_process(client, *_engine_of_aws(), "")
    if engine is EngineName.LOCAL:
        return _twin(client, "")
    from anden.engines.simulated.clock import VirtualClock
    from anden.engines.simulated.engine import SimulatedEngine
    from anden.engines.simulated.images import SimulatedImages

    return _in_process(client, SimulatedEngine(VirtualClock(time.time())), SimulatedImages(), "")


def _twin(client: str, note: str) -> Session:
    from anden.engines.local.engine import LocalEngine
    from anden.engines.local.images import LocalImages

    clock, images = SystemClock(), root() / "images"
    return _in_process(client, LocalEngine(root(), images, clock), LocalImages(images, clock), note)


def _engine_of_aws() -> "tuple[Engine, Images]":
    from anden.engines.aws.engine import AwsEngine
    from anden.engines.local.images import LocalImages

    clock = SystemClock()
    images = LocalImages(root() / "images", clock)
    return AwsEngine(clock, carrier=images), images


def _aws(client: str, *, needed: bool) -> Session:
    """Control in this process over the client's account. Its state lies there, in a bucket; where the account has none
    yet, in the state folder of this machine, which is said. needed: what runs must be seen; otherwise an account that
    cannot be asked is planned for from nothing."""
    from anden.engines.aws.opening import open_records

    try:
        records = open_records(client)
    except Problems as found:
        if needed:
            raise
        return _in_process(client, *_engine_of_aws(), f"! compared with nothing: {found}")
    engine, images = _engine_of_aws()
    files = Files(root() / client / "aws")
    with contextlib.ExitStack() as undo:
        if records is not None:
            undo.callback(records.close)
            api = _attended(client, engine, images, records, files, undo)
            return Session(api)
        if not needed and not files.store.exists():
            return _in_process(client, engine, images, ONE_MACHINE)
        files.prepare()
        undo.enter_context(_alone(files))
        from anden.store import open_store

        store = open_store(files.store)
        undo.callback(store.close)
        return Session(_attended(client, engine, images, store, files, undo), ONE_MACHINE)


def _attended(
    client: str, engine: "Engine", images: "Images", store: "Store", files: Files, undo: contextlib.ExitStack
) -> "Api":
    """Control whose ticks have threads of their own, so that a command tells what happens while a stack is made."""
    import logging

    from anden.control.environment import Control
    from anden.control.runner import ThreadRunner
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    files.prepare()
    logging.basicConfig(
        filename=files.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    control = Control(engine, images, store, SystemClock(), ThreadRunner(), knock)
    undo.callback(control.close)
    return InProcess(Desk(client, engine.name, control), myself(), undo.pop_all().close)


def _in_process(client: str, engine: "Engine", images: "Images", note: str) -> Session:
    """Control in this process, with a store that is forgotten."""
    from anden.control.environment import Control
    from anden.control.runner import InlineRunner
    from anden.store import open_store
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    store = open_store(":memory:")
    control = Control(engine, images, store, SystemClock(), InlineRunner())

    def done() -> None:
        control.close()
        store.close()

    return Session(InProcess(Desk(client, engine.name, control), myself(), done), note)


def _simulated(client: str) -> Session:
    """Control in this process over the simulated engine, whose world is kept between commands."""
    from anden.control.environment import Control
    from anden.control.runner import InlineRunner
    from anden.engines.simulated.clock import VirtualClock
    from anden.engines.simulated.engine import SimulatedEngine
    from anden.engines.simulated.images import SimulatedImages
    from anden.store import open_store
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    files = Files(root() / client / "simulated")
    files.prepare()
    stack = contextlib.ExitStack()
    stack.enter_context(_alone(files))
    with contextlib.ExitStack() as undo:
        undo.push(stack)
        store = open_store(files.store)
        stack.callback(store.close)
        clock = VirtualClock(time.time())
        engine = SimulatedEngine(clock, files.folder / "snapshot.json")
        virtual = Virtual(engine, clock)
        control = virtual.control = Control(engine, SimulatedImages(), store, clock, InlineRunner(), fall=virtual.fall)
        stack.callback(control.close)
        undo.pop_all()
    api = InProcess(Desk(client, engine.name, control), myself(), stack.close)
    return Session(api, now=clock.now, virtual=virtual)


@contextlib.contextmanager
def _alone(files: Files) -> Iterator[None]:
    """One command at a time on a client's simulated world; on systems without flock nothing keeps two apart."""
    try:
        from anden.web.lock import locked
    except ImportError:
        yield
        return
    with locked(files, SIMULATION_LOCK_LIMIT_S):
        yield


# Drills.


def drills(client: str, engine: EngineName) -> Path:
    """The folder of a client's drill reports."""
    return root() / client / ("drills" if engine is EngineName.LOCAL else f"{engine}-drills")


def drill(
    at: Mapping[str, Any], wanted: "Drill", services: Sequence[str], told: "Callable[[Picture], None]"
) -> "DrillReport":
    """Drill an environment. at: where, as the API takes it. services: whose routes `wanted.urls` are, for a load that
    is modelled. Raises Problems."""
    from anden.drill import course, ground
    from anden.model.ids import EnvironmentKey

    key = EnvironmentKey(at["client"], at["environment"], EngineName(at["engine"]))
    with contextlib.ExitStack() as stack:

        def session() -> Session:
            return stack.enter_context(connect(key.client, key.engine, start=False, seen=True))

        first = session()
        there = ground.virtual(key, at, first, session, services) if first.virtual else ground.real(at, first, session)
        return course.run(key, wanted, there, told)


# Reading a manifest without acting on it.


@dataclass(frozen=True, slots=True)
class Checked:
    """`anden check`. services: how many there are, over all environments. Problems block `up`, warnings do not."""

    client: str
    environments: tuple[str, ...]
    services: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(text: str, folder: Path, file: str, overrides: Mapping[str, str] | None = None) -> Checked:
    """Everything that can be said of a manifest without looking at what runs: its own problems, or else what a draft
    of each environment shows, and folders to build that cannot be. overrides: files beside it, name to text."""
    from anden import manifest
    from anden.planning import lint

    try:
        read = manifest.read(text, file, client=manifest.client_name(folder.name))
    except Problems as found:
        return Checked(manifest.client_name(folder.name), (), 0, found.problems)
    problems: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    services = set()
    for name in read.environments:
        topology, marks = read.topologies[name], read.marks[name]
        services |= {each.name for each in topology.services}
        try:
            linted = lint.lint(described(topology, marks), marks)
        except Problems as refused:
            problems |= dict.fromkeys(refused.problems)
        else:
            problems |= dict.fromkeys(linted.problems)
            warnings |= dict.fromkeys(linted.warnings)
        problems |= dict.fromkeys(_unbuildable(topology, marks, folder))
        if overrides:
            problems |= dict.fromkeys(unpatchable(topology, marks, read.environments, overrides))
    return Checked(read.client, tuple(read.environments), len(services), tuple(problems), tuple(warnings))


def _unbuildable(topology: "Topology", marks: "Marks", folder: Path) -> Iterator[Problem]:
    from anden.engines.local.images import context
    from anden.planning.places import where

    for service in topology.services:
        if service.source.build is not None:
            try:
                context.find(folder / service.source.build, where(marks, f"services/{service.name}/build"))
            except Problems as found:
                yield from found.problems


# State that is kept elsewhere.


def rebuild(client: str, engine: EngineName) -> "StateReport":
    """Everything that is kept of a client elsewhere than on this machine, read back. Raises Problems."""
    if engine is not EngineName.AWS:
        where, why = f"--on {engine}", "this machine keeps it, with a copy beside it, and mends it by itself"
        raise Problems(Problem(where, "has its state here", why, "`anden history --verify` checks it."))
    from anden.engines.aws.opening import open_state
    from anden.engines.aws.rebuilding import rebuild as rebuilt

    found = open_state(client)
    if found is None:
        what, why = "the account has no state bucket", "nothing of it is kept there yet"
        raise Problems(Problem(f"state of {client}", what, why, "Set the account up first (docs/aws.md)."))
    return rebuilt(found[0], client, found[1])


# Writing what an engine would apply, without acting on it.


def render(
    topology: "Topology", marks: "Marks", folder: Path, engine: EngineName, parent: "Blueprint | None"
) -> Rendered:
    """See anden.rendering."""
    return rendering.render(topology, marks, folder, engine, parent, SystemClock())


# The daemon.


def serve(client: str, engine: EngineName, port: int, ready: Callable[[list[str]], None]) -> None:
    """`anden serve`: the control plane in the foreground. Raises Problems."""
    if engine is not EngineName.LOCAL:
        raise Problems(
            Problem(f"--on {engine}", "is not served", "its control runs in the command's own process", "Leave --on.")
        )
    if lacking := lacks(tools=True):
        raise Problems(lacking)
    from anden.web import daemon
    from anden.web.server import HOST

    files = Files(root() / client)
    found = daemon.ask(files, client)
    if found is not None:
        if found.busy or found.foreground:
            why = "it is `anden serve` itself" if found.foreground else "a command is in flight in it"
            raise Problems(
                Problem(f"the control plane of {client}", f"runs already, process {found.pid}", why, "End it first.")
            )
        daemon.end(found.pid, files)

    def said() -> None:
        ready(
            [
                f"{client}: serving http://{HOST}:{port} and {files.socket}",
                f"token in {files.token}; http://{HOST}:{port}/docs describes the API; Ctrl-C ends this",
            ]
        )

    run(files, client, port=port, ready=said)


def run(files: Files, client: str, *, port: int | None = None, ready: Callable[[], None] = lambda: None) -> None:
    """Be the daemon of a client's state folder until it ends. port: in the foreground, with TCP. Raises Problems."""
    from anden.control.environment import Control
    from anden.control.runner import ThreadRunner
    from anden.engines.local.engine import LocalEngine
    from anden.engines.local.images import LocalImages
    from anden.store import open_store
    from anden.web import daemon, lock, server
    from anden.web.api.http import application
    from anden.web.api.table import Desk

    foreground = port is not None
    files.prepare()
    with lock.locked(files), contextlib.ExitStack() as stack:
        server.write_log(files, terminal=False)
        clock, state = SystemClock(), files.folder.parent
        store = open_store(files.store, broken)
        stack.callback(store.close)
        images = state / "images"
        engine = LocalEngine(state, images, clock)
        control = Control(engine, LocalImages(images, clock), store, clock, ThreadRunner(), knock, fall)
        stack.callback(control.close)
        desk = Desk(client, engine.name, control, daemon.code(), foreground)
        activity = server.Activity()
        app = application(desk, activity, documented=foreground)
        control.begin()
        server.serve(files, app, activity, None if foreground else control.needed, port=port, ready=ready)


def fall() -> None:
    """End this process at once, for a drill: nothing is written, closed or said, as when it crashes."""
    os.kill(os.getpid(), signal.SIGKILL)


def broken(problem: Problem) -> None:
    """The records turned out to be damaged: end, so that the next command's control plane restores them."""
    import logging

    logging.getLogger("anden").error("%s", problem)
    os.kill(os.getpid(), signal.SIGTERM)


def knock(url: str) -> int | None:
    """The HTTP status that the gateway answers; None when it does not. Redirects are not followed."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=KNOCK_LIMIT_S)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def main() -> int:
    """`python -m anden.app STATE/CLIENT`: the daemon, as `connect` starts it."""
    folder = Path(sys.argv[1]).absolute()
    try:
        run(Files(folder), folder.name)
    except Problems as found:
        for problem in found.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
