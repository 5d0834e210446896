"""The load itself: sockets, time and nothing else. What it means is decided in `schedule`, `answer` and `outcome`."""

import contextlib
import errno
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from anden.load import outcome
from anden.load.answer import Answer, Malformed
from anden.load.outcome import Sums
from anden.load.schedule import Schedule
from anden.model.traffic import Tally

TELL_S = 0.1
"""How often a tally is told."""
MOST_CONNECTIONS = 512
"""Open at once. When all are busy, requests wait for one, and their waiting is latency."""
SPREAD = 16
"""So many are opened before any is used again: fewer would meet only one of a balancer's processes."""
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Where:
    """host and port, and the paths that are asked for in turn."""

    host: str
    port: int
    paths: tuple[str, ...]


@dataclass(slots=True)
class _Request:
    """due: its intended time; deadline: of its attempt that is under way. Both on the monotonic clock."""

    due: float
    deadline: float
    bytes: bytes
    retried: bool = False
    done: bool = False
    connection: "_Connection | None" = None
    """None: it waits for one."""


@dataclass(slots=True)
class _Connection:
    """One socket. request None: it is idle."""

    socket: socket.socket
    answer: Answer = field(default_factory=Answer)
    request: _Request | None = None
    unsent: bytes = b""
    connected: bool = False


