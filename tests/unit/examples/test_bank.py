"""The example bank's three services as real processes on loopback: what they answer, log, refuse and finish."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import anden.manifest

BANK = Path(__file__).parents[3] / "examples" / "banco-andino"
START_LIMIT_S = 10
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Running:
    name: str
    port: int
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            data = body if isinstance(body, str | None) else json.dumps(body)
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def end(self) -> list[dict[str, Any]]:
        """Stop it gracefully; its log lines."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=START_LIMIT_S)
        return [json.loads(line) for line in out.splitlines()]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def start(name: str, **env: str) -> Running:
    port = free_port()
    command = [sys.executable, "-I", str(BANK / name / "app.py")]
    surroundings = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), **env}
    running = Running(name, port, subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings))
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            assert running.ask("GET", "/health")[0] == 200
            return running
        except OSError:
            assert time.monotonic() < deadline
            assert running.process.poll() is None
            time.sleep(0.02)


@dataclass
class Bank:
    ledger: Running
    accounts: Running
    payments: Running


def opened() -> Iterator[Bank]:
    started = [start("ledger")]
    try:
        started.append(start("accounts", LEDGER_URL=started[0].url))
        started.append(start("payments", LEDGER_URL=started[0].url, ACCOUNTS_URL=started[1].url))
        yield Bank(*started)
    finally:
        for each in started:
            each.process.kill()
            each.process.communicate()


bank = pytest.fixture(opened)
"""A bank of the test's own."""
standing = pytest.fixture(scope="module")(opened)
"""One for all tests that move nothing."""


def total(bank: Bank) -> int:
    return sum(bank.ledger.ask("GET", "/balances")[1]["balances"].values())


def test_accounts_are_listed_with_the_ledgers_balances(standing: Bank) -> None:
    status, body = standing.accounts.ask("GET", "/accounts")
    assert status == 200
    balances = standing.ledger.ask("GET", "/balances")[1]["balances"]
    assert {each["id"]: each["cents"] for each in body["accounts"]} == balances
    assert standing.accounts.ask("GET", "/accounts/ana")[1] == {"id": "ana", "holder": "Ana Quispe", "cents": 125_000}


def test_a_payment_moves_cents_and_loses_none(bank: Bank) -> None:
    before = total(bank)
    status, body = bank.payments.ask("POST", "/payments", {"from": "ana", "to": "luis", "cents": 2_500})
    assert status == 201
    assert body["payment"]["cents"] == 2_500
    assert bank.accounts.ask("GET", "/accounts/ana")[1]["cents"] == 122_500
    assert bank.accounts.ask("GET", "/accounts/luis")[1]["cents"] == 82_550
    assert total(bank) == before
    assert [each["id"] for each in bank.payments.ask("GET", "/payments")[1]["payments"]] == [body["payment"]["id"]]


def test_the_same_key_pays_once(bank: Bank) -> None:
    key = {"Idempotency-Key": "k1"}
    order = {"from": "ana", "to": "luis", "cents": 100}
    first = bank.payments.ask("POST", "/payments", order, key)
    assert bank.payments.ask("POST", "/payments", order, key) == first
    assert bank.accounts.ask("GET", "/accounts/ana")[1]["cents"] == 124_900
    assert bank.payments.ask("POST", "/payments", {**order, "cents": 200}, key)[0] == 409


@pytest.mark.parametrize(
    ("order", "status", "error"),
    [
        ({"from": "ana", "to": "luis", "cents": 1.5}, 422, "cents"),
        ({"from": "ana", "to": "luis", "cents": True}, 422, "cents"),
        ({"from": "ana", "to": "luis", "cents": 0}, 422, "cents"),
        ({"from": "ana", "to": "luis", "cents": -5}, 422, "cents"),
        ({"from": "ana", "to": "luis"}, 422, "cents"),
        ({"from": "ana", "to": "luis", "cents": 99_999_999}, 409, "funds"),
        ({"from": "ana", "to": "ana", "cents": 1}, 422, "same-account"),
        ({"from": "ana", "to": "nobody", "cents": 1}, 404, "no-account"),
        ({"from": "a/../health", "to": "ana", "cents": 1}, 404, "no-account"),
        ({"from": 7, "to": "ana", "cents": 1}, 422, "from"),
        ([1], 400, "not-json"),
        ("{", 400, "not-json"),
        ("x" * 20_000, 413, "too-large"),
    ],
)
def test_what_is_wrong_is_refused_and_moves_nothing(standing: Bank, order: Any, status: int, error: str) -> None:
    before = standing.ledger.ask("GET", "/balances")
    answered = standing.payments.ask("POST", "/payments", order)
    assert (answered[0], answered[1]["error"]) == (status, error)
    assert standing.ledger.ask("GET", "/balances") == before


