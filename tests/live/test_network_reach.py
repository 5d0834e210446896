"""Who reaches whom: the firewall, egress and the resolver with a real kernel."""

import json
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.live import network_world as world

from anden.engines.local.cell import dns, firewall, netns, network, nft
from anden.engines.local.cell.balancer import Balancer
from anden.engines.local.cell.probe import probe
from anden.engines.local.cell.resolver import Resolver
from anden.engines.local.render import haproxy
from anden.engines.local.render.stations import INTERNET
from anden.model.configuration import AllowService, Configuration, Transport
from anden.model.ids import ServiceName
from anden.model.problem import Problems
from anden.model.reach import Probe, Seen

pytestmark = pytest.mark.live
RUN = Path("/run/anden")
PORTS = (8080, 9090, 22)
OPEN, SILENT, REFUSED, UNRESOLVED = Seen.OPEN, Seen.SILENT, Seen.REFUSED, Seen.UNRESOLVED
EXCHANGE = "198.51.100.7"


def raised(wanted: Configuration, *services: str, slots: int = 2) -> world.SubprocessSpawner:
    """A cell with two instances of each service, both listening on 8080 and 9090."""
    spawner = world.SubprocessSpawner()
    world.open_gateway(spawner)
    network.build(wanted)
    firewall.apply(wanted)
    servers = []
    for each in wanted.backends:
        for ordinal in range(1, slots + 1):
            one = world.instance(each, ordinal)
            network.attach(one.id, one.address, one.zone)
            for port in (8080, 9090):
                world.serve(spawner, one.id, port)
            server = haproxy.server(one)
            assert server is not None
            servers.append(server)
    balancer = Balancer(spawner, RUN, "gateway")
    balancer.configure(wanted, servers)
    Resolver(spawner, RUN).configure(wanted)
    world.until(lambda: all(health.value == "healthy" for health, _ in balancer.health().values()), "all healthy")
    return spawner


def seen(probes: list[Probe], wanted: Configuration) -> list[Seen]:
    return [each.seen for each in probe(probes, wanted)]


def scenario_matrix() -> None:
    """accounts may call ledger on 8080. Everything else, every pair and port, meets silence, also oneself."""
    accounts, ledger = world.backend("accounts", 1), world.backend("ledger", 2)
    wanted = world.configuration(accounts, ledger, allows=[("accounts", "ledger", 8080)])
    raised(wanted)
    services = {"accounts": accounts, "ledger": ledger}
    probes, expected = [], []
    for caller in services:
        for callee, of in services.items():
            for port in PORTS:
                declared = (caller, callee, port) == ("accounts", "ledger", 8080)
                for host in (callee, f"{callee}.internal", str(of.address), str(of.members[1].address)):
                    probes.append(Probe(f"{caller}-1", host, port, 0.5))
                    expected.append(OPEN if declared else SILENT)
    probes.append(Probe("accounts-1", str(ledger.members[3].address), 8080, 0.5))  # a slot that nobody has
    expected.append(SILENT)
    for host in (str(wanted.layout.balancer), "169.254.1.1", "169.254.1.3", "172.30.200.200", "203.0.113.99"):
        for port in (8080, 53, 80):
            probes.append(Probe("accounts-1", host, port, 0.5))
            expected.append(SILENT)
    probes += [
        Probe("accounts-1", "172.30.0.2", 53, 0.5),
        Probe("ledger-1", "nobody", 80, 0.5),
        Probe("ledger-1", "example.com", 80, 0.5),
        Probe("ledger-1", "..", 80, 0.5),
    ]
    expected += [OPEN, UNRESOLVED, UNRESOLVED, UNRESOLVED]
    start = time.monotonic()
    saw = probe(probes, wanted)
    print(f"{len(probes)} probes in {time.monotonic() - start:.2f} s")
    wrong = [f"{one.probe}: {one.seen}" for one, right in zip(saw, expected, strict=True) if one.seen is not right]
    assert not wrong, "\n".join(wrong)
    for host in (str(ledger.members[0].address), str(ledger.address), "169.254.1.1", EXCHANGE):
        assert ping("accounts-1", host) == "100% packet loss", host


def ping(name: str, host: str) -> str:
    """An echo request by hand: iputils may not be there."""

    def work() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.settimeout(0.3)
            raw.sendto(b"\x08\x00\xf7\xff\x00\x00\x00\x00", (host, 0))
            try:
                return f"answered: {raw.recv(100)!r}"
            except TimeoutError:
                return "100% packet loss"

    return netns.inside(name, work)


