"""Newline-delimited JSON from a generator, whose reader may go away.

The generator runs in a thread of its own from its first line to its closing, so that nothing in it changes threads.
When the reader disconnects, it is closed at its next line: that is how Ctrl-C cancels a command. A blank line is sent
whenever nothing was said for a while, so that the reader knows that the daemon lives.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any

from starlette.responses import Response

from anden.model.problem import Problems
from anden.web.api import fault
from anden.web.api.door import Receive, Scope, Send

HEARTBEAT_S = 1.0
"""Silence after which a blank line is sent."""
MOST_WAITING = 256
"""Lines that may wait for a slow reader; then the generator waits."""
MOST_STREAMS = 64
"""Streams at once, each with a thread."""

log = logging.getLogger("anden.web")
_free = threading.BoundedSemaphore(MOST_STREAMS)
_END = b""


class Ndjson(Response):
    """`items` yields values; `encode` makes a line's bytes of each (empty for a heartbeat)."""

    def __init__(
        self,
        items: Generator[Any, None, None],
        encode: Callable[[Any], bytes],
        stopping: threading.Event,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.items, self.encode, self.stopping, self.ended = items, encode, stopping, ended
        self.gone = threading.Event()
        self.failure: Problems | None = None
        """What the generator raised before its first line: the response is then an error as a whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if not _free.acquire(blocking=False):
            self.ended()
            await fault.respond(send, 503, fault.busy(MOST_STREAMS))
            return
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work, loop, lines), name="stream", daemon=True)
        reader = asyncio.ensure_future(_disconnected(receive))
        thread.start()
        try:
            await self._send(lines, reader, send)
        finally:
            self.gone.set()
            reader.cancel()

    async def _send(self, lines: "asyncio.Queue[bytes]", reader: "asyncio.Future[Any]", send: Send) -> None:
        started = False
        waiting: asyncio.Future[Any] = asyncio.ensure_future(lines.get())
        while True:
            line: bytes | None = None
            done, _ = await asyncio.wait({waiting, reader}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if reader in done or self.stopping.is_set():
                waiting.cancel()
                return
            if waiting in done:
                line = waiting.result()
                waiting = asyncio.ensure_future(lines.get())
            if self.failure is not None and not started:
                waiting.cancel()
                await fault.respond(send, 400, *self.failure.problems)
                return
            if not started:
                headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                started = True
            if line == _END:
                waiting.cancel()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            await send({"type": "http.response.body", "body": line or b"\n", "more_body": True})

    def _work(self, loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[bytes]") -> None:
        first = True
        try:
            for item in self.items:
                if self.gone.is_set() or not self._put(loop, lines, self.encode(item) + b"\n"):
                    break
                first = False
        except Problems as found:
            self.failure = found if first else None
            self._put(loop, lines, fault.body(*found.problems) + b"\n")
        except Exception:
            log.exception("a stream failed")
            self._put(loop, lines, fault.body(fault.unexpected()) + b"\n")
        finally:
            try:
                self.items.close()
            except Exception:
                log.exception("closing a stream failed")
            self._put(loop, lines, _END)
            _free.release()
            self.ended()

    def _put(self, loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[bytes]", line: bytes) -> bool:
        """Hand a line over, as long as somebody is there to take it."""
        if self.gone.is_set():
            return False
        try:
            putting = asyncio.run_coroutine_threadsafe(lines.put(line), loop)
        except RuntimeError:  # the loop has ended
            return False
        while not self.gone.is_set():
            try:
                putting.result(timeout=HEARTBEAT_S)
            except TimeoutError:
                continue
            except RuntimeError:
                return False
            return True
        putting.cancel()
        return False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
