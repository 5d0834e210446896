"""One stream of TCP through a link's tunnel, beside a pair of strongSwan that somebody configured by hand."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anden.engines.local import endpoints, place
from anden.engines.local.cell import dataplane
from anden.engines.local.render.strongswan import Dataplane
from anden.model.ids import EngineName, EnvironmentKey
from bench import world
from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate
from bench.up import ENVIRONMENT, Up

SECONDS = 4
LIMIT_S, UP_S, LOOK_S = 60.0, 20.0, 0.1
CORE = ("10.20.4.17", 8443)
MANIFEST = f"""\
anden: 1
client: {world.CLIENT}
environments:
  {ENVIRONMENT}:
    zones: 1
    links:
      core: {{ peer: 203.0.113.10, networks: [10.20.0.0/16], seen-as: 100.64.10.0/26, secret: [vpn-1, vpn-2] }}
    destinations:
      core-api: {{ link: core, to: "{CORE[0]}:{CORE[1]}" }}
services:
  web: {{ build: service, port: 8080, reaches: [core-api] }}
"""
PEER = (
    "two strongSwan daemons that somebody configured by hand, with the same data plane and the same cipher, in two "
    "network namespaces with one cable between them: no cell, no firewall, no address translation, no second tunnel"
)
ROWS = (
    Row("tunnel/stream", "One TCP stream from an instance through a link to the data centre", "MB/s",
        Budget(least=0.9), PEER),
)  # fmt: skip
HAND = {
    "left": ("192.0.2.1", "10.1.0.1"),
    "right": ("192.0.2.2", "10.2.0.1"),
}
"""The pair's ends: on the wire, and behind it."""
PORT = 5201
DAEMON = "/usr/sbin/charon-systemd"


