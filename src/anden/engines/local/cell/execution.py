"""A command run beside an instance's program, with its user, limits and network: bounded in time and in output."""

import asyncio
import base64
import os
import signal
from asyncio import StreamReaderProtocol
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anden.engines.local.cell.ground import Ground
from anden.engines.local.cell.life import Life
from anden.engines.local.cell.output import MODE
from anden.model.problem import Problem, Problems

OUTPUT_BYTES = 1024 * 1024
"""Of each of stdout and stderr; what comes after is read and discarded."""
LONGEST_S = 3600.0
KILLED_S = 5.0
AT_ONCE = 16
"""Commands at the same time in a cell."""
TIMED_OUT = 124
"""The exit code of a command that took too long; `timeout`'s convention."""


@dataclass
class Said:
    """What came from one of a command's streams."""

    kept: bytearray = field(default_factory=bytearray)
    cut: bool = False


class Execution:
    """Runs commands in instances."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def run(self, life: Life, argv: list[str], stdin: str, timeout_s: float) -> dict[str, Any]:
        """Run `argv`; stdin in base64. The fields of model.ports.Exec, output decoded.

        Raises Problems when the instance does not run now."""
        if not life.record.pid:
            state = life.record.state
            raise Problems(Problem(life.id, "it does not run now", f"it is {state}", "Try again when it runs."))
        async with self._turn:
            return await self._run(life, argv, base64.b64decode(stdin), min(timeout_s, LONGEST_S))

    async def _run(self, life: Life, argv: list[str], stdin: bytes, timeout_s: float) -> dict[str, Any]:
        number = self._ground.number()
        command, pid_file = life.bundle.exec(tuple(argv), number)
        name = f"exec:{life.id}:{os.getpid()}:{number}"
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        os.fchmod(theirs[0], 0o644)
        for descriptor in theirs[1:]:
            os.fchmod(descriptor, MODE)
        try:
            pid = self._ground.init.spawn(name, command, fds=dict(enumerate(theirs)))
        except OSError:
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        writing = asyncio.create_task(_write(ours[0], stdin))
        said = [Said(), Said()]
        reading = [asyncio.create_task(_read(fd, into)) for fd, into in zip(ours[1:], said, strict=True)]
        late = False
        try:
            ended = await asyncio.wait_for(self._ground.ends.of(name), timeout_s)
            code = ended.code
        except TimeoutError:
            late, code = True, TIMED_OUT
            self._kill(pid_file, pid)
        # What it left running in the background may hold its output open: not for longer than this.
        _, pending = await asyncio.wait(reading, timeout=KILLED_S)
        for task in (*pending, writing):
            task.cancel()
        for file in (pid_file, pid_file.with_suffix(".json")):
            file.unlink(missing_ok=True)
        out, err = (one.kept.decode(errors="replace") for one in said)
        if late:
            err += f"\nanden: ended after {timeout_s:g} s\n"
        return {"code": code, "stdout": out, "stderr": err, "cut": any(one.cut for one in said)}

    def _kill(self, pid_file: Path, runtime: int) -> None:
        """End the command itself: the runtime only waits for it."""
        with suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
        self._ground.init.kill(runtime, signal.SIGKILL)


async def _read(descriptor: int, into: Said) -> None:
    """Everything up to the end; what is past OUTPUT_BYTES is discarded."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: StreamReaderProtocol(reader), pipe)
    try:
        while data := await reader.read(64 * 1024):
            into.cut = into.cut or len(into.kept) + len(data) > OUTPUT_BYTES
            into.kept += data[: OUTPUT_BYTES - len(into.kept)]
    finally:
        transport.close()


async def _write(descriptor: int, data: bytes) -> None:
    """All of it, then the end. A command that does not read is no error."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", buffering=0)
    )
    try:
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
    finally:
        transport.close()
