"""How long things took, counted in log-linear buckets: small however many there were, and exact enough to be quoted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

SUB_BITS = 7
"""Each power of two is cut into 2**SUB_BITS buckets, so that a bucket is at most 1/128 of its value wide."""
LONGEST_US = 3_600_000_000
"""Microseconds; what took longer counts as this long."""
_SUB = 1 << SUB_BITS


def bucket_of(us: int) -> int:
    """The number of the bucket that holds `us` microseconds. Below 128 µs every value has its own."""
    value = min(max(us, 0), LONGEST_US)
    if value < _SUB:
        return value
    shift = value.bit_length() - SUB_BITS - 1
    return (shift + 1) * _SUB + (value >> shift) - _SUB


def highest_of(bucket: int) -> int:
    """The largest value of a bucket, in microseconds."""
    if bucket < _SUB:
        return bucket
    shift = bucket // _SUB - 1
    return ((_SUB + bucket % _SUB + 1) << shift) - 1


@dataclass(slots=True)
class Histogram:
    """counts: bucket to how many. It is filled where it is made, and read by whoever gets it."""

    counts: dict[int, int] = field(default_factory=dict)

    def record(self, us: int) -> None:
        """One thing took that many microseconds."""
        bucket = bucket_of(us)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def add(self, counts: Mapping[int, int]) -> None:
        """Everything that another one counted."""
        for bucket, count in counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts.values())

    def percentile(self, percent: float) -> int | None:
        """Microseconds that `percent` of all took at most (nearest rank); None when nothing was counted.

        It is the upper end of a bucket: never less than the true value, and at most 1/128 of it (and 1 µs) more.
        """
        left = max(1, ceil(self.total * percent / 100 - 1e-9))
        for bucket in sorted(self.counts):
            left -= self.counts[bucket]
            if left <= 0:
                return highest_of(bucket)
        return None
