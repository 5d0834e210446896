"""Time that passes only when somebody lets it, and a wall clock beside it that somebody may set."""

import threading


class VirtualClock:
    """See model.ports.Clock. start: Unix seconds.

    now() is what a wall clock shows, and a jump moves it. monotonic() and steady() only ever go on.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._start = start
        self._steady = start
        self._shift = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Unix seconds, as far as this machine knows."""
        with self._lock:
            return self._steady + self._shift

    def monotonic(self) -> float:
        """Seconds since its start."""
        with self._lock:
            return self._steady - self._start

    def steady(self) -> float:
        """Unix seconds as they would be if nobody had ever set the wall clock: what happens by itself goes by this."""
        with self._lock:
            return self._steady

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, at once."""
        with self._lock:
            self._steady += max(seconds, 0.0)

    def reach(self, at: float) -> None:
        """Let time pass until steady() is `at`; not at all when that is past."""
        with self._lock:
            self._steady = max(self._steady, at)

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock: ahead, or back when negative. No time passes."""
        with self._lock:
            self._shift += seconds
