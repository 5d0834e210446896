"""What is known of an issuer's keys that are fetched, not read from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from anden.model.problem import Problem
from anden.model.topology import VerifyingKey


@dataclass(frozen=True, slots=True)
class Fetched:
    """Times in Unix seconds.

    keys: the last good ones, by id; (): there never were any. at: when they came. asked: when it was asked last; again:
    when it is to be asked next. failing: since when no good answer has come, and `problem` what came last instead.
    """

    keys: tuple[VerifyingKey, ...] = ()
    at: float | None = None
    asked: float = 0.0
    again: float = 0.0
    failing: float | None = None
    problem: Problem | None = None


Answer = tuple[VerifyingKey, ...] | Problem
"""An issuer's keys, one or more, or why there are none."""

Known = Mapping[str, Fetched]
"""What is known of issuers, by their addresses."""
NOBODY: Known = MappingProxyType({})
