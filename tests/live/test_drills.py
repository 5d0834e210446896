"""`anden drill` on the example bank, in a real cell: nobody who asks once more notices, and all is as before."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import ROOT, Anden, processes
from tests.live.load import Load

BANK = "examples/banco-andino"
CLIENT = "banco-andino"
WHERE = ("-C", BANK, "-e", "production")
RATE = "100"
LEVEL = "4"


@pytest.fixture(scope="module")
def bank(anden: Anden) -> Iterator[Anden]:
    anden("up", BANK, "-e", "production", "--no-input")
    for name in ("ledger", "accounts", "payments"):
        # A quarter of a CPU does not carry fifty requests a second: without a zone there must be enough left.
        anden("scale", name, LEVEL, *WHERE)
    yield anden
    anden("down", BANK, "-e", "production", "--yes")


def status(anden: Anden) -> dict[str, Any]:
    report: dict[str, Any] = anden.json("status", BANK, "-e", "production")
    return report


def serving(report: dict[str, Any]) -> dict[str, int]:
    """Zone to how many instances serve."""
    found: dict[str, int] = {}
    for service in report["services"]:
        for instance in service["instances"]:
            found[instance["zone"]] = found.get(instance["zone"], 0) + (instance["health"] == "healthy")
    return found


def drill(anden: Anden, *words: str, for_s: str = "5") -> dict[str, Any]:
    """The report of a drill that nobody noticed, after which everything is as before."""
    before = status(anden)
    done = anden.try_("drill", *words, *WHERE, "--yes", "--for", for_s, "--at-rate", RATE, "--json")
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    said = (report["kinds"], report["settled_why"], report["phases"])
    after = status(anden)
    assert report["requests"] >= int(RATE) * float(for_s)
    assert report["failed_after_retry"] == 0, said
    assert report["settled"], said
    assert done.returncode == 0
    assert sorted(serving(after).values()) == sorted(serving(before).values())
    assert after["faults"] == []
    assert after["blueprint"] == before["blueprint"]
    stem = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(report["at"]))
    kept = sorted(path.suffix for path in (anden.state / CLIENT / "drills").glob(f"{stem}*"))
    assert kept == [".json", ".svg", ".txt"]
    assert not [line for line in processes(str(anden.state)).values() if "anden.load" in line]
    return report


def test_an_instance_is_killed(bank: Anden) -> None:
    report = drill(bank, "kill", "accounts")
    assert report["hit"].startswith("accounts-")
    assert report["detect_s"] is not None, (report["detect_why"], report["timeline"])
    assert report["recover_s"] is not None, (report["recover_why"], report["timeline"])
    assert 0 <= report["detect_s"] <= report["recover_s"] <= 30


def test_the_real_traffic_is_counted_when_there_is_no_load_of_ours(bank: Anden) -> None:
    host, _, port = status(bank)["gateway"].rpartition(":")
    with Load(host, int(port), "/accounts", rate=40) as others:
        done = bank.try_("drill", "kill", "payments", *WHERE, "--yes", "--for", "4", "--at-rate", "0", "--json")
    report = json.loads(done.stdout)
    assert report["loaded"]
    assert 4 * 40 <= report["requests"] <= others.sent + 1
    assert report["failed"] == report["failed_after_retry"]


def test_a_process_of_the_balancer_is_killed(bank: Anden) -> None:
    before = status(bank)["processes"]
    report = drill(bank, "balancer")
    after = status(bank)["processes"]
    assert len(set(before.values()) - set(after.values())) == 1
    assert report["recover_s"] is not None


def test_the_supervisor_is_killed(bank: Anden) -> None:
    before = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
    report = drill(bank, "supervisor")
    after = {i["id"]: i["since"] for each in status(bank)["services"] for i in each["instances"]}
    assert after == before, "no running instance was touched"
    assert report["recover_s"] is not None


def test_the_control_plane_is_killed_and_stays_away(bank: Anden) -> None:
    before = bank.daemon(CLIENT)
    report = drill(bank, "control")
    assert bank.daemon(CLIENT) != before
    assert report["detect_s"] is None
    assert "nothing watches" in report["detect_why"]
    assert report["recover_s"] >= 5
    blind = [beat for beat in report["timeline"] if beat["serving"] is None]
    assert len(blind) * report["step_s"] >= 4
    newest = next(each for each in bank.json("history", *WHERE) if each["what"].startswith("drill control"))
    assert newest["outcome"] == "interrupted"


def test_a_zone_is_cut_off(bank: Anden) -> None:
    # The first zone has the resolver's address, without which nobody would find anybody.
    report = drill(bank, "zone", "a", for_s="15")
    assert 0 < report["detect_s"] <= 15
    assert report["before"]["a"] > 0
    assert min(beat["serving"]["a"] for beat in report["timeline"] if beat["serving"]) == 0


def test_a_zone_stands_still(bank: Anden) -> None:
    report = drill(bank, "zone", "c", "--frozen", for_s="15")
    assert 0 < report["detect_s"] <= 15
    newest = next(each for each in bank.json("history", *WHERE) if each["what"].startswith("drill zone"))
    assert newest["what"] == "drill zone c (frozen), 15 s"
    assert newest["outcome"] == "done"


def test_production_is_not_hit_unasked(bank: Anden) -> None:
    refused = bank.try_("drill", "kill", "accounts", *WHERE, "--no-input")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert "kill accounts" in refused.stderr


def test_ctrl_c_takes_the_fault_back(bank: Anden) -> None:
    running = bank.start("drill", "zone", "a", *WHERE, "--yes", "--for", "120", "--at-rate", "20")
    deadline = time.monotonic() + 60
    while not status(bank)["faults"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (out, err)
    assert "no fault is in" in err
    assert status(bank)["faults"] == []
    assert not [line for line in processes(str(bank.state)).values() if "anden.load" in line]


def test_on_a_terminal_it_draws(bank: Anden) -> None:
    ours, theirs = pty.openpty()
    words = ["drill", "kill", "ledger", *WHERE, "--yes", "--for", "1", "--at-rate", "20"]
    running = subprocess.Popen(
        [sys.executable, "-m", "anden", *words], env={**bank.env, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        drawn += part
    os.close(ours)
    assert running.wait(60) == 0
    text = drawn.decode()
    assert "●" in text
    assert "the fault is in" in text
    assert "answers   " in text
    assert Path(BANK).name in text
