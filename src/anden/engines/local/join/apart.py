"""A network of this process's own, that nobody else can enter by name: a thread that lives in it and does what it is
asked. What it starts is told to end with it, and it ends with the process."""

import ctypes
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from anden.engines.local.cell import netns

Result = TypeVar("Result")
DO_S = 10.0
"""The longest that a piece of work takes; a millisecond is usual."""
_DIE_WITH_PARENT = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Apart:
    """Raises OSError where no network can be made."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()
        self.do(netns.unshare)

    def do(self, work: Callable[[], Result]) -> Result:
        """There; what it returned or raised."""
        done: Future[Result] = Future()
        self._work.put((work, done))
        return done.result(DO_S)

    def start(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
        """A process in it. It ends with this network's thread: a killed parent leaves nothing. Raises OSError."""

        def begin() -> "subprocess.Popen[bytes]":
            with log.open("wb") as said:
                return subprocess.Popen(
                    list(argv), env=dict(env), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - nothing of threads' is touched in it
                )  # fmt: skip

        return self.do(begin)

    def end(self) -> None:
        """No more work."""
        self._work.put(None)
        self._thread.join(DO_S)

    def _live(self) -> None:
        while (asked := self._work.get()) is not None:
            work, done = asked
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)


def _end_with_parent() -> None:
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
