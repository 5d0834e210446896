"""`kill -9` of the control plane while commands work, round after round: `python -m tests.live.kills --rounds 200`.

A small environment in a real cell, the real daemon, and a steady load. In each round a command begins and the daemon is
killed at a seeded moment; then its records are read from outside and compared with everything that was acknowledged.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.live.cell_world import IMAGES, SERVER, free_port
from tests.live.load import Load

from anden.engines.local.images import LocalImages
from anden.machine import SystemClock
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.change import OPEN_STATES
from anden.model.command import Command, Outcome
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.ports import Target
from anden.model.problem import Problems
from anden.model.report import StatusReport
from anden.model.topology import ImageSource
from anden.store import audit, changes, commands, soundness, targets
from anden.web import daemon, lock
from anden.web.client import SocketApi
from anden.web.files import Files

CLIENT = "kills"
KEY = EnvironmentKey(CLIENT, "dev", EngineName.LOCAL)
MANIFEST = """anden: 1
client: kills
services:
  web:
    image: IMAGE
    port: 8080
    route: /
    health: /
    instances: 2..4
    user: "1000:1000"
    command: [/usr/bin/python3, -u, /server.py]
    stop: 2s
"""
LATEST_KILL_S = 1.5
"""The moment of a kill: from the command's beginning to this long after it. A command takes about as long."""
KILL_LIMIT_S = 5.0
SETTLE_LIMIT_S = 90.0
RATE = 20.0
"""GETs a second meanwhile."""
SEED = 20_26


@dataclass(frozen=True)
class Wanted:
    """What the environment should be, as far as commands move it here."""

    image: str
    level: int
    generation: int


@dataclass
class Recorded:
    """What the records say, read from outside while nobody has them open."""

    wanted: Wanted
    commands: tuple[Command, ...]
    audit: str
    open_changes: int
    changes: tuple[str, ...]
    """The newest few, for people: a target may also have been moved by anden itself, going back."""


@dataclass
class Report:
    """What came of all rounds. faults: what must not be; empty when all held."""

    rounds: int = 0
    killed: int = 0
    acknowledged: int = 0
    unacknowledged_done: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    took_s: float = 0.0
    settled_s: float = 0.0

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.by_outcome.items()))
        each = self.took_s / max(self.rounds, 1)
        return (
            f"{self.rounds} rounds in {self.took_s:.0f} s ({each:.2f} s each), {self.killed} kills;"
            f" commands on record: {outcomes}; {self.acknowledged} targets acknowledged before the kill,"
            f" {self.unacknowledged_done} moved and not yet told; settled {self.settled_s:.1f} s after the last;"
            f" {self.sent} GETs, {len(self.failed)} failed; {len(self.faults)} faults"
        )


