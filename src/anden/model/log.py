"""A line that an instance wrote."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """at: Unix seconds when the cell read it. stream: `stdout` or `stderr`."""

    at: float
    instance: str
    stream: str
    text: str
