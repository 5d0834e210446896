"""`anden up` of the example with its images ready, beside the same containers by other hands."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anden import manifest
from anden.app import SystemClock
from anden.engines.local.images import LocalImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.instance import Instance
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from bench import world
from bench.bare import Bare, bare
from bench.compose import Compose, compose
from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate

ENVIRONMENT = "certification"
COMMAND_S = 120
END_S = 10.0
LOOK_S = 0.05
CRUN = (
    "the same three containers (the same bundles) with bare `crun run`, one after another, each awaited until it "
    "answers; nothing of a network, a balancer or names is made while the clock runs"
)
COMPOSE = (
    "`podman-compose up -d` of the same three images until all answer their health path: a bridge and published ports, "
    "no balancer, no rules"
)
ROWS = (
    Row("up/example", "`anden up` of the example, images ready, from a stopped control plane", "s",
        Budget(most=3, ratio=False), CRUN),
    Row("up/compose", "The same, beside podman-compose", "s", None, COMPOSE),
)  # fmt: skip


def measure(run: Run) -> Iterator[Figure]:
    """Both rows: each round has all that run here."""
    up = Up(run.folder / "up", run.images, world.BANK)
    blueprint = example(run.images)
    instances = [one for each in blueprint.placements for one in world.instances(blueprint, each.service)]
    cached = LocalImages(run.images, SystemClock())
    with contextlib.ExitStack() as stack:
        stack.callback(up.end)
        crun = stack.enter_context(bare(configure(blueprint, None, ()), run.images, cached, instances))
        absent = ""
        peer: Compose | None = None
        try:
            peer = stack.enter_context(compose(run.folder / "compose", run.images, blueprint))
            peer.up()
        except Unmeasured as why:
            absent, peer = str(why), None
        up.once()  # the first one unpacks the images
        measures: list[Callable[[], float]] = [up.once, partial(_one_after_another, crun, instances)]
        ours, bare_crun, *rest = alternate(run.rounds, *measures, *([peer.up] if peer is not None else []))
    yield Figure(ROWS[0], ours, bare_crun)
    yield Figure(ROWS[1], ours, rest[0] if rest else (), absent=absent)


def example(images: Path) -> Blueprint:
    """The example's environment as `up` drafts it, with images that are built."""
    text = (world.BANK / "anden.yaml").read_text()
    topology = manifest.read(text, "anden.yaml", client="bench").topologies[ENVIRONMENT]
    found = {service.name: world.image(images, world.BANK / str(service.source.build)) for service in topology.services}
    return draft(topology, {str(name): image for name, image in found.items()}, Facts(), None)


def _one_after_another(crun: Bare, instances: list[Instance]) -> float:
    return sum(crun.start([one]) for one in instances)


@dataclass
class Up:
    """The command line on a state folder of its own, in the folder of a manifest."""

    state: Path
    images: Path
    manifest: Path

    def once(self) -> float:
        """Seconds of the whole command, and everything down again after it."""
        self.prepare()
        began = time.monotonic()
        self.anden("up", "--no-input")
        took = time.monotonic() - began
        self.anden("down", "--yes")
        self._end_control()
        return took

    def end(self) -> None:
        """Leave nothing."""
        if self.state.exists():
            with contextlib.suppress(Unmeasured):
                self.anden("down", "--yes")
            self._end_control()
            shutil.rmtree(self.state, ignore_errors=True)

    def control(self) -> int | None:
        """The control plane's process id."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                said = world.command(int(entry.name))
                if "anden.app" in said and f"{self.state}/" in said:
                    return int(entry.name)
        return None

    def start(self) -> None:
        """Up, and left so."""
        self.prepare()
        self.anden("up", "--no-input")

    def prepare(self) -> None:
        """Have a state folder with the images that are built."""
        self.state.mkdir(exist_ok=True)
        if not (self.state / "images").is_symlink():
            (self.state / "images").symlink_to(self.images)

    def _end_control(self) -> None:
        deadline = time.monotonic() + END_S
        while (pid := self.control()) is not None and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            time.sleep(LOOK_S)

    def anden(self, *words: str) -> None:
        """One command. Raises Unmeasured: it fails."""
        env = {**os.environ, "ANDEN_STATE": str(self.state), "PYTHONPATH": str(world.ROOT / "src"), "NO_COLOR": "1"}
        argv = [sys.executable, "-P", "-m", "anden", *words, "-e", ENVIRONMENT]
        done = subprocess.run(
            argv, env=env, cwd=self.manifest, capture_output=True, text=True, timeout=COMMAND_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise Unmeasured(f"anden {words[0]} exits with {done.returncode}: {done.stderr.strip()[-300:]}")
