"""Links in a real cell: two tunnels to the twin's data centre, who is seen there, what crosses the wire, and what
happens when a tunnel, the watch or the other side goes."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests import leaks
from tests.live import conftest
from tests.live.conftest import COMMAND_LIMIT_S, ROOT, Anden

from anden.engines.local import link_authority
from anden.engines.local.cell import dataplane, netns
from anden.engines.local.cell.link_files import LinkFiles
from anden.engines.local.cell.rtnetlink import Rtnetlink, index
from anden.engines.local.join.joining import sweep
from anden.engines.local.render.bird import SOCKET
from anden.engines.local.render.strongswan import Dataplane, Proof
from anden.model import codec
from anden.planning import credentials
from anden.planning.invitations import moment
from anden.planning.link_policies import WATCH

GATEWAY = "127.0.0.1:8095"
SPEAKER = "/usr/sbin/bird"
MARKER = b"plaintext-of-a-bank"
MANIFEST = """\
anden: 1
client: linked
environments:
  dev:
    zones: 2
    egress: one
    links:
      core: { peer: 203.0.113.10, networks: 10.20.0.0/16, seen-as: 100.64.10.0/26, secret: [vpn-1, vpn-2], bgp: 65010, \
incoming: { web: { from: 10.20.4.0/24, at: 9443 } } }
    destinations:
      core-api: { link: core, to: 10.20.4.17:8443 }
      rates: rates.example.net:8443
services:
  web: { build: app, port: 8080, route: /, instances: 2, timeout: 5 s, reaches: [core-api] }
  other: { build: app, port: 8080, route: /other, reaches: [rates] }
  inner: { build: app, port: 8080, reaches: [web] }
"""
APP = """\
import http.server, json, os, signal, urllib.request
PATIENCE = {"/patient": 4, "/stuck": 60}
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            url, patience = "http://10.20.4.17:8443/plaintext-of-a-bank", PATIENCE.get(self.path, 1)
            with urllib.request.urlopen(url, timeout=patience) as answer:
                code, body = 200, answer.read()
        except OSError as error:
            code, body = 504, json.dumps({"error": str(error)}).encode()
        if self.path in ("/", "/other", "/inner"):
            code, body = 200, json.dumps({"seen": self.client_address[0], "by": os.environ["ANDEN_SERVICE"]}).encode()
        self.send_response(code); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process hears only what it asks for
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
"""
SEEN = {"100.64.10.5", "100.64.10.21"}
"""The declared block's share of zone a, and of zone b."""
DIALLED = ("100.64.10.6", "100.64.10.22")
"""What the other side dials, in zone a, and in zone b."""
PATIENCE_S = 30.0
NOTICED_S = WATCH.notices_s + 1.0
ANSWER_S = 1.0
"""How long the service waits for the core: a question asked at the last moment of a dead tunnel ends by then."""
FIRST = IPv4Network("198.51.100.100/32")
"""The first endpoint."""
IKE, UDP, IPV4 = {500, 4500}, 17, b"\x08\x00"


def processes(needle: str) -> dict[int, str]:
    """As conftest's, of this clone only: others of this machine may have links too."""
    return {pid: line for pid, line in conftest.processes(needle).items() if str(ROOT) in _environment(pid)}


@dataclass
class Joined:
    """`anden join`, running, and what it has said last."""

    process: subprocess.Popen[str]
    said: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def up(self) -> list[bool]:
        return [each["up"] for each in self.said[-1]["tunnels"]] if self.said else []


