"""A steady load of GETs for live tests: a fixed rate, measured from the intended send time, bounded in number."""

import http.client
import threading
import time
from dataclasses import dataclass, field

MOST_REQUESTS = 60_000
"""No load of a test is larger."""


@dataclass
class Load:
    """GETs to one path at `rate` a second from `workers` threads with kept connections. Use as a context manager."""

    host: str
    port: int
    path: str
    rate: float = 100.0
    workers: int = 4
    timeout_s: float = 10.0
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        for index in range(self.workers):
            thread = threading.Thread(target=self._work, args=(index,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self.timeout_s * 2)

    def _work(self, index: int) -> None:
        period = self.workers / self.rate
        due = time.monotonic() + period * index / self.workers
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set() and self.sent < MOST_REQUESTS:
            time.sleep(max(0.0, due - time.monotonic()))
            failure = ""
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
                connection.request("GET", self.path)
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 400:
                    failure = f"HTTP {answer.status}"
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                failure = f"{type(error).__name__}: {error}"
                connection = None
            with self._lock:
                self.sent += 1
                self.seconds.append(time.monotonic() - due)
                if failure:
                    self.failures.append(failure)
            due += period

    def verdict(self) -> str:
        """For an assertion's message: how many failed of how many, and how."""
        kinds = {kind: self.failures.count(kind) for kind in set(self.failures)}
        return f"{len(self.failures)} of {self.sent} failed: {kinds}"
