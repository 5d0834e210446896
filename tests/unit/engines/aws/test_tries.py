"""What a one-off task runs, really run here: with each of the tools that an image may have, against real sockets."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from anden.engines.aws import debug, tries
from anden.engines.aws.probing import MOST_A_TASK
from anden.model.reach import Probe, Seen

NOWHERE = "nobody.invalid"
"""A name that never resolves (RFC 2606)."""
OUT_S = 30


@pytest.fixture
def ports() -> Iterator[tuple[int, int, int]]:
    """Of loopback: one that answers, one that refuses, and one that says nothing, for its queue is full."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as closed, socket.socket() as full:
        closed.bind(("127.0.0.1", 0))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield listening.getsockname()[1], closed.getsockname()[1], full.getsockname()[1]
        for one in waiting:
            one.close()


def only(folder: Path, *names: str) -> str:
    """A PATH that has these and nothing else."""
    for name in names:
        # On the machine of somebody with several Pythons, `python3` may be a script that looks for others in PATH.
        found = sys.executable if name == "python3" else shutil.which(name)
        if found is None:
            pytest.skip(f"this machine has no {name}")
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize(
    "tools", [("python3",), ("node",), ("bash", "timeout"), ("python3", "node", "bash", "timeout")]
)
def test_each_tool_sees_the_same(tmp_path: Path, ports: tuple[int, int, int], tools: tuple[str, ...]) -> None:
    answering, refusing, silent = ports
    hosts = [("127.0.0.1", answering), ("127.0.0.1", refusing), ("127.0.0.1", silent), (NOWHERE, answering)]
    argv = tries.argv([tries.Try(host, port, 1) for host, port in hosts])
    variables = {"PATH": only(tmp_path, *tools)}
    ran = subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=OUT_S, check=False)
    found = tries.answers(ran.stdout)
    assert [found[number].seen for number in range(4)] == [Seen.OPEN, Seen.REFUSED, Seen.SILENT, Seen.UNRESOLVED], ran
    assert ran.returncode == 0


def test_an_image_with_nothing_to_try_with_says_so(tmp_path: Path) -> None:
    argv = tries.argv([tries.Try("127.0.0.1", 1, 1)])
    ran = subprocess.run(argv, env={"PATH": only(tmp_path)}, capture_output=True, text=True, timeout=OUT_S, check=False)
    assert ran.stdout == f"{tries.NOTHING}\n"
    assert tries.answers(ran.stdout) == {}


def test_lines_that_are_no_answers_are_not_ours() -> None:
    text = "starting\nanden-probe 1 open 12\nanden-probe x open 1\nanden-probe 2 guessed 1\nanden-probe 3 untried 1\n"
    assert tries.answers(text) == {1: tries.Tried(Seen.OPEN, 0.012)}


def test_a_connection_gets_whole_seconds_and_some_at_least() -> None:
    assert [tries.limit_s(Probe("web-1", "a", 1, timeout_s=limit)) for limit in (0.5, 3.0, 3.2)] == [3, 3, 4]


def test_what_one_task_tries_fits_in_its_overrides() -> None:
    longest = tries.Try("a" * 253, 65535, 3)
    assert len(json.dumps(tries.argv([longest] * MOST_A_TASK))) < debug.MOST_OVERRIDES - 200
