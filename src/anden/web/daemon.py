"""Finds the daemon of a client's state folder from outside: asks it who it is, starts it, ends it.

What only a conversation with it needs (an HTTP client, pydantic) is imported when there is one: `start` lets the daemon
load its own meanwhile, on another processor.
"""

# ruff: noqa: PLC0415

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anden
from anden.model.problem import Problem, Problems
from anden.web.files import FILE_MODE, Files
from anden.web.lock import held

if TYPE_CHECKING:
    from anden.web.api.asks import Version
    from anden.web.client import SocketApi

START_LIMIT_S = 30.0
"""From starting the daemon to its first answer; it takes about a second on a quiet machine."""
END_LIMIT_S = 15.0
FULL_BYTES = 256 * 1024
"""With less than this left on the disk, nothing can be recorded."""
LOOK_S = 0.02
KNOCK_LIMIT_S = 1.0
LAST_LINES = 5
MOST_ERROR_BYTES = 64 << 10


def code() -> str:
    """Names the source that this process loads: a daemon of an older check-out is not ours, whatever its version."""
    top = Path(anden.__file__).parent
    found = [(str(path.relative_to(top)), path.stat()) for path in top.rglob("*.py")]
    marks = sorted(f"{name}:{stat.st_mtime_ns}:{stat.st_size}" for name, stat in found)
    import hashlib

    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:12]


def ask(files: Files, client: str) -> "Version | None":
    """Who serves the folder's socket; None when nobody does."""
    if not _listening(files):
        return None
    from anden.model import codec
    from anden.web.api.asks import Version
    from anden.web.client import SocketApi

    api = SocketApi(files.socket, client, files.log)
    try:
        data: dict[str, Any] = api.request("GET", "/v1/version")
    except Problems:
        return None
    finally:
        api.close()
    return codec.from_data(Version, data)


def _listening(files: Files) -> bool:
    """Whether somebody listens: a daemon that was killed leaves its socket, and an HTTP client takes long to make."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(KNOCK_LIMIT_S)
        try:
            knocking.connect(str(files.socket))
        except OSError:
            return False
        return True


def current(files: Files, client: str) -> bool:
    """Whether a daemon that runs our code serves the folder. One that runs other code is ended when it can be, so that
    ours can be started. Raises Problems when it cannot be."""
    found = ask(files, client)
    if found is None:
        return False
    if found.version == anden.__version__ and found.code == code():
        return True
    if found.busy or found.foreground:
        why = "it is `anden serve` in the foreground" if found.foreground else "a command is in flight in it"
        raise Problems(
            Problem(
                f"the control plane of {client}", f"is another anden ({found.version}), process {found.pid}", why,
                "End it, or wait for its command; then the same again." if found.busy else "Start `anden serve` anew.",
            )
        )  # fmt: skip
    end(found.pid, files)
    return False


def end(pid: int, files: Files) -> None:
    """End a daemon and wait until it has let go of the folder. Raises Problems when it does not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + END_LIMIT_S
    while time.monotonic() < deadline:
        if not held(files):  # the lock goes with the process, also when nobody has reaped it yet
            return
        time.sleep(LOOK_S)
    raise Problems(
        Problem(f"process {pid}", "does not end", f"{END_LIMIT_S:.0f} s after SIGTERM", f"See {files.log}, or kill it.")
    )


def start(files: Files, client: str, argv: Sequence[str]) -> "SocketApi":
    """Start the daemon and wait until it answers. Raises Problems with its last words when it does not."""
    files.prepare()
    source = str(Path(anden.__file__).parents[1])
    paths = os.pathsep.join(each for each in (source, os.environ.get("PYTHONPATH", "")) if each)
    errors = os.open(files.stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    try:
        running = subprocess.Popen(
            [sys.executable, "-P", *argv], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd="/",
            env={**os.environ, "PYTHONPATH": paths}, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(errors)
    from anden.web.client import SocketApi

    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        ended = running.poll() is not None
        if ask(files, client) is not None:
            return SocketApi(files.socket, client, files.log)
        if ended:
            break
        time.sleep(LOOK_S)
    raise Problems(_not_started(files, client, running.poll()))


def _not_started(files: Files, client: str, code: int | None) -> Problem:
    """code: what it ended with; None: it runs, and does not answer."""
    where, what = f"the control plane of {client}", "did not start"
    if said := last_words(files.stderr):
        return Problem(where, what, said, f"See {files.log}.")
    if shutil.disk_usage(files.folder).free < FULL_BYTES:
        return Problem(where, what, f"no space is left on the disk of {files.folder}", "Make room, and try again.")
    why = f"it gave no answer within {START_LIMIT_S:.0f} s" if code is None else f"it ended with {code} and no word"
    return Problem(where, what, why, f"See {files.log}.")


def last_words(path: Path) -> str:
    """The last lines of a file, as one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_ERROR_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in [each for each in lines if each.strip()][-LAST_LINES:])
