"""The balancer with real HAProxy processes: who comes, goes and changes, under a steady load of GETs."""

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from tests.live import network_world as world
from tests.live.load import Load

from anden.engines.local import endpoints
from anden.engines.local.cell import firewall, link_network, netns, network
from anden.engines.local.cell.balancer import Balancer
from anden.engines.local.render.stations import BALANCER
from anden.model.configuration import AllowIncoming, Backend, Configuration, GatewayRoute, Linked
from anden.model.ids import ServiceName
from anden.model.observation import Health
from anden.model.secret import SecretRef
from anden.model.topology import Link, Protocol

pytestmark = pytest.mark.live
RUN = Path("/run/anden")
HEALTHY = (Health.HEALTHY, "HTTP 200")


@dataclass
class Cell:
    """The network, the firewall and a balancer, with this process in the place of the supervisor."""

    spawner: world.SubprocessSpawner = field(default_factory=world.SubprocessSpawner)
    pids: dict[str, int] = field(default_factory=dict)
    balancer: Balancer = field(init=False)

    def __post_init__(self) -> None:
        world.open_gateway(self.spawner)
        self.balancer = Balancer(self.spawner, RUN, "gateway")

    def configure(self, wanted: Configuration) -> float:
        network.build(wanted)
        firewall.apply(wanted)
        for linked in wanted.links:
            link_network.welcome(endpoints.agreed(wanted.layout, linked), wanted.layout.balancer)
        start = time.monotonic()
        self.balancer.configure(wanted, tuple(self.balancer.servers()))
        return time.monotonic() - start

    def up(self, of: Backend, ordinal: int, *words: str, health_path: str | None = None) -> float:
        """Start and register an instance; the seconds that the balancer took to register it."""
        one = world.instance(of, ordinal, health_path)
        network.attach(one.id, one.address, one.zone)
        start = time.monotonic()
        self.balancer.add(one)
        took = time.monotonic() - start
        assert of.port is not None
        self.pids[one.id] = world.serve(self.spawner, one.id, of.port, *words)
        return took

    def healthy(self, *ids: str) -> None:
        world.until(lambda: all(self.balancer.health()[name][0] is Health.HEALTHY for name in ids), f"{ids} healthy")

    def down(self, id: str) -> None:
        """As a supervisor stops an instance: drain, wait, SIGTERM, remove."""
        self.balancer.drain(id)
        world.until(lambda: self.balancer.sessions(id) == 0, f"{id} drained")
        self.spawner.kill(self.pids[id], signal.SIGTERM)
        self.balancer.remove(id)
        pid = self.pids.pop(id)
        world.until(lambda: not self.spawner.alive(pid), "ended")
        network.detach(id)

    @contextmanager
    def load(self, path: str = "/", rate: float = 200) -> Iterator[Load]:
        """GETs from the gateway's network; fails when any of them did."""
        load = Load(*world.GATEWAY, path, rate=rate)
        netns.inside(world.CLIENT, load.__enter__)
        try:
            yield load
        finally:
            load.__exit__()
        print(load.verdict())
        assert load.sent > 50
        assert not load.failures, load.verdict()


