"""Network namespaces, kept by name under /run/netns of the cell's own mount namespace.

A thread that has moved to another namespace does not come back: what happens in one runs in a thread of its own, which
then ends. Sockets opened there stay in their namespace and may be used from anywhere.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)

Result = TypeVar("Result")


class _Run(Generic[Result]):
    """One piece of work and how it ended."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []
        self._error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:
            self._error = error

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._results[0]


def apart(work: Callable[[], Result]) -> Result:
    """Run `work` in a thread of its own and give back what it returned or raised."""
    run = _Run(work)
    thread = threading.Thread(target=run, name="netns", daemon=True)
    thread.start()
    thread.join()
    return run.result()


def inside(name: str, work: Callable[[], Result]) -> Result:
    """Run `work` in the network namespace `name`. Raises FileNotFoundError when there is none."""

    def entered() -> Result:
        enter(path(name))
        return work()

    return apart(entered)


def path(name: str) -> Path:
    """Where the namespace `name` is kept."""
    return FOLDER / name


def names() -> set[str]:
    """The namespaces that are kept."""
    try:
        return {entry.name for entry in os.scandir(FOLDER)}
    except FileNotFoundError:
        return set()


def enter(place: Path) -> None:
    """Move this *thread* to the namespace at `place`, for good."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        join(descriptor)
    finally:
        os.close(descriptor)


def join(descriptor: int) -> None:
    """Move this *thread* to the namespace behind an open descriptor."""
    _checked(_libc.setns(descriptor, _CLONE_NEWNET), "setns")


def current() -> int:
    """An open descriptor of the namespace that this thread is in; the caller closes it."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def unshare() -> None:
    """Move this *thread* to a new namespace with nothing in it. It ends with the thread unless it is kept."""
    _checked(_libc.unshare(_CLONE_NEWNET), "unshare")


def keep(name: str) -> None:
    """Keep the namespace that this thread is in under `name`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    place = path(name)
    place.touch()
    bound = _libc.mount(b"/proc/thread-self/ns/net", os.fsencode(place), None, _MS_BIND, None)
    _checked(bound, f"keep network namespace {name}")


def forget(name: str) -> None:
    """Stop keeping `name`; it ends with its last process. Not an error when there is none."""
    place = os.fsencode(path(name))
    while _libc.umount2(place, _MNT_DETACH) == 0:  # bounded: each turn removes one mount
        pass
    path(name).unlink(missing_ok=True)


def kept(name: str) -> bool:
    """Whether `name` is a namespace, and not the empty file that a killed supervisor left."""
    try:
        return path(name).stat().st_dev != FOLDER.stat().st_dev
    except FileNotFoundError:
        return False


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