def scenario_egress() -> None:
    """A destination sees the fixed address of the caller's zone; what is not declared does not leave."""
    accounts, ledger = world.backend("accounts", 1), world.backend("ledger", 2)
    wanted = world.configuration(
        accounts, ledger,
        out=[("accounts", f"{EXCHANGE}/32", 443), ("accounts", "0.0.0.0/1", 8443), ("accounts", "128.0.0.0/1", 8443)],
        leaves={"a": "192.0.2.10", "b": "192.0.2.11"},
    )  # fmt: skip
    raised(wanted)
    saw = probe(
        [
            Probe("accounts-1", EXCHANGE, 443, 1, listen=True),
            Probe("accounts-2", EXCHANGE, 443, 1, listen=True),
            Probe("accounts-2", "8.8.4.4", 8443, 1, listen=True),
            Probe("accounts-1", EXCHANGE, 443, 1),
            Probe("accounts-1", "1.1.1.1", 8443, 1),
            Probe("accounts-1", EXCHANGE, 80, 0.5, listen=True),
            Probe("accounts-1", "198.51.100.8", 443, 0.5, listen=True),
            Probe("ledger-1", EXCHANGE, 443, 0.5, listen=True),
        ],
        wanted,
    )
    first, second = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")
    found = [(one.seen, one.source) for one in saw]
    assert found == [
        (OPEN, first), (OPEN, second), (OPEN, second), (OPEN, None), (REFUSED, None),
        (SILENT, None), (SILENT, None), (SILENT, None),
    ], found  # fmt: skip

    one = world.configuration(*wanted.backends, out=[("accounts", f"{EXCHANGE}/32", 443)], leaves={"*": "192.0.2.99"})
    firewall.apply(one)
    saw = probe([Probe(f"accounts-{n}", EXCHANGE, 443, 1, listen=True) for n in (1, 2)], one)
    assert [each.source for each in saw] == [IPv4Address("192.0.2.99")] * 2

    nat_of_a_only = world.configuration(
        *wanted.backends, out=[("accounts", f"{EXCHANGE}/32", 443)], leaves={"a": "192.0.2.10"}
    )
    firewall.apply(nat_of_a_only)
    saw = probe([Probe(f"accounts-{n}", EXCHANGE, 443, 0.5, listen=True) for n in (1, 2)], nat_of_a_only)
    assert [each.seen for each in saw] == [OPEN, SILENT], "without a fixed address nothing leaves"

    def unsolicited() -> bool:
        with socket.socket() as calling:
            calling.settimeout(0.3)
            return calling.connect_ex((str(accounts.members[0].address), 8080)) == 0

    assert not netns.inside(INTERNET, unsolicited), "the internet opens nothing"
    with pytest.raises(Problems, match="no such instance"):
        probe([Probe("nobody-1", "x", 1)], wanted)
    with pytest.raises(Problems, match="ledger is inside"):
        probe([Probe("accounts-1", "ledger", 1, listen=True)], wanted)


def scenario_spoofing() -> None:
    """A datagram with another's source address arrives nowhere; the same one with the sender's own address does."""
    accounts, ledger, third = (world.backend(name, n) for n, name in enumerate(["accounts", "ledger", "third"], 1))
    allow = AllowService(ServiceName("accounts"), ServiceName("ledger"), 5353, Transport.UDP)
    wanted = replace(world.configuration(accounts, ledger, third), allows=(allow,))
    network.build(wanted)
    firewall.apply(wanted)
    for each in wanted.backends:
        network.attach(f"{each.service}-1", each.members[0].address, each.members[0].zone)
    target = (str(ledger.members[0].address), 5353)

    def hear() -> socket.socket:
        hearing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        hearing.bind(target)
        hearing.settimeout(0.3)
        return hearing

    hearing = netns.inside("ledger-1", hear)

    def arrives(name: str, source: str) -> bool:
        def work() -> None:
            with IPRoute() as ip:
                ip.addr("replace", index=1, address=source, prefixlen=32)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as saying:
                saying.bind((source, 0))
                saying.sendto(source.encode(), target)

        netns.inside(name, work)
        try:
            return hearing.recv(100) == source.encode()
        except TimeoutError:
            return False

    assert arrives("accounts-1", str(accounts.members[0].address))
    assert not arrives("third-1", str(third.members[0].address)), "its own address, which may not"
    assert not arrives("third-1", str(accounts.members[0].address)), "the address of a caller that may"
    assert not arrives("third-1", str(accounts.members[1].address)), "a free address of a caller that may"
    assert not arrives("third-1", str(wanted.layout.balancer)), "the balancer's address"
    assert not arrives("accounts-1", "192.0.2.77"), "an address of nobody"
    assert arrives("accounts-1", str(accounts.members[0].address)), "and still"


