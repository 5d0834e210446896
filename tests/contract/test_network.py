"""The contract of every engine's network: default deny, exactly what was declared, and the declared way out."""

import itertools
from dataclasses import replace

import pytest
from tests.contract.conftest import Make
from tests.contract.subject import Environment, place, service

from anden.model.ids import DestinationName
from anden.model.plan import Configure
from anden.model.problem import Problems
from anden.model.reach import Probe, Probed, Seen
from anden.model.topology import Destination, Egress, Topology
from anden.planning.reachability import matrix

TIMEOUT_S = 0.7
SERVICES = ("api", "base", "web")
PORTS = {"api": 9000, "base": 9000, "web": 8080}
EXCHANGE = "api.exchange.example"
STRANGERS = (22, 53, 8081)
"""Ports that nobody declares."""


def three(environment: str) -> Topology:
    """web → api → base, and web goes out; two zones, so that callers have different addresses outside."""
    return Topology(
        "contract",
        environment,
        (
            service("api", port=9000, reaches=("base",)),
            service("base", port=9000),
            service("web", reaches=("api", "bourse", "rates", "exchange")),
        ),
        destinations=(
            place("bourse", "192.0.2.10/32", 443),
            Destination(DestinationName("exchange"), 443, host=EXCHANGE),
            place("rates", "192.0.2.128/28", 8443),
        ),
        zones=2,
        egress=Egress.PER_ZONE,
    )


def up(make: Make) -> Environment:
    environment = make(three)
    environment.up("api-1", "base-1", "web-1", "web-2")
    return environment


def probe(environment: Environment, *probes: Probe) -> tuple[Probed, ...]:
    return environment.engine.probe(environment.key, probes)


def test_every_pair_is_as_the_matrix_says_on_every_port(make: Make) -> None:
    environment = up(make)
    caveats = environment.engine.caveats(environment.blueprint.topology)
    computed = {
        (path.caller, path.callee): path.open
        for path in matrix(environment.blueprint, {}, caveats)
        if path.callee in PORTS
    }
    asked = [
        (caller, callee, port, host)
        for caller, callee in itertools.product(SERVICES, SERVICES)
        for port in sorted({*PORTS.values(), *STRANGERS})
        for host in (callee, f"{callee}.internal", str(environment.instance(f"{callee}-1").address))
        if not (caller == callee and host[0].isdigit())
    ]
    probes = [Probe(f"{caller}-1", host, port, TIMEOUT_S) for caller, _, port, host in asked]
    seen = probe(environment, *probes)
    for (caller, callee, port, host), found in zip(asked, seen, strict=True):
        expected = computed[caller, callee] and port == PORTS[callee]
        assert (found.seen is Seen.OPEN) == expected, f"{caller} → {host}:{port}: {found.seen}, computed {expected}"


def test_what_is_denied_is_silent(make: Make) -> None:
    environment = up(make)
    denied = probe(
        environment,
        Probe("base-1", "web", 8080, TIMEOUT_S),
        Probe("base-1", str(environment.instance("web-1").address), 8080, TIMEOUT_S),
        Probe("web-1", "api", 22, TIMEOUT_S),
        Probe("web-1", "192.0.2.10", 80, TIMEOUT_S, listen=True),
        Probe("api-1", "192.0.2.10", 443, TIMEOUT_S, listen=True),
    )
    assert {found.seen for found in denied} == {Seen.SILENT}


def test_names_resolve_inside_and_no_others_do(make: Make) -> None:
    environment = up(make)
    inside, outside = probe(
        environment, Probe("web-1", "api", 9000, TIMEOUT_S), Probe("web-1", "api.example", 9000, TIMEOUT_S)
    )
    assert inside.seen is Seen.OPEN
    assert outside.seen is Seen.UNRESOLVED


def test_the_other_side_sees_the_address_of_the_callers_zone(make: Make) -> None:
    environment = up(make)
    facts = environment.blueprint.facts
    zones = {name: environment.instance(name).zone for name in ("web-1", "web-2")}
    assert set(zones.values()) == {"a", "b"}
    for name, (host, port) in itertools.product(zones, (("192.0.2.10", 443), ("192.0.2.130", 8443))):
        (found,) = probe(environment, Probe(name, host, port, TIMEOUT_S, listen=True))
        assert found.seen is Seen.OPEN
        assert found.source == facts.leaves_from(zones[name])