def get(
    path: str = "/",
    at: tuple[str, int] = world.GATEWAY,
    inside: str = world.CLIENT,
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    def work() -> tuple[int, str]:
        connection = http.client.HTTPConnection(*at, timeout=5)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return netns.inside(inside, work)


def route(path: str, service: str, host: str | None = None, refused: str = "") -> GatewayRoute:
    return GatewayRoute(path, ServiceName(service), host, refused)


ACCOUNTS, LEDGER = world.backend("accounts", 1), world.backend("ledger", 2)
PLAIN = world.configuration(ACCOUNTS, routes=[route("/", "accounts")])
BOTH = world.configuration(
    ACCOUNTS, LEDGER, allows=[("accounts", "ledger", 8080)], routes=[route("/", "accounts"), route("/ledger", "ledger")]
)


CORE = Link(
    "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("one", "two"), IPv4Network("100.64.10.0/26")
)
LET_IN = replace(
    PLAIN,
    links=(Linked(CORE, 1, (SecretRef("one", ""), SecretRef("two", ""))),),
    allows_in=(AllowIncoming("core", 8443, ServiceName("accounts"), IPv4Network("10.20.4.0/24")),),
)
DIALLED = ("100.64.10.6", 8443)


def scenario_core() -> None:
    """From nothing to an answer; health in words at each stage."""
    cell = Cell()
    start = time.monotonic()
    network.build(PLAIN)
    print(f"network.build {1e3 * (time.monotonic() - start):.1f} ms")
    print(f"balancer.configure {1e3 * cell.configure(PLAIN):.1f} ms")
    status, body = get()
    assert (status, json.loads(body)["detail"]) == (503, "no healthy instance")
    one = world.instance(ACCOUNTS, 1)
    network.attach(one.id, one.address, one.zone)
    took = []
    for ordinal in (2, 3, 4, 1):
        start = time.monotonic()
        cell.balancer.add(world.instance(ACCOUNTS, ordinal))
        took.append(time.monotonic() - start)
    print(f"balancer.add {1e3 * min(took):.1f} to {1e3 * max(took):.1f} ms")
    assert cell.balancer.health()[one.id][0] is not Health.HEALTHY
    world.until(lambda: cell.balancer.health()[one.id] == (Health.UNHEALTHY, "connection refused"), "refused")
    world.until(lambda: cell.balancer.health()["accounts-2"] == (Health.UNHEALTHY, "timeout"), "nobody there")
    pid = world.serve(cell.spawner, one.id, 8080, "health=500")
    world.until(lambda: cell.balancer.health()[one.id] == (Health.UNHEALTHY, "HTTP 500"), "broken")
    assert get()[0] == 503
    cell.spawner.kill(pid, signal.SIGKILL)
    world.until(lambda: not cell.spawner.alive(pid), "ended")
    world.serve(cell.spawner, one.id, 8080)

    def listens() -> bool:
        def work() -> bool:
            with socket.socket() as trying:
                return trying.connect_ex((str(one.address), 8080)) == 0

        return netns.inside(one.id, work)

    world.until(listens, "the server listens")
    took_s = world.until(lambda: cell.balancer.health()[one.id] == HEALTHY, "healthy")
    print(f"healthy {took_s * 1e3:.0f} ms after the server listened")
    assert get("/x")[1].startswith("accounts-1 172.30.112.4 /x 127.0.0.1")
    cell.balancer.down(one.id)
    assert cell.balancer.health()[one.id][0] is not Health.HEALTHY
    world.until(lambda: cell.balancer.health()[one.id] == HEALTHY, "healthy again")
    for ordinal in (1, 2, 3, 4):
        cell.balancer.remove(f"accounts-{ordinal}")
    cell.balancer.remove("accounts-1")
    assert cell.balancer.health() == {}
    assert cell.balancer.sessions("accounts-1") == 0


def scenario_coming_and_going() -> None:
    """Instances are added, drained and removed, one with another health path, while requests come."""
    cell = Cell()
    cell.configure(LET_IN)
    cell.up(ACCOUNTS, 1)
    cell.healthy("accounts-1")
    took = []
    with cell.load():
        for turn in range(4):
            path = f"/health{turn % 2 or ''}"
            for ordinal in (2, 3):
                took.append(cell.up(ACCOUNTS, ordinal, f"path={path}", health_path=path))
            cell.healthy("accounts-2", "accounts-3")
            cell.down("accounts-1")
            cell.up(ACCOUNTS, 1, f"path={path}", health_path=path)
            cell.healthy("accounts-1")
            cell.down("accounts-2")
            cell.down("accounts-3")
            assert get("/x", DIALLED, BALANCER)[1].startswith("accounts-1 "), "who dials over a link finds it as well"
    with netns.inside(BALANCER, lambda: socket.create_connection(DIALLED, 5)) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        cell.balancer.drain("accounts-1")
        world.until(lambda: cell.balancer.sessions("accounts-1") == 1, "what was dialled is waited for")
    cell.down("accounts-1")
    with netns.inside(BALANCER, lambda: socket.create_connection(DIALLED, 5)) as nobody:
        assert nobody.recv(1) == b"", "accepted, and ended: nobody is there"
    print(f"balancer.add {1e3 * sorted(took)[len(took) // 2]:.1f} ms median")


def scenario_replacing() -> None:
    """New services and routes replace both processes, again and again, while requests come."""
    cell = Cell()
    cell.configure(PLAIN)
    cell.up(ACCOUNTS, 1)
    cell.up(ACCOUNTS, 2)
    cell.healthy("accounts-1", "accounts-2")
    first = set(cell.spawner.running())
    took = []
    with cell.load(rate=300) as load:
        for turn in range(8):
            time.sleep(0.2)
            took.append(cell.configure(PLAIN if turn % 2 else BOTH))
            assert cell.balancer.health()["accounts-1"][0] is Health.HEALTHY, "known before, known after"
            cell.balancer.tend()
        before = cell.spawner.running()
        cell.configure(PLAIN)
        assert set(cell.spawner.running()) <= set(before), "nothing new: nothing is replaced"
    assert not first & {name for name in cell.spawner.running() if name.startswith("balancer")}, "the first have gone"
    print(f"an answer took {1e3 * sorted(load.seconds)[len(load.seconds) // 2]:.1f} ms median")
    print(f"both processes replaced in {1e3 * sorted(took)[4]:.0f} ms median, {1e3 * max(took):.0f} most")
    cell.configure(BOTH)
    cell.up(LEDGER, 1)
    cell.healthy("ledger-1")
    assert get("/", (str(LEDGER.address), 8080), "accounts-1")[1].startswith("ledger-1 172.30.112.4 / 172.30.")
    assert get("/ledger/1")[1].startswith("ledger-1")
    cell.configure(PLAIN)
    assert "name-172.30.64.5-8080" not in cell.spawner.kept(), "its socket is closed"

    def finished() -> bool:
        # One that ends after `tend` has looked is forgotten, with its files, by the next look.
        cell.balancer.tend()
        running = [name for name in cell.spawner.running() if name.startswith("balancer")]
        return len(running) == 2 and not cell.balancer.retired()

    world.until(finished, "those that were replaced end when they have nothing to do", limit_s=10)
    assert len(list(RUN.glob("balancer-*.cfg"))) == 2, "and leave no files"


def scenario_long_requests() -> None:
    """A process that is replaced finishes what it has, and sessions are counted in it too."""
    cell = Cell()
    cell.configure(PLAIN)
    cell.up(ACCOUNTS, 1, "delay=1.5")
    cell.healthy("accounts-1")

    def begin() -> socket.socket:
        calling = socket.create_connection(world.GATEWAY, 5)
        calling.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        return calling

    calling = netns.inside(world.CLIENT, begin)
    world.until(lambda: cell.balancer.sessions("accounts-1") == 1, "in it")
    cell.configure(BOTH)
    assert cell.balancer.sessions("accounts-1") == 1
    cell.balancer.tend()
    cell.balancer.drain("accounts-1")
    assert get()[0] == 503, "drained: nothing new"
    assert calling.recv(4096).startswith(b"HTTP/1.1 200")
    world.until(lambda: cell.balancer.sessions("accounts-1") == 0, "done")


def scenario_crashes() -> None:
    """A killed process, both killed, and a supervisor that comes back: the servers of the moment are there."""
    cell = Cell()
    cell.configure(PLAIN)
    cell.up(ACCOUNTS, 1)
    cell.up(ACCOUNTS, 2)
    cell.healthy("accounts-1", "accounts-2")

    def killed(how_many: int) -> None:
        pids = [pid for name, pid in sorted(cell.spawner.running().items()) if name.startswith("balancer")]
        for pid in pids[:how_many]:
            os.kill(pid, signal.SIGKILL)
        world.until(lambda: not any(map(cell.spawner.alive, pids[:how_many])), "dead")

    time.sleep(0.6)
    killed(1)
    assert cell.balancer.health()["accounts-1"] == HEALTHY, "the other one judges alone"
    with cell.load():
        time.sleep(0.5)
        assert cell.balancer.tend() == 1
        assert cell.balancer.tend() == 0
        time.sleep(0.5)
    killed(2)
    start = time.monotonic()
    assert cell.balancer.tend() == 2
    print(f"both restarted in {1e3 * (time.monotonic() - start):.0f} ms")
    assert get()[0] == 200, "at once, before any check"
    before = dict(cell.spawner.running())
    with cell.load():
        back = Balancer(cell.spawner, RUN, "gateway")
        back.configure(PLAIN, tuple(cell.balancer.servers()))
        cell.balancer = back
        time.sleep(0.5)
    assert dict(cell.spawner.running()) == before, "running processes are taken over"
    assert back.health()["accounts-1"] == HEALTHY
    back.configure(PLAIN, [server for server in back.servers() if server.id == "accounts-2"])
    assert set(back.health()) == {"accounts-2"}
    assert all("accounts-2" in get()[1] for _ in range(6))

    back.configure(PLAIN, tuple(cell.balancer.servers()))
    cell.up(ACCOUNTS, 3)
    cell.healthy("accounts-2", "accounts-3")
    back.drain("accounts-2")
    (RUN / "balancer.json").unlink()
    lost = Balancer(cell.spawner, RUN, "gateway")
    lost.configure(PLAIN, tuple(back.servers()))
    assert get()[0] == 200, "a supervisor that lost its notes starts two others"
    world.until(lambda: all(health is Health.HEALTHY for health, _ in lost.health().values()), "healthy")
    assert any("accounts-2" in get()[1] for _ in range(20)), "who drains is the supervisor's to say again"
    world.until(lambda: (lost.tend(), len(lost.retired()))[1] == 0, "the others have ended", limit_s=10)


def scenario_routes() -> None:
    """The longest prefix on a segment's edge; hosts first; refusals and strangers; TCP and silence."""
    shop = world.backend("shop", 3, port=9000, health=None)
    raw = replace(world.backend("raw", 4, port=7000, health=None), protocol=Protocol.TCP)
    moving = replace(LEDGER, also=(8081,))
    wanted = world.configuration(
        ACCOUNTS, moving, raw, shop,
        allows=[("accounts", "raw", 7000), ("accounts", "shop", 9000)]
        + [("accounts", "ledger", port) for port in (8080, 8081)],
        routes=[
            route("/accounts", "accounts"),
            route("/accounts/private", "ledger", refused="auth: customers is not enforced yet; it's closed"),
            route("/accounts/private/open", "accounts"),
            route("/", "shop", host="shop.example"),
            route("/raw", "raw"),
        ],
    )  # fmt: skip
    cell = Cell()
    cell.configure(wanted)
    for of in wanted.backends:
        cell.up(of, 1)
    cell.healthy("accounts-1", "ledger-1", "raw-1", "shop-1")
    assert cell.balancer.health()["shop-1"] == (Health.HEALTHY, "connected")
    expected = {
        "/accounts": (200, "accounts-1"), "/accounts/": (200, "accounts-1"), "/accounts/x?y=1": (200, "accounts-1"),
        "/accountsx": (404, "no route"), "/": (404, "no route"),
        "/accounts/private": (503, "auth: customers"), "/accounts/private/x": (503, "auth: customers"),
        "/accounts/privately": (200, "accounts-1"), "/accounts/private/open": (200, "accounts-1"),
        "/raw": (503, "raw does not speak HTTP"),
    }  # fmt: skip
    for path, (status, start) in expected.items():
        answered = get(path)
        assert answered[0] == status, (path, answered)
        said = json.loads(answered[1])["detail"] if status != 200 else answered[1]
        assert said.startswith(start), (path, answered)
    assert "/accounts/x?y=1" in get("/accounts/x?y=1")[1], "never stripped"
    assert get("/accounts", headers={"Host": "Shop.Example:8080"})[1].startswith("shop-1")
    for port in (8080, 8081):
        assert get("/", (str(LEDGER.address), port), "accounts-1")[1].startswith("ledger-1"), "while its port moves"
    assert get("/", (str(raw.address), 7000), "accounts-1")[1].startswith("raw-1")
    assert get("/", (str(shop.address), 9000), "accounts-1")[1].startswith("shop-1")


@pytest.mark.parametrize(
    "scenario",
    [
        scenario_core,
        scenario_coming_and_going,
        scenario_replacing,
        scenario_long_requests,
        scenario_crashes,
        scenario_routes,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("scenario_"),
)
def test_balancer(scenario: object) -> None:
    assert callable(scenario)
    world.run(scenario)
