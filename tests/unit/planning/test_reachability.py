from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from tests.unit.planning.topologies import destination, drafted, service, topologies, topology

from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import EngineName
from anden.model.mark import Mark
from anden.model.plan import Caveat
from anden.model.problem import Problems
from anden.model.reach import Path
from anden.model.topology import Egress, Range, Route, Topology
from anden.planning.firewall import allows, allows_out
from anden.planning.reachability import matrix, path

CAVEATS = (
    Caveat(EngineName.LOCAL, "exchange", "host names are not matched by the firewall yet", ("exchange",)),
    Caveat(EngineName.LOCAL, "link core", "links are not raised yet", ("core-api",)),
    Caveat(EngineName.LOCAL, "payments", "auth is not enforced yet: the route answers 503", ("payments",)),
)
MARKS = {
    "services/accounts": Mark("anden.yaml", 20),
    "services/accounts/reaches": Mark("anden.yaml", 24),
    "services/accounts/reaches/ledger": Mark("anden.yaml", 25),
    "services/ledger": Mark("anden.yaml", 28),
    "environments/certification/egress": Mark("anden.yaml", 9),
}
BANK = topology(
    service(
        "accounts",
        instances=Range(2, 8),
        reaches=("ledger", "payments", "mail", "exchange", "core-api"),
        route=Route("/accounts"),
    ),
    service("ledger", 9000, instances=Range(2, 4)),
    service("payments", reaches=("accounts", "payments"), route=Route("/payments", auth="customers")),
    service("worker", None, reaches=("ledger",)),
    destinations=(
        destination("core-api", "10.20.4.17/32", 8443, link="core"),
        destination("exchange", "api.exchange.example"),
        destination("mail", "198.51.100.25/32", 587),
    ),
    zones=2,
    egress=Egress.PER_ZONE,
)


def asked(caller: str, callee: str, port: int | None = None, of: Topology = BANK, facts: Facts | None = None) -> Path:
    blueprint = drafted(of)
    return path(replace(blueprint, facts=facts) if facts else blueprint, caller, callee, port, MARKS, CAVEATS)


def shown(answer: Path) -> list[str]:
    return [
        f"{hop.kind} {hop.what}" + (f" [{hop.rule}]" if hop.rule else "") + ("" if hop.passes else " ✗")
        for hop in answer.hops
    ]


def test_a_declared_pair_shows_every_hop() -> None:
    answer = asked("accounts", "ledger")
    assert answer.open
    assert answer.port == 9000
    assert answer.mark == Mark("anden.yaml", 25)
    assert shown(answer) == [
        "instance accounts (172.30.128.4)",
        "firewall accounts → ledger:9000 [declared at anden.yaml:25]",
        "name ledger.internal (172.30.64.5:9000)",
        "instance ledger (172.30.160.9)",
    ]


def test_what_is_not_declared_says_where_to_declare_it() -> None:
    answer = asked("ledger", "exchange")
    assert not answer.open
    assert answer.reason == "not declared"
    assert answer.fix == "add exchange to services.ledger.reaches (anden.yaml:28)"
    assert shown(answer)[-1] == "firewall ledger → exchange:443 [default deny] ✗"


def test_the_way_back_is_not_implied() -> None:
    assert asked("accounts", "ledger").open
    assert not asked("ledger", "accounts").open


def test_a_cycle_and_oneself_are_open_when_declared() -> None:
    assert asked("accounts", "payments").open
    assert asked("payments", "accounts").open
    assert asked("payments", "payments").open
    assert asked("accounts", "accounts").reason == "not declared"


def test_another_port_is_blocked() -> None:
    answer = asked("accounts", "ledger", 9999)
    assert (answer.open, answer.reason) == (False, "ledger is declared on port 9000, not 9999")
    assert answer.fix == "use port 9000"
    assert asked("accounts", "mail", 25).reason == "mail is declared on port 587, not 25"


def test_a_service_that_listens_on_nothing() -> None:
    answer = asked("accounts", "worker")
    assert (answer.open, answer.port, answer.reason) == (False, 0, "worker listens on nothing")
    assert asked("worker", "ledger").open


def test_out_through_the_fixed_addresses_of_the_zones() -> None:
    unknown = asked("accounts", "mail")
    assert unknown.open
    assert shown(unknown)[2:] == [
        "nat address known after apply [egress: per-zone]",
        "destination mail (198.51.100.25:587)",
    ]
    facts = Facts({"a": IPv4Address("203.0.113.1"), "b": IPv4Address("203.0.113.2")})
    assert shown(asked("accounts", "mail", facts=facts))[2] == (
        "nat 203.0.113.1 (zone a), 203.0.113.2 (zone b) [egress: per-zone]"
    )
    one = Facts({"*": IPv4Address("203.0.113.9")})
    assert shown(asked("accounts", "mail", facts=one))[2] == "nat 203.0.113.9 [egress: per-zone]"


