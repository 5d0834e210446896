"""What an instance writes, from its pipes to its log.

init holds both ends of both pipes under names: nothing is lost and nobody gets EPIPE while there is no supervisor, and
the pipes serve every launch of the instance.
"""

import asyncio
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from anden.engines.local.cell.init_client import InitClient
from anden.engines.local.cell.logs import READ_BYTES, Log

STREAMS = {"stdout": 1, "stderr": 2}
"""Name to descriptor number in the instance."""
MODE = 0o622
"""Of the pipes: many images write to /dev/stdout, which *opens* it, and do so as a user who does not own the pipe."""
LAST_READS = 64
"""At an instance's end, how many pieces of READ_BYTES are still read from each pipe."""


class Output:
    """The pipes and the log of one instance; used on the supervisor's event loop only."""

    def __init__(
        self, init: InitClient, name: str, log: Path, kind: type[Log] = Log, pipe_bytes: int | None = None
    ) -> None:
        """log: the file. kind: how it is written. pipe_bytes: what may wait to be read; None: as the kernel has it."""
        self._init = init
        self._name = name
        self._log = kind(log, time.monotonic())
        self._pipe_bytes = pipe_bytes
        self._reading: dict[str, int] = {}
        self._writing: dict[str, int] = {}

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines."""
        return self._log.tail

    @property
    def fds(self) -> dict[int, int]:
        """Descriptor number in the instance to ours, for its launch."""
        return {number: self._writing[stream] for stream, number in STREAMS.items()}

    def open(self) -> None:
        """Take the pipes that init holds, or make them; from here on what comes is read. Raises OSError."""
        for stream in STREAMS:
            reading, writing = (self._init.take(kept(self._name, stream, end)) for end in "rw")
            if reading is None or writing is None:
                for half in (reading, writing):
                    if half is not None:
                        os.close(half)
                reading, writing = os.pipe2(os.O_CLOEXEC)
                os.set_blocking(reading, False)
                os.fchmod(writing, MODE)
                if self._pipe_bytes is not None:
                    with suppress(OSError):  # more than the machine gives: then as it was
                        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, self._pipe_bytes)
                self._init.keep(kept(self._name, stream, "r"), reading)
                self._init.keep(kept(self._name, stream, "w"), writing)
            self._reading[stream], self._writing[stream] = reading, writing
            asyncio.get_running_loop().add_reader(reading, self._read, stream)

    def say(self, text: str) -> None:
        """A line of the cell's own among the instance's."""
        self._log.say(text, time.time())

    def ended(self, at: float) -> None:
        """Its process has ended: read what is left in the pipes."""
        self.rest()
        self._log.end(at)

    def rest(self) -> None:
        """Read what is in the pipes now."""
        for stream in STREAMS:
            for _ in range(LAST_READS):
                if not self._read(stream):
                    break

    def close(self) -> None:
        """It is gone for good: nobody keeps its pipes any more."""
        self.ended(time.time())
        for descriptor in self._reading.values():
            asyncio.get_running_loop().remove_reader(descriptor)
        for descriptor in (*self._reading.values(), *self._writing.values()):
            os.close(descriptor)
        self._reading.clear()
        self._writing.clear()
        self._init.drop(*(kept(self._name, stream, end) for stream in STREAMS for end in "rw"))
        self._log.close()

    def _read(self, stream: str) -> bool:
        """A piece of what it wrote; whether there was any."""
        if stream not in self._reading:
            return False
        try:
            data = os.read(self._reading[stream], READ_BYTES)
        except BlockingIOError:
            return False
        self._log.feed(stream, data, time.time(), time.monotonic())
        return bool(data)


def kept(name: str, stream: str, end: str) -> str:
    """The name under which init holds an end (`r`, `w`) of a pipe."""
    return f"log:{name}:{stream}:{end}"
