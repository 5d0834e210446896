from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from anden.engines.local.caveats import caveats, facts
from anden.model.ids import DestinationName, ServiceName
from anden.model.topology import (
    Destination,
    Egress,
    ImageSource,
    Issuer,
    Link,
    Range,
    Route,
    Service,
    Strategy,
    Topology,
    VerifyingKey,
)

WEB = Service(name=ServiceName("web"), source=ImageSource(image="web:1"), port=8080, route=Route("/"))
PLAIN = Topology("c", "dev", (WEB,))


def test_a_plain_environment_has_none() -> None:
    assert caveats(PLAIN) == ()


def test_what_lies_outside_is_withheld() -> None:
    link = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("k1", "k2"))
    places = (
        Destination(DestinationName("core-api"), 8443, network=IPv4Network("10.20.4.17"), link="core"),
        Destination(DestinationName("exchange"), 443, host="api.exchange.example"),
        Destination(DestinationName("open"), 443, network=IPv4Network("192.0.2.0/24")),
    )
    found = {one.subject: one for one in caveats(replace(PLAIN, destinations=places, links=(link,)))}
    assert found["link core"].withholds == ()
    assert "`up --with-datacentre`" in found["link core"].text
    assert len(found) == 1, "with egress none nothing leaves anyhow"
    outside = {one.subject: one for one in caveats(replace(PLAIN, destinations=places, egress=Egress.ONE))}
    assert outside["names"].withholds == ()
    assert outside["names"].text.startswith("exchange: the twin's internet answers for names")


def test_keys_are_of_a_file_or_fetched_or_nobody_has_them() -> None:
    guarded = replace(PLAIN, services=(replace(WEB, route=Route("/", auth="customers")),))
    issuer, key = Issuer("customers", "https://id.example", "x"), VerifyingKey("1", "ES256", "pem")
    for auth, subject, text in (
        (replace(issuer, keys=(key,)), "auth customers", "its keys are fetched"),
        (replace(issuer, keys=(key,), keys_file="f.json"), "auth customers", "verified by the keys in f.json"),
        (issuer, "route web", "answers 503: the issuer's keys (customers) were not fetched"),
    ):
        (found,) = caveats(replace(guarded, auth=(auth,)))
        assert found.subject == subject
        assert text in found.text
        assert found.withholds == (("web",) if auth is issuer else ())


def test_routes_and_the_rest_are_said() -> None:
    guarded = replace(WEB, route=Route("/", auth="customers"), secrets={"T": "token"}, strategy=Strategy.CANARY)
    elastic = replace(guarded, instances=Range(1, 4))
    whole = replace(
        PLAIN,
        services=(elastic,),
        auth=(Issuer("customers", "https://id.example", "x"),),
        production=True,
        domain="api.example",
        recovery="us-west-2",
        egress=Egress.ONE,
    )
    found = {one.subject: one for one in caveats(whole)}
    assert found["route web"].withholds == ("web",)
    assert set(found) == {
        "route web", "deploy web", "production", "domain", "scale", "recovery", "egress",
    }  # fmt: skip


def test_an_issuer_with_keys_closes_nothing_and_says_whose_keys_they_are() -> None:
    web = replace(WEB, route=Route("/", auth="customers"))
    key = VerifyingKey("1", "RS256", "a PEM")
    keyed = Issuer("customers", "https://id.example", "x", "keys.json", (key,))
    (found,) = caveats(replace(PLAIN, services=(web,), auth=(keyed,)))
    assert (found.subject, found.withholds) == ("auth customers", ())
    assert found.text == "tokens are verified by the keys in keys.json; the issuer is not asked for newer ones"
    other = replace(WEB, route=Route("/", auth="staff"))
    assert caveats(replace(PLAIN, services=(other,), auth=(keyed,)))[-1].withholds == ("web",)


def test_fixed_addresses() -> None:
    assert facts(PLAIN, 2).leaves_from("a") is None
    one = facts(replace(PLAIN, egress=Egress.ONE), 3)
    assert one.leaves_from("a") == one.leaves_from("c") == IPv4Address("198.51.100.10")
    each = facts(replace(PLAIN, egress=Egress.PER_ZONE), 3)
    assert [str(each.leaves_from(zone)) for zone in "abcd"] == [
        "198.51.100.11",
        "198.51.100.12",
        "198.51.100.13",
        "None",
    ]


def test_what_lies_behind_a_link_that_is_nowhere_described_is_withheld_too() -> None:
    place = Destination(DestinationName("core-api"), 8443, network=IPv4Network("10.20.4.17"), link="core")
    (found,) = caveats(replace(PLAIN, destinations=(place,)))
    assert (found.subject, found.withholds) == ("link core", ("core-api",))
