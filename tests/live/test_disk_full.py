"""A full disk during `up`, during a deployment, and while logs rotate: it is said with a fix, what was acknowledged
stands, what serves serves on, and with room again the next command goes on."""

import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Anden, processes
from tests.live.kills import MANIFEST, versions
from tests.live.load import Load

from anden.engines.local.cell import logs
from anden.web.files import Files
from anden.web.lock import held

DISK_BYTES = 24 << 20
PATIENCE_S = 60.0
LEAVES_KIB = (0, 192)
"""Room that is left: for nothing, for a command's beginning, for some of what follows."""
ON = ("-e", "dev")


class Disk:
    """A small disk, and a file that takes its room."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    def fill(self, leave_kib: int = 0) -> None:
        """Until not more than that is left."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
            file.truncate(max(self._filler.stat().st_size - leave_kib * 1024, 0))

    def clear(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)

    @contextmanager
    def full(self, leave_kib: int = 0) -> Iterator[None]:
        """Full for a while."""
        self.fill(leave_kib)
        try:
            yield
        finally:
            self.clear()


@pytest.fixture(scope="module")
def names() -> tuple[str, str]:
    return versions()


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    place = Path(tempfile.mkdtemp(prefix="anden-t-", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place)], check=True)
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        place.rmdir()


@pytest.fixture(scope="module")
def small(disk: Disk, names: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anden]:
    from tests.live.conftest import IMAGES
    from tests.live.kills import _end

    IMAGES.mkdir(parents=True, exist_ok=True)
    (disk.place / "images").symlink_to(IMAGES)
    made = Anden(disk.place)
    folder = tmp_path_factory.mktemp("kills")
    (folder / "anden.yaml").write_text(MANIFEST.replace("IMAGE", names[0]))
    made.folder = folder  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        disk.clear()
        made.try_("down", str(folder), *ON, "--yes")
        _end(disk.place)


def at(small: Anden) -> str:
    return str(small.folder)  # type: ignore[attr-defined]


def gateway(small: Anden) -> tuple[str, int]:
    host, _, port = small.json("status", at(small), *ON)["gateway"].rpartition(":")
    return host, int(port)


def history(small: Anden) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = small.json("history", "-C", at(small), *ON)
    return [each for each in found if each["outcome"] not in ("running", "interrupted")]


def clear_problem(done: subprocess.CompletedProcess[str]) -> None:
    """It failed, says the disk and the fix, and shows nobody a traceback."""
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Make room" in said, said
    assert "Traceback" not in said


@pytest.mark.parametrize("leave", LEAVES_KIB)
def test_up_on_a_full_disk_says_so_and_goes_on_with_room(small: Anden, disk: Disk, leave: int) -> None:
    with disk.full(leave):
        done = small.try_("up", at(small), *ON, "--no-input")
        if leave == 0 or done.returncode:
            clear_problem(done)
    small("up", at(small), *ON, "--no-input")
    host, port = gateway(small)
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10) as answer:
        assert answer.status == 200
    assert small.json("history", "--verify", "-C", at(small), *ON)["fault"] == ""
    small("down", at(small), *ON, "--yes")
    deadline = time.monotonic() + PATIENCE_S
    while held(Files(disk.place / "kills")):  # so that the next one is started on the full disk
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("leave", LEAVES_KIB)
def test_a_deployment_on_a_full_disk_harms_nobody(small: Anden, disk: Disk, names: tuple[str, str], leave: int) -> None:
    small("up", at(small), *ON, "--no-input", "--revert")
    before = history(small)
    with Load(*gateway(small), "/", rate=30) as load:
        with disk.full(leave):
            done = small.try_("deploy", "web", names[1], "-C", at(small), *ON)
            if leave == 0 or done.returncode:
                clear_problem(done)
        assert history(small)[-len(before) :] == before
        small("deploy", "web", names[1], "-C", at(small), *ON)
    assert load.sent > 10
    assert not load.failures, load.verdict()
    (web,) = small.json("status", at(small), *ON)["services"]
    assert (web["healthy"], {each["image"] for each in web["instances"]}) == (2, {names[1]})
    assert small.json("history", "--verify", "-C", at(small), *ON)["fault"] == ""


def test_logs_on_a_full_disk_lose_lines_and_nothing_else(small: Anden, disk: Disk) -> None:
    small("up", at(small), *ON, "--no-input", "--revert")
    host, port = gateway(small)

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    (web,) = small.json("status", at(small), *ON)["services"]
    files = disk.place / "kills" / "cells" / "dev" / "logs"
    for _ in range(4):  # both instances have rotated once before the disk is full
        get("/say/30000")
        time.sleep(1.1)
    with disk.full():
        for _ in range(6):
            get("/say/30000")
            time.sleep(1.1)
        assert get("/") in {"web-1", "web-2"}
    for _ in range(8):
        get("/say/1")
    time.sleep(1.0)
    rows = [json.loads(row) for path in files.glob("web-*.log*") for row in path.read_bytes().splitlines()]
    lost = [row["text"] for row in rows if "bytes of output were not written" in row["text"]]
    assert lost
    assert all(int(text.split()[1]) > 0 for text in lost)
    assert all(len(list(files.glob(f"web-{number}.log*"))) <= logs.FILES for number in (1, 2))
    (after,) = small.json("status", at(small), *ON)["services"]
    assert after["healthy"] == 2
    assert [each["restarts"] for each in after["instances"]] == [each["restarts"] for each in web["instances"]]
    assert processes(str(disk.place))
