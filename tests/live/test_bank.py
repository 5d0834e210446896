"""The example bank, in a real cell, through the command line: what a new user does, and what may go wrong meanwhile."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import ROOT, Anden, leftovers, processes
from tests.live.load import Load

from anden.store import open_store

BANK = "examples/banco-andino"
CLIENT = "banco-andino"
SETTLE_LIMIT_S = 30


@pytest.fixture(scope="module")
def bank(anden: Anden) -> Iterator[Anden]:
    anden("up", BANK, "-e", "certification", "--no-input")
    yield anden
    anden("down", BANK, "-e", "certification", "--yes")


def status(anden: Anden, environment: str = "certification") -> dict[str, Any]:
    report: dict[str, Any] = anden.json("status", BANK, "-e", environment)
    return report


def service(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in report["services"] if each["name"] == name)


def gateway(anden: Anden) -> tuple[str, int]:
    host, _, port = status(anden)["gateway"].rpartition(":")
    return host, int(port)


def get(host: str, port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
        return int(answer.status)


def until(seen: Any, what: str) -> None:
    """Wait until `seen()` is true, within a bound."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    while not seen():
        assert time.monotonic() < deadline, f"not within {SETTLE_LIMIT_S} s: {what}"
        time.sleep(0.1)


def test_it_answers_and_status_says_where(bank: Anden) -> None:
    report = status(bank)
    assert report["running"]
    assert report["matches_manifest"]
    assert {each["name"] for each in report["services"]} == {"accounts", "ledger", "payments"}
    for each in report["services"]:
        assert each["healthy"] == each["level"] >= each["base"]
        for instance in each["instances"]:
            assert instance["zone"] == "a"
            assert instance["address"]
    host, port = gateway(bank)
    assert get(host, port, "/accounts") == 200
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(host, port, "/ledger")


def test_a_second_up_has_nothing_to_do(bank: Anden) -> None:
    before = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
    bank("up", BANK, "-e", "certification", "--no-input")
    after = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
    assert after == before


def test_scaling_loses_no_request(bank: Anden) -> None:
    top = service(status(bank), "accounts")["max"]
    assert top >= 2
    with Load(*gateway(bank), "/accounts", rate=150) as load:
        time.sleep(0.5)
        bank("scale", "accounts", str(top), "-C", BANK, "-e", "certification")
        assert service(status(bank), "accounts")["healthy"] == top
        time.sleep(0.5)
        bank("scale", "accounts", "1", "-C", BANK, "-e", "certification")
        time.sleep(0.5)
    assert load.sent > 100
    assert not load.failures, load.verdict()
    assert len(service(status(bank), "accounts")["instances"]) == 1


def test_scaling_past_the_contract_is_refused(bank: Anden) -> None:
    top = service(status(bank), "accounts")["max"]
    refused = bank.try_("scale", "accounts", str(top + 1), "-C", BANK, "-e", "certification")
    assert refused.returncode == 1
    assert f"..{top}" in refused.stderr


