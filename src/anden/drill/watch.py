"""Looking at an environment again and again, through its API, while everything else goes on."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from anden.model import codec
from anden.model.drill import Sample, Standing
from anden.model.observation import Health, InstanceState
from anden.model.problem import Problems
from anden.model.report import InstanceStatus, StatusReport
from anden.web.caller import Api

LOOK_S = 0.2
"""Between two looks: what detection and recovery are exact to, beside the time that a look takes."""
CLOSE_LIMIT_S = 2.0
_TAKES = frozenset({InstanceState.RUNNING.value, InstanceState.STARTING.value})


class Watch(Protocol):
    """Samples, as they come."""

    def fresh(self) -> list[Sample]:
        """Those since the last call."""

    def close(self) -> None:
        """Look no more."""


def sample(api: Api, at: Mapping[str, Any], now: Callable[[], float]) -> Sample:
    """One look. A control plane that does not answer, or cannot see, is a sample too."""
    try:
        report = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at}))
    except Problems:
        return Sample(now(), answered=False)
    return of(report, now())


def of(report: StatusReport, now: float) -> Sample:
    """What a report says, as of the time that the engine saw it."""
    if not report.running or report.reason or report.seen_at is None:
        return Sample(now, answered=False)
    instances = tuple(
        Standing(each.id, service.name, each.zone, _serves(each), each.since, each.restarts)
        for service in report.services
        for each in service.instances
    )
    levels = {service.name: service.level for service in report.services}
    return Sample(report.seen_at, True, levels, instances, dict(report.processes), dict(report.traffic), report.faults)


def _serves(each: InstanceStatus) -> bool:
    return each.health == Health.HEALTHY and each.state in _TAKES


class InlineWatch:
    """Looks when it is asked; for virtual time, which does not pass meanwhile. away: the control plane is down."""

    def __init__(self, look: Callable[[], Sample]) -> None:
        self._look = look

    def fresh(self) -> list[Sample]:
        """See Watch."""
        return [self._look()]

    def close(self) -> None:
        """See Watch."""


class ThreadWatch:
    """Looks from a thread of its own: a look takes long when what it looks at has been killed."""

    def __init__(self, look: Callable[[], Sample]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def fresh(self) -> list[Sample]:
        """See Watch."""
        with self._lock:
            found, self._samples = self._samples, []
        return found

    def close(self) -> None:
        """See Watch. A look that is under way is left to end by itself."""
        self._ended.set()
        self._thread.join(CLOSE_LIMIT_S)

    def _work(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            found = self._look()
            with self._lock:
                self._samples.append(found)
            self._ended.wait(max(0.01, LOOK_S - (time.monotonic() - began)))
