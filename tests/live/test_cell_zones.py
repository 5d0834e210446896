"""Zones that fail in a real cell, cut off or frozen, under load; and the cell's own processes that a drill kills."""

import time
from collections.abc import Iterator

import pytest
from tests.live.cell_world import Cell, Range, StartInstance, StopInstance, cell, service, specification
from tests.live.load import Load

from anden.model.fault import Fault, FaultKind, Outage
from anden.model.ids import InstanceId
from anden.model.observation import Observation
from anden.model.problem import Problems

pytestmark = pytest.mark.live
RATE = 120.0
NOTICED_S = 12.0
"""A frozen instance is known after three checks of 2 s each; the machine may be busy."""


@pytest.fixture(scope="module")
def bank() -> Iterator[Cell]:
    with cell(zones=2) as made:
        made.up(service(instances=Range(2, 4), stop_s=2.0))
        yield made


@pytest.fixture(autouse=True)
def whole(bank: Cell) -> Iterator[None]:
    """Every test finds it whole, and leaves it so."""
    yield
    bank.engine.restore(bank.key)
    bank.until(lambda seen: len(seen.instances) == 2 and all(one.serving for one in seen.instances))


def fail(bank: Cell, zone: str, outage: Outage, for_s: float = 60.0) -> None:
    bank.engine.disturb(bank.key, Fault(FaultKind.ZONE, zone, outage, time.time() + for_s))


def silent(zone: str) -> object:
    def found(seen: Observation) -> bool:
        return not any(one.serving for one in seen.instances if one.zone == zone)

    return found


def load(bank: Cell) -> Load:
    host, _, port = bank.gateway.rpartition(":")
    return Load(host, int(port), "/", rate=RATE, workers=16, timeout_s=20.0)


@pytest.mark.parametrize("outage", list(Outage))
def test_a_failed_zone_costs_no_get_and_returns(bank: Cell, outage: Outage) -> None:
    with load(bank) as running:
        time.sleep(0.5)
        fail(bank, "b", outage)
        seen = bank.until(silent("b"), NOTICED_S)  # type: ignore[arg-type]
        assert [(fault.name, fault.outage) for fault in seen.faults] == [("b", outage)]
        (there,) = [one for one in seen.instances if one.zone == "b"]
        assert there.state == "running", "its process has not ended: nothing says that it failed but its silence"
        assert there.unhealthy_since is not None
        assert there.restarts == 0
        time.sleep(1.0)
        bank.engine.restore(bank.key)
        seen = bank.until(lambda seen: all(one.serving for one in seen.instances), NOTICED_S)
        assert seen.faults == ()
        time.sleep(0.5)
    assert not running.failures, running.verdict()
    assert running.sent > RATE


def test_a_fault_ends_by_itself_also_when_the_supervisor_died_meanwhile(bank: Cell) -> None:
    fail(bank, "a", Outage.FROZEN, for_s=6.0)
    began = time.monotonic()
    before = bank.engine.observe(bank.key).processes["supervisor"]
    bank.engine.disturb(bank.key, Fault(FaultKind.SUPERVISOR))
    seen = bank.until(lambda seen: seen.processes["supervisor"] != before)
    assert [fault.name for fault in seen.faults] == ["a"]
    bank.until(lambda seen: not seen.faults, 15.0)
    assert time.monotonic() - began >= 5.0
    bank.until(lambda seen: all(one.serving for one in seen.instances), NOTICED_S)


def test_what_is_frozen_can_be_stopped(bank: Cell) -> None:
    fail(bank, "b", Outage.FROZEN)
    (there,) = [one for one in bank.engine.observe(bank.key).instances if one.zone == "b"]
    blueprint = bank.blueprint(service(instances=Range(2, 4), stop_s=2.0))
    began = time.monotonic()
    bank.do(StopInstance(InstanceId(there.id), 0.5, 2.0))
    assert time.monotonic() - began < 10.0
    bank.engine.restore(bank.key)
    slot = next(slot for slot in blueprint.placement("web").slots if slot.ordinal == there.ordinal)
    bank.do(StartInstance(specification(blueprint, "web", slot)))


def test_a_killed_instance_comes_back_in_its_place(bank: Cell) -> None:
    before = bank.see("web-1")
    bank.engine.disturb(bank.key, Fault(FaultKind.INSTANCE, "web-1"))
    seen = bank.until(lambda seen: seen.instances[0].restarts == before.restarts + 1 and seen.instances[0].serving)
    assert seen.instances[0].exit is not None
    assert seen.instances[0].exit.code == -9


def test_a_killed_balancer_process_is_another_one_afterwards(bank: Cell) -> None:
    before = bank.engine.observe(bank.key).processes
    with load(bank) as running:
        time.sleep(0.3)
        bank.engine.disturb(bank.key, Fault(FaultKind.BALANCER))
        bank.until(lambda seen: len(seen.processes) == len(before) and seen.processes != before)
        time.sleep(0.3)
    assert bank.engine.observe(bank.key).processes["supervisor"] == before["supervisor"]
    assert len(running.failures) <= running.workers, "what dies with it: connections of its own, each once"
    assert all(failure.startswith(("RemoteDisconnected", "ConnectionReset")) for failure in running.failures)


def test_what_is_not_there_cannot_be_hit(bank: Cell) -> None:
    with pytest.raises(Problems, match="there is no such zone"):
        fail(bank, "c", Outage.CUT)
    with pytest.raises(Problems, match="no such instance runs"):
        bank.engine.disturb(bank.key, Fault(FaultKind.INSTANCE, "web-9"))
    bank.engine.restore(bank.key)