class Generator:
    """One load. tell: takes each tally, and says whether to go on. timeout_s: for each attempt."""

    def __init__(
        self,
        where: Where,
        schedule: Schedule,
        tell: Callable[[Tally], bool],
        *,
        timeout_s: float = 10.0,
        most: int = MOST_CONNECTIONS,
        retry: bool = True,
        fails_from: int = outcome.FAILS_FROM,
        watched: int | None = None,
    ) -> None:
        """watched: a file descriptor whose end stops the load, as when the process at its other end has gone."""
        self._schedule, self._tell = schedule, tell
        self._timeout_s, self._most, self._retry, self._fails_from = timeout_s, most, retry, fails_from
        self._address = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        self._texts = [
            f"GET {path} HTTP/1.1\r\nHost: {where.host}:{where.port}\r\nUser-Agent: anden-load\r\nAccept: */*\r\n\r\n"
            .encode("latin-1")
            for path in where.paths
        ]  # fmt: skip
        self._sums = Sums()
        self._selector = selectors.DefaultSelector()
        self._watched = watched
        if watched is not None:
            self._selector.register(watched, selectors.EVENT_READ, None)
        self._idle: deque[_Connection] = deque()
        self._open = 0
        self.most_open = 0
        self._waiting: deque[_Request] = deque()
        # An attempt's deadline is its start and a constant, so they are in order as they begin, but for the little that
        # a first attempt may be late.
        self._begun: deque[_Request] = deque()
        self._stop = ""

    def run(self) -> str:
        """Until the schedule's end and the last answer, or until told to stop. Returns why it ended."""
        began = time.monotonic()
        number, told = 0, began
        count, due_s = self._schedule.count, self._schedule.due_s
        try:
            while True:
                now = time.monotonic()
                while number < count and not self._stop and began + due_s(number) <= now:
                    due = began + due_s(number)
                    self._sums.sent()
                    self._begin(_Request(due, due + self._timeout_s, self._texts[number % len(self._texts)]))
                    number += 1
                self._expire(now)
                self._serve_waiting()
                ended = (number >= count or bool(self._stop)) and self._sums.waiting == 0
                if ended or now - told >= TELL_S:
                    told = now
                    if not self._tell(self._sums.told(now - began)):
                        return "its reader left"
                if ended:
                    return self._stop or "all were sent"
                wake = told + TELL_S
                if number < count and not self._stop:
                    wake = min(wake, began + due_s(number))
                if self._begun:
                    wake = min(wake, self._begun[0].deadline)
                self._handle(wake)
        finally:
            self._selector.close()

    def _handle(self, wake: float) -> None:
        """Everything that happens at the sockets until `wake`."""
        wait = wake - time.monotonic()
        if wait > 0:
            # The selector itself waits in whole milliseconds; select(2) on it in microseconds.
            select.select([self._selector], [], [], wait)
        for key, events in self._selector.select(0):
            connection = key.data
            if connection is None:
                self._heard(key.fd)
            else:
                try:
                    if events & selectors.EVENT_WRITE:
                        self._send(connection)
                    if events & selectors.EVENT_READ and connection.socket.fileno() >= 0:
                        self._receive(connection)
                except OSError as error:
                    self._broken(connection, outcome.of_error(error))
                except Malformed:
                    self._broken(connection, outcome.MALFORMED)

    def _heard(self, descriptor: int) -> None:
        """Words from whoever watches mean nothing; the end of them means to stop."""
        with contextlib.suppress(OSError), open(descriptor, "rb", buffering=0, closefd=False) as file:
            if file.read(READ_BYTES):
                return
        self._selector.unregister(descriptor)
        self._stop = "it was stopped"

    def _begin(self, request: _Request) -> None:
        self._begun.append(request)
        self._attempt(request)

    def _attempt(self, request: _Request) -> None:
        """Send it on a connection that is free, on another one, or as soon as there is one."""
        if self._idle and (self._open >= min(SPREAD, self._most)) and not request.retried:
            self._give(self._idle.popleft(), request)
        elif self._open < self._most or self._forget_idle():
            self._connect(request)
        else:
            self._waiting.append(request)

    def _forget_idle(self) -> bool:
        """Make room for a new connection by closing one that nobody uses."""
        if not self._idle:
            return False
        self._close(self._idle.popleft())
        return True

    def _serve_waiting(self) -> None:
        while self._waiting and (self._idle or self._open < self._most):
            request = self._waiting.popleft()
            if not request.done:
                self._attempt(request)

    def _connect(self, request: _Request) -> None:
        family, kind, protocol, _, address = self._address
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = request.connection = _Connection(made, request=request, unsent=request.bytes)
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        self._selector.register(made, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        code = made.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self._broken(connection, outcome.of_error(OSError(code, errno.errorcode.get(code, ""))))

    def _give(self, connection: _Connection, request: _Request) -> None:
        connection.request, connection.answer, connection.unsent = request, Answer(), request.bytes
        request.connection = connection
        try:
            self._send(connection)
        except OSError as error:
            self._broken(connection, outcome.of_error(error))

    def _send(self, connection: _Connection) -> None:
        """Write what is left of the request. Raises OSError."""
        if not connection.connected:
            code = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, errno.errorcode.get(code, ""))
            connection.connected = True
        whole = False
        with contextlib.suppress(BlockingIOError):
            sent = connection.socket.send(connection.unsent)
            connection.unsent = connection.unsent[sent:]
            whole = not connection.unsent
        events = selectors.EVENT_READ if whole else selectors.EVENT_READ | selectors.EVENT_WRITE
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, connection)

    def _receive(self, connection: _Connection) -> None:
        """Read what came. Raises OSError and Malformed."""
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        request = connection.request
        if request is None:  # idle: whatever it is, the other side is done with it
            with contextlib.suppress(ValueError):
                self._idle.remove(connection)
            self._close(connection)
            return
        if not data:
            if connection.answer.closed():
                self._done(connection, request)
            else:
                self._broken(connection, outcome.CLOSED)
        elif connection.answer.feed(data):
            self._done(connection, request)

    def _done(self, connection: _Connection, request: _Request) -> None:
        """A whole answer."""
        connection.request = None
        if connection.answer.keeps and not connection.unsent:
            self._idle.append(connection)
        else:
            self._close(connection)
        kind = outcome.of_status(connection.answer.status, self._fails_from)
        if kind:
            self._failed(request, kind)
        else:
            request.done = True
            self._sums.answered(time.monotonic() - request.due)

    def _broken(self, connection: _Connection, kind: str) -> None:
        request, connection.request = connection.request, None
        self._close(connection)
        if request is not None:
            self._failed(request, kind)

    def _failed(self, request: _Request, kind: str) -> None:
        """An attempt failed: one more, on a new connection, or that was it."""
        request.done = True
        if not request.retried:
            self._sums.failed(kind)
        if request.retried or not self._retry:
            self._sums.lost()
        else:
            again = _Request(request.due, time.monotonic() + self._timeout_s, request.bytes, retried=True)
            self._begin(again)

    def _expire(self, now: float) -> None:
        """Give up attempts whose time is over."""
        while self._begun and (self._begun[0].done or self._begun[0].deadline <= now):
            request = self._begun.popleft()
            if request.done:
                continue
            if request.connection is None:
                self._failed(request, outcome.CROWDED)
            else:
                self._broken(request.connection, outcome.TIMEOUT)

    def _close(self, connection: _Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()
        self._open -= 1


def split(urls: Sequence[str]) -> Where:
    """`http://HOST:PORT/PATH`, several of one host and port, as one Where. Raises ValueError."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - only at the start

    parts = [urlsplit(url) for url in urls]
    hosts = {(each.hostname, each.port or 80) for each in parts}
    if any(each.scheme != "http" or not each.hostname for each in parts) or len(hosts) != 1:
        raise ValueError("one host's http:// addresses are asked for")
    host, port = hosts.pop()
    paths = tuple((each.path or "/") + (f"?{each.query}" if each.query else "") for each in parts)
    if any(not path.isascii() or not path.isprintable() or " " in path for path in paths):
        raise ValueError("a path is written in printable ASCII, without spaces")
    return Where(host or "", port, paths)
