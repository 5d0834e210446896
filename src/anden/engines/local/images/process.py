"""Runs a tool of images to its end: bounded in time and output, and ended when nobody wants its result any more."""

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from anden.engines.local import tools
from anden.model.ports import Stop
from anden.model.problem import Problem, Problems

LINES_KEPT = 40
LINE_BYTES = 500
"""Of what a tool said, this is kept."""
LINES_SHOWN = 5
STEP = "STEP "
"""Before the lines in which buildah repeats the Containerfile: what it says of them comes after."""
POLL_S = 0.1
CHUNK_BYTES = 65536
FULL_BYTES = 16 * 1024**2
"""With less than this left a disk is taken for full."""
NO_ROOM = ("no space is left on the disk", "Make room, and run the command again.")
NO_SPACE = "no space left on device"
PREFIX = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
"""A tool dies with the thread that waits for it, and with it whatever it started or mounted."""
CONTAINERS = Path("/var/lib/containers")
"""Where skopeo and buildah keep a cache of their own as root, wherever else their storage lies. It is hidden from them:
nothing is left outside of the state folder, and what the machine's owner keeps there is not ours."""
HIDDEN = (
    "sh",
    "-c",
    # Another process's tool that ends may just have removed the empty folder again: so more than one try.
    'for n in 1 2 3 4 5; do mkdir -p "$0"; mount -t tmpfs -o mode=700,size=16m none "$0" && exec "$@"; done; exit 125',
    str(CONTAINERS),
)
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


_running = 0
"""Tools that have CONTAINERS mounted now: removing the folder would take the mount away from all of them."""
_counting = threading.Lock()


class Cancelled(Exception):  # noqa: N818 - a fact, not an error
    """Nobody wants the result any more."""


@dataclass(frozen=True, slots=True)
class Ran:
    """code: the exit code, negative for a signal. said: the last lines of both outputs."""

    code: int
    said: tuple[str, ...]

    @property
    def no_space(self) -> bool:
        """Whether it failed for a full disk."""
        return any(NO_SPACE in line.lower() for line in self.said)

    def problem(self, where: str, what: str, fix: str, disk: Path) -> Problem:
        """The problem that it failed, with its last words; `disk`: the folder that it wrote to."""
        if self.no_space or full(disk):
            return Problem(where, what, *NO_ROOM)
        said = [line.strip() for line in self.said if line.strip() and not line.startswith(STEP)]
        why = f"it said: {' | '.join(said[-LINES_SHOWN:])}" if said else "it said nothing"
        return Problem(where, what, why.rstrip("."), fix)


def run(
    argv: Sequence[str],
    *,
    where: str,
    limit_s: float,
    stop: Stop,
    disk: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run `argv` in namespaces of its own; what it leaves in its temporary folder goes with `disk`, a folder in work/,
    even when it is killed. Raises Cancelled, and Problems: the tool is missing or past its limit, or
    the disk of the folder `disk` is full, where some tools would wait for ever."""
    variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    variables |= {"TMPDIR": str(disk), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    with _hidden():
        return _run(argv, where, limit_s, stop, disk, cwd, {**variables, **(env or {})})


@contextmanager
def _hidden() -> Iterator[None]:
    """Around each tool; the last one to end removes the folder that HIDDEN made, unless it is somebody's."""
    global _running  # noqa: PLW0603 - it counts what this process started
    with _counting:
        _running += 1
    try:
        yield
    finally:
        with _counting:
            _running -= 1
            if not _running:
                with suppress(OSError):
                    CONTAINERS.rmdir()


def _run(
    argv: Sequence[str],
    where: str,
    limit_s: float,
    stop: Stop,
    disk: Path,
    cwd: Path | None,
    variables: Mapping[str, str],
) -> Ran:
    try:
        started = subprocess.Popen(
            [*PREFIX, *HIDDEN, *argv],
            cwd=cwd,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Problems(tools_missing(where, [PREFIX[0]])) from error
    try:
        said = _listen(started, where, argv[0], limit_s, stop, disk)
        return Ran(started.wait(), said)
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        if started.stdout is not None:
            started.stdout.close()


def _listen(
    started: subprocess.Popen[bytes], where: str, name: str, limit_s: float, stop: Stop, disk: Path
) -> tuple[str, ...]:
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    rest = b""
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        if started.stdout is None:
            raise ValueError("its output is not a pipe")
        selector.register(started.stdout, selectors.EVENT_READ)
        while True:
            if stop.is_set():
                raise Cancelled
            if full(disk):
                raise Problems(Problem(where, f"{name} was stopped", *NO_ROOM))
            if time.monotonic() > deadline:
                why = f"it may take {limit_s:.0f} s; last it said: {kept[-1] if kept else 'nothing'}"
                raise Problems(
                    Problem(where, f"{name} did not end", why, "Run the command again, or look at its input.")
                )
            if not selector.select(POLL_S):
                continue
            chunk = os.read(started.stdout.fileno(), CHUNK_BYTES)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-LINE_BYTES:]
            kept.extend(line[-LINE_BYTES:].decode(errors="replace").rstrip() for line in lines)
    if rest:
        kept.append(rest.decode(errors="replace"))
    return tuple(kept)


def full(folder: Path) -> bool:
    """Whether the disk of `folder` has no room left."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def require(commands: Sequence[str], where: str) -> None:
    """Raises Problems when this process is not root, or when one of the commands is not on this machine."""
    absent = [tool.command for tool in tools.missing() if tool.command in commands]
    if absent:
        raise Problems(tools_missing(where, absent))
    if os.geteuid() != 0:
        why = "building and unpacking images changes owners and mounts, which only root may"
        raise Problems(Problem(where, "needs root", why, "Run the command with sudo."))


def tools_missing(where: str, commands: Sequence[str]) -> Problem:
    """The problem that tools are not installed."""
    packages = sorted({tool.package for tool in tools.TOOLS if tool.command in commands})
    fix = f"apt-get install --no-install-recommends {' '.join(packages)}" if packages else "Install them."
    return Problem(where, f"{', '.join(commands)} not found on this machine", "images are built with it", fix)
