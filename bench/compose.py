"""podman-compose as a peer of `up`: the same images, in namespaces and a storage of its own that end with it.

`compose` is the side that measures; this module as a program is the other, which podman cannot tell from a machine.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import yaml

from anden.app import SystemClock
from anden.engines.local import tools
from anden.engines.local.cell import cgroup, namespaces
from anden.engines.local.images.cache import Cache
from anden.model.blueprint import Blueprint
from bench import answer
from bench.bare import PRIVATE
from bench.figure import Unmeasured

STEP_S = 120
END_S = 20
LOCAL = "127.0.0.1"
FIRST_PORT = 18081
"""Of the private network namespace's own loopback, where the services' ports are published, one after the other."""
PROCESSES = 4096
"""podman asks for a million processes and files, which a machine without CAP_SYS_RESOURCE refuses."""
FILES = 16384
SETTINGS = f"""[containers]
default_ulimits = ["nofile={FILES}:{FILES}", "nproc={PROCESSES}:{PROCESSES}"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
"""
HIDDEN = ("/run", "/var/lib/cni", "/var/lib/containers", "/etc/cni/net.d")
"""Where podman writes whatever it is told; a tmpfs hides each of them, where there is one."""
GROUPS = ("/libpod_parent",)
"""What podman's cgroupfs manager makes at the top."""


@dataclass
class Compose:
    """A conversation with the program."""

    process: subprocess.Popen[str]

    def up(self) -> float:
        """Seconds of `podman-compose up -d` and until all answer; they are taken down again. Raises Unmeasured."""
        assert self.process.stdin is not None  # it was opened with pipes
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write("up\n")
            self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline() or '{"failed": "it ended"}')
        if "failed" in said:
            raise Unmeasured(said["failed"])
        seconds: float = said["seconds"]
        return seconds


@contextlib.contextmanager
def compose(folder: Path, images: Path, blueprint: Blueprint) -> Iterator[Compose]:
    """podman-compose for a blueprint's services, their images loaded. Raises Unmeasured when it is not installed, and
    then or later when it does not run here."""
    for name in ("podman", "podman-compose"):
        if tools.found(name) is None:
            raise Unmeasured(f"{name} is not installed")
    folder.mkdir()
    order = {
        "folder": str(folder),
        "services": [
            [one.name, str(Cache(images, SystemClock()).layout(blueprint.images[one.name].digest)), one.port,
             one.health.path or "/"]
            for one in blueprint.topology.services
        ],
    }  # fmt: skip
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*PRIVATE, sys.executable, "-m", "bench.compose"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        try:
            assert process.stdin is not None  # it was opened with pipes
            process.stdin.write(json.dumps(order) + "\n")
            yield Compose(process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(END_S)
            for group in GROUPS:
                cgroup.remove(cgroup.here(), group)
            shutil.rmtree(folder, ignore_errors=True)


# What runs inside.


@dataclass
class _Podman:
    folder: Path
    services: Sequence[tuple[str, str, int, str]]

    @property
    def command(self) -> Path:
        """podman, with a storage of its own."""
        return self.folder / "podman"

    def prepare(self) -> None:
        for place in HIDDEN:
            if Path(place).is_dir():
                namespaces.mount("tmpfs", place, "tmpfs", 0, "mode=755")
        hierarchies = cgroup.here()
        if hierarchies.kind is cgroup.Kind.HYBRID:
            empty = self.folder / "empty"
            empty.touch()
            namespaces.mount(str(empty), f"{hierarchies.unified}/cgroup.controllers", flags=namespaces.BIND)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=STEP_S)
        (self.folder / "containers.conf").write_text(SETTINGS)
        os.environ["CONTAINERS_CONF"] = str(self.folder / "containers.conf")
        own = f"--root {self.folder}/root --runroot {self.folder}/run --tmpdir {self.folder}/podman-tmp"
        self.command.write_text(f'#!/bin/sh\nexec podman {own} --storage-driver overlay "$@"\n')
        self.command.chmod(0o755)
        for name, layout, _, _ in self.services:
            archive = self.folder / "image.tar"
            self._do("skopeo", "--tmpdir", str(self.folder), "copy", f"oci:{layout}",
                     f"docker-archive:{archive}:docker.io/library/{name}:bench")  # fmt: skip
            self._do(str(self.command), "load", "--input", str(archive))
            archive.unlink()
        (self.folder / "compose.yaml").write_text(yaml.safe_dump(self._described()))

    def up(self) -> float:
        began = monotonic()
        self._compose("up", "--detach")
        try:
            ready = [answer.first(LOCAL, FIRST_PORT + place, path) for place, (_, _, _, path) in self._numbered()]
        finally:
            self._compose("down", "--timeout", "2")
        return max(ready) - began

    def _numbered(self) -> Iterator[tuple[int, tuple[str, str, int, str]]]:
        return iter(enumerate(self.services))

    def _described(self) -> dict[str, Any]:
        services = {
            name: {
                "image": f"docker.io/library/{name}:bench",
                "environment": {"PORT": str(port)},
                "ports": [f"{LOCAL}:{FIRST_PORT + place}:{port}"],
            }
            for place, (name, _, port, _) in self._numbered()
        }
        return {"version": "3", "services": services}

    def _compose(self, *words: str) -> None:
        self._do("podman-compose", "--podman-path", str(self.command), "-f", "compose.yaml", *words)

    def _do(self, *argv: str) -> None:
        done = subprocess.run(
            argv, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=STEP_S, check=False
        )
        if done.returncode != 0 or "Error:" in done.stderr:
            wrong = [line for line in done.stderr.splitlines() if "rror" in line] or [f"exit code {done.returncode}"]
            raise RuntimeError(f"{Path(argv[0]).name} {argv[-1]}: {wrong[0][:200]}")


def main() -> None:
    """Serve `up`s until stdin ends."""
    order = json.loads(sys.stdin.readline())
    podman = _Podman(Path(order["folder"]), [tuple(one) for one in order["services"]])
    ready = False
    for _ in sys.stdin:
        try:
            if not ready:
                podman.prepare()
                ready = True
            said: dict[str, Any] = {"seconds": podman.up()}
        except Exception as error:  # said to whoever asked, who goes on without this figure
            said = {"failed": f"{error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
