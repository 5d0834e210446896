"""The peer of starting: `crun run` and nothing else, of bundles that are anden's own to the last byte.

`Bare` is the side that measures. The other side is this module as a program, in namespaces of its own: the same network
(a namespace and a cable an instance, without the firewall), the same overlay, the same config.json. All of that is made
before the clock starts: what is timed is `crun run` up to the first healthy answer.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from anden.engines.local.cell import cgroup, namespaces, netns, network, protocol
from anden.engines.local.cell.container import RUNTIME, Bundle
from anden.engines.local.cell.supervisor import PROFILES
from anden.engines.local.images import LocalImages
from anden.engines.local.render import seccomp
from anden.engines.local.render.stations import BALANCER
from anden.model import codec
from anden.model.configuration import Configuration
from anden.model.instance import Instance
from bench import answer
from bench.figure import Unmeasured

PRIVATE = (
    "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
    "--propagation", "private", "--",
)  # fmt: skip
DELETE_S = 20
END_S = 20


@dataclass
class Bare:
    """A conversation with the program: a request a line, an answer a line."""

    process: subprocess.Popen[str]

    def start(self, instances: Sequence[Instance], at_once: int = 1) -> float:
        """Seconds from the first `crun run` to everybody's first healthy answer; `at_once` at the same time. They are
        ended afterwards. Raises Unmeasured."""
        request = {"instances": [codec.to_data(one) for one in instances], "at_once": at_once}
        assert self.process.stdin is not None  # it was opened with pipes
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            said = json.loads(self.process.stdout.readline() or '{"failed": "bare crun ended"}')
        except (OSError, ValueError) as error:
            raise Unmeasured(f"bare crun: {error}") from error
        if "failed" in said:
            raise Unmeasured(said["failed"])
        seconds: float = said["seconds"]
        return seconds


@contextlib.contextmanager
def bare(configuration: Configuration, images: Path, cached: LocalImages, of: Sequence[Instance]) -> Iterator[Bare]:
    """Bare crun for instances of these images, in a private world that ends at the end."""
    group = f"/{cgroup.TOP}/bench-{os.getpid()}"
    roots = {one.image: str(cached.rootfs(one.image).resolve().relative_to(images.resolve())) for one in of}
    order = {
        "images": str(images.resolve()),
        "group": group,
        "rootfs": roots,
        "configuration": codec.to_data(configuration),
    }
    cgroup.delegate(cgroup.here(), group)
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*PRIVATE, sys.executable, "-m", "bench.bare"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdin is not None  # it was opened with pipes
            process.stdin.write(json.dumps(order) + "\n")
            yield Bare(process)
        finally:
            process.kill()  # and with it, by --kill-child, everything inside
            process.wait(END_S)
            cgroup.remove(cgroup.here(), group)


# What runs inside.


@dataclass
class _World:
    configuration: Configuration
    group: str
    rootfs: dict[str, str]
    seccomp: dict[str, Any]

    def start(self, wanted: Sequence[Instance], at_once: int) -> float:
        bundles = [self._prepared(one) for one in wanted]
        try:
            with ThreadPoolExecutor(at_once) as pool:
                began = monotonic()
                ready = list(pool.map(self._run, bundles))
                return max(ready) - began
        finally:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(_gone, bundles))

    def _prepared(self, instance: Instance) -> Bundle:
        place = network.attach(instance.id, instance.address, instance.zone)
        bundle = Bundle(instance, self.rootfs[instance.image], self.group)
        bundle.make(place, self.configuration, self.seccomp)
        return bundle

    def _run(self, bundle: Bundle) -> float:
        instance = bundle.instance
        argv = [*RUNTIME, "run", "--bundle", str(bundle.folder), instance.id]
        quiet = subprocess.DEVNULL
        with (bundle.folder / "said").open("w+") as said:
            running = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=said)
            try:
                return netns.inside(
                    BALANCER,
                    lambda: answer.first(str(instance.address), instance.port or 0, instance.health_path or "/"),
                )
            except TimeoutError as error:
                said.seek(0)
                raise TimeoutError(f"{error}; exit {running.poll()}, {said.read(500)}") from error


def _gone(bundle: Bundle) -> None:
    subprocess.run(bundle.delete(), capture_output=True, timeout=DELETE_S, check=False)
    bundle.remove()
    network.detach(bundle.instance.id)


def _private(images: Path) -> None:
    """A /run of its own with the images where a cell has them, and control groups that crun takes."""
    hierarchies = cgroup.here()
    opened = os.open(images, os.O_PATH | os.O_CLOEXEC)
    namespaces.mount("tmpfs", "/run", "tmpfs", namespaces.NO_SETUID | namespaces.NO_DEVICES, "mode=755")
    protocol.IMAGES.mkdir(parents=True)
    namespaces.mount(f"/proc/self/fd/{opened}", protocol.IMAGES, flags=namespaces.BIND)
    os.close(opened)
    if hierarchies.kind is cgroup.Kind.HYBRID:
        empty = protocol.RUN / "empty"
        empty.touch()
        namespaces.mount(str(empty), f"{hierarchies.unified}/cgroup.controllers", flags=namespaces.BIND)


def main() -> None:
    """Serve starts until stdin ends."""
    order = json.loads(sys.stdin.readline())
    _private(Path(order["images"]))
    configuration = codec.from_data(Configuration, order["configuration"])
    network.build(configuration)
    profile = next(path for path in PROFILES if path.exists())
    allowed = seccomp.profile(json.loads(profile.read_text()), platform.machine())
    world = _World(configuration, order["group"], order["rootfs"], allowed)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            wanted = [codec.from_data(Instance, one) for one in request["instances"]]
            said: dict[str, Any] = {"seconds": world.start(wanted, request["at_once"])}
        except Exception as error:  # said to whoever asked, who goes on without this figure
            said = {"failed": f"bare crun: {type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
