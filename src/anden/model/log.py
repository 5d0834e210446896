"""A line that an instance wrote."""

from dataclasses import dataclass

GATEWAY = "gateway"
"""Whose lines are the gateway's: a JSON document for each request. No service has this name; "all" are the services'
lines, and not these."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """at: Unix seconds when the cell read it. stream: `stdout` or `stderr`."""

    at: float
    instance: str
    stream: str
    text: str
