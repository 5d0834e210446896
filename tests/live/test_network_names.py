"""Names outside with a real kernel: who is answered, what opens for how long, and what is refused."""

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests.live import network_world as world

from anden.engines.local.cell import dns, firewall, grants, names, names_server, netns, network, turns
from anden.engines.local.cell.probe import keys, probe
from anden.engines.local.cell.refused import Ledger
from anden.engines.local.cell.resolver import INTERNET as UPSTREAM
from anden.engines.local.cell.resolver import NAME, Resolver
from anden.engines.local.render.nftables import MOST_NOTED
from anden.engines.local.render.resolver import STANDINS
from anden.engines.local.render.stations import INTERNET
from anden.model.configuration import Configuration
from anden.model.reach import Probe, Seen
from anden.planning.firewall import NOT_OUTSIDE

pytestmark = pytest.mark.live
RUN = Path("/run/anden")
ZONE = RUN / NAME / "internet.json"
HOST, OTHER = "api.exchange.example", "other.example"
FIXED = {"a": "198.51.100.10", "b": "198.51.100.11"}
ANY = "0.0.0.0"  # noqa: S104 - in a namespace of the test's own
FINE, FAILED, NO_SUCH_NAME = 0, 2, 3


class Cell:
    """accounts and payments; only payments declares HOST, only accounts OTHER."""

    def __init__(self) -> None:
        self.accounts, self.payments = world.backend("accounts", 1), world.backend("payments", 2)
        self.spawner = world.SubprocessSpawner()
        self.resolver = Resolver(self.spawner, RUN)
        self.wanted = self.meaning(("payments", HOST, 443), ("accounts", OTHER, 8443))
        network.build(self.wanted)
        self.apply(self.wanted)
        for each in (self.accounts, self.payments):
            for ordinal in (1, 2):
                one = world.instance(each, ordinal)
                network.attach(one.id, one.address, one.zone)

    def meaning(self, *named: tuple[str, str, int]) -> Configuration:
        never = [*map(str, NOT_OUTSIDE), "203.0.113.192/28"]
        return world.configuration(self.accounts, self.payments, leaves=FIXED, named=named, never=never)

    def apply(self, wanted: Configuration) -> None:
        """As the supervisor does."""
        with turns.locked(self.resolver.lock) as held:
            assert held
            firewall.apply(wanted, (), grants.standing(self.wanted))
        self.wanted = wanted
        self.resolver.configure(wanted)

    def zone(self, **about: Any) -> None:
        """What the internet says of names: `_` for a dot."""
        new = ZONE.with_suffix(".test")
        new.write_text(json.dumps({name.replace("_", "."): what for name, what in about.items()}))
        new.replace(ZONE)
        time.sleep(names_server.AGAIN_S)

    def asked(self, caller: str, name: str, limit_s: float = 4.0) -> tuple[int, tuple[str, ...]]:
        """Code and addresses of one answer; -1: none came."""

        def work() -> tuple[int, tuple[str, ...]]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(limit_s)
                asking.sendto(dns.question(name, 7), (str(world.LAYOUT.resolver), 53))
                try:
                    code, found = dns.addresses(asking.recv(4096), 7)
                except TimeoutError:
                    return -1, ()
                return code, tuple(map(str, found))

        return netns.inside(caller, work)

    def open(self, caller: str, address: str, port: int = 443) -> bool:
        """Whether a listener at that address out there hears the caller, from its zone's fixed address."""
        (found,) = probe([Probe(caller, address, port, 0.4, listen=True)], self.wanted)
        assert found.source in (None, *map(IPv4Address, FIXED.values()))
        return found.seen is Seen.OPEN


def scenario_each_caller_has_names_of_its_own() -> None:
    """A name opens for who declares it, once it is asked for; to others it does not exist, and its address is shut."""
    cell = Cell()
    code, (address,) = cell.asked("payments-1", HOST)
    assert code == FINE
    assert any(IPv4Address(address) in network for network in STANDINS)
    assert cell.open("payments-1", address)
    assert cell.open("payments-2", address), "a service's instances share what they may open"
    assert not cell.open("payments-1", address, 80)
    assert not cell.open("accounts-1", address), "an address that somebody else's name led to"
    assert cell.asked("accounts-1", HOST) == (NO_SUCH_NAME, ())
    assert cell.asked("payments-1", OTHER) == (NO_SUCH_NAME, ())
    _, (other,) = cell.asked("accounts-1", OTHER.upper())
    assert cell.open("accounts-1", other, 8443)
    assert not cell.open("payments-1", other, 8443)
    assert cell.asked("payments-1", "accounts") == (FINE, (str(cell.accounts.address),))
    assert not cell.open("payments-1", "192.0.2.77"), "an address that nobody declared and no name led to"


