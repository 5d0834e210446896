from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, service, topologies, topology

from anden.model.configuration import AllowDestination, AllowService, Transport
from anden.model.ids import EngineName
from anden.model.plan import Caveat
from anden.model.topology import Egress, Link
from anden.planning.firewall import allows, allows_out, names_out, never, withheld

HOSTS = Caveat(EngineName.LOCAL, "exchange", "names of hosts are not matched yet", ("exchange",))


def test_a_rule_for_each_declared_pair_on_the_callees_port() -> None:
    bank = topology(service("web", reaches=("api", "web")), service("api", 9000), service("alone"))
    assert allows(bank) == (AllowService("web", "api", 9000), AllowService("web", "web", 8080))  # type: ignore[arg-type]


def test_nobody_opens_a_service_that_listens_on_nothing() -> None:
    assert allows(topology(service("web", reaches=("worker",)), service("worker", None))) == ()


def test_only_networks_yield_a_rule_outwards() -> None:
    bank = topology(
        service("web", reaches=("exchange", "core", "mail")),
        destinations=(
            destination("core", "10.20.4.17/32", 8443, link="core"),
            destination("exchange", "api.exchange.example"),
            destination("mail", "198.51.100.0/28", 25),
        ),
        egress=Egress.ONE,
    )
    (rule,) = allows_out(bank, ())
    assert (rule.caller, rule.destination, rule.network) == ("web", "mail", IPv4Network("198.51.100.0/28"))
    assert (rule.port, rule.transport) == (25, Transport.TCP)


def test_nothing_leaves_without_egress() -> None:
    bank = topology(service("web", reaches=("mail",)), destinations=(destination("mail", "198.51.100.0/28"),))
    assert bank.egress is Egress.NONE
    assert allows_out(bank, ()) == ()


def test_a_caveat_closes_what_it_withholds_and_nothing_else() -> None:
    bank = topology(
        service("web", reaches=("exchange", "mail")),
        destinations=(destination("exchange", "198.51.100.1/32"), destination("mail", "198.51.100.2/32")),
        egress=Egress.ONE,
    )
    assert [rule.destination for rule in allows_out(bank, (HOSTS,))] == ["mail"]
    assert withheld((HOSTS,), "exchange") == "names of hosts are not matched yet"
    assert withheld((HOSTS,), "mail") is None


def test_the_whole_internet_is_never_the_environment_itself() -> None:
    bank = topology(
        service("web", reaches=("internet",)),
        destinations=(destination("internet", "0.0.0.0/0"),),
        egress=Egress.ONE,
    )
    own = IPv4Network("172.30.0.0/16")
    rules = allows_out(bank, (), own)
    assert rules
    assert not any(rule.network.overlaps(own) for rule in rules)
    assert sum(rule.network.num_addresses for rule in rules) == 2**32 - own.num_addresses


def test_a_destination_inside_the_environment_yields_nothing() -> None:
    bank = topology(
        service("web", reaches=("api",)), destinations=(destination("api", "172.30.1.0/24"),), egress=Egress.ONE
    )
    assert allows_out(bank, (), IPv4Network("172.30.0.0/16")) == ()


@settings(deadline=None)
@given(topologies(), st.booleans())
def test_rules_are_exactly_what_is_declared(bank, closed):  # type: ignore[no-untyped-def]
    ports = {one.name: one.port for one in bank.services if one.port is not None}
    assert {(rule.caller, rule.callee) for rule in allows(bank)} == {
        (one.name, name) for one in bank.services for name in one.reaches if name in ports
    }
    assert all(rule.port == ports[rule.callee] for rule in allows(bank))
    caveats = (HOSTS,) if closed else ()
    out: tuple[AllowDestination, ...] = allows_out(bank, caveats)
    assert list(out) == sorted(set(out))
    for rule in out:
        place = bank.destination(rule.destination)
        assert place is not None
        assert place.link is None
        assert place.network == rule.network
        assert withheld(caveats, place.name) is None


def test_a_rule_for_each_name_that_somebody_reaches() -> None:
    bank = topology(
        service("web", reaches=("exchange", "mail", "core")),
        service("api"),
        destinations=(
            destination("core", "10.20.4.17/32", 8443, link="core"),
            destination("exchange", "API.Exchange.example"),
            destination("mail", "198.51.100.0/28", 25),
        ),
        egress=Egress.ONE,
    )
    (rule,) = names_out(bank, ())
    assert (rule.caller, rule.destination, rule.host, rule.port) == ("web", "exchange", "api.exchange.example", 443)
    assert names_out(bank, (HOSTS,)) == ()
    assert names_out(replace(bank, egress=Egress.NONE), ()) == ()


def test_no_name_outside_leads_inside() -> None:
    link = Link(
        "core", IPv4Address("203.0.113.10"), (IPv4Network("172.40.0.0/16"),), ("k",), IPv4Network("198.51.100.64/26")
    )
    bank = replace(topology(service("web")), links=(link,))
    refused = never(IPv4Network("11.0.0.0/16"), (bank,))
    for bad in ("127.0.0.1", "169.254.169.254", "10.1.1.1", "192.168.0.1", "11.0.9.9", "172.40.3.3", "198.51.100.70"):
        assert any(IPv4Address(bad) in network for network in refused), bad
    for good in ("192.0.2.7", "203.0.113.7", "8.8.8.8", "11.1.0.0", "172.41.0.1"):
        assert not any(IPv4Address(good) in network for network in refused), good
    assert list(refused) == sorted(refused)
