"""Time as a cell counts it: Unix seconds as they would be if nobody had set the machine's clock since the cell began.

What is remembered of instances (since when, ended when) is kept in it, so that no back-off and no age depends on what
somebody does to the clock; `wall` says it as the clock of now has it, for people and for whoever compares it with `at`.
"""

import json
import time
from functools import cache

from anden.engines.local.cell import protocol

OFFSET = "clock_offset"
"""In the facts: Unix seconds less monotonic ones, when the cell began."""


def offset() -> float:
    """For the facts of a cell that begins now."""
    return time.time() - time.monotonic()


def now() -> float:
    """Seconds in a cell's own time."""
    return time.monotonic() + _began_with()


def wall(steady: float) -> float:
    """That moment on the machine's clock as it is set now; by whole seconds, so that the same moment reads the same as
    long as nobody sets the clock."""
    return steady + round(offset() - _began_with())


@cache
def _began_with() -> float:
    """A cell that an older anden began has not noted it: then it counts from now."""
    return float(json.loads(protocol.FACTS.read_text()).get(OFFSET, offset()))