def scenario_established() -> None:
    """Applying again leaves open connections alone; a zone that is down has none, and no new ones."""
    accounts, ledger = world.backend("accounts", 1), world.backend("ledger", 2)
    wanted = world.configuration(
        accounts, ledger, allows=[("accounts", "ledger", 8080)], out=[("accounts", f"{EXCHANGE}/32", 443)],
        leaves={"*": "192.0.2.99"},
    )  # fmt: skip
    raised(wanted)
    listening = netns.inside(INTERNET, lambda: _outside(443))
    inner = netns.inside("accounts-1", lambda: socket.create_connection((str(ledger.address), 8080), 2))
    outer = netns.inside("accounts-1", lambda: socket.create_connection((EXCHANGE, 443), 2))
    far, _ = listening.accept()

    def alive() -> tuple[bool, bool]:
        inner.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        outer.sendall(b"ping")
        inner.settimeout(0.5)
        far.settimeout(0.5)
        answered = []
        for each, size in ((inner, 4096), (far, 4)):
            try:
                answered.append(bool(each.recv(size)))
            except TimeoutError:
                answered.append(False)
        return answered[0], answered[1]

    assert alive() == (True, True)
    for _ in range(20):
        firewall.apply(wanted)
    assert alive() == (True, True), "applied again"
    firewall.apply(world.configuration(*wanted.backends, leaves={"*": "192.0.2.99"}))
    assert alive() == (True, True), "no longer declared: what is open stays open"
    assert seen([Probe("accounts-1", "ledger", 8080, 0.4)], wanted) == [SILENT]
    firewall.apply(wanted, down=[wanted.layout.zones[0].private])
    assert alive() == (False, False), "its zone is down"
    assert seen([Probe("accounts-1", str(ledger.members[1].address), 8080, 0.4)], wanted) == [SILENT]
    assert seen([Probe("accounts-2", str(ledger.members[0].address), 8080, 0.4)], wanted) == [SILENT]
    assert seen([Probe("accounts-2", str(ledger.members[1].address), 8080, 0.4)], wanted) == [OPEN]


def _outside(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_IP, 15, 1)
    listening.bind((EXCHANGE, port))
    listening.listen()
    return listening


def scenario_an_address_changes_hands() -> None:
    """Whoever gets an address that somebody else had inherits no flow that the other was allowed."""
    _changes_hands(lambda: network.detach("accounts-1"))


def scenario_an_address_was_left_without_a_word() -> None:
    """The same when nobody came to forget the flows as the other left."""
    _changes_hands(lambda: netns.forget("accounts-1"))


def _changes_hands(leave: Callable[[], None]) -> None:
    accounts, ledger = world.backend("accounts", 1, slots=1), world.backend("ledger", 2, slots=1)
    wanted = world.configuration(accounts, ledger, allows=[("accounts", "ledger", 8080)])
    udp = AllowService(ServiceName("accounts"), ServiceName("ledger"), 8080, Transport.UDP)
    network.build(wanted)
    firewall.apply(replace(wanted, allows=(*wanted.allows, udp)))
    (at,), (there,) = accounts.members, ledger.members
    network.attach("accounts-1", at.address, at.zone)
    network.attach("ledger-1", there.address, there.zone)
    heard = netns.inside("ledger-1", _ear)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as saying:
            saying.bind((str(at.address), 40000))
            saying.sendto(b"a word", (str(there.address), 8080))

    with heard:
        netns.inside("accounts-1", send)
        word, caller = heard.recvfrom(100)
        assert word == b"a word"
        heard.sendto(b"an answer", caller)  # only now does connection tracking call it established
        heir = replace(accounts, service=ServiceName("heir"), number=3)
        leave()
        firewall.apply(world.configuration(heir, ledger))
        network.attach("heir-1", at.address, at.zone)
        netns.inside("heir-1", send)
        with pytest.raises(TimeoutError):
            heard.recv(100)


def _ear() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("", 8080))
    opened.settimeout(0.5)
    return opened


