"""Who may touch the firewall now: the resolver, which opens what a name led to, or the supervisor, which replaces the
ruleset and takes over what stands. Standard library only."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WAIT_S = 1.0
PAUSE_S = 0.002


@contextmanager
def locked(file: Path, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Hold the lock, if it can be had in time: whether it is held."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + WAIT_S
        held = False
        while not held:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                held = True
                break
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE_S)
        yield held
    finally:
        os.close(descriptor)
