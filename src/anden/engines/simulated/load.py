"""Modelled requests: what becomes of them by who serves at the moment. A sketch of the twin's balancer, no more.

A request goes to the instances in turn that the balancer holds for healthy. One that is cut off costs it CONNECT_S,
until its connection fails and the balancer asks another one; one that is frozen takes the request and says nothing,
until the balancer hangs up on it and asks another one, SILENT_S later. What is in flight in a process of the balancer
that is killed fails, and is answered when the client tries once more.
"""

from collections.abc import Mapping, Sequence
from random import Random

from anden.model.fault import FaultKind, Outage
from anden.model.histogram import Histogram
from anden.model.observation import InstanceSeen, Observation
from anden.model.traffic import Tally

USUAL_S, SPREAD_S = 0.004, 0.002
"""What an answer takes: the median, and how far it strays (log-normal would be truer; this is enough for a picture)."""
CONNECT_S = 0.2
"""What a connection to nobody costs before another instance is asked."""
SILENT_S = 1.0
"""How long a frozen instance is waited for, in the middle."""
NOBODY, CUT_SHORT = "HTTP 503", "closed without an answer"


class ModelledLoad:
    """rate: requests a second, from `began` on (Unix seconds), to `services` in turn."""

    def __init__(self, services: Sequence[str], rate: float, began: float, seed: int = 1) -> None:
        self._services, self._rate, self._began = services, rate, began
        self._random = Random(seed)  # noqa: S311 - a picture is drawn with it
        self._count = 0
        self._processes: Mapping[str, int] = {}

    def until(self, now: float, seen: Observation, stopped: bool) -> Tally:
        """What became of those since the last call, by what is seen now."""
        due = self._count if stopped else max(self._count, int((now - self._began) * self._rate + 1e-6))
        answered, failed, lost, kinds, latency = 0, 0, 0, dict[str, int](), Histogram()
        broken = self._broken(seen)
        for number in range(self._count, due):
            kind, took_s, retried = self._one(seen, number)
            if broken and not kind:  # it was in flight in the process that was killed
                broken, kind, retried = False, CUT_SHORT, True
            if kind:
                failed += 1
                kinds[kind] = kinds.get(kind, 0) + 1
            if kind and not retried:
                lost += 1
            else:
                answered += 1
                latency.record(round(took_s * 1e6))
        tally = Tally(now - self._began, due - self._count, answered, failed, lost, kinds, latency.counts)
        self._count = due
        return tally

    def _broken(self, seen: Observation) -> bool:
        """Whether a process of the balancer was replaced since the last call."""
        before, self._processes = self._processes, dict(seen.processes)
        return any(name.startswith("balancer") and seen.processes.get(name) != pid for name, pid in before.items())

    def _one(self, seen: Observation, number: int) -> tuple[str, float, bool]:
        """(what its first attempt failed of, seconds until the good answer, whether a retry was answered)."""
        if not self._services:  # of nobody: the balancer answers 404, and at once
            return "", 0.001, False
        believed = [one for one in seen.of(self._services[number % len(self._services)]) if one.serving]
        able = [one for one in believed if not _outage(seen, one)]
        took_s = max(0.001, self._random.gauss(USUAL_S, SPREAD_S))
        if not believed:
            return NOBODY, 0.0, False
        chosen = believed[number // len(self._services) % len(believed)]
        outage = _outage(seen, chosen)
        if outage is None:
            return "", took_s, False
        if not able:
            return NOBODY, 0.0, False
        return "", took_s + (CONNECT_S if outage is Outage.CUT else SILENT_S), False


def _outage(seen: Observation, one: InstanceSeen) -> Outage | None:
    """How the zone that it stands in fails, if it does."""
    faults = (each for each in seen.faults if each.kind is FaultKind.ZONE and each.name == one.zone)
    return next((each.outage for each in faults), None)