def measure(run: Run) -> Iterator[Figure]:
    """The row: ours through a real cell, in turns with the pair."""
    folder = run.folder / "linked"
    folder.mkdir()
    (folder / "anden.yaml").write_text(MANIFEST)
    shutil.copytree(world.ROOT / "bench" / "service", folder / "service")
    up = Up(run.folder / "tunnel", run.images, folder)
    plane = dataplane.probe()
    with contextlib.ExitStack() as stack:
        stack.callback(up.end)
        up.prepare()
        for key in ("vpn-1", "vpn-2"):
            up.anden("secret", "set", key, "--random")
        up.anden("up", "--no-input", "--with-datacentre")
        at = place.of(up.state, EnvironmentKey(world.CLIENT, ENVIRONMENT, EngineName.LOCAL))
        ours = _Way(_namespace(at, "web-1"), _namespace(at, endpoints.wire(1)), *CORE)
        theirs = stack.enter_context(_by_hand(run.folder / "by-hand", plane))
        for way in (ours, theirs):
            way.stream()
        mine, peers = alternate(run.rounds, ours.stream, theirs.stream)
    yield Figure(
        ROWS[0], mine, peers, note=f"The data plane is {plane.value}: the kernel's own is used where it has ESP."
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """From one network namespace to another, where host and port are."""

    source: Path
    sink: Path
    host: str
    port: int

    def stream(self) -> float:
        """MB (1,000,000 bytes) a second. Raises Unmeasured."""
        place = (self.host, str(self.port))
        with _program(self.sink, "sink", *place) as sink:
            if (sink.readline() or "").strip() != "ready":
                raise Unmeasured("nobody can listen behind the tunnel")
            with _program(self.source, "source", *place, str(SECONDS)) as source:
                said = source.read()
            try:
                return float(sink.readline()) / 1e6
            except ValueError as error:
                raise Unmeasured(f"no stream came through: {said[-300:]}") from error


@contextlib.contextmanager
def _program(namespace: Path, *words: str) -> Iterator[IO[str]]:
    """bench.stream in there; its output."""
    argv = ["nsenter", f"--net={namespace}", "timeout", str(LIMIT_S), sys.executable, "-m", "bench.stream", *words]
    environment = {**os.environ, "PYTHONPATH": str(world.ROOT)}
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert running.stdout is not None  # it was opened with a pipe
    try:
        yield running.stdout
        running.wait(LIMIT_S)
    finally:
        running.kill()
        running.wait()


def _namespace(at: place.Place, name: str) -> Path:
    keeper = at.keeper()
    found = world.children(keeper) if keeper is not None else []
    if not found:
        raise Unmeasured("the cell has ended")
    return Path(f"/proc/{found[0]}/root/run/netns/{name}")


# The pair by hand.


@contextlib.contextmanager
def _by_hand(folder: Path, plane: Dataplane) -> Iterator[_Way]:
    """Both daemons, with the tunnel up; gone at the end."""
    folder.mkdir()
    names = {side: f"anden-bench-{os.getpid()}-{side}" for side in HAND}
    key = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        for name in names.values():
            _run("ip", "netns", "add", name)
            stack.callback(_run, "ip", "netns", "delete", name)
        left, right = names.values()
        _run("ip", "-n", left, "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", right)
        for side, (outside, inside) in HAND.items():
            for words in (
                ("link", "set", "lo", "up"), ("addr", "add", f"{outside}/24", "dev", "wan"),
                ("addr", "add", f"{inside}/32", "dev", "lo"), ("link", "set", "wan", "up"),
                ("route", "add", "default", "dev", "wan"),
            ):  # fmt: skip
                _run("ip", "-n", names[side], *words)
            _run("ip", "netns", "exec", names[side], "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                 "net.ipv4.conf.default.rp_filter=0")  # fmt: skip
        for side, name in names.items():
            stack.enter_context(_daemon(folder / side, name, plane))
        for side in HAND:
            _configured(folder / side, side, key)
        _run("swanctl", "--initiate", "--child", "net", "--uri", _socket(folder / "left"))
        yield _Way(Path("/run/netns") / left, Path("/run/netns") / right, HAND["right"][1], PORT)


@contextlib.contextmanager
def _daemon(folder: Path, namespace: str, plane: Dataplane) -> Iterator[None]:
    folder.mkdir()
    kernel = "kernel-libipsec kernel-netlink" if plane is Dataplane.LIBIPSEC else "kernel-netlink"
    file = folder / "strongswan.conf"
    file.write_text(
        "charon-systemd {\n"
        f"  load = random nonce openssl aes sha1 sha2 hmac kdf pem x509 gmp gcm {kernel} socket-default vici\n"
        f"  plugins {{ vici {{ socket = {_socket(folder)} }} }}\n"
        "}\n"
    )
    argv = ["ip", "netns", "exec", namespace, DAEMON]
    running = subprocess.Popen(
        argv, env={**os.environ, "STRONGSWAN_CONF": str(file)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + UP_S
        while not (folder / "vici.sock").exists():
            if time.monotonic() > until or running.poll() is not None:
                raise Unmeasured("the daemon that was configured by hand does not start")
            time.sleep(LOOK_S)
        yield
    finally:
        running.terminate()
        try:
            running.wait(UP_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _configured(folder: Path, side: str, key: str) -> None:
    (other,) = HAND.keys() - {side}
    (ours, inside), (theirs, behind) = HAND[side], HAND[other]
    file = folder / "swanctl.conf"
    file.touch(0o600)
    file.write_text(
        f"connections {{ hand {{\n  version = 2\n  local_addrs = {ours}\n  remote_addrs = {theirs}\n  encap = yes\n"
        f"  proposals = aes256-sha256-modp2048\n  local {{ auth = psk }}\n  remote {{ auth = psk }}\n"
        f"  children {{ net {{\n    local_ts = {inside}/32\n    remote_ts = {behind}/32\n"
        f"    esp_proposals = aes256-sha256-modp2048\n  }} }}\n}} }}\n"
        f'secrets {{ ike-hand {{ secret = "{key}" }} }}\n'
    )
    _run("swanctl", "--load-all", "--noprompt", "--file", str(file), "--uri", _socket(folder))


def _socket(folder: Path) -> str:
    return f"unix://{folder / 'vici.sock'}"


def _run(*argv: str) -> None:
    """Raises Unmeasured."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise Unmeasured(f"{' '.join(argv[:4])}: {(done.stderr or done.stdout).strip()[-300:]}")
