"""What surrounds the instances, and what must suit two versions in the middle of a change."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, drafted, service, topologies, topology

from anden.model.blueprint import Blueprint, Facts
from anden.model.configuration import (
    AllowDestination,
    AllowService,
    Backend,
    Configuration,
    GatewayRoute,
    Guard,
    Leave,
)
from anden.model.ids import DestinationName, EngineName, ServiceName, ZoneName
from anden.model.manners import AWS
from anden.model.plan import Caveat
from anden.model.problem import Problems
from anden.model.topology import Cors, Egress, Health, Issuer, Protocol, Range, Rate, Route, Topology, VerifyingKey
from anden.planning.addressing import usable
from anden.planning.configuration import configure, parting, turning

ACCOUNTS = ServiceName("accounts")
LEDGER = ServiceName("ledger")
WEB = ServiceName("web")


def backend(configuration: Configuration, name: str) -> Backend:
    return next(one for one in configuration.backends if one.service == name)


def routes(configuration: Configuration) -> dict[str, str]:
    """Path to service; refused ones end with an exclamation mark."""
    return {route.path: route.service + "!" * bool(route.refused) for route in configuration.routes}


def test_the_targets_own() -> None:
    place = topology(
        service(
            "accounts", instances=Range(1, 2), route=Route("/accounts"), reaches=("ledger", "exchange"), timeout_s=5
        ),
        service("ledger", port=9090, protocol=Protocol.TCP, health=Health(None)),
        service("worker", port=None, reaches=("ledger",)),
        destinations=(destination("exchange", "198.51.100.0/24"),),
        egress=Egress.PER_ZONE,
    )
    facts = Facts({"a": IPv4Address("203.0.113.7")})
    made = configure(replace(drafted(place), facts=facts), None, ())
    assert [one.service for one in made.backends] == ["accounts", "ledger", "worker"]
    accounts, ledger, worker = made.backends
    assert (accounts.port, accounts.timeout_s, accounts.also) == (8080, 5, ())
    assert len(accounts.members) == 3  # two instances at most, and one for the surge
    assert list(accounts.members) == sorted(accounts.members, key=lambda one: one.address)
    assert (ledger.port, ledger.protocol, ledger.health_path) == (9090, Protocol.TCP, None)
    assert (worker.port, worker.address) == (None, None)
    assert made.allows == (AllowService(ACCOUNTS, LEDGER, 9090), AllowService(ServiceName("worker"), LEDGER, 9090))
    exchange = DestinationName("exchange")
    assert made.allows_out == (AllowDestination(ACCOUNTS, exchange, IPv4Network("198.51.100.0/24"), 443),)
    assert made.routes == (GatewayRoute("/accounts", ACCOUNTS),)
    assert made.leaves == (Leave(ZoneName("a"), IPv4Address("203.0.113.7")),)


def test_without_egress_nothing_leaves_whatever_the_engine_knows() -> None:
    blueprint = replace(drafted(topology(service("web"))), facts=Facts({"*": IPv4Address("203.0.113.7")}))
    assert configure(blueprint, None, ()).leaves == ()


def test_a_route_that_asks_for_tokens_is_closed_and_says_why() -> None:
    guarded = drafted(topology(service("web", route=Route("/", auth="customers"))))
    assert configure(guarded, None, ()).routes[0].refused == "closed: nobody has the keys of customers"
    caveat = Caveat(EngineName.LOCAL, "web", "tokens are not checked on the twin", ("web",))
    assert configure(guarded, None, (caveat,)).routes[0].refused == "tokens are not checked on the twin"
    plain = drafted(topology(service("web", route=Route("/"))))
    # Adding or taking away a guard: closed as long as one of the two versions expects it.
    assert routes(configure(guarded, plain, ())) == {"/": "web!"}
    assert routes(configure(plain, guarded, (), ready={"web"})) == {"/": "web!"}
    assert routes(configure(plain, None, ())) == {"/": "web"}


def test_what_a_caveat_withholds_stays_closed() -> None:
    place = topology(
        service("web", reaches=("exchange",)),
        destinations=(destination("exchange", "198.51.100.7"),),
        egress=Egress.ONE,
    )
    caveat = Caveat(EngineName.LOCAL, "exchange", "…", ("exchange",))
    assert configure(drafted(place), None, (caveat,)).allows_out == ()
    assert configure(drafted(place), drafted(place), (caveat,)).allows_out == ()


def test_both_ports_while_a_port_moves() -> None:
    before = drafted(topology(service("accounts", port=8080), service("web", reaches=("accounts",))))
    after = drafted(topology(service("accounts", port=9090), service("web", reaches=("accounts",))), before)
    middle = configure(after, before, ())
    assert (backend(middle, "accounts").port, backend(middle, "accounts").also) == (8080, (9090,))
    assert {(allow.callee, allow.port) for allow in middle.allows} == {("accounts", 8080), ("accounts", 9090)}
    late = backend(configure(after, before, (), ready={"accounts"}), "accounts")
    assert (late.port, late.also) == (9090, (8080,))
    narrow = configure(after, None, ())
    assert (backend(narrow, "accounts").port, backend(narrow, "accounts").also) == (9090, ())
    assert narrow.allows == (AllowService(WEB, ACCOUNTS, 9090),)
    assert "accounts" in turning(after, before)


def test_a_service_that_gets_or_loses_its_port() -> None:
    worker = drafted(topology(service("accounts", port=None)))
    server = drafted(topology(service("accounts", port=8080, health=Health("/health"))), worker)
    for way in (configure(server, worker, ()), configure(worker, server, ())):
        assert backend(way, "accounts").port == 8080
        assert backend(way, "accounts").health_path == "/health"
        assert backend(way, "accounts").address == server.placement("accounts").address


def test_health_and_protocol_suit_both_versions() -> None:
    asked = drafted(topology(service("accounts", health=Health("/health"), timeout_s=5)))
    plain = drafted(topology(service("accounts", protocol=Protocol.TCP, timeout_s=60)), asked)
    middle = backend(configure(plain, asked, ()), "accounts")
    assert (middle.health_path, middle.protocol, middle.timeout_s) == (None, Protocol.TCP, 60)
    moved = drafted(topology(service("accounts", health=Health("/ready"))), asked)
    assert backend(configure(moved, asked, ()), "accounts").health_path == "/health"
    assert backend(configure(moved, asked, (), ready={"accounts"}), "accounts").health_path == "/ready"


def test_a_path_stays_until_who_takes_over_is_ready() -> None:
    before = drafted(topology(service("accounts"), service("web", route=Route("/shop"))))
    after = drafted(topology(service("accounts", route=Route("/shop")), service("web")), before)
    assert routes(configure(after, before, ())) == {"/shop": "web"}
    assert routes(configure(after, before, (), ready={"accounts"})) == {"/shop": "accounts"}
    assert turning(after, before) == {"accounts"}


def test_a_new_path_joins_at_once_unless_somebody_answers_there_already() -> None:
    before = drafted(topology(service("web", route=Route("/shop"))))
    apart = drafted(topology(service("accounts", route=Route("/shops")), service("web", route=Route("/shop"))), before)
    assert routes(configure(apart, before, ())) == {"/shop": "web", "/shops": "accounts"}
    under = drafted(
        topology(service("accounts", route=Route("/shop/pay")), service("web", route=Route("/shop"))), before
    )
    assert routes(configure(under, before, ())) == {"/shop": "web"}
    assert routes(configure(under, before, (), ready={"accounts"})) == {"/shop": "web", "/shop/pay": "accounts"}
    root = drafted(topology(service("web", route=Route("/"))))
    below = drafted(
        topology(service("accounts", route=Route("/pay", "pay.example")), service("web", route=Route("/"))), root
    )
    assert routes(configure(below, root, ())) == {"/": "web"}
    beside = drafted(topology(service("web", route=Route("/", "web.example"))))
    assert "/pay" in routes(configure(below, beside, ()))


def test_a_path_that_goes_stays_till_the_end() -> None:
    before = drafted(topology(service("web", route=Route("/shop"))))
    after = drafted(topology(service("web", route=Route("/"))), before)
    assert routes(configure(after, before, ())) == {"/": "web", "/shop": "web"}
    assert routes(configure(after, None, ())) == {"/": "web"}


def test_who_is_parting_may_finish_and_nobody_gets_there() -> None:
    before = drafted(
        topology(
            service("accounts", route=Route("/accounts"), reaches=("ledger", "exchange")),
            service("ledger"),
            service("web", reaches=("accounts",)),
            destinations=(destination("exchange", "198.51.100.7"),),
            egress=Egress.ONE,
        )
    )
    after = drafted(topology(service("ledger"), service("web")), before)
    last = parting(after, before, ())
    assert [one.service for one in last.backends] == ["accounts", "ledger", "web"]
    assert backend(last, "accounts").address is None
    assert backend(last, "accounts").port == 8080
    assert last.routes == ()
    assert [(allow.caller, allow.callee) for allow in last.allows] == [("accounts", "ledger")]
    assert [allow.caller for allow in last.allows_out] == ["accounts"]


def test_fixed_addresses_are_the_targets_own() -> None:
    place = topology(service("web"), egress=Egress.ONE, zones=2)
    one = replace(drafted(place), facts=Facts({"*": IPv4Address("203.0.113.7")}))
    each = replace(one, facts=Facts({"a": IPv4Address("203.0.113.8")}))
    assert [str(leave.address) for leave in configure(one, each, ()).leaves] == ["203.0.113.7"]
    assert [(leave.zone, str(leave.address)) for leave in configure(each, one, ()).leaves] == [
        ("*", "203.0.113.7"),
        ("a", "203.0.113.8"),
    ]


def paths_apart(place: Topology) -> bool:
    """No path leads to two services: the manifest refuses that."""
    places = [(one.route.host, one.route.path) for one in place.services if one.route is not None]
    return len(places) == len(set(places))


@st.composite
def strangers(draw: st.DrawFn) -> tuple[Blueprint, Blueprint]:
    """Two blueprints that may know nothing of each other: same network, same addresses for other things."""
    fixed = st.just(IPv4Network("172.30.0.0/16"))
    first, second = draw(topologies(fixed).filter(paths_apart)), draw(topologies(fixed).filter(paths_apart))
    try:
        before = drafted(first)
        return before, drafted(second, before if draw(st.booleans()) else None)
    except Problems:
        assume(False)
        raise


@settings(max_examples=80, deadline=None)
@given(strangers(), st.sets(st.sampled_from(["accounts", "ledger", "web"])))
def test_a_union_is_sound(pair: tuple[Blueprint, Blueprint], ready: set[str]) -> None:
    before, after = pair
    narrow = configure(after, None, ())
    for made in (configure(after, before, (), ready), parting(after, before, ())):
        addresses = [member.address for one in made.backends for member in one.members]
        assert len(addresses) == len(set(addresses)), "an address means one service"
        numbers = [one.number for one in made.backends]
        assert len(numbers) == len(set(numbers)), "a number means one service"
        names = [one.address for one in made.backends if one.address is not None]
        assert len(names) == len(set(names)), "a name's address is its own"
        assert len(made.routes) == len({(route.host, route.path) for route in made.routes})
        assert set(narrow.allows) <= set(made.allows)
        assert set(narrow.allows_out) <= set(made.allows_out)
        known = {one.service for one in made.backends}
        assert {route.service for route in made.routes} <= known
        assert {name for allow in made.allows for name in (allow.caller, allow.callee)} <= known
        for one in narrow.backends:
            wider = backend(made, one.service)
            assert set(one.members) <= set(wider.members)
            assert one.number == wider.number
            assert one.port is None or one.port in (wider.port, *wider.also)
        for tuples in (made.backends, made.allows, made.allows_out, made.routes, made.leaves):
            assert len(tuples) == len(set(tuples))


@settings(max_examples=40, deadline=None)
@given(topologies().filter(paths_apart), st.sets(st.sampled_from(["accounts", "ledger", "web"])))
def test_a_change_that_changes_nothing_is_the_target(place: Topology, ready: set[str]) -> None:
    try:
        target = drafted(place)
    except Problems:
        assume(False)
    narrow = configure(target, None, ())
    assert configure(target, target, (), ready) == narrow == parting(target, target, ())
    assert configure(target, target, (), ready).digest == narrow.digest
    assert not turning(target, target)


def test_names_have_a_second_address_at_the_far_end_of_the_block_when_manners_want_it() -> None:
    blueprint = drafted(topology(service("accounts"), service("ledger"), service("worker", port=None)))
    plain, made = configure(blueprint, None, ()), configure(blueprint, None, (), manners=AWS)
    assert all(one.more == () for one in plain.backends)
    block = usable(blueprint.layout.names)
    for one, was in zip(made.backends, plain.backends, strict=True):
        assert one.address == was.address
        assert replace(one, more=()) == was
        if one.address is not None:
            (second,) = one.more
            assert int(second) - block[0] == block[-1] - int(one.address)
            assert one.addresses == (one.address, second)
    assert len({address for one in made.backends for address in one.addresses}) == 4


@given(st.integers(1, 110))
@settings(max_examples=20, deadline=None)
def test_in_a_crowded_block_nobody_gets_what_somebody_has(count: int) -> None:
    small = topology(*(service(f"s{n}") for n in range(count)), network=IPv4Network("172.30.0.0/22"), zones=4)
    made = configure(drafted(small), None, (), manners=AWS)
    every = [address for one in made.backends for address in one.addresses]
    assert len(every) == len(set(every))
    assert all(one.address is not None for one in made.backends)


KEY = VerifyingKey("1", "RS256", "a PEM")
CUSTOMERS = Issuer("customers", "https://id.example", "bank", "keys.json", (KEY,))
STAFF = Issuer("staff", "https://staff.example", "bank", "staff.json", (replace(KEY, id="2"),))


def _guarding(*scopes: str, path: str = "/", auth: str | None = "customers", issuer: Issuer = CUSTOMERS) -> Blueprint:
    return drafted(topology(service("web", route=Route(path, None, auth, scopes)), auth=(issuer, STAFF)))


def _guards(configuration: Configuration) -> dict[str, Guard | None]:
    assert not any(route.refused for route in configuration.routes)
    return {route.path: route.guard for route in configuration.routes}


def test_a_route_asks_for_tokens_of_its_issuer() -> None:
    guard = Guard("https://id.example", "bank", (KEY,), ("a", "b"))
    assert _guards(configure(_guarding("a", "b"), None, ())) == {"/": guard}


def test_a_caveat_closes_a_guarded_route_too() -> None:
    caveat = Caveat(EngineName.LOCAL, "web", "not here", ("web",))
    (route,) = configure(_guarding(), None, (caveat,)).routes
    assert (route.refused, route.guard) == ("not here", None)


def test_while_a_guard_comes_or_goes_it_is_there() -> None:
    plain, guarded = _guarding(auth=None), _guarding("a")
    for target, before in ((guarded, plain), (plain, guarded)):
        assert _guards(configure(target, before, ())) == _guards(configure(guarded, None, ()))
    assert _guards(configure(plain, None, ())) == {"/": None}


def test_the_guard_is_on_the_old_path_as_well() -> None:
    """Instances that expect a guard are reached on both while the path moves."""
    found = _guards(configure(_guarding(path="/new"), _guarding(path="/old", auth=None), ()))
    assert set(found) == {"/new", "/old"}
    assert None not in found.values()


def test_while_scopes_change_all_of_them_are_asked_for() -> None:
    found = _guards(configure(_guarding("a"), _guarding("b"), ()))["/"]
    assert found is not None
    assert found.scopes == ("a", "b")


def test_keys_change_at_once() -> None:
    """A key that was taken back must not be taken for the time of a change."""
    newer = replace(CUSTOMERS, keys=(replace(KEY, id="3"),))
    found = _guards(configure(_guarding(issuer=newer), _guarding(), ()))["/"]
    assert found is not None
    assert found.keys == newer.keys


def test_between_two_issuers_it_is_closed() -> None:
    (route,) = configure(_guarding(auth="staff"), _guarding(), ()).routes
    assert route.refused == "closed for the time of a change: it asks for tokens of customers and of staff"


def _limiting(**limits: Any) -> Blueprint:
    return drafted(topology(service("web", route=Route("/", **limits))))


def test_limits_change_at_once_and_a_path_is_rewritten_for_who_expects_it() -> None:
    cors = Cors(("https://app.bank.example",))
    old = _limiting(rate=Rate(5, 1), body_bytes=10, rewrite="/v1")
    new = _limiting(rate_each=Rate(7, 60), cors=cors, rewrite="/v2")
    assert turning(new, old) == {"web"}
    (before,) = configure(new, old, ()).routes
    assert (before.rate, before.rate_each, before.body_bytes, before.cors) == (None, Rate(7, 60), None, cors)
    assert before.rewrite == "/v1"
    (after,) = configure(new, old, (), ready=("web",)).routes
    assert after.rewrite == "/v2"
    assert turning(_limiting(rate=Rate(6, 1), rewrite="/v1"), old) == frozenset()


def test_tls_is_for_the_domain_and_every_host_of_both_sides() -> None:
    web = service("web", route=Route("/", host="www.bank.example"))
    before = topology(web)
    assert configure(drafted(before), None, ()).tls == ()
    named = replace(before, domain="API.bank.example")
    assert configure(drafted(named), None, ()).tls == ("api.bank.example", "www.bank.example")
    moved = replace(named, services=(service("web", route=Route("/", host="new.bank.example")),))
    during = configure(drafted(moved), drafted(named), ()).tls
    assert during == ("api.bank.example", "new.bank.example", "www.bank.example")
    assert configure(drafted(before), drafted(named), ()).tls == ("api.bank.example", "www.bank.example")
