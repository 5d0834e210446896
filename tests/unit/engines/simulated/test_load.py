"""Modelled requests, by who serves at the moment."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, Bench

from anden.engines.simulated.load import CONNECT_S, SILENT_S, ModelledLoad
from anden.model.fault import Fault, FaultKind, Outage
from anden.model.histogram import Histogram
from anden.model.observation import Health, Observation
from anden.model.traffic import Tally

ZONED = """
anden: 1
client: banco
environments: { dev: { zones: 2 } }
services:
  web: { image: web:1.0, port: 8080, route: /, instances: 2..4 }
"""


@pytest.fixture
def seen(tmp_path: Path) -> Observation:
    bench = Bench(tmp_path)
    bench.up(ZONED)
    return bench.engine.observe(KEY)


def one_second(seen: Observation, rate: float = 100.0, services: tuple[str, ...] = ("web",)) -> Tally:
    return ModelledLoad(services, rate, 50.0).until(51.0, seen, False)


def longest_s(tally: Tally) -> float:
    found = Histogram()
    found.add(tally.latency)
    return (found.percentile(100) or 0) / 1e6


def test_all_is_well(seen: Observation) -> None:
    tally = one_second(seen)
    assert (tally.sent, tally.answered, tally.failed, tally.failed_after_retry) == (100, 100, 0, 0)
    assert longest_s(tally) < 0.05


def test_the_same_seed_gives_the_same_picture(seen: Observation) -> None:
    assert one_second(seen) == one_second(seen)


@pytest.mark.parametrize(("outage", "least_s"), [(Outage.CUT, CONNECT_S), (Outage.FROZEN, SILENT_S)])
def test_until_it_is_noticed_a_failed_zone_costs_time(seen: Observation, outage: Outage, least_s: float) -> None:
    tally = one_second(replace(seen, faults=(Fault(FaultKind.ZONE, "b", outage),)))
    assert (tally.answered, tally.failed) == (100, 0)
    assert longest_s(tally) >= least_s


def test_nobody_serves(seen: Observation) -> None:
    none = tuple(replace(one, health=Health.UNHEALTHY) for one in seen.instances)
    tally = one_second(replace(seen, instances=none))
    assert (tally.answered, tally.failed, tally.failed_after_retry) == (0, 100, 100)
    assert tally.kinds == {"HTTP 503": 100}


def test_every_zone_fails(seen: Observation) -> None:
    faults = (Fault(FaultKind.ZONE, "a"), Fault(FaultKind.ZONE, "b"))
    tally = one_second(replace(seen, faults=faults))
    assert tally.failed_after_retry == 100


def test_what_is_in_flight_in_a_killed_process_is_asked_again(seen: Observation) -> None:
    load = ModelledLoad(("web",), 100.0, 50.0)
    assert load.until(51.0, seen, False).failed == 0
    names = sorted(seen.processes)
    other = {**{name: seen.processes[name] for name in names if name != names[0]}, "balancer-9": 99}
    tally = load.until(52.0, replace(seen, processes=other), False)
    assert (tally.sent, tally.answered, tally.failed, tally.failed_after_retry) == (100, 100, 1, 0)
    assert load.until(53.0, replace(seen, processes=other), False).failed == 0


def test_stopped_it_sends_no_more_and_a_route_of_nobody_is_answered(seen: Observation) -> None:
    load = ModelledLoad((), 10.0, 50.0)
    assert load.until(51.0, seen, False).answered == 10
    assert load.until(52.0, seen, True).sent == 0