def test_a_rolling_deploy_loses_no_request(bank: Anden) -> None:
    bank("scale", "accounts", "2", "-C", BANK, "-e", "certification")
    with Load(*gateway(bank), "/accounts", rate=150) as load:
        time.sleep(0.5)
        bank("restart", "accounts", "-C", BANK, "-e", "certification")
        time.sleep(0.5)
    assert load.sent > 100
    assert not load.failures, load.verdict()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The bank with an `accounts` that starts and then answers 500 to its health check."""
    folder = tmp_path / CLIENT
    for path in (ROOT / BANK).rglob("*"):
        target = folder / path.relative_to(ROOT / BANK)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    manifest = folder / "anden.yaml"
    text = manifest.read_text()
    assert "    build: accounts\n" in text
    manifest.write_text(text.replace("    build: accounts\n", "    build: accounts\n    start: 3s\n"))
    (folder / "accounts" / "app.py").write_text(
        "import http.server, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        print('cannot open the vault', flush=True)\n"
        "        self.send_response(500); self.send_header('Content-Length', '0'); self.end_headers()\n"
        "http.server.ThreadingHTTPServer(('', 8080), H).serve_forever()\n"
    )
    return folder


def test_a_broken_version_is_rolled_back_by_itself_and_nobody_noticed(bank: Anden, broken: Path) -> None:
    good = service(status(bank), "accounts")["image"]
    with Load(*gateway(bank), "/accounts", rate=100) as load:
        time.sleep(0.5)
        failed = bank.try_("up", str(broken), "-e", "certification", "--adopt", "--no-input")
        time.sleep(0.5)
    assert failed.returncode == 1
    said = failed.stdout + failed.stderr
    assert "500" in said
    assert "cannot open the vault" in said
    assert "rolled back" in said
    assert not load.failures, load.verdict()
    after = service(status(bank), "accounts")
    assert after["image"] == good
    assert after["healthy"] == after["level"]
    bank("up", BANK, "-e", "certification", "--adopt", "--no-input")


def test_the_bank_serves_without_the_control_plane(bank: Anden) -> None:
    before = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
    host, port = gateway(bank)
    with Load(host, port, "/accounts", rate=50) as load:
        os.kill(bank.daemon(CLIENT), signal.SIGKILL)
        time.sleep(1.5)
        after = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
        time.sleep(0.5)
    assert not load.failures, load.verdict()
    assert after == before


def test_an_up_killed_half_way_is_continued_by_the_next(bank: Anden) -> None:
    bank("down", BANK, "-e", "certification", "--yes")
    first = bank.start("up", BANK, "-e", "certification", "--no-input")
    time.sleep(0.9)
    for pid in [first.pid, bank.daemon(CLIENT)]:
        os.kill(pid, signal.SIGKILL)
    first.wait(10)
    bank("up", BANK, "-e", "certification", "--no-input")
    report = status(bank)
    assert all(each["healthy"] == each["level"] for each in report["services"])
    assert get(*gateway(bank), "/accounts") == 200


def test_of_two_at_once_one_wins_and_the_other_says_so(bank: Anden) -> None:
    bank("down", BANK, "-e", "certification", "--yes")
    both = [bank.start("up", BANK, "-e", "certification", "--no-input") for _ in range(2)]
    ended = [(each.communicate(timeout=120), each.returncode) for each in both]
    codes = sorted(code for _, code in ended)
    said = "".join(out + err for (out, err), _ in ended)
    assert codes == [0, 1], said
    assert "anden up" in said or "`up" in said, said
    assert get(*gateway(bank), "/accounts") == 200


def test_a_cell_that_died_is_brought_back(bank: Anden) -> None:
    keepers = [pid for pid, line in processes(str(bank.state)).items() if "cell.keeper" in line]
    assert keepers
    os.kill(min(keepers), signal.SIGKILL)
    host, port = gateway(bank)

    def answers() -> bool:
        try:
            return get(host, port, "/accounts") == 200
        except OSError:
            return False

    until(answers, "the cell is brought back by the control plane")
    assert any("brought back" in finding["text"] for finding in status(bank)["findings"]), "and it says so"


def test_after_a_reboot_status_says_so_and_up_continues(bank: Anden) -> None:
    """A power cut ends everything at once, and the records are of an earlier boot: made so here, by hand."""
    cell = bank.state / CLIENT / "cells" / "certification"
    os.kill(bank.daemon(CLIENT), signal.SIGKILL)
    record = json.loads((cell / "keeper.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    until(lambda: not processes(str(cell)), "everything of the cell has ended")
    (cell / "keeper.json").write_text(json.dumps({**record, "boot": "an earlier boot"}))
    (store,) = (bank.state / CLIENT).glob("*.db")
    records = open_store(store)
    for target in records.targets():
        records.put_target(replace(target, boot="an earlier boot"))
    records.close()
    report = status(bank)
    assert (report["running"], report["reason"]) == (False, "not running since boot")
    time.sleep(2.0)
    assert not status(bank)["running"], "nothing starts by itself after a reboot"
    bank("up", BANK, "-e", "certification", "--no-input")
    assert get(*gateway(bank), "/accounts") == 200


def test_down_leaves_nothing(bank: Anden) -> None:
    bank("down", BANK, "-e", "certification", "--yes")
    until(lambda: not processes(str(bank.state)), f"no process: {processes(str(bank.state))}")
    left = leftovers(bank.state / CLIENT / "cells" / "certification")
    assert not any(left.values()), left
    bank("up", BANK, "-e", "certification", "--no-input")
