"""Real cells for tests: the command line as a person runs it, on a state folder of the tests' own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anden.engines.local.place import Place

ROOT = Path(__file__).parents[2]
IMAGES = Path(os.environ.get("ANDEN_TEST_IMAGES", "/var/tmp/anden-test-images"))
"""Images are kept between runs: they are content-addressed, and building a base takes seconds."""
COMMAND_LIMIT_S = 180
DAEMON_LIMIT_S = 5


@dataclass
class Anden:
    """`anden` with a state folder of its own. more: variables of its environment, beside the tests' own."""

    state: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANDEN_STATE": str(self.state),
            "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}",
            "NO_COLOR": "1",
            **self.more,
        }

    def start(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """The command in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "anden", *words], env=self.env, cwd=cwd or ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def try_(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The command, whatever it exits with."""
        running = self.start(*words, cwd=cwd)
        try:
            out, err = running.communicate(timeout=COMMAND_LIMIT_S)
        finally:
            running.kill()
        return subprocess.CompletedProcess(list(words), running.returncode, out, err)

    def __call__(self, *words: str, cwd: Path | None = None) -> str:
        """The command's data, when it exits with 0."""
        done = self.try_(*words, cwd=cwd)
        assert done.returncode == 0, f"anden {' '.join(words)} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str, cwd: Path | None = None) -> Any:
        """The report that the command prints with `--json`."""
        return json.loads(self(*words, "--json", cwd=cwd))

    def daemon(self, client: str) -> int:
        """The process id of the client's control plane. What it has just started has its command line for a moment."""
        deadline = time.monotonic() + DAEMON_LIMIT_S
        while True:
            found = processes(f"{self.state}/{client}")
            pids = [pid for pid, line in found.items() if "-m anden.app " in line or " serve" in line]
            if len(pids) == 1:
                return pids[0]
            assert time.monotonic() < deadline, "\n".join(found.values())
            time.sleep(0.05)


def processes(needle: str) -> dict[int, str]:
    """Processes of this machine whose command line or environment's state folder names `needle`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if needle in line:
                found[int(entry.name)] = line
    return found


def leftovers(cell: Path) -> dict[str, list[str]]:
    """What the cell of that folder left on the machine: processes, mounts, control groups, named namespaces, files.
    Other cells of the machine are not looked at."""
    group = Place(cell).group.lstrip("/")
    return {
        "processes": [f"{pid} {line}" for pid, line in processes(str(cell)).items()],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(cell) in line],
        "groups": [str(top / group) for top in Path("/sys/fs/cgroup").glob("*") if (top / group).exists()],
        "namespaces": [str(path) for path in Path("/run/netns").glob("*")] if Path("/run/netns").is_dir() else [],
        "files": [str(cell)] if cell.exists() else [],
    }


@pytest.fixture(scope="module")
def anden() -> Iterator[Anden]:
    """A state folder for a module; at the end everything in it is ended, by id, whatever happened."""
    state = Path(tempfile.mkdtemp(prefix="anden-t-", dir="/tmp"))
    IMAGES.mkdir(parents=True, exist_ok=True)
    (state / "images").symlink_to(IMAGES)
    command = Anden(state)
    try:
        yield command
    finally:
        for pid in processes(str(state)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 10
        while processes(str(state)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in processes(str(state)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.2)
        shutil.rmtree(state, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs root on Linux; without it, say so and how many tests that silences."""
    here = [item for item in items if Path(str(item.fspath)).parent == Path(__file__).parent]
    for item in here:
        item.add_marker(pytest.mark.live)
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="LIVE TEST NOT RUN: it needs root on Linux; try sudo ./test"))
