"""A private world for tests of the cell's network: net, mount and pid namespaces of its own, /run a tmpfs.

A test gives `run` a function of its module; it runs in the world, in another process, and fails the test when it
raises. When its process ends, everything in the world has ended.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from anden.engines.local.cell import netns
from anden.model.blueprint import Layout, Zone
from anden.model.configuration import (
    AllowDestination,
    AllowName,
    AllowService,
    Backend,
    Configuration,
    GatewayRoute,
    Leave,
    Member,
)
from anden.model.ids import DestinationName, Digest, InstanceId, ServiceName, ZoneName
from anden.model.instance import Instance

ROOT = Path(__file__).parents[2]
WORLD_LIMIT_S = 120
GATEWAY = ("127.0.0.1", 8080)
CLIENT = "client"
"""A namespace that stands for the host: the gateway listens there."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(scenario: Callable[[], None]) -> str:
    """Run a function in a new world; what it printed. Fails the test with its output when it raises."""
    name = f"{Path(sys.modules[scenario.__module__].__file__ or '').stem}:{scenario.__name__}"
    world = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--propagation",
        "private",
    ]
    done = subprocess.run(
        [*world, sys.executable, "-m", "tests.live.network_world", name],
        cwd=ROOT, text=True, capture_output=True, timeout=WORLD_LIMIT_S, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip
    assert done.returncode == 0, f"{name}:\n{done.stdout}\n{done.stderr}"
    sys.stdout.write(done.stdout)
    return done.stdout


@dataclass
class SubprocessSpawner:
    """The Spawner of the cell, with this process in the place of init."""

    children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str | None = None,
        fds: Mapping[int, int] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        if name in self.running():
            raise OSError(f"{name} runs already")
        place = os.open(netns, os.O_RDONLY) if netns else -1
        given = {child: os.dup(ours) for child, ours in (fds or {}).items()}
        high = {child: _above(ours, 500) for child, ours in given.items()}

        def prepare() -> None:
            if place >= 0:
                _libc.setns(place, _CLONE_NEWNET)
            for child, ours in high.items():
                os.dup2(ours, child)

        try:
            process = subprocess.Popen(
                list(argv),
                preexec_fn=prepare,  # noqa: PLW1509 - a test's own children
                pass_fds=tuple(high), stdin=subprocess.DEVNULL,
                env=None if env is None else dict(env),
            )  # fmt: skip
        finally:
            for descriptor in [*given.values(), *high.values(), *([place] if place >= 0 else [])]:
                os.close(descriptor)
        self.children[process.pid] = process
        self.names[name] = process.pid
        return process.pid

    def kill(self, pid: int, signal: int) -> None:
        if self.alive(pid):
            os.kill(pid, signal)

    def alive(self, pid: int) -> bool:
        return pid in self.children and self.children[pid].poll() is None

    def running(self) -> Mapping[str, int]:
        return {name: pid for name, pid in self.names.items() if self.alive(pid)}

    def on_exit(self, name: str, call: Callable[[int], None]) -> None:
        """Nobody watches here: tests call `tend` themselves."""

    def keep(self, name: str, fd: int) -> None:
        self.drop(name)
        self.descriptors[name] = os.dup(fd)

    def kept(self) -> dict[str, int]:
        return {name: os.dup(fd) for name, fd in self.descriptors.items()}

    def take(self, name: str) -> int | None:
        return os.dup(self.descriptors[name]) if name in self.descriptors else None

    def drop(self, name: str) -> None:
        if name in self.descriptors:
            os.close(self.descriptors.pop(name))


def _above(descriptor: int, least: int) -> int:
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, least)


