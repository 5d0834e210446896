"""Time that passes only when somebody lets it."""

import threading


class VirtualClock:
    """See model.ports.Clock. start: Unix seconds."""

    def __init__(self, start: float = 0.0) -> None:
        self._start = start
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        """Unix seconds."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds since its start."""
        with self._lock:
            return self._now - self._start

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, at once."""
        with self._lock:
            self._now += max(seconds, 0.0)

    def reach(self, at: float) -> None:
        """Let time pass until `at`; not at all when that is past."""
        with self._lock:
            self._now = max(self._now, at)