def test_a_name_outside_opens_for_who_declares_it_and_is_unknown_to_others(make: Make) -> None:
    environment = up(make)
    facts = environment.blueprint.facts
    for name in ("web-1", "web-2"):
        (found,) = probe(environment, Probe(name, EXCHANGE.upper(), 443, 2 * TIMEOUT_S, listen=True))
        assert (found.seen, found.source) == (Seen.OPEN, facts.leaves_from(environment.instance(name).zone))
    unknown = probe(
        environment,
        Probe("api-1", EXCHANGE, 443, TIMEOUT_S, listen=True),
        Probe("base-1", EXCHANGE, 443, TIMEOUT_S, listen=True),
        Probe("web-1", f"www.{EXCHANGE}", 443, TIMEOUT_S, listen=True),
    )
    assert [each.seen for each in unknown] == [Seen.UNRESOLVED] * 3
    (other,) = probe(environment, Probe("web-1", EXCHANGE, 80, TIMEOUT_S, listen=True))
    assert other.seen is Seen.SILENT


def test_a_name_that_is_not_declared_any_more_is_gone(make: Make) -> None:
    environment = up(make)
    environment.done(Configure(replace(environment.configuration, names_out=())))
    (closed,) = probe(environment, Probe("web-1", EXCHANGE, 443, TIMEOUT_S, listen=True))
    environment.done(Configure(environment.configuration))
    (again,) = probe(environment, Probe("web-1", EXCHANGE, 443, 2 * TIMEOUT_S, listen=True))
    assert [closed.seen, again.seen] == [Seen.UNRESOLVED, Seen.OPEN]


def test_nothing_leaves_for_what_was_not_declared(make: Make) -> None:
    environment = up(make)
    found = probe(
        environment,
        Probe("web-1", "192.0.2.11", 443, TIMEOUT_S, listen=True),
        Probe("web-1", "192.0.2.144", 8443, TIMEOUT_S, listen=True),
        Probe("base-1", "192.0.2.10", 443, TIMEOUT_S, listen=True),
    )
    assert [each.seen for each in found] == [Seen.SILENT] * 3


def test_without_egress_nothing_leaves_whatever_is_declared(make: Make) -> None:
    environment = make(lambda name: replace(three(name), egress=Egress.NONE))
    environment.up("web-1")
    (found,) = probe(environment, Probe("web-1", "192.0.2.10", 443, TIMEOUT_S, listen=True))
    assert found.seen is Seen.SILENT


def test_a_rule_that_goes_closes_and_one_that_comes_opens(make: Make) -> None:
    environment = up(make)
    (before,) = probe(environment, Probe("web-1", "api", 9000, TIMEOUT_S))
    environment.done(Configure(replace(environment.configuration, allows=())))
    (closed,) = probe(environment, Probe("web-1", "api", 9000, TIMEOUT_S))
    environment.done(Configure(environment.configuration))
    (after,) = probe(environment, Probe("web-1", "api", 9000, TIMEOUT_S))
    assert [before.seen, closed.seen, after.seen] == [Seen.OPEN, Seen.SILENT, Seen.OPEN]


def test_an_empty_slot_answers_nobody(make: Make) -> None:
    environment = up(make)
    (found,) = probe(environment, Probe("web-1", str(environment.instance("api-2").address), 9000, TIMEOUT_S))
    assert found.seen is not Seen.OPEN


def test_a_name_stays_open_while_its_instances_are_replaced(make: Make) -> None:
    environment = up(make)
    environment.done(environment.stop("api-1"))
    (found,) = probe(environment, Probe("web-1", "api", 9000, TIMEOUT_S))
    assert found.seen in (Seen.OPEN, Seen.REFUSED)


def test_probing_from_what_is_not_there(make: Make) -> None:
    environment = up(make)
    with pytest.raises(Problems):
        probe(environment, Probe("web-9", "api", 9000, TIMEOUT_S))