def scenario_an_answer_opens_before_it_arrives_and_for_its_time() -> None:
    """Fifty names: ask and connect at once. Then the answers' time runs out, and what is open goes on."""
    cell = Cell()
    hosts = {f"h{number}.example": f"203.0.113.{number + 1}" for number in range(50)}
    cell.apply(cell.meaning(*(("payments", host, 443) for host in hosts)))
    cell.zone(**{host.replace(".", "_"): {"a": [address], "ttl": 1} for host, address in hosts.items()})
    listening = netns.inside(INTERNET, lambda: outside(ANY))

    def connected(host: str) -> bool:
        address = dns.resolve(host, world.LAYOUT.resolver, 2.0)
        with socket.socket() as calling:
            calling.settimeout(0.5)
            return address is not None and calling.connect_ex((str(address), 443)) == 0

    shut = [host for host in hosts if not netns.inside("payments-1", partial(connected, host))]
    assert not shut, "its first packet is let through"
    left = max(one.left_s for one in grants.standing(cell.wanted))
    assert names.FLOOR_S - 2 <= left <= names.FLOOR_S + names.GRACE_S
    going = netns.inside("payments-1", lambda: socket.create_connection(("203.0.113.5", 443), 1))
    far = next(each for each, at in (listening.accept() for _ in range(51)) if at[1] == _port(going))
    deadline = time.monotonic() + names.FLOOR_S + names.GRACE_S + 5
    while grants.standing(cell.wanted) and time.monotonic() < deadline:
        time.sleep(0.5)
    listening.close()
    assert not cell.open("payments-1", "203.0.113.5"), "its time is over"
    going.sendall(b"still here")
    far.settimeout(1)
    assert far.recv(100) == b"still here"


def _port(of: socket.socket) -> int:
    port: int = of.getsockname()[1]  # source NAT keeps it while it is free
    return port


def scenario_answers_that_lead_astray() -> None:
    """Private, loopback, metadata, the environment's own and a link's network: refused, nothing opens, and it is noted
    with what it led to. So is an answer of which one address is such."""
    cell = Cell()
    for bad in ("10.0.0.7", "127.0.0.1", "169.254.169.254", "172.30.32.9", "203.0.113.199", ANY, "100.64.1.1"):
        cell.zone(api_exchange_example={"a": ["203.0.113.5", bad], "ttl": 60})
        assert cell.asked("payments-1", HOST) == (FAILED, ()), bad
        assert grants.standing(cell.wanted) == ()
        world.until(partial(_noted, cell, bad), bad)
    cell.zone(api_exchange_example={"cname": "edge.example", "ttl": 60}, edge_example={"a": ["192.168.1.1"], "ttl": 60})
    assert cell.asked("payments-1", HOST) == (FAILED, ()), "along an alias"
    cell.zone(api_exchange_example={"a": ["203.0.113.5"], "ttl": 60})
    assert cell.asked("payments-1", HOST) == (FINE, ("203.0.113.5",)), "and it comes back by itself"


def _noted(cell: Cell, address: str) -> bool:
    return any(address in one["why"] for one in cell.resolver.refused())