LAYOUT = Layout(
    network=IPv4Network("172.30.0.0/16"),
    resolver=IPv4Address("172.30.0.2"),
    names=IPv4Network("172.30.64.0/19"),
    balancer=IPv4Address("172.30.112.4"),
    zones=tuple(
        Zone(
            ZoneName(letter),
            IPv4Network(f"172.30.{8 * place}.0/21"),
            IPv4Network(f"172.30.{128 + 32 * place}.0/19"),
            IPv4Network(f"172.30.{32 + 8 * place}.0/21"),
        )
        for place, letter in enumerate("ab")
    ),
)


def backend(name: str, number: int, slots: int = 4, port: int = 8080, health: str | None = "/health") -> Backend:
    """A service whose slots alternate between zones a and b."""
    members = tuple(
        Member(LAYOUT.zones[n % 2].private.network_address + 4 + 1000 * number + n, LAYOUT.zones[n % 2].name)
        for n in range(slots)
    )
    return Backend(
        ServiceName(name), number, members, port,
        address=LAYOUT.names.network_address + 3 + number, health_path=health,
    )  # fmt: skip


def configuration(
    *backends: Backend,
    allows: Sequence[tuple[str, str, int]] = (),
    out: Sequence[tuple[str, str, int]] = (),
    leaves: Mapping[str, str] | None = None,
    routes: Sequence[GatewayRoute] = (),
    named: Sequence[tuple[str, str, int]] = (),
    never: Sequence[str] = (),
) -> Configuration:
    """A Configuration over LAYOUT, in few words."""
    return Configuration(
        layout=LAYOUT,
        backends=tuple(backends),
        allows=tuple(AllowService(ServiceName(a), ServiceName(b), port) for a, b, port in allows),
        allows_out=tuple(
            AllowDestination(ServiceName(who), DestinationName("out"), IPv4Network(net), port) for who, net, port in out
        ),
        leaves=tuple(Leave(ZoneName(zone), IPv4Address(at)) for zone, at in sorted((leaves or {}).items())),
        routes=tuple(routes),
        names_out=tuple(
            AllowName(ServiceName(who), DestinationName("named"), host, port) for who, host, port in sorted(named)
        ),
        never=tuple(map(IPv4Network, never)),
    )


def instance(of: Backend, ordinal: int, health_path: str | None = None) -> Instance:
    """The instance in that slot."""
    member = of.members[ordinal - 1]
    return Instance(
        InstanceId(f"{of.service}-{ordinal}"), of.service, ordinal, member.zone, member.address,
        Digest("sha256:" + "0" * 64), "test:1", ("server",), of.port, health_path=health_path or of.health_path,
    )  # fmt: skip


def serve(spawner: SubprocessSpawner, id: str, port: int, *words: str) -> int:
    """A small HTTP server in an instance's network; its process id."""
    argv = [sys.executable, "-m", "tests.live.network_server", str(port), id, *words]
    return spawner.spawn(f"{id}:{port}:{time.monotonic_ns()}", argv, netns=str(netns.path(id)), env=dict(os.environ))


def open_gateway(spawner: SubprocessSpawner) -> None:
    """A listening socket in a network beside the cell's, as the keeper opens one on the host."""
    from pyroute2 import IPRoute

    def work() -> None:
        netns.unshare()
        netns.keep(CLIENT)
        with IPRoute() as ip:
            ip.link("set", index=1, state="up")
        with socket.create_server(GATEWAY, backlog=4096) as listening:
            spawner.keep("gateway", listening.fileno())

    netns.apart(work)


def until(seen: Callable[[], bool], what: str, limit_s: float = 5.0) -> float:
    """Wait until it is so; the seconds that it took."""
    start = time.monotonic()
    while not seen():
        assert time.monotonic() - start < limit_s, f"not within {limit_s} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - start


def main(name: str) -> None:
    """In the world: a /run of its own, then the scenario."""
    _checked(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None))
    module, _, function = name.partition(":")
    try:
        getattr(importlib.import_module(f"tests.live.{module}"), function)()
    finally:
        for pid in list(map(int, filter(str.isdigit, (entry.name for entry in Path("/proc").iterdir())))):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main(sys.argv[1])
