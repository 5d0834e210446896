"""The resolver's judgement, with a real name server on loopback in the place of the internet's, and real sockets."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from anden.engines.local.cell import dns_server, dns_wire, names, upstream
from anden.engines.local.cell.internet_names import Zone
from anden.engines.local.cell.names import CEILING_S, FLOOR_S, GRACE_S, MOST_NOTED, Notes, open_s, told_s
from anden.engines.local.cell.names_server import Resolver
from anden.model.problem import Problem, Problems

HOST = "api.exchange.example"
PAYMENTS, ACCOUNTS, NOBODY = "10.0.0.5", "10.0.0.6", "10.0.0.9"
BOOK = {
    "address": "10.0.0.2",
    "ttl": 0,
    "internal": {"ledger": ["10.0.1.4", "10.0.1.5"], "ledger.internal": ["10.0.1.4", "10.0.1.5"]},
    "callers": {PAYMENTS: "payments", ACCOUNTS: "accounts"},
    "outside": {"payments": {HOST: ["tcp 443", "tcp 8443"]}, "accounts": {"other.example": ["tcp 443"]}},
    "never": ["10.0.0.0/8", "169.254.0.0/16"],
}


class Stand:
    """A resolver over a folder, and what it wrote into the firewall."""

    def __init__(self, folder: Path, zone: dict[str, Any], port: int) -> None:
        (folder / "out").mkdir()
        (folder / "book.json").write_text(json.dumps(BOOK))
        (folder / "zone.json").write_text(json.dumps(zone))
        self.folder, self.written, self.port = folder, list[str](), port
        self.full = False
        self.resolver = Resolver(folder, self._write, self._resolve)
        self.resolver.load()

    def _write(self, text: str) -> None:
        if self.full:
            raise Problems(Problem("firewall", "the set is full"))
        self.written.append(text)

    async def _resolve(self, host: str) -> upstream.Found:
        return await upstream.resolve(host, ("127.0.0.1", self.port))

    async def ask(self, source: str, name: str, kind: str = "A", tcp: bool = False) -> dns.message.Message:
        """What it answers."""
        asked = dns_wire.asked(dns.message.make_query(name, kind).to_wire())
        answer = self.resolver.answer(asked, source, tcp)
        return dns.message.from_wire(answer if isinstance(answer, bytes) else await answer)


Ask = Callable[[Stand], Awaitable[None]]


@contextmanager
def _sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    pair = dns_server.sockets("127.0.0.1", port)
    try:
        yield pair
    finally:
        for each in pair:
            each.close()


def run(folder: Path, zone: dict[str, Any], ask: Ask) -> Stand:
    """Ask while the zone's name server runs."""
    with _sockets() as (datagrams, stream):
        stand = Stand(folder, zone, datagrams.getsockname()[1])

        async def work() -> None:
            server = dns_server.Server(datagrams, stream, Zone(folder / "zone.json").answer, lambda _: None)
            serving = asyncio.create_task(server.run())
            try:
                await ask(stand)
            finally:
                serving.cancel()

        asyncio.run(work())
    return stand


def addresses(said: dns.message.Message) -> list[str]:
    return [each.address for found in said.answer for each in found]


