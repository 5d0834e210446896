"""The virtual environment beside the clone: what the lock pins, by hash, and this clone's own source."""

# ruff: noqa: PTH103, PTH108, PTH112, PTH114, PTH118, PTH123, PTH207, PTH208 - pathlib alone would take longer to import than all the rest of an everyday start

import contextlib
import fcntl
import glob
import os
import shutil
import sys
from collections.abc import Iterator

from bootstrap import progress, stamp
from bootstrap.stamp import Place

LOCK = "anden-lock"


def ensure(at: Place, kind: str) -> None:
    """Make it when it is not ready for `kind`; waits for another process that makes it. Raises progress.Failed."""
    try:
        with _alone(at):
            if not stamp.environment_ready(at, kind):
                _make(at, kind)
    except PermissionError as error:
        progress.say(
            f"{error.filename or at.venv} cannot be written. Run this once as who owns the folder: sudo {_command()}"
        )
        raise progress.Failed from error


def _command() -> str:
    return " ".join(sys.argv)


@contextlib.contextmanager
def _alone(at: Place) -> Iterator[None]:
    os.makedirs(at.venv, exist_ok=True)
    with open(os.path.join(at.venv, LOCK), "w", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another anden sets up its environment; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _make(at: Place, kind: str) -> None:
    if not _usable(at):
        _clear(at)
        progress.run([sys.executable, "-m", "venv", at.venv], "setting up a virtual environment, once")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(at.stamp)
    pip = [at.python, "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"]
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--root-user-action", "ignore"]
    lock = at.lock(kind)
    count = sum(1 for line in stamp.read(lock).splitlines() if line[:1].isalnum())
    progress.run([*pip, *quiet, "-r", lock], f"installing {count} Python packages of {os.path.relpath(lock, at.root)}")
    for version in glob.glob(os.path.join(at.venv, "lib", "python3.*", "site-packages")):
        stamp.write(os.path.join(version, "anden-source.pth"), os.path.join(at.root, "src") + "\n")
    stamp.write(at.stamp, stamp.wanted(at, kind))


def _usable(at: Place) -> bool:
    """Whether it was finished once, in this folder and with a Python that is there: new pins then go over it."""
    try:
        return (
            os.access(at.python, os.X_OK)
            and stamp.read(at.stamp).splitlines()[:2] == stamp.wanted(at, "run").splitlines()[:2]
        )
    except OSError:
        return False


def _clear(at: Place) -> None:
    """Everything but the lock that we hold, and what is known of packages."""
    for name in os.listdir(at.venv):
        path = os.path.join(at.venv, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif path not in {os.path.join(at.venv, LOCK), at.packages}:
            os.unlink(path)
