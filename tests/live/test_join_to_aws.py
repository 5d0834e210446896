"""`anden join` to a link on AWS, for real: a strongSwan of the test's own plays AWS on both outside addresses, as AWS's
endpoints are configured (a key each, answers whoever comes from anywhere by IKE, the VPC's network behind it), and a
network of the test's own plays the client's machine. Both have no name, and end with the test.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests import leaks
from tests.live.conftest import ROOT
from tests.unit.planning.devices.agreed import CORE, OPENINGS, agreed

from anden.cli import invitation as files
from anden.engines.local.cell import dataplane, netns
from anden.engines.local.cell.charon import Charon
from anden.engines.local.cell.rtnetlink import Rtnetlink
from anden.engines.local.join.apart import Apart
from anden.engines.local.render.strongswan import SOCKET, settings
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import Invitation, Rehearsal
from anden.model.link import Agreement
from anden.planning.devices.bird import Neighbour, speaker
from anden.planning.devices.device import inside, spoken, theirs_inside

pytestmark = pytest.mark.live

ENDPOINTS = (IPv4Address("192.0.2.100"), IPv4Address("192.0.2.101"))
AGREED = agreed(CORE, ENDPOINTS)
BY_BGP = agreed(replace(CORE, bgp=65010), ENDPOINTS)
MACHINE, ROUTER = str(CORE.peer), "203.0.113.1"
"""The client's machine has the peer's address itself: nothing is translated on the way."""
SEEN_AS = "100.64.10.5"
CORE_API = ("10.20.4.17", 8443)
MARKER = "plaintext-of-a-bank"
PATIENCE_S = 20.0
IKE = {500, 4500}
IPV4, UDP, FRAME = b"\x08\x00", 17, 14


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.05)


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@dataclass
class World:
    """The client's machine, a cable, and AWS."""

    folder: Path
    keys: dict[str, str]
    machine: Apart
    aws: Apart
    heard: list[bytes] = field(default_factory=list)

    def begin(self, undo: ExitStack) -> None:
        there = self.aws.do(netns.current)
        undo.callback(os.close, there)
        self.machine.do(lambda: self._cabled(there))
        self.aws.do(self._laid)
        wire = self.aws.do(self._listening)
        undo.enter_context(wire)
        threading.Thread(target=self._listen, args=(wire,), daemon=True).start()
        file = self.folder / "strongswan.conf"
        file.write_text(settings(AGREED, self.folder, dataplane.probe()))
        daemon = Charon(self.folder)
        environment = {**os.environ, "STRONGSWAN_CONF": str(file)}
        process = self.aws.start(["/usr/sbin/charon-systemd"], environment, self.folder / "log")
        undo.callback(process.wait)
        undo.callback(process.kill)
        until(daemon.ready, "AWS's strongSwan answers")
        self.configure(AGREED)

    def configure(self, agreement: Agreement) -> None:
        """By hand, as the connection's options say (engines/aws/render/vpn.py): its selector is `seen-as`, or
        everything where BGP is spoken, and whatever the other side names."""
        connections, keys = [], []
        for tunnel in agreement.tunnels:
            connections.append(
                f"tunnel-{tunnel.number} {{\n  version = 2\n  local_addrs = {tunnel.ours.address}\n"
                f"  remote_addrs = %any\n  proposals = aes256-sha256-modp2048\n"
                f"  local {{\n    auth = psk\n    id = {tunnel.ours.address}\n  }}\n"
                f"  remote {{\n    auth = psk\n    id = {CORE.peer}\n  }}\n"
                f"  children {{\n    vpc {{\n      local_ts = {'0.0.0.0/0' if agreement.bgp else CORE.seen_as}\n"
                f"      remote_ts = 0.0.0.0/0\n      esp_proposals = aes256-sha256-modp2048\n    }}\n  }}\n}}\n"
            )
            keys.append(
                f"ike-{tunnel.number} {{\n  id-1 = {tunnel.ours.address}\n  id-2 = {CORE.peer}\n"
                f'  secret = "{self.keys[tunnel.key]}"\n}}\n'
            )
        conf = self.folder / "swanctl.conf"
        conf.write_text(f"connections {{\n{''.join(connections)}}}\nsecrets {{\n{''.join(keys)}}}\n")
        uri = f"unix://{self.folder / SOCKET}"
        run("swanctl", "--load-all", "--clear", "--noprompt", "--file", str(conf), "--uri", uri)

    def speak(self, undo: ExitStack) -> None:
        """BGP, at both insides."""
        neighbours = [
            Neighbour(f"tunnel_{each.number}", inside(each).ip, theirs_inside(each)) for each in BY_BGP.tunnels
        ]
        bgp = spoken(BY_BGP)
        conf = self.folder / "bird.conf"
        conf.write_text(speaker(bgp.ours, bgp.theirs, bgp, [BY_BGP.local], BY_BGP.remote, neighbours))
        argv = ["/usr/sbin/bird", "-f", "-c", str(conf), "-s", str(self.folder / "bird.ctl")]
        process = self.aws.start(argv, os.environ, self.folder / "bird.log")
        undo.callback(process.wait)
        undo.callback(process.kill)

    def sessions(self) -> dict[str, str]:
        """What AWS's BIRD says of each."""
        argv = ["birdc", "-s", str(self.folder / "bird.ctl"), "show", "protocols"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        rows = [line.split() for line in said.splitlines() if line.startswith("tunnel_")]
        return {row[0]: row[-1] for row in rows}

    def _cabled(self, there: int) -> None:
        with Rtnetlink() as ip:
            ip.cable("uplink", "downlink", there)
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "add", f"{MACHINE}/24", "dev", "uplink")
        run("ip", "link", "set", "uplink", "up")
        run("ip", "route", "add", "default", "via", ROUTER)

    def _laid(self) -> None:
        for each in ("all", "default"):
            Path(f"/proc/sys/net/ipv4/conf/{each}/rp_filter").write_text("0")
            Path(f"/proc/sys/net/ipv6/conf/{each}/disable_ipv6").write_text("1")
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "add", f"{ROUTER}/24", "dev", "downlink")
        run("ip", "link", "set", "downlink", "up")
        for address in (*ENDPOINTS, SEEN_AS, *(inside(each).ip for each in BY_BGP.tunnels)):
            run("ip", "addr", "add", f"{address}/32", "dev", "lo")

    def _listening(self) -> socket.socket:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(3))
        wire.bind(("downlink", 3))
        wire.settimeout(0.25)
        return wire

    def _listen(self, wire: socket.socket) -> None:
        while True:
            try:
                self.heard.append(wire.recv(65_535))
            except TimeoutError:
                continue
            except OSError:  # closed: the network must not outlive the test
                return

    def drop(self, *rules: str) -> None:
        """Have AWS not hear these; without any: hear everything again."""
        chain = "add chain ip deaf in { type filter hook input priority 0; }"
        lines = ["add table ip deaf", "delete table ip deaf"]
        if rules:
            lines += ["add table ip deaf", chain, *(f"add rule ip deaf in {rule} drop" for rule in rules)]
        self.aws.do(lambda: subprocess.run(["nft", "-f", "-"], input="\n".join(lines), text=True, check=True))

    def ask(self) -> Any:
        """Somebody in the VPC asks the core; None: it cannot be reached."""

        def asked() -> Any:
            with suppress(OSError), socket.create_connection(CORE_API, 2.0, (SEEN_AS, 0)) as asking:
                asking.sendall(f"GET /{MARKER} HTTP/1.0\r\n\r\n".encode())
                return json.loads(asking.makefile("rb").read().partition(b"\r\n\r\n")[2])
            return None

        return self.aws.do(asked)

    def crossed(self) -> set[tuple[int, int, int]]:
        """Protocol, the port of the machine and AWS's, of each packet that crossed."""
        found = set()
        for frame in list(self.heard):
            if frame[12:14] != IPV4:
                continue
            packet = frame[FRAME:]
            at = 4 * (packet[0] & 15)
            source, target = int.from_bytes(packet[at : at + 2]), int.from_bytes(packet[at + 2 : at + 4])
            leaving = packet[12:16] == IPv4Address(MACHINE).packed
            found.add((packet[9], source, target) if leaving else (packet[9], target, source))
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as undo:
        machine, aws = Apart("machine"), Apart("aws")
        undo.callback(machine.end)
        undo.callback(aws.end)
        keys = {name: f"k{secrets.token_hex(16)}" for name in ("vpn-1", "vpn-2")}
        made = World(tmp_path_factory.mktemp("aws"), keys, machine, aws)
        made.begin(undo)
        yield made