def test_nothing_leaves_without_egress() -> None:
    answer = asked("accounts", "mail", of=replace(BANK, egress=Egress.NONE))
    assert not answer.open
    assert answer.hops[-1].kind == "nat"
    assert answer.fix == "set environments.certification.egress to one or per-zone (anden.yaml:9)"


def test_a_host_name_is_blocked_when_a_caveat_withholds_it() -> None:
    answer = asked("accounts", "exchange")
    assert (answer.open, answer.reason) == (False, "host names are not matched by the firewall yet")
    assert path(drafted(BANK), "accounts", "exchange", None, MARKS, ()).open


def test_behind_a_link_the_link_does_not_pass() -> None:
    answer = asked("accounts", "core-api")
    assert (answer.open, answer.reason) == (False, "links are not raised yet")
    assert shown(answer)[1:] == [
        "firewall accounts → 10.20.4.17:8443 [declared at anden.yaml:24]",
        "link core [links are not raised yet] ✗",
    ]
    whole = Caveat(EngineName.LOCAL, "link core", "links are not raised yet", ("core",))
    assert path(drafted(BANK), "accounts", "core-api", None, MARKS, (whole,)).hops == answer.hops


def test_behind_a_link_that_is_raised() -> None:
    answer = path(drafted(replace(BANK, egress=Egress.NONE)), "accounts", "core-api", None, MARKS, ())
    assert answer.open
    assert shown(answer)[1:] == [
        "firewall accounts → 10.20.4.17:8443 [declared at anden.yaml:24]",
        "link core",
        "destination core-api (10.20.4.17:8443)",
    ]


def test_the_gateway_sends_to_routed_services_only() -> None:
    answer = asked("gateway", "accounts")
    assert answer.open
    assert shown(answer) == ["balancer gateway /accounts [routed at anden.yaml:20]", "instance accounts (172.30.128.4)"]
    assert [hop.kind for hop in asked("internet", "accounts").hops] == ["internet", "balancer", "instance"]
    assert asked("gateway", "accounts", 22).reason == "the route leads to port 8080"
    closed = asked("internet", "ledger")
    assert (closed.open, closed.reason) == (False, "ledger has no route")
    assert closed.fix == "add route to services.ledger (anden.yaml:28)"
    assert asked("gateway", "payments").reason == "auth is not enforced yet: the route answers 503"
    assert not asked("gateway", "mail").open


def test_inside_reaches_neither_the_gateway_nor_the_whole_internet() -> None:
    assert not asked("accounts", "gateway").open
    assert asked("accounts", "internet").reason == "only named destinations are reached"


def test_unknown_names_come_with_a_suggestion_all_at_once() -> None:
    with pytest.raises(Problems) as found:
        asked("acounts", "legder")
    assert [problem.fix for problem in found.value.problems] == ["Did you mean accounts?", "Did you mean ledger?"]
    with pytest.raises(Problems, match="mail is no caller"):
        asked("mail", "ledger")


@settings(deadline=None)
@given(topologies())
def test_the_matrix_is_what_is_declared_and_what_the_firewall_lets_through(bank: Topology) -> None:
    blueprint = drafted(bank)
    caveats = tuple(
        Caveat(EngineName.LOCAL, place.name, "not matched yet", (place.name,))
        for place in bank.destinations
        if place.host is not None or place.link is not None
    )
    answers = matrix(blueprint, {}, caveats)
    listening = [one.name for one in bank.services if one.port is not None]
    assert [(answer.caller, answer.callee) for answer in answers] == [
        (caller.name, callee)
        for caller in bank.services
        for callee in (*listening, *(place.name for place in bank.destinations))
    ]
    rules = {(rule.caller, rule.callee, rule.port) for rule in allows(bank)}
    outwards = {(rule.caller, rule.destination, rule.port) for rule in allows_out(bank, caveats)}
    assert {(answer.caller, answer.callee, answer.port) for answer in answers if answer.open} == rules | outwards
    for answer in answers:
        assert answer.open == all(hop.passes for hop in answer.hops)
        assert answer.open == (not answer.reason)
        assert answer.open or answer.hops[-1].rule
        assert path(blueprint, answer.caller, answer.callee, None, {}, caveats) == answer


def big(count: int) -> Blueprint:
    names = [f"s{index:04}" for index in range(count)]
    return drafted(topology(*(service(name, reaches=(names[index - 1],)) for index, name in enumerate(names))))


def test_one_path_among_a_thousand_services() -> None:
    blueprint = big(1000)
    assert path(blueprint, "s0001", "s0000", None, {}, ()).open
    assert len(matrix(big(100), {}, ())) == 10_000
