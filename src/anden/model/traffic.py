"""What became of requests in a short while: what the load tool tells, line by line, and what a drill adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """From the tally before until `until_s`, in seconds since the load began.

    sent: requests whose time came. answered: well in the end, at once or after one retry. failed: at their first
    attempt. failed_after_retry: at both. Over a whole load, `sent = answered + failed_after_retry`.
    kinds: what first attempts failed of (`HTTP 503`, `reset`, `timeout`, …) to how many.
    latency: buckets of model.histogram, from the intended send time to the last byte of the good answer.
    waiting: requests that had no answer yet at the end of it.
    """

    until_s: float
    sent: int = 0
    answered: int = 0
    failed: int = 0
    failed_after_retry: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[int, int] = field(default_factory=dict)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """What came through one process of the gateway since it began: requests that it answered, and how many of them with
    500 or more. strangers: issuers of whom a token came in the last half minute, by a key that is not known here: they
    may have newer ones."""

    requests: int
    failed: int
    strangers: tuple[str, ...] = ()