@dataclass
class Joined:
    """`anden join` on the client's machine, and what it has said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def last(self) -> Any:
        return json.loads(self.lines[-1]) if self.lines else {"tunnels": [], "problems": [], "asked": []}

    def up(self) -> list[bool]:
        return [each["up"] for each in self.last()["tunnels"]]


def join(
    world: World, undo: ExitStack, file: Path, keys: Sequence[str], *words: str, to: Agreement = AGREED
) -> Joined:  # fmt: skip
    now = float(int(time.time()))
    rehearsal = Rehearsal("0a1b2c3d", now + 600, "", {}, secrets.token_hex(32))
    key = EnvironmentKey("banco-andino", "certification", EngineName.AWS)
    with files.writing(file, Invitation(key, now, to, OPENINGS, rehearsal)) as put:
        put(None)
    argv = [sys.executable, "-m", "anden", "join", str(file), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    process = world.machine.do(
        lambda: subprocess.Popen(
            argv, env=environment, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    )  # fmt: skip
    undo.callback(process.wait)
    undo.callback(process.kill)
    joined = Joined(process)
    threading.Thread(target=joined.read, daemon=True).start()
    assert process.stdin is not None
    process.stdin.write("".join(f"{each}\n" for each in keys))
    process.stdin.close()
    return joined


def left(world: World, joined: Joined) -> dict[str, list[str]]:
    """What a join has left: folders, processes, and sockets of the machine's network."""
    mark = f"anden-join-{joined.process.pid}-"
    sockets = world.machine.do(lambda: Path("/proc/thread-self/net/udp").read_text()).splitlines()[1:]
    running = [str(line) for line in _running(mark)]
    return {"folders": [str(each) for each in Path("/run").glob(f"{mark}*")], "running": running, "sockets": sockets}