class World:
    """The environment, its daemon, and what was acknowledged so far."""

    def __init__(self, state: Path, seed: int) -> None:
        self.files = Files(state / CLIENT)
        self.random = random.Random(seed)  # noqa: S311 - it is to be repeated
        self.gateway = f"127.0.0.1:{free_port()}"
        self.images = versions()
        self.report = Report()
        self.wanted = Wanted(self.images[0], 2, 0)
        self.known: dict[int, Command] = {}
        """Commands as they were read last; those that had ended never change again."""

    def at(self, image: str) -> dict[str, Any]:
        """Where, with the manifest that names this image."""
        text = MANIFEST.replace("IMAGE", image)
        return {"client": CLIENT, "environment": "dev", "folder": str(self.files.folder), "manifest": text}

    def api(self) -> SocketApi:
        """The daemon's, started when it does not run."""
        return daemon.start(self.files, CLIENT, ["-m", "anden.app", str(self.files.folder)])

    def begin(self) -> None:
        """The first `up`, to its end."""
        with contextlib.closing(self.api()) as api:
            body = {"at": self.at(self.images[0]), "gateway": self.gateway}
            events = list(api.stream("POST", "/v1/up", body))
            assert events[-1]["outcome"] == "done", events[-1]
            self.kill(api.request("GET", "/v1/version")["pid"])
        self.compare(self.wanted, [])

    def choose(self) -> tuple[str, dict[str, Any], Wanted]:
        """A command: its path, its body, and what is wanted once it is acknowledged."""
        now, image = self.wanted, self.random.choice(self.images)
        at, level = self.at(image), self.random.randint(2, 4)
        choices: list[tuple[str, dict[str, Any], Wanted]] = [
            ("/v1/up", {"at": at, "deployed": "revert"}, replace(now, image=image)),
            ("/v1/deploy", {"at": at, "service": "web", "image": image}, replace(now, image=image)),
            ("/v1/scale", {"at": at, "service": "web", "level": level}, replace(now, level=level)),
            ("/v1/restart", {"at": at, "service": "web"}, replace(now, generation=now.generation + 1)),
        ]
        return self.random.choice(choices)

    def round(self) -> None:
        """One command, one kill, one comparison."""
        path, body, then = self.choose()
        told: list[dict[str, Any]] = []
        with contextlib.closing(self.api()) as api:
            pid = api.request("GET", "/v1/version")["pid"]
            following = threading.Thread(target=_follow, args=(api, path, body, told), daemon=True)
            following.start()
            time.sleep(self.random.uniform(0.0, LATEST_KILL_S))
            self.kill(pid)
            following.join(KILL_LIMIT_S)
            assert not following.is_alive()
        self.report.rounds += 1
        self.report.killed += 1
        self.compare(then, told)

    def kill(self, pid: int) -> None:
        """End the daemon as nobody expects it, and wait until it has let go of its lock."""
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + KILL_LIMIT_S
        while lock.held(self.files):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def compare(self, then: Wanted, told: list[dict[str, Any]]) -> None:
        """The records against everything that was acknowledged. then: what the killed command asked for."""
        found, fault = self.read(), self.report.faults.append
        here = f"round {self.report.rounds}"
        if found.audit:
            fault(f"{here}: {found.audit}")
        said = {command.id: command for command in found.commands}
        for number, before in self.known.items():
            after = said.get(number)
            if after is None or (before.outcome is not Outcome.RUNNING and after != before):
                fault(f"{here}: command {number} was {before}, is {after}")
        new = [command for command in found.commands if command.id not in self.known]
        ended = next((each["outcome"] for each in told if each["kind"] == "end"), None)
        if told and not new:
            fault(f"{here}: a command that had begun is not on record")
        if ended is not None and [command.outcome.value for command in new] != [ended]:
            fault(f"{here}: told {ended}, on record {new}")
        if ended not in (None, "done"):
            fault(f"{here}: {told[-1]}")
        # A command that only moves numbers tells of steps when its target has moved, and not before.
        stepped = any(each["kind"] == "step" for each in told) and then.image == self.wanted.image
        acknowledged = ended == "done" or (stepped and then != self.wanted)
        if found.wanted not in ((then,) if acknowledged else (then, self.wanted)):
            fault(
                f"{here}: acknowledged {self.wanted}, asked {then} (told: {acknowledged}), on record {found.wanted};"
                f" newest changes: {'; '.join(found.changes)}"
            )
        if found.open_changes > 1:
            fault(f"{here}: {found.open_changes} open changes")
        self.report.acknowledged += acknowledged
        self.report.unacknowledged_done += not acknowledged and found.wanted == then != self.wanted
        self.wanted, self.known = found.wanted, said

    def read(self) -> Recorded:
        """What the records say now."""
        found = soundness.examine(self.files.store)
        assert found.sound, found
        with contextlib.closing(soundness.Look(self.files.store)) as database:
            target = targets.get(database, KEY)
            assert target is not None
            kept = audit.kept(self.files.store.with_name(self.files.store.name + audit.HEAD_SUFFIX))
            report = audit.verify(database, kept)
            known = changes.newest(database, KEY, -1)
            return Recorded(
                wanted(database, target),
                commands.newest(database, KEY, -1),
                report.fault or "; ".join(report.gaps),
                sum(change.state in OPEN_STATES for change in known),
                tuple(f"{each.id} {each.state} {each.reason}".strip() for each in known[:3]),
            )

    def settle(self) -> None:
        """The environment comes to what was acknowledged last, with no command of anybody's."""
        began = time.monotonic()
        with contextlib.closing(self.api()) as api:
            while True:
                report = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": self.at("x:1")}))
                (web,) = report.services
                images = {one.image for one in web.instances}
                right = web.healthy == web.level == len(web.instances) == self.wanted.level
                if right and images == {self.wanted.image}:
                    break
                if time.monotonic() - began > SETTLE_LIMIT_S:
                    self.report.faults.append(f"wanted {self.wanted}, is {web}")
                    break
                time.sleep(0.1)
            self.report.settled_s = time.monotonic() - began
            self.kill(api.request("GET", "/v1/version")["pid"])
        self.compare(self.wanted, [])
        outcomes = [command.outcome.value for command in self.known.values()]
        self.report.by_outcome = {name: outcomes.count(name) for name in set(outcomes)}

    def end(self) -> None:
        """Leave nothing."""
        with contextlib.closing(self.api()) as api:
            list(api.stream("POST", "/v1/down", {"at": self.at("x:1")}))
            pid = api.request("GET", "/v1/version")["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def wanted(database: soundness.Look, target: Target) -> Wanted:
    """What a target says."""
    assert target.blueprint is not None
    ((text,),) = database.run("SELECT data FROM blueprints WHERE digest = ?", (target.blueprint,))
    blueprint = codec.from_json(Blueprint, text)
    (service,) = blueprint.topology.services
    return Wanted(
        blueprint.images["web"].name, target.levels.get("web", service.instances.base), target.generations.get("web", 0)
    )


def versions() -> tuple[str, str]:
    """Two images of the tests' server that differ in a word, by the names under which they may be deployed."""
    found = []
    for word in ("first", "second"):
        with tempfile.TemporaryDirectory(prefix="anden-t-") as folder:
            (Path(folder) / "server.py").write_text(f"# {word}\n{SERVER}")
            (Path(folder) / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY server.py /server.py\n")
            IMAGES.mkdir(parents=True, exist_ok=True)
            sources = {"web": ImageSource(build=".")}
            for said in LocalImages(IMAGES, SystemClock()).resolve(Path(folder), sources):
                if isinstance(said, tuple):
                    found.append(f"web:{said[1].version}")
    first, second = found
    return first, second


def _follow(api: SocketApi, path: str, body: dict[str, Any], told: list[dict[str, Any]]) -> None:
    with contextlib.suppress(Problems):  # that it was killed, mostly
        for event in api.stream("POST", path, body):
            told.append(event)


@contextlib.contextmanager
def world(seed: int) -> Iterator[World]:
    """A world in a state folder of its own, ended whatever happens."""
    state = Path(tempfile.mkdtemp(prefix="anden-t-", dir="/tmp"))
    IMAGES.mkdir(parents=True, exist_ok=True)
    (state / "images").symlink_to(IMAGES)
    made = World(state, seed)
    try:
        made.begin()
        yield made
    finally:
        with contextlib.suppress(Exception):
            made.end()
        _end(state)
        shutil.rmtree(state, ignore_errors=True)


def _end(state: Path) -> None:
    from tests.live.conftest import processes

    for pid in processes(str(state)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run(rounds: int, seed: int = SEED) -> Report:
    """All rounds under load, and what came of them."""
    with world(seed) as made:
        host, _, port = made.gateway.partition(":")
        began = time.monotonic()
        with Load(host, int(port), "/", rate=RATE) as load:
            for _ in range(rounds):
                made.round()
            made.report.took_s = time.monotonic() - began
            made.settle()
        made.report.sent, made.report.failed = load.sent, load.failures
        return made.report


def main() -> int:
    """Print the report; 1 when something did not hold."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=200)
    asked.add_argument("--seed", type=int, default=SEED)
    chosen = asked.parse_args()
    report = run(chosen.rounds, chosen.seed)
    print(report)
    for line in (*report.faults, *sorted(set(report.failed))):
        print(f"  {line}")
    return 1 if report.faults or report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