@dataclass
class Linked:
    """The environment, by the command line."""

    anden: Anden
    folder: Path

    def try_(self, *words: str) -> subprocess.CompletedProcess[str]:
        running = subprocess.Popen(
            [sys.executable, "-m", "anden", "-C", str(self.folder), *words], env=self.anden.env, cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = running.communicate(timeout=COMMAND_LIMIT_S)
        finally:
            running.kill()
        return subprocess.CompletedProcess(list(words), running.returncode, out, err)

    def __call__(self, *words: str) -> str:
        done = self.try_(*words)
        assert done.returncode == 0, f"{words} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def join(self, file: Path) -> Joined:
        argv = [sys.executable, "-m", "anden", "join", str(file), "--json"]
        return Joined(
            subprocess.Popen(
                argv, env=self.anden.env, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
        )

    def link(self) -> Any:
        [found] = json.loads(self.try_("link", "status", "core", "--json").stdout)
        return found

    def outages(self) -> list[tuple[str, str]]:
        """What the record has of them, oldest first, without times."""
        said = [(one["what"].partition(", since")[0], one["detail"]) for one in json.loads(self("history", "--json"))]
        return [one for one in reversed(said) if one[0].startswith("link core: ")]

    def process(self, module: str) -> int:
        """The cell's process of that module: of this test's cell, for it is the only one with links."""
        [pid] = processes(f"anden.engines.local.cell.{module}")
        return pid

    def sessions(self) -> list[Any]:
        return [each["bgp"] for each in self.link()["tunnels"]]

    def announce(self, change: Callable[[str], str]) -> None:
        """Have the data centre's BIRD say something else than what a client is given."""
        root = Path(f"/proc/{self.process('far_server')}/root")
        folder = root / LinkFiles(1).speaker(None).relative_to("/")
        file = folder / "bird.conf"
        kept = folder / "bird.conf.kept"
        if not kept.exists():
            kept.write_text(file.read_text())
        file.write_text(change(kept.read_text()))
        said = subprocess.run(
            ["birdc", "-s", str(folder / SOCKET), "configure"], capture_output=True, text=True, check=True
        ).stdout
        assert "Reconfigur" in said, said

    def wire(self) -> Path:
        """The network on the other side of the link, as it is seen from here."""
        return Path(f"/proc/{self.process('link_server')}/root") / netns.path("link.1").relative_to("/")


def ask(path: str = "/core", limit_s: float = 5.0) -> Any:
    """What the core saw; None: the service could not reach it."""
    with suppress(OSError), urlopen(f"http://{GATEWAY}{path}", timeout=limit_s) as answer:
        return json.load(answer)
    return None


def stuck() -> tuple[int, Any]:
    """What the gateway answers for a service that waits for the core, and for ever."""
    try:
        with urlopen(f"http://{GATEWAY}/stuck", timeout=20) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refused:
        return refused.code, json.load(refused)


def until(true: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(0.1)


def turn(linked: Linked, tunnel: int, *, up: bool) -> None:
    """Cut a tunnel's cable on the wire, or mend it."""

    def work() -> None:
        netns.enter(linked.wire())
        name = f"gw{tunnel}"
        subprocess.run(["ip", "link", "set", name, "up" if up else "down"], check=True, capture_output=True)
        number = index(name)
        assert number is not None
        if up:
            with Rtnetlink() as ip:  # the route went with the interface
                ip.route(IPv4Network(f"{FIRST.network_address + tunnel - 1}/32"), out=number)

    netns.apart(work)


@pytest.fixture(scope="module")
def alone(anden: Anden) -> Iterator[Linked]:
    """Nobody on the other side."""
    folder = anden.state / "manifest"
    (folder / "app").mkdir(parents=True)
    (folder / "anden.yaml").write_text(MANIFEST)
    (folder / "app" / "app.py").write_text(APP)
    (folder / "app" / "Containerfile").write_text(
        'ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "-u", "/app.py"]\n'
    )
    made = Linked(anden, folder)
    for name in ("vpn-1", "vpn-2"):
        made("secret", "set", name, "--random")
    made("up", "--gateway", GATEWAY, "--yes")
    yield made
    made("down", "--yes")
    assert not processes("anden.engines.local.cell.link_server")
    assert not processes("charon-systemd")
    assert not processes(SPEAKER)


@pytest.fixture(scope="module")
def linked(alone: Linked) -> Linked:
    alone("up", "--yes", "--with-datacentre")
    until(lambda: alone.link()["by"] == 1 and all(each["up"] for each in alone.link()["tunnels"]), "both are up")
    return alone


def test_without_the_other_side_it_is_said_why_and_services_get_an_error(alone: Linked) -> None:
    waiting: list[tuple[int, Any]] = []
    asking = threading.Thread(target=lambda: waiting.append(stuck()), daemon=True)
    asking.start()
    until(lambda: alone.link()["tunnels"][0]["problem"] is not None, "why it is not up")
    assert alone.try_("link", "status", "core").returncode == 1
    said = alone.try_("status").stdout
    assert "! link core: no tunnel is up: nothing behind it can be reached, since 20" in said
    assert "an incident is due" in said
    assert "203.0.113.10 does not answer" in said
    ((what, why),) = alone.outages()
    assert what == "link core: no tunnel carries"
    assert why.startswith("tunnel 1: 203.0.113.10 does not answer")
    asking.join()
    ((status, problem),) = waiting
    assert (status, problem["status"], problem["title"]) == (504, 504, "Gateway Timeout")
    assert len(problem["trace"]) == 32
    tried = alone.try_("prove", "links")
    assert tried.returncode == 1
    assert "0 of 2 ways through a link proved" in tried.stdout
    assert ask() is None
    assert set(ask("/")) == {"seen", "by"}, "what needs no core serves on"


def test_the_outage_is_over_by_itself_and_that_is_on_record(linked: Linked) -> None:
    until(lambda: len(linked.outages()) == 2, "its end is on record")
    what, why = linked.outages()[-1]
    assert what == "link core: a tunnel carries again"
    assert "203.0.113.10 does not answer" in why
    assert "no tunnel carried for" in linked("link", "status")
    assert "incident" not in linked("status")


def test_the_core_sees_the_declared_addresses_and_probes_agree_with_what_is_computed(linked: Linked) -> None:
    assert {ask()["seen"] for _ in range(8)} == SEEN
    proofs = [one for one in json.loads(linked("prove", "egress", "--json"))["proofs"] if one["destination"] != "rates"]
    assert {each["observed"] for each in proofs} == SEEN
    assert {each["verdict"] for each in proofs} == {"proved"}
    report = json.loads(linked("prove", "links", "--json"))
    assert report["proofs"] == proofs
    assert [(each["name"], each["by"]) for each in report["links"]] == [("core", 1)]
    assert "✓ live" in linked("link", "test", "core")
    assert "BLOCKED at firewall: not declared" in linked("reach", "other", "link:core:8443", "--live")
    assert ask("/other/core") is None


def test_all_that_is_computed_is_what_is_seen(linked: Linked) -> None:
    """Services, what lies behind the link, a name outside, and the gateway; open and closed."""
    proved = linked.try_("prove", "reach", "--json")
    assert proved.returncode == 0, proved.stderr
    paths = json.loads(proved.stdout)["paths"]
    services, behind = {"web", "other", "inner"}, {"core-api", "rates"}
    assert {(each["caller"], each["callee"]) for each in paths} >= set(itertools.product(services, services | behind))
    open_ = {(each["caller"], each["callee"]) for each in paths if each["open"]}
    assert open_ >= {("web", "core-api"), ("other", "rates"), ("inner", "web"), ("link:core", "web")}
    assert len(open_) == 4
    for service, path in (("web", "/"), ("other", "/other"), ("inner", "/inner")):
        computed = linked.try_("reach", "gateway", service).stdout.startswith("OPEN")
        with urlopen(f"http://{GATEWAY}{path}") as answer:
            seen = f'"{service}"' in answer.read().decode()
        assert computed == seen == (service != "inner"), service


def dial(linked: Linked, source: str, address: str, port: int = 9443, limit_s: float = 2.0) -> Any:
    """What is answered to somebody behind the link; None: nothing."""

    def work() -> Any:
        netns.enter(linked.wire())
        with suppress(OSError), socket.create_connection((address, port), limit_s, (source, 0)) as dialling:
            dialling.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return json.loads(dialling.makefile("rb").read().partition(b"\r\n\r\n")[2])
        return None

    return netns.apart(work)


def hold(linked: Linked, source: str, address: str) -> socket.socket:
    """A connection from somebody behind the link, with nothing said yet."""

    def work() -> socket.socket:
        netns.enter(linked.wire())
        return socket.create_connection((address, 9443), 5.0, (source, 0))

    return netns.apart(work)


def test_what_begins_behind_the_link_reaches_what_is_let_in_and_nothing_else(linked: Linked) -> None:
    assert {dial(linked, "10.20.4.17", address)["seen"] for address in DIALLED} == {ask("/")["seen"]}, "the balancer"
    assert dial(linked, "10.20.5.17", DIALLED[0], limit_s=0.5) is None
    assert dial(linked, "10.20.4.17", DIALLED[0], 8080, limit_s=0.5) is None
    said = linked("reach", "link:core", "web", "--live")
    assert said.startswith("OPEN link:core → web:9443")
    assert "✓ live  link:core → 100.64.10.6:9443  connected" in said
    assert "BLOCKED at firewall" in linked("reach", "link:core", "other", "--live")
    tried = json.loads(linked("prove", "links", "--json"))["incoming"]
    assert [(each["zone"], each["source"], each["admitted"]) for each in tried] == [
        ("a", "10.20.4.1", True), ("a", "10.20.0.1", False), ("b", "10.20.4.1", True), ("b", "10.20.0.1", False),
    ]  # fmt: skip
    assert {each["verdict"] for each in tried} == {"proved"}
    rows = json.loads(linked("refused", "--json"))["rows"]
    assert {(each["to"], each["port"], each["why"]) for each in rows if each["service"] == "link:core"} == {
        ("web", 9443, "from 10.20.5.17, which may not"),
        ("100.64.10.6", 8080, "from 10.20.4.17: nothing is let in there"),
    }, "and what we tried ourselves is no news"


def test_only_ike_crosses_the_wire(linked: Linked) -> None:
    heard: list[bytes] = []

    def listen() -> socket.socket:
        netns.enter(linked.wire())
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(3))
        wire.bind(("gw1", 3))
        wire.settimeout(0.3)
        return wire

    with netns.apart(listen) as wire:
        for _ in range(5):
            assert ask()["path"].encode() == b"/" + MARKER
        with suppress(TimeoutError):
            while len(heard) < 1000:
                heard.append(wire.recv(65536))
    packets = [frame[14:] for frame in heard if frame[12:14] == IPV4]
    assert len(packets) > 20
    for packet in packets:
        assert packet[9] == UDP
        assert {int.from_bytes(packet[20:22]), int.from_bytes(packet[22:24])} <= IKE
        assert MARKER not in packet


def test_traffic_goes_only_where_all_that_is_declared_is_announced_and_only_for_that(linked: Linked) -> None:
    """The other side's BIRD says what it should not; ours hears it, and the route moves. Nothing that is announced
    beside it leads anywhere: routes are not BIRD's to write."""
    assert [(each["carries"], each["heard"]) for each in linked.sessions()] == 2 * [(True, ["10.20.0.0/16"])]
    assert len(processes(SPEAKER)) == 3
    for pid in processes(SPEAKER):  # it reads what a stranger sends
        said = Path(f"/proc/{pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534\n" in said
        assert "CapPrm:\t0000000000000000\n" in said
    hub = Path(f"/proc/{linked.process('link_server')}/ns/net")
    try:
        linked.announce(
            lambda said: said.replace("254.128.2 as 65010;", "254.128.2 as 65099;").replace(
                "    route 10.20", "    route 10.99.0.0/16 blackhole;\n    route 10.20"
            )
        )
        until(lambda: linked.link()["by"] == 2, "the one that is somebody else is left")
        what = "203.0.113.10 is not AS 65010"  # until it has said who it is, there is no session, and no more is known
        until(lambda: (linked.sessions()[0]["problem"] or {}).get("what") == what, "why")
        second = linked.sessions()[1]
        assert (second["heard"], second["refused"]) == (["10.20.0.0/16"], ["10.99.0.0/16"])
        assert "10.99.0.0/16 is announced and was refused" in linked.try_("status").stdout
        assert {ask()["seen"] for _ in range(4)} <= SEEN
        routes = subprocess.run(["nsenter", f"--net={hub}", "ip", "route"], capture_output=True, text=True, check=True)
        assert "10.20.0.0/16" in routes.stdout
        assert "10.99." not in routes.stdout
        linked.announce(lambda said: said.replace("route 10.20.0.0/16", "route 10.20.0.0/17"))
        until(lambda: linked.link()["by"] is None, "half of it is not it")
        shown = linked.try_("link", "status", "core")
        assert shown.returncode == 1
        assert "no route" in shown.stdout
        assert "10.20.0.0/16 is not announced" in shown.stdout
        assert ask() is None
    finally:
        linked.announce(str)
    until(lambda: linked.link()["by"] == 1, "and it carries again")
    assert ask() is not None


def test_a_tunnel_that_is_cut_under_load_is_left_in_time(linked: Linked) -> None:
    good: list[float] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            if ask(limit_s=3.0) is not None:
                good.append(time.monotonic())

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    until(lambda: len(good) > 10, "load")
    cut = time.monotonic()
    try:
        turn(linked, 1, up=False)
        until(lambda: linked.link()["by"] == 2, "the other one carries", NOTICED_S + PATIENCE_S)
        until(lambda: good[-1] > cut + NOTICED_S + ANSWER_S, "requests go on")
    finally:
        turn(linked, 1, up=True)
    ended.set()
    loading.join()
    after = [at for at in good if at > cut]
    gaps = [later - earlier for earlier, later in zip([cut, *after], after, strict=False)]
    print(f"fail-over: {max(gaps):.1f} s without an answer; {NOTICED_S + ANSWER_S:g} s are the most")
    assert max(gaps) < NOTICED_S + ANSWER_S
    until(lambda: linked.link()["by"] == 1, "the first one is back")


def test_both_tunnels_cut_are_an_outage_and_what_was_asked_meanwhile_is_answered_after_it(linked: Linked) -> None:
    before, patient = len(linked.outages()), []
    try:
        for number in (1, 2):
            turn(linked, number, up=False)
        until(lambda: linked.link()["by"] is None, "nothing carries", NOTICED_S + PATIENCE_S)
        assert ask() is None
        assert "no tunnel is up: nothing behind it can be reached, since 20" in linked.try_("status").stdout
        asking = threading.Thread(target=lambda: patient.append(ask("/patient")), daemon=True)
        asking.start()
    finally:
        for number in (1, 2):
            turn(linked, number, up=True)
    asking.join()
    assert patient[0] is not None, "whoever is patient for four seconds does not see the end of it"
    recorded: list[tuple[str, str]] = []

    def both_ends() -> bool:
        recorded[:] = linked.outages()[before:]
        return len(recorded) >= 2

    until(both_ends, "both ends are on record")
    # Read once: a session of BGP that outlived the outage may end after it, and that is another one.
    assert [what for what, _ in recorded] == ["link core: no tunnel carries", "link core: a tunnel carries again"]
    until(lambda: linked.link()["by"] == 1, "the first one is back")


def test_nothing_is_lost_by_a_lowered_tunnel_nor_by_its_return(linked: Linked) -> None:
    """At its return the other side answers by the new tunnel some milliseconds before we can read what comes by it
    (the responder of IKE is ready first): TCP sends that again, a second later at the latest."""
    answers: list[Any] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            answers.append(ask("/patient"))

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    held = hold(linked, "10.20.4.17", DIALLED[1])
    linked("link", "down", "core", "--tunnel", "1")
    until(lambda: linked.link()["by"] == 2, "the other one carries")
    assert dial(linked, "10.20.4.17", DIALLED[0]) is not None, "what begins on the other side comes by it as well"
    with held:
        held.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.0 200"), "and what had begun goes on"
    linked("link", "up", "core", "--tunnel", "1")
    until(lambda: linked.link()["by"] == 1, "it is back")
    ended.set()
    loading.join()
    assert len(answers) > 20
    assert None not in answers


def test_tunnels_outlive_the_supervisor_and_their_watch(linked: Linked) -> None:
    before = set(processes("charon-systemd"))
    assert len(before) == 3
    own = dataplane.probe() is Dataplane.LIBIPSEC
    assert {os.sched_getscheduler(pid) for pid in before} == {os.SCHED_BATCH if own else os.SCHED_OTHER}
    for module in ("supervisor", "link_server"):
        old = linked.process(module)
        os.kill(old, signal.SIGKILL)
        until(lambda its=module, was=old: was not in processes(f"local.cell.{its}"), "it is gone")  # type: ignore[misc]
        until(lambda its=module: len(processes(f"local.cell.{its}")) == 1, "there is another one")  # type: ignore[misc]
    until(lambda: ask() is not None, "the core answers")
    assert set(processes("charon-systemd")) == before
    until(lambda: linked.link()["by"] == 1, "its state is known")


def test_a_daemon_that_dies_comes_back_by_itself(linked: Linked) -> None:
    ours = [pid for pid in processes("charon-systemd") if "links/1/1" in _environment(pid)]
    assert len(ours) == 1
    before = linked.link()["tunnels"][0]["since"]
    os.kill(ours[0], signal.SIGKILL)

    def again() -> bool:
        tunnel = linked.link()["tunnels"][0]
        return bool(tunnel["up"] and tunnel["since"] > before)

    until(again, "its tunnel is another one")
    until(lambda: linked.link()["by"] == 1, "it carries")
    assert ask("/patient") is not None, "a second late at most, when a tunnel has just come up"


def verified(linked: Linked, page: Path) -> subprocess.CompletedProcess[str]:
    return linked.try_("join", str(linked.folder / "core.invitation"), "--verify", str(page))


@pytest.fixture
def joined(linked: Linked) -> Iterator[Joined]:
    """The other side by an invitation, in networks of its own, in the place of the data centre."""
    file = linked.folder / "core.invitation"
    said = linked("link", "invite", "core", "-o", str(file), "--expires", "1h", "--meet", "127.0.0.1:4510")
    assert f"anden join {file}" in said
    assert file.stat().st_mode & 0o777 == 0o600
    checked = linked.try_("join", str(file), "--check")
    assert checked.returncode == 0, checked.stderr
    assert "nothing is in the way" in checked.stdout
    found = linked.join(file)
    running = found.process
    try:
        yield found
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
        linked("link", "invite", "core", "--end")
        file.unlink()


def test_somebody_joins_by_an_invitation_and_sees_the_declared_addresses(linked: Linked, joined: Joined) -> None:
    until(lambda: joined.up() == [True, True], "both tunnels are up, as the other side sees them")
    until(lambda: linked.link()["by"] == 1, "as we see them")
    seen = linked.link()
    assert seen["datacentre"] is False
    assert seen["invited"]["joined"].startswith("127.0.0.1:")
    assert {ask()["seen"] for _ in range(8)} == SEEN
    until(lambda: {each["source"] for each in joined.said[-1]["asked"]} == SEEN, "the other side says whom it saw")
    until(lambda: linked.link()["invited"]["sight"]["asked"] != [], "it has told us so")
    page, theirs = linked.folder / "core.md", linked.folder / "core.invitation.page.md"
    assert "signed by the rehearsal's key" in linked("link", "page", "core", "-o", str(page))
    text = page.read_text()
    assert "| 1 | up | 20" in text.split("### From the environment's side")[1].split("###")[0]
    assert "| 100.64.10.5 | 10.20.4.17:8443 |" in text.split("### From the client's side")[1]
    assert verified(linked, page).returncode == 0
    page.write_text(text.replace("100.64.10.5 |", "100.64.10.6 |"))
    assert "it was changed since it was signed" in verified(linked, page).stderr
    refused = linked.try_("up", "--yes", "--with-datacentre")
    assert "somebody is invited" in refused.stderr
    file = linked.folder / "core.invitation"
    said = json.loads(file.read_text())
    for key in (*said["keys"].values(), said["wire"]):
        assert leaks.in_files(key, linked.anden.state) == [str(file)]
        assert leaks.in_command_lines(key) == []
        assert leaks.in_texts(key, [json.dumps(joined.said), linked("history", "--json"), text]) == []
    joined.process.send_signal(signal.SIGINT)
    assert joined.process.wait(PATIENCE_S) == 0
    assert not list(Path("/run").glob("anden-join-*"))
    assert "| 2 | up | 20" in theirs.read_text().split("### From the environment's side")[1].split("###")[0]
    assert verified(linked, theirs).returncode == 0
    assert len(processes("charon-systemd")) == 2
    assert len(processes(SPEAKER)) == 2
    until(lambda: linked.link()["by"] is None, "nobody is there")


def test_a_killed_join_leaves_nothing_and_its_keys_open_nothing_after_the_end(linked: Linked, joined: Joined) -> None:
    until(lambda: joined.up() == [True, True], "both are up")
    linked("link", "invite", "core", "-o", str(linked.folder / "again"), "--meet", "127.0.0.1:4510")
    until(lambda: (linked.link()["invited"] or {}).get("joined") == "", "a second invitation ends the first")
    joined.process.kill()
    joined.process.wait()
    until(lambda: len(processes("charon-systemd")) == 2, "its strongSwan went with it")
    assert len(processes(SPEAKER)) == 2
    sweep()
    assert not list(Path("/run").glob("anden-join-*"))
    linked("link", "invite", "core", "--end")
    assert linked.link()["invited"] is None
    assert not processes("link_relay")
    linked("up", "--yes", "--with-datacentre")
    until(lambda: linked.link()["by"] == 1, "the link's own keys hold again")
    # Answers are late for a moment when a second tunnel comes up (docs/links.md, "Changes").
    until(lambda: all(each["up"] for each in linked.link()["tunnels"]), "both are up")
    assert {ask()["seen"] for _ in range(8)} == SEEN


def test_another_policy_raises_other_tunnels(linked: Linked) -> None:
    manifest = linked.folder / "anden.yaml"
    manifest.write_text(MANIFEST.replace("seen-as:", "policy: gcm-384, seen-as:"))
    assert "core policy aws → gcm-384" in linked("plan")
    before = linked.link()["tunnels"][0]["since"]
    linked("up", "--yes", "--with-datacentre")
    until(lambda: linked.link()["by"] == 1 and linked.link()["tunnels"][0]["since"] > before, "it rises anew")
    until(lambda: ask() is not None, "and carries")
    assert "proposals = aes256gcm16-prfsha384-ecp384\n" in linked("link", "config", "core")


def test_a_link_that_is_not_declared_any_more_leaves_nothing(linked: Linked) -> None:
    manifest = linked.folder / "anden.yaml"
    bare = "\n".join(line for line in MANIFEST.splitlines() if "core" not in line or line.startswith("  web:"))
    bare = bare.replace("    links:\n", "").replace(", reaches: [core-api]", "")
    try:
        manifest.write_text(bare + "\n")
        linked("up", "--yes")
        until(lambda: not processes("charon-systemd") and not processes(SPEAKER), "its daemons are gone")
        assert not processes("link_server")
        assert ask() is None
    finally:
        manifest.write_text(MANIFEST.replace(", bgp: 65010", ""))
    linked("up", "--yes", "--with-datacentre")
    until(lambda: ask() is not None, "and it can come again, by static routes")
    assert linked.sessions() == [None, None]
    assert not processes(SPEAKER)


def test_certificates_prove_both_sides_and_are_renewed_without_a_lost_request(linked: Linked) -> None:
    """Renewal is due in two months, so the kept ones are made to look old, and their watch begins anew."""
    (linked.folder / "anden.yaml").write_text(MANIFEST.replace("secret: [vpn-1, vpn-2]", "certificate: rehearsal"))
    linked("up", "--yes", "--with-datacentre")
    until(lambda: [each["up"] for each in linked.link()["tunnels"]] == [True, True], "both are up")
    assert {ask()["seen"] for _ in range(8)} == SEEN
    kept = Path(f"/proc/{linked.process('link_server')}/root/run/anden/links/1/certificates")
    files = sorted(kept.glob("*.json"))
    assert [file.name for file in files] == ["1.json", "2.json", "authority.json", "other-side.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    before = {file.name: json.loads(file.read_text()) for file in files}
    told = [json.dumps(linked.link()), linked("link", "config", "core")]
    for proof in before.values():
        secret = proof["key"].splitlines()[1]
        assert leaks.in_files(secret, linked.anden.state) == []
        assert leaks.in_command_lines(secret) == []
        assert leaks.in_texts(secret, told) == []
    began = [each["since"] for each in linked.link()["tunnels"]]
    answers: list[Any] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            answers.append(ask("/patient"))

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    for file in files:
        if file.name != "authority.json":
            file.write_text(json.dumps({**before[file.name], "since": 0.0}))
    os.kill(linked.process("link_server"), signal.SIGKILL)

    def anew() -> bool:
        tunnels = linked.link()["tunnels"]
        return all(each["up"] and each["since"] > was for each, was in zip(tunnels, began, strict=True))

    until(anew, "both were raised by other certificates")
    until(lambda: linked.link()["by"] == 1, "the first one carries")
    ended.set()
    loading.join()
    kept = Path(f"/proc/{linked.process('link_server')}/root/run/anden/links/1/certificates")
    after = {file.name: json.loads(file.read_text()) for file in kept.glob("*.json")}
    changed = {name for name, proof in after.items() if proof["certificate"] != before[name]["certificate"]}
    assert changed == {"1.json", "2.json", "other-side.json"}
    assert len(answers) > 20
    assert None not in answers


def test_somebody_joins_by_a_certificate_that_opens_nothing_after_the_invitation(
    linked: Linked, joined: Joined
) -> None:  # fmt: skip
    until(lambda: joined.up() == [True, True], "both tunnels are up")
    until(lambda: linked.link()["by"] == 1, "as we see them")
    until(lambda: [each["carries"] for each in linked.sessions()] == [True, True], "by BGP too")
    assert {ask()["seen"] for _ in range(8)} == SEEN
    file, page = linked.folder / "core.invitation", linked.folder / "core.md"
    said = json.loads(file.read_text())
    assert said["keys"] == {}
    assert "signed by the rehearsal's key" in linked("link", "page", "core", "-o", str(page))
    own = Path(f"/proc/{linked.process('link_server')}/root/run/anden/links/1")
    [theirs] = Path("/run").glob(f"anden-join-{joined.process.pid}-*/vici.sock")
    private = said["credential"]["key"].splitlines()[1]  # all that is secret of it stands in this line
    told = [json.dumps(linked.link()), json.dumps(joined.said), linked("history", "--json"), page.read_text()]
    assert leaks.in_files(private, linked.anden.state) == [str(file)]
    assert leaks.in_files(private, own) == leaks.in_files(private, theirs.parent) == []
    assert leaks.in_command_lines(private) == []
    assert leaks.in_texts(private, told) == []
    joined.process.send_signal(signal.SIGINT)
    assert joined.process.wait(PATIENCE_S) == 0
    authority, key = (own / "certificates/authority.json").read_text(), ec.generate_private_key(ec.SECP256R1())
    other = link_authority.vouched_for(
        codec.from_json(Proof, authority), "203.0.113.10", credentials.public(key), time.time(), moment(said["expires"])
    )
    said["credential"] |= {"certificate": other, "key": credentials.written(key)}
    file.write_text(json.dumps(said))  # as good as the one before it, but another: as an earlier invitation has it
    again = linked.join(file)
    try:
        what = "203.0.113.10 shows another certificate than the invitation's"
        until(lambda: (linked.link()["tunnels"][0]["problem"] or {}).get("what") == what, what)
        assert again.up() == [False, False]
    finally:
        again.process.kill()
        again.process.wait()
        sweep()
    linked("link", "invite", "core", "--end")
    assert linked.link()["invited"] is None
    assert not processes("link_relay")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 4510))  # nobody hears there who has the file


def _environment(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return ""