def test_names_inside_take_turns(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        assert addresses(await stand.ask(NOBODY, "ledger")) == ["10.0.1.4", "10.0.1.5"]
        rest = dns.message.make_query("ledger", "A").to_wire()[2:]
        turns = [stand.resolver.quick(rest) for _ in range(4)]
        assert turns[0] != turns[1]
        assert turns[:2] == turns[2:]
        assert addresses(await stand.ask(PAYMENTS, "ledger.internal", "AAAA")) == []
        assert (await stand.ask(PAYMENTS, "ledger.internal", "AAAA")).rcode() == dns.rcode.NOERROR

    assert run(tmp_path, {}, ask).written == []


def test_each_caller_has_its_own(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        said = await stand.ask(PAYMENTS, HOST)
        assert addresses(said) == ["192.0.2.7"]
        for source, name in ((ACCOUNTS, HOST), (NOBODY, HOST), (PAYMENTS, "other.example"), (PAYMENTS, "a." + HOST)):
            assert (await stand.ask(source, name)).rcode() == dns.rcode.NXDOMAIN, (source, name)
        assert (await stand.ask(PAYMENTS, HOST, "AAAA")).rcode() == dns.rcode.NOERROR
        assert (await stand.ask(PAYMENTS, "evil.example.internal")).rcode() == dns.rcode.NXDOMAIN, "and no note of it"
        assert (await stand.ask(ACCOUNTS, HOST, "TXT")).rcode() == dns.rcode.NXDOMAIN

    stand = run(tmp_path, {HOST: {"a": ["192.0.2.7"], "ttl": 60}}, ask)
    (text,) = stand.written
    assert text.count("add element inet anden named-payments { 192.0.2.7 . tcp . 443 timeout 65s") == 2
    assert text.count("192.0.2.7 . tcp . 8443 timeout") == 2
    stand.resolver.save()
    noted = json.loads((tmp_path / "out" / "refused.json").read_text())
    assert {(one["service"], one["name"], one["count"]) for one in noted} == {
        ("accounts", HOST, 2), ("payments", "other.example", 1), ("payments", "a." + HOST, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "code", "found"),
    [
        (
            {HOST: {"cname": "e.example", "ttl": 9}, "e.example": {"a": ["192.0.2.9"], "ttl": 60}},
            "NOERROR",
            ["192.0.2.9"],
        ),
        ({HOST: {"a": ["192.0.2.9", "10.1.1.1"], "ttl": 60}}, "SERVFAIL", []),
        ({HOST: {"a": ["169.254.169.254"], "ttl": 60}}, "SERVFAIL", []),
        ({HOST: {"cname": "e.example"}, "e.example": {"a": ["10.1.1.1"]}}, "SERVFAIL", []),
        ({HOST: {"cname": HOST}}, "SERVFAIL", []),
        ({HOST: {"cname": "nowhere.example"}}, "NXDOMAIN", []),
        ({HOST: {"ttl": 5}}, "NOERROR", []),
        ({HOST: 7}, "SERVFAIL", []),
        ({}, "NXDOMAIN", []),
    ],
)
def test_what_the_internet_says(tmp_path: Path, zone: dict[str, Any], code: str, found: list[str]) -> None:
    async def ask(stand: Stand) -> None:
        said = await stand.ask(PAYMENTS, HOST)
        assert (dns.rcode.to_text(said.rcode()), addresses(said)) == (code, found)

    stand = run(tmp_path, zone, ask)
    assert bool(stand.written) == bool(found), "nothing opens without an answer, and no answer is given without opening"


def test_what_cannot_be_opened_is_not_answered(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        stand.full = True
        assert (await stand.ask(PAYMENTS, HOST)).rcode() == dns.rcode.SERVFAIL
        stand.full = False
        assert (await stand.ask(PAYMENTS, HOST)).rcode() == dns.rcode.NOERROR

    run(tmp_path, {HOST: {"a": ["192.0.2.7"], "ttl": 60}}, ask)


def test_a_burst_of_questions_costs_one(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        for _ in range(20):
            assert addresses(await stand.ask(PAYMENTS, HOST)) == ["192.0.2.7"]
        stand.resolver.load()
        assert addresses(await stand.ask(PAYMENTS, HOST)) == ["192.0.2.7"]

    assert len(run(tmp_path, {HOST: {"a": ["192.0.2.7"], "ttl": 60}}, ask).written) == 2


def test_a_long_answer_is_asked_for_by_tcp_and_cut_to_what_one_may_hold(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        said = await stand.ask(PAYMENTS, HOST, tcp=True)
        assert len(addresses(said)) == names.MOST_ADDRESSES

    run(tmp_path, {HOST: {"a": [f"192.0.2.{n}" for n in range(1, 200)], "ttl": 60}}, ask)


def test_an_internet_that_is_not_there(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        stand.port = 1
        assert (await stand.ask(PAYMENTS, HOST)).rcode() == dns.rcode.SERVFAIL

    assert run(tmp_path, {}, ask).written == []


def test_answers_to_another_question_are_passed_over(tmp_path: Path) -> None:
    """A stranger's packets, then nonsense, then the answer."""

    def answer(asked: dns_wire.Asked, source: str, tcp: bool) -> bytes:
        other = dns_wire.asked(dns.message.make_query("evil.example", "A").to_wire())
        return dns_wire.answer(other, dns_wire.FINE, dns_wire.addresses([IPv4Address("192.0.2.66")], 60))

    async def work() -> None:
        with _sockets() as (datagrams, stream):
            serving = asyncio.create_task(dns_server.Server(datagrams, stream, answer, lambda _: None).run())
            with pytest.raises(upstream.Unanswered):
                await upstream.resolve(HOST, ("127.0.0.1", datagrams.getsockname()[1]))
            serving.cancel()

    asyncio.run(work())


def test_times() -> None:
    assert (told_s(10**6), told_s(0), told_s(60)) == (CEILING_S, 0, 60)
    assert (open_s(0), open_s(60), open_s(10**6)) == (FLOOR_S + GRACE_S, 60 + GRACE_S, CEILING_S + GRACE_S)


def test_notes_are_bounded_and_survive() -> None:
    notes = Notes()
    for number in range(MOST_NOTED + 10):
        notes.refused("web", f"h{number}.example", "not declared", float(number))
    notes.refused("web", f"h{MOST_NOTED}.example", "not declared", 9999.0)
    again = json.loads(Notes(notes.written()).written())
    assert len(again) == MOST_NOTED
    assert (again[-1]["name"], again[-1]["count"], again[-1]["last"]) == (f"h{MOST_NOTED}.example", 2, 9999.0)
    assert again[0]["name"] == "h10.example"


def test_a_book_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    async def ask(stand: Stand) -> None:
        (stand.folder / "book.json").write_text("{")
        with pytest.raises(ValueError, match="Expecting"):
            stand.resolver.load()
        assert addresses(await stand.ask(PAYMENTS, HOST)) == ["192.0.2.7"]
        assert names.digest("{") != (stand.folder / "out" / "loaded").read_text()

    run(tmp_path, {HOST: {"a": ["192.0.2.7"], "ttl": 60}}, ask)