def scenario_answers_that_change() -> None:
    """Aliases, several addresses, other addresses, none, many, and an internet that says nothing or nonsense."""
    cell = Cell()
    cell.zone(
        api_exchange_example={"cname": "a.edge.example", "ttl": 300},
        a_edge_example={"cname": "b.edge.example", "ttl": 7},
        b_edge_example={"a": ["203.0.113.5", "192.0.2.9"], "ttl": 300},
    )
    assert cell.asked("payments-1", HOST) == (FINE, ("203.0.113.5", "192.0.2.9"))
    assert cell.asked("payments-1", "a.edge.example") == (NO_SUCH_NAME, ()), "an alias is no declared name"
    assert cell.open("payments-1", "203.0.113.5")
    assert cell.open("payments-1", "192.0.2.9")
    cell.zone(api_exchange_example={"a": ["203.0.113.6"], "ttl": 300})
    assert cell.asked("payments-1", HOST) == (FINE, ("203.0.113.6",))
    assert cell.open("payments-1", "203.0.113.6")
    assert cell.open("payments-1", "203.0.113.5"), "for as long as it was said to hold"
    cell.zone(api_exchange_example={"ttl": 300})
    assert cell.asked("payments-1", HOST) == (FINE, ()), "it is there, without an address"
    cell.zone()
    assert cell.asked("payments-1", HOST) == (NO_SUCH_NAME, ())
    many = [f"203.0.113.{n}" for n in range(1, 120)]
    cell.zone(api_exchange_example={"a": many, "ttl": 300})
    code, found = cell.asked("payments-1", HOST)
    assert (code, found) == (FINE, ()), "cut: it is to be asked by TCP"
    assert by_tcp(cell, "payments-1", HOST) == tuple(many[: names.MOST_ADDRESSES])
    cell.zone(api_exchange_example={"cname": "b.example"}, b_example={"cname": HOST})
    assert cell.asked("payments-1", HOST) == (FAILED, ()), "aliases in a ring"
    ZONE.write_text("{")
    time.sleep(names_server.AGAIN_S)
    assert cell.asked("payments-1", HOST) == (FAILED, ())


def by_tcp(cell: Cell, caller: str, name: str) -> tuple[str, ...]:
    def work() -> tuple[str, ...]:
        with socket.create_connection((str(world.LAYOUT.resolver), 53), 2) as asking:
            packet = dns.question(name, 9)
            asking.sendall(struct.pack("!H", len(packet)) + packet)
            said = b""
            while len(said) < 2 or len(said) < 2 + int.from_bytes(said[:2]):
                said += asking.recv(4096)
            return tuple(map(str, dns.addresses(said[2:], 9)[1]))

    return netns.inside(caller, work)


def scenario_what_dies_comes_back() -> None:
    """The resolver killed, the internet's name server killed and stopped: closed meanwhile, and back by itself."""
    cell = Cell()
    _, (address,) = cell.asked("payments-1", HOST)
    pid = cell.spawner.running()[NAME]
    cell.spawner.kill(pid, signal.SIGKILL)
    world.until(lambda: not cell.spawner.alive(pid), "dead")
    assert cell.open("payments-1", address), "what was answered holds, whoever answered it"
    start = time.monotonic()
    assert cell.resolver.tend()
    world.until(lambda: cell.asked("payments-1", HOST, 0.1)[0] == FINE, "back")
    print(f"resolver back in {1e3 * (time.monotonic() - start):.0f} ms")
    upstream = cell.spawner.running()[UPSTREAM]
    os.kill(upstream, signal.SIGSTOP)
    time.sleep(names_server.AGAIN_S)
    start = time.monotonic()
    assert cell.asked("payments-1", HOST) == (FAILED, ())
    assert time.monotonic() - start < 3
    assert cell.asked("payments-1", "accounts")[0] == FINE, "names inside need nobody"
    os.kill(upstream, signal.SIGCONT)
    world.until(lambda: cell.asked("payments-1", HOST, 0.1)[0] == FINE, "back")
    os.kill(upstream, signal.SIGKILL)
    world.until(lambda: not cell.spawner.alive(upstream), "dead")
    time.sleep(names_server.AGAIN_S)
    assert cell.asked("payments-1", HOST) == (FAILED, ())
    cell.resolver.tend()
    world.until(lambda: cell.asked("payments-1", HOST, 0.1)[0] == FINE, "back")


