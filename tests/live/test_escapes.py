"""The hardened profile refuses a written list of attempts to get out (tests/live/escapes/attempts.py). Each is really
tried, as an ordinary user and as root of the instance; and outside as root, so that a slip of the pen is no refusal."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.live.cell_world import IMAGES, SERVER, Cell, cell, service
from tests.live.escapes import runner
from tests.live.escapes.attempts import ATTEMPTS, CELL, HOST, OWN, Attempt

from anden.engines.local.images import LocalImages
from anden.machine import SystemClock
from anden.model.image import Image
from anden.model.topology import ImageSource, Route

pytestmark = pytest.mark.live

CONTAINERFILE = """ARG BASE
FROM ${BASE}
COPY server.py /server.py
RUN cp /usr/bin/python3 /suid-python && chmod 4755 /suid-python
"""
WORLDS = {
    OWN: ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"],
    HOST: [],
}
PREPARED = 'ip link set lo up; ip address add 169.254.169.254/32 dev lo; exec "$@"'
CELL_LISTENER = """
import socket, sys
unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); unix.bind("\\0" + sys.argv[1]); unix.listen(64)
tcp = socket.create_server(("0.0.0.0", 0)); tcp.listen(64)
print(tcp.getsockname()[1], flush=True)
sys.stdin.read()
"""
LIMIT_S = 120
INSTANCES = {"1000": "web-1", "0": "root-1"}


def image() -> Image:
    """The tests' server, with a set-user-id program beside it."""
    with tempfile.TemporaryDirectory(prefix="anden-t-") as folder:
        (Path(folder) / "server.py").write_text(SERVER)
        (Path(folder) / "Containerfile").write_text(CONTAINERFILE)
        for said in LocalImages(IMAGES, SystemClock()).resolve(Path(folder), {"web": ImageSource(build=".")}):
            if isinstance(said, tuple):
                return said[1]
    raise AssertionError("no image came")


@dataclass(frozen=True)
class Place:
    """A cell with two instances, and what around it is to be reached for."""

    made: Cell
    at: dict[str, Any]
    scratch: Path

    def inside(self, user: str) -> dict[str, str]:
        asked = [[each.name, each.program] for each in ATTEMPTS if user in each.users]
        at = {**self.at, "inside": True, "scratch": "/tmp", "suid": "/suid-python"}
        argv = ["/usr/bin/python3", "-c", Path(runner.__file__).read_text()]
        stdin = json.dumps({"at": at, "attempts": asked}).encode()
        done = self.made.engine.exec(self.made.key, INSTANCES[user], argv, stdin, LIMIT_S)
        assert done.code == 0, done
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def outside(self, where: str) -> dict[str, str]:
        asked = [[each.name, each.program] for each in ATTEMPTS if each.where == where]
        own = [["169.254.169.254", 80]] if where == OWN else []
        at = {**self.at, "inside": False, "scratch": str(self.scratch), "suid": str(self.scratch / "suid-python")}
        init = str(self.made.init())
        world = {**WORLDS, CELL: ["nsenter", "--target", init, "--mount", "--net"]}[where]
        argv = [*world, *(["sh", "-c", PREPARED, "sh"] if where == OWN else [])]
        done = subprocess.run(
            [*argv, sys.executable, "-c", Path(runner.__file__).read_text()],
            check=True, capture_output=True, text=True, timeout=LIMIT_S,
            input=json.dumps({"at": {**at, "listen": own, "apart": where == OWN}, "attempts": asked}),
        )  # fmt: skip
        found: dict[str, str] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    scratch = Path(tempfile.mkdtemp(prefix="anden-t-", dir="/var/tmp"))
    scratch.chmod(0o755)
    shutil.copy(os.path.realpath("/usr/bin/python3"), scratch / "suid-python")
    (scratch / "suid-python").chmod(0o4755)
    marker = scratch / "marker"
    marker.write_text("of the machine")
    name = f"anden-escape-{os.getpid()}"
    other = subprocess.Popen(["sleep", "600"])
    with cell() as made, socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"\0{name}-host")
        unix.listen(64)
        tcp.listen(64)
        made.image = image()
        common: dict[str, Any] = {"writable": ("/tmp",)}
        made.up(service(**common), service("root", user="0", route=Route("/root"), **common))
        beside = subprocess.Popen(
            ["nsenter", "--target", str(made.init()), "--net", sys.executable, "-c", CELL_LISTENER, f"{name}-cell"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert beside.stdout is not None
        maps = Path(f"/proc/{other.pid}/maps").read_text()
        at = {
            "marker": str(marker), "other": other.pid, "readable": int(maps.partition("-")[0], 16),
            "host_abstract": f"{name}-host", "cell_abstract": f"{name}-cell", "host_port": tcp.getsockname()[1],
            "cell_port": int(beside.stdout.readline()),
        }  # fmt: skip
        threading.Thread(target=_accept, args=(tcp,), daemon=True).start()
        try:
            yield Place(made, at, scratch)
        finally:
            for each in (beside, other):
                each.kill()
                each.wait()
            shutil.rmtree(scratch, ignore_errors=True)


def _accept(listening: socket.socket) -> None:
    try:
        while True:
            listening.accept()[0].close()
    except OSError:
        return


@pytest.fixture(scope="module")
def inside(place: Place) -> dict[str, dict[str, str]]:
    return {user: place.inside(user) for user in INSTANCES}


@pytest.fixture(scope="module")
def outside(place: Place) -> dict[str, str]:
    return {name: said for where in (OWN, HOST, CELL) for name, said in place.outside(where).items()}


def test_the_list_is_tried_under_the_profile(place: Place) -> None:
    """Otherwise a refusal says nothing of the instances' own processes, or a user is not who he should be."""
    for user, instance in INSTANCES.items():
        argv = ["/usr/bin/python3", "-c", "print(open('/proc/self/status').read())"]
        done = place.made.engine.exec(place.made.key, instance, argv, b"", 20.0)
        said = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
        assert (said["Seccomp"], said["NoNewPrivs"], said["CapEff"], said["CapBnd"]) == ("2", "1", "0" * 16, "0" * 16)
        assert said["Uid"].split()[0] == user


@pytest.mark.parametrize("user", INSTANCES)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.name)
def test_it_is_refused(inside: dict[str, dict[str, str]], attempt: Attempt, user: str) -> None:
    if user in attempt.users:
        assert inside[user][attempt.name] in attempt.refused


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.name)
def test_the_attempt_itself_is_right(outside: dict[str, str], attempt: Attempt) -> None:
    said = outside[attempt.name]
    if said in attempt.lacking:
        pytest.skip(f"{attempt.name}: this machine has no such thing ({said}), so that its refusal shows little")
    assert said in attempt.outside
    assert said not in attempt.refused


def test_nobody_was_hurt(place: Place, inside: dict[str, dict[str, str]]) -> None:
    assert place.made.get() in {"web-1"}
    assert [one.restarts for one in place.made.engine.observe(place.made.key).instances] == [0, 0]
