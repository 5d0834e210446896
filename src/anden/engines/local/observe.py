"""Seeing a cell: what its supervisor says, or why there is nobody to ask."""

import time
from typing import Any

from anden.engines.local import link
from anden.engines.local.cell import keeper
from anden.engines.local.place import Place
from anden.model import codec
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Clock
from anden.model.problem import Problem, Problems

ABSENT_POLL_S = 0.2
"""How often a cell that does not run is looked for."""
WAIT_MARGIN_S = 10.0


def observe(key: EnvironmentKey, place: Place, clock: Clock) -> Observation:
    """What is, now. Raises Problems when the cell runs and its supervisor does not come back."""
    if place.keeper() is not None:
        try:
            return codec.from_data(Observation, link.ask(place, {"op": "observe"}))
        except link.Away as away:
            if place.keeper() is not None:
                what, why = "its supervisor does not answer", str(away)
                raise Problems(Problem("cell", what, why, f"See {place.log}; `anden down` ends the cell.")) from away
    return Observation(key=key, at=clock.now(), present=False, boot=keeper.boot(), absent_reason=place.absent_reason())


def wait(place: Place, seen: int, timeout_s: float) -> int:
    """See model.ports.Engine. A cell that ends meanwhile counts as a change: one more than `seen`."""
    deadline = time.monotonic() + timeout_s
    was_there = place.keeper() is not None
    while (left := deadline - time.monotonic()) > 0:
        if place.keeper() is None:
            if was_there or seen > 0:  # versions above 0 are of a cell that was there
                time.sleep(min(ABSENT_POLL_S, left))
                return seen + 1
            time.sleep(min(ABSENT_POLL_S, left))
            continue
        was_there = True
        request: dict[str, Any] = {"op": "wait", "seen": seen, "timeout_s": left}
        try:
            version = int(link.ask(place, request, timeout_s=left + WAIT_MARGIN_S, patience_s=left))
        except link.Away:
            continue
        if version > seen:
            return version
    return seen