def _running(mark: str) -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_text(errors="replace"):
                yield entry.name


def leave(joined: Joined) -> None:
    joined.process.send_signal(signal.SIGINT)
    assert joined.process.wait(PATIENCE_S) == 0


def test_a_silence_is_told_with_its_cause_then_both_tunnels_rise_and_the_vpc_reaches_the_core(
    world: World, tmp_path: Path
) -> None:
    one, two = AGREED.tunnels
    world.drop(f"ip daddr {one.ours.address}", f"ip daddr {two.ours.address} udp dport 4500")
    with ExitStack() as undo:
        file = tmp_path / "core.invitation"
        joined = join(world, undo, file, list(world.keys.values()), "--json")
        until(lambda: len(joined.last()["problems"]) == 2, "why neither is up")
        silent, half = (each["what"] for each in joined.last()["problems"])
        assert silent == "AWS does not answer at 192.0.2.100"
        assert half == "AWS does not go on at 192.0.2.101"
        world.drop()
        until(lambda: joined.up() == [True, True], "both tunnels are up")
        until(lambda: joined.last()["problems"] == [], "nothing is wrong any more")
        assert world.ask()["seen"] == SEEN_AS
        until(lambda: [each["source"] for each in joined.last()["asked"]] == [SEEN_AS], "who asked is seen")
        assert {each[0] for each in world.crossed()} == {UDP}
        assert {each[1:] for each in world.crossed()} == {(500, 500), (4500, 4500)}
        assert not any(MARKER.encode() in frame for frame in list(world.heard))
        for key in world.keys.values():
            assert leaks.in_files(key, tmp_path) == []
            assert leaks.in_command_lines(key) == []
            assert leaks.in_texts(key, joined.lines) == []
            assert not [each for each in Path("/run").glob(f"anden-join-{joined.process.pid}-*/*") if _has(each, key)]
        leave(joined)
        assert left(world, joined) == {"folders": [], "running": [], "sockets": []}
        page = file.with_name("core.invitation.page.md").read_text()
        client = page.partition("### From the client's side")[2]
        assert "| 2 | up | 20" in client
        assert f"| {SEEN_AS} | 10.20.4.17:8443 |" in client
        assert not any(key in page for key in world.keys.values())
        until(lambda: world.ask() is None, "AWS has heard that it ended")


def test_from_other_ports_by_bgp_and_with_one_wrong_key_the_other_tunnel_rises(world: World, tmp_path: Path) -> None:
    taken = [world.machine.do(lambda port=port: _taken(port)) for port in sorted(IKE)]  # type: ignore[misc]
    world.configure(BY_BGP)
    world.heard.clear()
    with ExitStack() as undo:
        world.speak(undo)
        for each in taken:
            undo.enter_context(each)
        before = world.machine.do(lambda: Path("/proc/thread-self/net/udp").read_text())
        keys = [world.keys["vpn-1"], f"wrong{world.keys['vpn-2']}"]
        joined = join(world, undo, tmp_path / "core.invitation", keys, to=BY_BGP)
        until(lambda: any("tunnel 1 is up" in line for line in joined.lines), "the first tunnel is up")
        until(lambda: any("AWS refused who we are at 192.0.2.101" in line for line in joined.lines), "the key's cause")
        said = "".join(joined.lines)
        assert "somebody has 500 and 4500 here, and IKE allows any" in said
        assert "vpn-2" in said
        assert not any(key in said for key in keys)
        until(lambda: world.sessions().get("tunnel_1") == "Established", "BGP is spoken on it")
        assert world.sessions()["tunnel_2"] != "Established"
        assert world.ask()["seen"] == SEEN_AS
        crossed = world.crossed()
        assert {each[0] for each in crossed} == {UDP}
        assert {each[2] for each in crossed} == IKE
        assert not {each[1] for each in crossed} & IKE
        leave(joined)
        found = left(world, joined)
        assert (found["folders"], found["running"]) == ([], [])
        assert world.machine.do(lambda: Path("/proc/thread-self/net/udp").read_text()) == before


def _taken(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("0.0.0.0", port))  # noqa: S104 - of a network of the test's own
    return made


def _has(path: Path, key: str) -> bool:
    with suppress(OSError):
        return key.encode() in path.read_bytes()
    return False