def scenario_another_configuration() -> None:
    """What is still declared stays open over a new ruleset, with its time; what is not, does not."""
    cell = Cell()
    _, (address,) = cell.asked("payments-1", HOST)
    _, (other,) = cell.asked("accounts-1", OTHER)
    before = {one.caller: one for one in grants.standing(cell.wanted)}
    assert set(before) == {"accounts", "payments"}
    for _ in range(5):
        cell.apply(cell.meaning(("payments", HOST, 443), ("accounts", OTHER, 8443), ("accounts", HOST, 443)))
    assert cell.open("payments-1", address)
    assert cell.open("accounts-1", other, 8443)
    after = {one.caller: one for one in grants.standing(cell.wanted)}
    assert all(after[caller].left_s <= one.left_s + 1 for caller, one in before.items()), "no time is added"
    assert not cell.open("accounts-1", address), "declared, and not asked for yet"
    assert cell.asked("accounts-1", HOST) == (FINE, (address,))
    assert cell.open("accounts-1", address)
    cell.apply(cell.meaning(("payments", HOST, 8443)))
    assert not cell.open("payments-1", address)
    assert not cell.open("accounts-1", other, 8443)
    assert cell.asked("accounts-1", OTHER) == (NO_SUCH_NAME, ())
    cell.apply(cell.meaning())
    assert cell.asked("payments-1", HOST) == (NO_SUCH_NAME, ())
    world.until(lambda: UPSTREAM not in cell.spawner.running(), "nobody needs it")


def scenario_what_is_refused_is_counted() -> None:
    """Packets by caller, address and port, first and last; kept over a new ruleset; ten thousand ports bounded."""
    cell = Cell()
    ledger = Ledger(RUN / "refused.json")
    payments, accounts = str(cell.payments.members[0].address), str(cell.accounts.members[1].address)
    begun = time.time()
    for host, port in ((accounts, 8080), (accounts, 8080), ("192.0.2.66", 443)):
        probe([Probe("payments-1", host, port, 0.3)], cell.wanted)
    cell.asked("payments-1", "evil.example")
    found = {(one.to, one.port): one for one in ledger.attempts(cell.wanted, time.time())}
    assert {one.service for one in found.values()} == {"payments"}
    assert found[accounts, 8080].count == 2
    assert found["192.0.2.66", 443].count == 1
    assert begun - 2 < found[accounts, 8080].first <= found[accounts, 8080].last < time.time() + 2
    world.until(lambda: [one["name"] for one in cell.resolver.refused()] == ["evil.example"], "noted")
    ledger.fold(time.time())
    cell.apply(cell.wanted)
    assert {(one.to, one.port): one.count for one in ledger.attempts(cell.wanted, time.time())} == {
        key: one.count for key, one in found.items()
    }

    def scan() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as saying:
            for port in range(1, 10_001):
                saying.sendto(b"x", (accounts, port))

    netns.inside("payments-1", scan)
    start = time.monotonic()
    assert MOST_NOTED - 2 <= len(ledger.attempts(cell.wanted, time.time())) <= MOST_NOTED
    print(f"{MOST_NOTED} refused pairs read in {1e3 * (time.monotonic() - start):.0f} ms")
    assert payments in {key[0] for key in ledger.all(time.time())}
    ledger.fold(time.time())
    counted = ledger.all(time.time())
    tried = Probe("payments-1", "192.0.2.67", 443, 0.3)
    probe([tried], cell.wanted)
    ledger.fold(time.time(), keys([(payments, tried)], cell.wanted))
    assert not any(key[1] == "192.0.2.67" for key in ledger.all(time.time())), "our own probe"
    assert len(ledger.all(time.time())) == len(counted)


def scenario_many_ask_at_once() -> None:
    """Questions by the thousand, of names inside and outside."""
    Cell()

    def work() -> tuple[int, float]:
        answered, start = 0, time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            asking.connect((str(world.LAYOUT.resolver), 53))
            for number in range(3000):
                asking.send(dns.question(HOST if number % 10 == 0 else "accounts", number))
                code, found = dns.addresses(asking.recv(4096), number)
                answered += code == FINE and len(found) == 1
        return answered, time.monotonic() - start

    answered, took_s = netns.inside("payments-1", work)
    print(f"{answered / took_s:.0f} answers a second, one after the other")
    assert answered == 3000


def outside(address: str, port: int = 443) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_IP, 15, 1)
    listening.bind((address, port))
    listening.listen(64)
    return listening


@pytest.mark.parametrize(
    "scenario",
    [
        scenario_each_caller_has_names_of_its_own,
        scenario_an_answer_opens_before_it_arrives_and_for_its_time,
        scenario_answers_that_lead_astray,
        scenario_answers_that_change,
        scenario_what_dies_comes_back,
        scenario_another_configuration,
        scenario_what_is_refused_is_counted,
        scenario_many_ask_at_once,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("scenario_"),
)
def test_names(scenario: Callable[[], None]) -> None:
    world.run(scenario)
