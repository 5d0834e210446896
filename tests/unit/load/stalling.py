"""A real server whose behaviour changes as it is told: answers, stalls, answers badly, hangs up."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"


@dataclass
class Server:
    """bad: which are answered 503, by their number among requests on connections that were used before (a retry never
    comes on one). hang_up: the same for those that get no answer. always_bad: all of them, retries too.
    stall: (from, until) on the monotonic clock: nobody is answered meanwhile."""

    bad: range = range(0)
    hang_up: range = range(0)
    stall: tuple[float, float] = (0.0, 0.0)
    always_bad: bool = False
    again: int = 0
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, connection: socket.socket) -> None:
        with connection:
            data, first = b"", True
            while True:
                try:
                    part = connection.recv(65536)
                except OSError:
                    return
                if not part:
                    return
                data += part
                while b"\r\n\r\n" in data:
                    head, _, data = data.partition(b"\r\n\r\n")
                    with self._lock:
                        number = -1 if first else self.again
                        self.again += not first
                        first = False
                        self.asked.append(head.split(b" ")[1])
                    begins, ends = self.stall
                    now = time.monotonic()
                    if begins <= now < ends:
                        time.sleep(ends - now)
                    if number in self.hang_up:
                        return
                    try:
                        connection.sendall(BAD if self.always_bad or number in self.bad else ANSWER)
                    except OSError:
                        return


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """On a port of its own until the end; a thread for each connection, daemons all."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        server.port = listening.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                server.connections += 1
                threading.Thread(target=server.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)