def scenario_resolver() -> None:
    """Names answer with their addresses, others do not exist; new names come without a gap, a dead one comes back."""
    accounts, ledger = world.backend("accounts", 1), world.backend("ledger", 2)
    spawner = world.SubprocessSpawner()
    first = world.configuration(accounts)
    network.build(first)
    firewall.apply(first)
    network.attach("accounts-1", accounts.members[0].address, "a")
    resolver = Resolver(spawner, RUN)
    start = time.monotonic()
    resolver.configure(first)
    print(f"resolver.configure {1e3 * (time.monotonic() - start):.1f} ms")

    def asked(name: str) -> str:
        def work() -> str:
            return f"{dns.resolve(name, first.layout.resolver, 1.0)}"

        return netns.inside("accounts-1", work)

    assert asked("accounts") == asked("accounts.internal") == asked("ACCOUNTS") == str(accounts.address)
    assert asked("ledger") == asked("example.com") == asked("x.accounts.internal") == "None"
    assert code("accounts-1", "ledger") == code("accounts-1", "example.com") == 3, "NXDOMAIN, and no silence"
    pid = spawner.running()["resolver"]
    both = world.configuration(accounts, ledger)
    start = time.monotonic()
    resolver.configure(both)
    print(f"resolver.configure again {1e3 * (time.monotonic() - start):.1f} ms")
    assert spawner.running()["resolver"] == pid
    assert asked("ledger") == str(ledger.address)
    Resolver(spawner, RUN).configure(both)
    assert spawner.running()["resolver"] == pid, "a supervisor that comes back finds it"
    spawner.kill(pid, 9)
    world.until(lambda: not spawner.alive(pid), "dead")
    assert resolver.tend()
    assert not resolver.tend()
    world.until(lambda: asked("ledger") == str(ledger.address), "back")


def code(name: str, asked: str) -> int:
    def work() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            asking.sendto(dns.question(asked, 7), (str(world.LAYOUT.resolver), 53))
            return dns.addresses(asking.recv(4096), 7)[0]

    return netns.inside(name, work)


def scenario_network() -> None:
    """Build and attach again and again; addresses move; detaching leaves nothing."""
    wanted = world.configuration(world.backend("accounts", 1, slots=100))
    network.build(wanted)
    network.build(wanted)
    took = []
    for ordinal, member in enumerate(wanted.backends[0].members[:30], 1):
        start = time.monotonic()
        place = network.attach(f"accounts-{ordinal}", member.address, member.zone)
        took.append(time.monotonic() - start)
    print(f"network.attach {1e3 * sorted(took)[15]:.1f} ms median, {1e3 * max(took):.1f} most")
    assert place == "/run/netns/accounts-30"
    assert network.attached() == {f"accounts-{ordinal}" for ordinal in range(1, 31)}
    before = Path("/run/netns/accounts-1").stat().st_ino
    network.attach("accounts-1", wanted.backends[0].members[0].address, "a")
    assert Path("/run/netns/accounts-1").stat().st_ino == before, "the same again: the same namespace"
    network.attach("accounts-1", wanted.backends[0].members[40].address, "a")
    assert Path("/run/netns/accounts-1").stat().st_ino != before, "another address: another namespace"
    listed = netns.inside("accounts-1", lambda: subprocess.run(
        ["ip", "-j", "addr"], check=True, capture_output=True, text=True).stdout)  # fmt: skip
    addresses = [
        (link["ifname"], one["family"], one["local"]) for link in json.loads(listed) for one in link["addr_info"]
    ]
    assert addresses == [("lo", "inet", "127.0.0.1"), ("eth0", "inet", str(wanted.backends[0].members[40].address))]
    network.build(wanted)
    took = []
    for ordinal in range(1, 31):
        start = time.monotonic()
        network.detach(f"accounts-{ordinal}")
        took.append(time.monotonic() - start)
    network.detach("accounts-1")
    print(f"network.detach {1e3 * sorted(took)[15]:.1f} ms median, {1e3 * max(took):.1f} most")
    assert network.attached() == set()
    links = {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}
    assert links == {"lo", "balancer", "resolver", "internet"}
    for count in (10, 1000):
        big = world.configuration(
            world.backend("accounts", 1, slots=count // 2), world.backend("b", 2, slots=count // 2)
        )
        took = []
        for _ in range(5):
            start = time.monotonic()
            firewall.apply(big)
            took.append(time.monotonic() - start)
        print(f"firewall.apply {count} members {1e3 * sorted(took)[2]:.1f} ms")
    for golden in sorted((world.ROOT / "tests/unit/engines/local/render/golden").glob("*.nft")):
        nft.run(golden.read_text())
    with pytest.raises(Problems, match="nftables refused"):
        nft.run("add rule inet nowhere x accept")


@pytest.mark.parametrize(
    "scenario",
    [
        scenario_network,
        scenario_matrix,
        scenario_egress,
        scenario_spoofing,
        scenario_established,
        scenario_an_address_changes_hands,
        scenario_an_address_was_left_without_a_word,
        scenario_resolver,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("scenario_"),
)
def test_reach(scenario: object) -> None:
    assert callable(scenario)
    world.run(scenario)
