"""The lock of a state folder: whoever holds it is its only control plane."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from anden.model.problem import Problem, Problems
from anden.web.files import FILE_MODE, Files

LOCK_LIMIT_S = 15.0
"""How long a starting daemon waits for one that is ending."""
LOCK_RETRY_S = 0.05


@contextlib.contextmanager
def locked(files: Files, limit_s: float = LOCK_LIMIT_S) -> Iterator[None]:
    """Hold the folder's lock, with our process id in it. Raises Problems when another holds it for longer than
    `limit_s`."""
    descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    deadline = time.monotonic() + limit_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    raise
                if time.monotonic() >= deadline:
                    raise Problems(
                        Problem(
                            f"{files.folder}", "another control plane holds this state folder",
                            f"process {holder(files) or 'unknown'}", "End it, or use another ANDEN_STATE.",
                        )
                    ) from error  # fmt: skip
                time.sleep(LOCK_RETRY_S)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def holder(files: Files) -> int | None:
    """The process id that the lock's file names, if any. It may have ended."""
    try:
        return int(files.lock.read_text().strip())
    except (OSError, ValueError):
        return None


def held(files: Files) -> bool:
    """Whether a daemon holds the folder's lock now."""
    try:
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
