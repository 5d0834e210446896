from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.planning.topologies import destination, drafted, service, topologies, topology

from anden.model.blueprint import Blueprint
from anden.model.mark import Mark
from anden.model.topology import (
    Egress,
    Health,
    Issuer,
    Link,
    Protocol,
    Range,
    Route,
    Scale,
    ScaleMetric,
    Service,
    Topology,
)
from anden.planning.addressing import layout
from anden.planning.lint import Lint, lint

MARKS = {"services/web": Mark("anden.yaml", 3), "services/api/route": Mark("anden.yaml", 8)}
WEB = service("web", route=Route("/"))


def said(*services: Service, **fields: Any) -> Lint:
    return lint(drafted(topology(*services, **fields)), MARKS)


def only_problem(*services: Service, **fields: Any) -> str:
    found = said(*services, **fields)
    (problem,) = found.problems
    return str(problem)


def only_warning(*services: Service, **fields: Any) -> str:
    found = said(*services, **fields)
    assert not found.problems
    (warning,) = found.warnings
    return str(warning)


def test_a_sound_bank_has_nothing_to_hear() -> None:
    assert (
        said(
            service("accounts", instances=Range(2, 8), reaches=("ledger", "mail"), route=Route("/accounts")),
            service("ledger", instances=Range(2, 4)),
            service("payments", instances=Range(2, 4), reaches=("accounts", "core-api"), route=Route("/accounts/pay")),
            service("worker", None, instances=Range(2, 2)),
            destinations=(
                destination("core-api", "10.20.4.17/32", 8443, link="core"),
                destination("mail", "198.51.100.1/32"),
            ),
            links=(Link("core", IPv4Address("203.0.113.1"), (IPv4Network("10.20.0.0/16"),), ("a", "b")),),
            zones=2,
            production=True,
            egress=Egress.PER_ZONE,
        )
        == Lint()
    )


def squeezed(bank: Topology, network: str) -> Blueprint:
    """Every place pressed into a smaller network: what draft() refuses, and a file edited by hand may hold."""
    return replace(drafted(bank), layout=layout(IPv4Network(network), bank.zones))


def test_a_deploy_at_max_that_exhausts_a_subnet_blocks() -> None:
    bank = topology(replace(WEB, instances=Range(1, 120)))
    (problem,) = lint(squeezed(bank, "10.1.0.0/22"), MARKS).problems
    assert str(problem) == (
        "environments/certification/network: a deploy at max exhausts the private subnet of zone a (10.1.2.0/25);"
        " 150 addresses are needed at instances.max and surge, it holds 123. Use a network of a /21."
    )


def test_a_nearly_full_subnet_is_a_warning() -> None:
    full = replace(WEB, instances=Range(1, 90))
    assert "takes 113 of 123 addresses" in only_warning(full, network=IPv4Network("10.1.0.0/22"))
    assert said(replace(WEB, instances=Range(1, 70)), network=IPv4Network("10.1.0.0/22")) == Lint()


def test_a_network_that_overlaps_what_lies_outside_blocks() -> None:
    inside = destination("core", "10.1.9.0/24")
    found = only_problem(replace(WEB, reaches=("core",)), network=IPv4Network("10.1.0.0/16"), destinations=(inside,),
                         egress=Egress.ONE)  # fmt: skip
    assert "10.1.0.0/16 overlaps destination core (10.1.9.0/24)" in found


@pytest.mark.parametrize("other", [Route("/accounts"), Route("/accounts/")])
def test_two_services_on_one_route(other: Route) -> None:
    found = only_problem(service("api", route=Route("/accounts")), service("web", route=other))
    assert found == (
        "services/web/route (anden.yaml:3): /accounts is routed to api already (anden.yaml:8); a request goes to one"
        " service, so the other is never asked. Give web another path, or another host."
    )


def test_routes_that_live_side_by_side() -> None:
    assert (
        said(
            service("a", route=Route("/")),
            service("b", route=Route("/accounts")),
            service("c", route=Route("/accounts/private")),
            service("d", route=Route("/accounting")),
            service("e", route=Route("/", host="other.example")),
            domain="api.example",
        )
        == Lint()
    )


def test_a_route_for_any_host_behind_one_for_the_only_host() -> None:
    found = only_warning(
        service("a", route=Route("/x")), service("b", route=Route("/x", host="api.example")), domain="api.example"
    )
    assert "/x is shadowed by the route of b at api.example/x" in found


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (service("web", None, route=Route("/")), "/ leads to web, which listens on nothing"),
        (service("web", route=Route("/"), protocol=Protocol.TCP), "/ leads to web, which speaks tcp"),
        (service("web", None, scale=Scale(ScaleMetric.REQUESTS, 5), instances=Range(1, 3)), "scales by requests"),
        (service("web", None, health=Health("/up")), "has a health path and listens on nothing"),
        (replace(WEB, health=Health("none")), "Leave health out for a TCP check."),
        (replace(WEB, health=Health("")), "Leave health out for a TCP check."),
        (replace(WEB, health=Health("up")), "Did you mean /up?"),
        (service("web", reaches=("web",), protocol=Protocol.TCP, health=Health("/up")), "cannot answer GET /up"),
        (replace(WEB, start_s=601.0), "a start of 601 s cannot end well"),
        (replace(WEB, reaches=("worker",)), "nothing can answer web at worker"),
        (replace(WEB, reaches=("nobody",)), "certification has no service or destination nobody"),
    ],
)
def test_what_blocks(one: Service, what: str) -> None:
    assert what in str(said(one, service("worker", None)).problems[0])


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (service("web"), "services/web (anden.yaml:3): nobody reaches web"),
        (service("web", reaches=("web",)), "nobody reaches web"),
        (service("web", None, reaches=("api",)), "api may have no instance when web calls it"),
        (replace(WEB, reaches=("exchange",)), "exchange is out of reach for web; egress is none"),
        (replace(WEB, scale=Scale(ScaleMetric.CPU, 60.0)), "web has a scale target and nowhere to scale"),
    ],
)
def test_what_is_worth_saying(one: Service, what: str) -> None:
    api = service("api", instances=Range(0, 2), route=Route("/api"))
    assert what in only_warning(one, api, destinations=(destination("exchange", "api.exchange.example"),))


def test_what_lies_behind_a_link_is_a_caveat_of_the_engine_and_not_lint() -> None:
    core = destination("core-api", "10.20.4.17/32", link="core")
    assert said(replace(WEB, reaches=("core-api",)), destinations=(core,)) == Lint()


def test_only_production_is_measured_as_production() -> None:
    bank: dict[str, Any] = {"zones": 2, "egress": Egress.ONE, "auth": (Issuer("customers", "https://x", "bank"),)}
    assert said(WEB, **bank) == Lint()
    warnings = [str(warning) for warning in said(WEB, **bank, production=True).warnings]
    assert [warning.partition(": ")[2].partition(";")[0] for warning in warnings] == [
        "one way out for 2 zones",
        "web never stands in all 2 zones",
        "/ answers anybody",
    ]
    assert "Add auth: customers" in warnings[2]
    asks = replace(WEB, route=Route("/", auth="customers"), instances=Range(2, 2))
    assert said(asks, **{**bank, "egress": Egress.PER_ZONE}, production=True) == Lint()


@settings(deadline=None)
@given(topologies())
def test_every_word_has_where_what_why_and_fix(bank: Topology) -> None:
    found = lint(drafted(bank), {})
    for problem in found.problems + found.warnings:
        assert all((problem.where, problem.what, problem.why, problem.fix))
        assert not problem.what.endswith(".")
        assert problem.fix.endswith((".", "?"))