def test_paths_that_are_nothing(standing: Bank) -> None:
    assert standing.accounts.ask("GET", "/")[0] == 404
    assert standing.accounts.ask("GET", "/accounts/nobody")[0] == 404
    assert standing.accounts.ask("POST", "/accounts", {})[0] == 404
    assert standing.ledger.ask("GET", "/transfers/x")[0] == 404


def test_a_connection_is_kept_and_survives_a_refused_post(standing: Bank) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", standing.payments.port, timeout=10)
    connection.connect()
    held = connection.sock
    for method, path, body, wanted in [
        ("GET", "/payments", None, 200), ("POST", "/nothing", '{"a": 1}', 404), ("POST", "/payments", "no", 400),
        ("GET", "/health", None, 200),
    ]:  # fmt: skip
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == wanted
        assert connection.sock is held
    connection.close()


def test_without_the_ledger_accounts_lives_and_says_what_is_away(bank: Bank) -> None:
    bank.ledger.end()
    assert bank.accounts.ask("GET", "/health")[0] == 200
    status, body = bank.accounts.ask("GET", "/accounts")
    assert (status, body["error"]) == (502, "away")


def test_a_ledger_that_is_silent_is_given_up_within_the_bound() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        accounts = start("accounts", LEDGER_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        try:
            began = time.monotonic()
            assert accounts.ask("GET", "/accounts")[0] == 504
            assert time.monotonic() - began < 4
        finally:
            accounts.process.kill()
            accounts.process.communicate()


def test_logs_are_json_and_carry_one_trace_through_all_three(bank: Bank) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    bank.payments.ask("POST", "/payments", {"from": "ana", "to": "luis", "cents": 1}, headers)
    bank.payments.ask("GET", "/payments")
    logs = {each.name: each.end() for each in (bank.payments, bank.accounts, bank.ledger)}
    for name, lines in logs.items():
        traced = [line for line in lines if line.get("trace") == TRACE]
        assert traced, name
        assert all(line["status"] in {200, 201} and line["ms"] >= 0 for line in traced)
    assert not [line for lines in logs.values() for line in lines if "/health" in line["text"]]


def test_a_request_in_flight_is_finished_after_sigterm() -> None:
    with socket.socket() as slow:
        slow.bind(("127.0.0.1", 0))
        slow.listen()
        accounts = start("accounts", LEDGER_URL=f"http://127.0.0.1:{slow.getsockname()[1]}")
        answers: list[tuple[int, dict[str, Any]]] = []
        asking = threading.Thread(target=lambda: answers.append(accounts.ask("GET", "/accounts/ana")))
        asking.start()
        with slow.accept()[0] as called:
            called.recv(65536)
            accounts.process.send_signal(signal.SIGTERM)
            time.sleep(0.4)
            with pytest.raises(ConnectionRefusedError):
                accounts.ask("GET", "/health")
            called.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"cents": 1234}')
        asking.join(5)
        assert answers[0][0] == 200
        assert answers[0][1]["cents"] == 1234
        accounts.process.communicate(timeout=5)
        assert accounts.process.returncode == 0


def test_many_at_once_lose_no_cent(bank: Bank) -> None:
    before = total(bank)

    def pay(source: str, target: str) -> None:
        for _ in range(15):
            assert bank.payments.ask("POST", "/payments", {"from": source, "to": target, "cents": 3})[0] == 201

    paying = [threading.Thread(target=pay, args=pair) for pair in [("ana", "luis"), ("luis", "ana"), ("marta", "ana")]]
    for each in paying:
        each.start()
    for each in paying:
        each.join(30)
    assert total(bank) == before
    assert bank.accounts.ask("GET", "/accounts/marta")[1]["cents"] == 310_000 - 45


def test_the_manifest_means_what_the_bank_needs() -> None:
    manifest = anden.manifest.read((BANK / "anden.yaml").read_text(), "anden.yaml", client="-")
    assert manifest.client == "banco-andino"
    assert manifest.default_environment() == "certification"
    assert manifest.topologies["certification"].zones == 1
    production = manifest.topologies["production"]
    assert production.zones == 3
    assert all(service.instances.base >= 2 for service in production.services)
    ledger = production.service("ledger")
    assert ledger is not None
    assert ledger.route is None
    for service in production.services:
        assert service.source.build is not None
        assert (BANK / service.source.build / "Containerfile").is_file()
