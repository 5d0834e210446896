"""The load as a process of a drill's own."""

import os
import time
from pathlib import Path

import pytest
from tests.unit.load.stalling import Server, serving

from anden.drill.load import LoadProcess, Tallies
from anden.model.problem import Problems

LIMIT_S = 30.0


def test_it_tells_as_it_goes_and_ends_when_it_is_stopped() -> None:
    with serving(Server()) as server:
        load = LoadProcess([f"http://127.0.0.1:{server.port}/a"], 100, 600)
        try:
            tallies: Tallies = []
            deadline = time.monotonic() + LIMIT_S
            while sum(each.answered for _, each in tallies) < 30 and time.monotonic() < deadline:
                tallies += load.fresh(time.time())
                time.sleep(0.05)
            assert not load.over()
            load.stop()
            while not load.over() and time.monotonic() < deadline:
                tallies += load.fresh(time.time())
                time.sleep(0.05)
            assert load.over()
        finally:
            load.close()
    sent = sum(each.sent for _, each in tallies)
    assert sent == sum(each.answered for _, each in tallies) == len(server.asked) >= 30
    times = [at for at, _ in tallies]
    assert times == sorted(times)


def test_one_that_dies_is_a_problem_with_its_last_words() -> None:
    load = LoadProcess(["https://nobody/"], 100, 600)
    try:
        with pytest.raises(Problems, match="one host's http:// addresses"):
            _follow(load)
    finally:
        load.close()


def _follow(load: LoadProcess) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        load.fresh(time.time())
        time.sleep(0.05)


def test_closing_leaves_no_process() -> None:
    with serving(Server()) as server:
        load = LoadProcess([f"http://127.0.0.1:{server.port}/"], 10, 600)
        load.close()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if children.exists():
        assert not [pid for pid in children.read_text().split() if b"anden.load" in _line(pid)]


def _line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
