"""A steady load of GETs, measured from the intended send time: a request that waits for its turn has waited.

One thread, kept connections, no library: the generator shares the machine's processors with what it measures.
"""

import select
import socket
import time
from collections import deque
from dataclasses import dataclass

CONNECTIONS = 32
MOST_RATE = 2000.0
"""Requests a second. More than this the generator cannot send on time beside what it measures, on two processors."""
STALL_S = 10.0
"""An answer that takes longer is a failure, and the load ends."""
READ_BYTES = 65536
_OK = b"HTTP/1.1 200"
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of a load. seconds: of each answered request, from when it should have been sent."""

    seconds: tuple[float, ...]
    failed: int

    def percentile(self, percent: float) -> float:
        """Seconds in which so many percent were answered. Raises ValueError when nothing was."""
        if not self.seconds:
            raise ValueError("nothing was answered")
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def offer(host: str, port: int, path: str, rate: float, seconds: float) -> Offered:
    """GETs of `path` at `rate` a second for `seconds`. Answers have a content-length. Raises OSError at the start."""
    request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    free = deque(_connected(host, port) for _ in range(CONNECTIONS))
    waiting: deque[float] = deque()
    busy: dict[socket.socket, tuple[float, bytes]] = {}
    took: list[float] = []
    total, made, failed = int(rate * seconds), 0, 0
    began = last = time.monotonic()
    while (len(took) + failed < total) and time.monotonic() - last < STALL_S:
        now = time.monotonic()
        while made < total and began + made / rate <= now:
            waiting.append(began + made / rate)
            made += 1
        while waiting and free:
            connection = free.popleft()
            busy[connection] = (waiting.popleft(), b"")
            connection.sendall(request)
        pause = began + made / rate - time.monotonic() if made < total else STALL_S
        # select and not epoll: its timeout is in microseconds, epoll's in whole milliseconds.
        for connection in select.select(list(busy), (), (), max(pause, 0.0))[0]:
            last = time.monotonic()
            due, before = busy[connection]
            data = _received(connection)
            if data and not _whole(before + data):
                busy[connection] = (due, before + data)
                continue
            del busy[connection]
            if data and (before + data).startswith(_OK):
                took.append(last - due)
                free.append(connection)
            else:
                failed += 1
                connection.close()
                free.append(_connected(host, port))
    for connection in (*free, *busy):
        connection.close()
    return Offered(tuple(took), total - len(took))


def _connected(host: str, port: int) -> socket.socket:
    opened = socket.create_connection((host, port), timeout=STALL_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(READ_BYTES)
    except OSError:
        return b""


def _whole(answer: bytes) -> bool:
    """Whether head and body are there."""
    head, end, body = answer.partition(_END)
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return True
