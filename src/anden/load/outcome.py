"""What became of a request: its first attempt, the one retry, and the sums that are told."""

from dataclasses import dataclass, field

from anden.model.histogram import Histogram
from anden.model.traffic import Tally

FAILS_FROM = 500
"""The lowest status that is a failure: what is below is the server's answer to what was asked."""
REFUSED, RESET, CLOSED, TIMEOUT, CROWDED, MALFORMED = (
    "refused", "reset", "closed without an answer", "timeout", "no connection was free", "not HTTP",
)  # fmt: skip
"""What an attempt fails of, beside `HTTP 503` and the like."""


def of_status(status: int, fails_from: int = FAILS_FROM) -> str:
    """What an answer of that status is a failure of; empty when it is none."""
    return f"HTTP {status}" if status >= fails_from else ""


def of_error(error: OSError) -> str:
    """What an error of the socket is called."""
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return RESET
    if isinstance(error, TimeoutError):
        return TIMEOUT
    return (error.strerror or type(error).__name__).lower()


@dataclass(slots=True)
class Sums:
    """Counts until they are told; then from 0 again."""

    waiting: int = 0
    _sent: int = 0
    _answered: int = 0
    _failed: int = 0
    _lost: int = 0
    _kinds: dict[str, int] = field(default_factory=dict)
    _latency: Histogram = field(default_factory=Histogram)

    def sent(self) -> None:
        """A request's time came."""
        self._sent += 1
        self.waiting += 1

    def answered(self, took_s: float) -> None:
        """It was answered well, so long after its time."""
        self._answered += 1
        self.waiting -= 1
        self._latency.record(round(took_s * 1e6))

    def failed(self, kind: str) -> None:
        """Its first attempt failed; another one follows."""
        self._failed += 1
        self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def lost(self) -> None:
        """It has failed for good."""
        self._lost += 1
        self.waiting -= 1

    def told(self, until_s: float) -> Tally:
        """What was counted since the last time."""
        tally = Tally(
            until_s, self._sent, self._answered, self._failed, self._lost, self._kinds, self._latency.counts,
            self.waiting,
        )  # fmt: skip
        self._sent = self._answered = self._failed = self._lost = 0
        self._kinds, self._latency = {}, Histogram()
        return tally
