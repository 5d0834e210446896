"""AWS's manners in a cell whose own processes die meanwhile."""

import os
import signal
import time
import urllib.error

import pytest
from tests.live.cell_world import Cell, Configure, StartInstance, StopInstance, cell, configure, service, specification

from anden.model.manners import AWS
from anden.model.observation import Health, InstanceState
from anden.model.topology import Health as HealthAt

pytestmark = pytest.mark.live
LAUNCH_S = 4.0
TOO_SLOW = "/slow/30"
"""A health path that answers later than a check waits: its instance serves and is never healthy."""


def prepared(made: Cell, health: str = "/") -> StartInstance:
    """Configured as aws; the effect that starts web-1."""
    blueprint = made.blueprint(service(health=HealthAt(health)))
    made.do(Configure(configure(blueprint, None, (), manners=AWS)))
    return StartInstance(specification(blueprint, "web", blueprint.placement("web").slots[0]))


def test_a_launch_delay_outlives_the_supervisor() -> None:
    with cell() as made:
        start = prepared(made)
        made.do(StartInstance(start.instance, launch_s=LAUNCH_S))
        (old,) = made.pids("cell.supervisor")
        os.kill(old, signal.SIGKILL)
        first = made.see()  # waits for the one that comes back
        assert (first.state, first.health, first.restarts) == (InstanceState.STARTING, Health.UNKNOWN, 0)
        assert made.pids("/server.py") == []
        seen = made.until(lambda seen: all(one.serving for one in seen.instances))
        (one,) = seen.instances
        assert (one.since, one.restarts) == (first.since, 0)
        assert seen.at - one.since >= LAUNCH_S
        assert made.get() == "web-1"


def test_failing_open_outlives_balancers_and_supervisor_and_ends_with_the_instance() -> None:
    with cell() as made:
        made.do(prepared(made, TOO_SLOW))
        made.until(lambda seen: seen.instances[0].answer == "timeout")
        assert made.see().health is Health.UNHEALTHY
        assert made.get() == "web-1"
        for pid in made.pids("haproxy -db"):
            os.kill(pid, signal.SIGKILL)
            made.until(lambda _: len(made.pids("haproxy -db")) == 2)
            answers(made)
        (supervisor,) = made.pids("cell.supervisor")
        os.kill(supervisor, signal.SIGKILL)
        assert made.see().restarts == 0
        answers(made)
        made.do(StopInstance(made.see().id, drain_s=0.0, stop_s=2.0))
        with pytest.raises(urllib.error.HTTPError) as refused:
            made.get()
        assert refused.value.code == 503


def answers(made: Cell) -> None:
    """Both processes do; one that has just come up may be given a moment."""
    deadline = time.monotonic() + 10
    in_a_row = 0
    while in_a_row < 8:
        try:
            assert made.get() == "web-1"
            in_a_row += 1
        except OSError:
            in_a_row = 0
            assert time.monotonic() < deadline
            time.sleep(0.1)
