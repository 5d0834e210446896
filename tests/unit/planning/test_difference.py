from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, drafted, images, service, topologies, topology

from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest
from anden.model.mark import Mark
from anden.model.override import Operation, Override
from anden.model.plan import Difference
from anden.model.topology import (
    Cors,
    Egress,
    Health,
    ImageSource,
    Issuer,
    Latency,
    Link,
    Protocol,
    Range,
    Rate,
    Route,
    Scale,
    ScaleMetric,
    Service,
    Size,
    Slo,
    Strategy,
    Topology,
    VerifyingKey,
)
from anden.planning.blueprint import draft
from anden.planning.difference import differences

ACCOUNTS = service("accounts", instances=Range(2, 8), reaches=("ledger",), env={"LOG_LEVEL": "info", "OLD": "1"})
LEDGER = service("ledger", instances=Range(2, 4))
BANK = topology(ACCOUNTS, LEDGER, zones=2)
MARKS = {
    "services/accounts": Mark("anden.yaml", 29),
    "services/accounts/image": Mark("anden.yaml", 30),
    "services/accounts/reaches/exchange": Mark("anden.yaml", 37),
    "services/accounts/instances": Mark("anden.yaml", 12),
    "environments/certification/zones": Mark("anden.yaml", 4),
    "destinations/exchange": Mark("anden.yaml", 6),
}


def line(difference: Difference) -> str:
    """As the design shows it."""
    tail = ", ".join(part for part in (str(difference.mark or ""), difference.note) if part)
    return f"{difference.action} {difference.subject}  {difference.text}" + (f"  {tail}" if tail else "")


def changed(after: Topology, before: Topology = BANK, resolved: Mapping[str, Any] | None = None) -> list[str]:
    first = drafted(before)
    second = draft(after, resolved or images(after), Facts(), first)
    return [line(difference) for difference in differences(first, second, MARKS)]


def accounts(**fields: Any) -> Topology:
    return replace(BANK, services=(replace(ACCOUNTS, **fields), LEDGER))


def test_a_new_version() -> None:
    after = accounts(source=ImageSource("accounts:1.4.3"))
    resolved = {**images(after), "accounts": replace(images(after)["accounts"], name="accounts:1.4.3")}
    assert changed(after, resolved=resolved) == ["~ accounts  1.0.0 → 1.4.3  anden.yaml:30, never below 2"]


def test_the_same_tag_with_other_bytes() -> None:
    resolved = {**images(BANK), "accounts": replace(images(BANK)["accounts"], digest=Digest("sha256:" + "f" * 64))}
    assert changed(BANK, resolved=resolved) == [
        "~ accounts  1.0.0 rebuilt: 00000000 → ffffffff  anden.yaml:30, never below 2"
    ]


def test_another_name_for_the_same_bytes() -> None:
    after = accounts(source=ImageSource("registry.example/accounts:1.0.0"))
    assert changed(after) == [
        "~ accounts  image accounts:1.0.0 → registry.example/accounts:1.0.0  anden.yaml:30, the same bytes"
    ]


def test_a_path_and_its_destination() -> None:
    after = replace(accounts(reaches=("exchange",)), destinations=(destination("exchange", "api.exchange.example"),))
    assert changed(after) == [
        "+ path  accounts → exchange  anden.yaml:37",
        "- path  accounts → ledger",
        "+ destination  exchange api.exchange.example:443  anden.yaml:6",
    ]


def test_services_come_and_go() -> None:
    after = replace(BANK, services=(ACCOUNTS, service("payments", instances=Range(1, 3))))
    after = replace(after, services=(replace(ACCOUNTS, reaches=()), after.services[1]))
    assert changed(after) == [
        "- ledger  1.0.0, 2..4 instances",
        "+ payments  1.0.0, 1..3 instances",
        "- path  accounts → ledger",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"instances": Range(2, 10)}, "2..8 → 2..10 instances  anden.yaml:12"),
        ({"size": Size(1000, 2048)}, "0.25 CPU, 512 MB → 1 CPU, 2 GB  anden.yaml:29, never below 2"),
        ({"port": 9090}, "port 8080 → 9090  anden.yaml:29, never below 2"),
        ({"port": None}, "port 8080 → none  anden.yaml:29, never below 2"),
        ({"health": Health("/health")}, "health TCP → GET /health  anden.yaml:29, never below 2"),
        ({"route": Route("/a", "api.example", "who")}, "route none → api.example/a for who  anden.yaml:29"),
        ({"scale": Scale(ScaleMetric.REQUESTS, 50.0)}, "scale none → 50 requests  anden.yaml:29"),
        ({"scale": Scale(ScaleMetric.CPU, 60.0)}, "scale none → 60% cpu  anden.yaml:29"),
        ({"command": ("serve", "--fast")}, "command none → serve --fast  anden.yaml:29, never below 2"),
        ({"timeout_s": 2.5}, "timeout 30 s → 2.5 s  anden.yaml:29, never below 2"),
        ({"strategy": Strategy.CANARY}, "deploy rolling → canary  anden.yaml:29"),
        ({"slo": Slo(99.9, Latency(99.0, 300.0))}, "slo none → 99.9%, 99% < 300 ms  anden.yaml:29"),
        ({"writable": ("/tmp", "/var/cache")}, "writable /tmp → /tmp /var/cache  anden.yaml:29, never below 2"),
    ],
)
def test_a_field_of_a_service(fields: dict[str, Any], said: str) -> None:
    assert changed(accounts(**fields)) == [f"~ accounts  {said}"]


def test_variables_are_named_and_never_shown() -> None:
    after = accounts(env={"LOG_LEVEL": "s3cr3t-looking", "NEW": "v4lue"}, secrets={"CORE_TOKEN": "core-token"})
    first, second = changed(after)
    assert first == "~ accounts  env NEW added, LOG_LEVEL changed, OLD removed  anden.yaml:29, never below 2"
    assert second == "~ accounts  secrets CORE_TOKEN added  anden.yaml:29, never below 2"


def test_an_order_of_reaches_moves_nothing() -> None:
    before = accounts(reaches=("ledger", "accounts"))
    assert changed(accounts(reaches=("accounts", "ledger")), before) == [
        "~ accounts  reaches in another order  anden.yaml:29, nothing moves"
    ]


def test_another_network_replaces_everything() -> None:
    assert changed(replace(BANK, network=IPv4Network("10.7.0.0/16"))) == [
        "~ network  172.30.0.0/16 → 10.7.0.0/16  replaces everything"
    ]
    assert changed(replace(BANK, network=IPv4Network("172.30.0.0/16"))) == [
        "~ network  172.30.0.0/16 declared  nothing moves"
    ]


def test_zones_say_how_many_places_move() -> None:
    assert changed(replace(BANK, zones=3)) == ["~ zones  2 → 3  anden.yaml:4, moves 10 of 15 places"]


def test_the_environments_own_fields() -> None:
    assert changed(replace(BANK, egress=Egress.ONE, production=True, agreed=99.9)) == [
        "~ production  no → yes",
        "~ egress  none → one",
        "~ agreed  none → 99.9",
    ]


def test_what_lies_outside() -> None:
    link = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("one", "two"))
    before = replace(
        BANK,
        destinations=(destination("core-api", "10.20.4.17/32", 8443, "core"),),
        links=(link,),
        auth=(Issuer("customers", "https://id.banco.example", "bank"),),
    )
    after = replace(
        before,
        destinations=(destination("core-api", "10.20.4.18/32", 8443, "core"),),
        links=(replace(link, seen_as=IPv4Network("100.64.10.0/26"), secret=("three", "four"), bgp=65010),),
        auth=(),
    )
    assert changed(after, before) == [
        "~ destination  core-api 10.20.4.17:8443 → 10.20.4.18:8443 by link core",
        "~ link  core secret one two → three four, seen-as none → 100.64.10.0/26, bgp none → 65010",
        "- auth  customers https://id.banco.example",
    ]


def test_keys_and_scopes() -> None:
    """A key with the id of another is told apart; nobody reads a PEM."""
    key = VerifyingKey("1", "RS256", "a PEM")
    issuer = Issuer("customers", "https://id.banco.example", "bank", "keys.json", (key,))
    before = accounts(route=Route("/accounts", auth="customers"))
    after = accounts(route=Route("/accounts", auth="customers", scopes=("a", "b")))
    changed_key = replace(issuer, keys=(replace(key, pem="another PEM"),))
    assert changed(replace(after, auth=(changed_key,)), replace(before, auth=(issuer,))) == [
        "~ accounts  route /accounts for customers → /accounts for customers with a b  anden.yaml:29",
        "~ auth  customers keys 1 (1118111a) → 1 (a780ea2c)",
    ]


def test_limits_of_a_route() -> None:
    cors = Cors(("https://app.bank.example",), ("GET",), ("authorization",), True, 60.0)
    limited = Route("/a", rewrite="/v1", body_bytes=1024, rate=Rate(5, 1), rate_each=Rate(9, 60), cors=cors)
    assert changed(accounts(route=limited), accounts(route=Route("/a"))) == [
        "~ accounts  route /a → /a as /v1, 1,024 bytes, 5/s in all, 9/min each,"
        " cors https://app.bank.example GET authorization with cookies for 60 s  anden.yaml:29",
    ]


def test_a_first_blueprint_is_new_from_end_to_end() -> None:
    assert [line(difference) for difference in differences(None, drafted(BANK), MARKS)] == [
        "+ network  172.30.0.0/16, 2 zones, egress none",
        "+ accounts  1.0.0, 2..8 instances  anden.yaml:29",
        "+ ledger  1.0.0, 2..4 instances",
        "+ path  accounts → ledger  anden.yaml:29",
    ]


def test_places_that_only_history_explains() -> None:
    moved = drafted(BANK, drafted(topology(LEDGER, zones=2)))
    fresh = drafted(BANK)
    assert moved.digest != fresh.digest
    assert [line(difference) for difference in differences(fresh, moved, {})] == [
        "~ accounts  packet mark 1 → 2",
        "~ accounts  internal address 172.30.64.4 → 172.30.64.5",
        "~ accounts  moves 10 of 10 places",
        "~ ledger  packet mark 2 → 1",
        "~ ledger  internal address 172.30.64.5 → 172.30.64.4",
        "~ ledger  moves 6 of 6 places",
    ]


EVERY_FIELD_OF_A_SERVICE: dict[str, Any] = {
    "source": ImageSource(build="./accounts"), "port": 1, "protocol": Protocol.TCP, "instances": Range(1, 1),
    "size": Size(512, 1024), "scale": Scale(ScaleMetric.CPU, 1.0), "route": Route("/x"), "health": Health("/x"),
    "reaches": ("accounts",), "env": {"X": "1"}, "secrets": {"X": "x"}, "strategy": Strategy.BLUE_GREEN,
    "slo": Slo(1.0), "command": ("x",), "user": "1", "timeout_s": 1.0, "stop_s": 1.0, "start_s": 1.0,
    "writable": (),
}  # fmt: skip
EVERY_FIELD_OF_A_TOPOLOGY: dict[str, Any] = {
    "client": "x", "environment": "x", "destinations": (destination("x", "x.example"),),
    "links": (Link("x", IPv4Address("192.0.2.1"), (), ()),), "auth": (Issuer("x", "x", "x"),), "production": True,
    "zones": 4, "egress": Egress.ONE, "network": IPv4Network("10.0.0.0/16"), "region": "x", "recovery": "x",
    "account": "x", "domain": "x", "agreed": 1.0,
}  # fmt: skip
FALLBACK = "blueprint"


def test_every_field_has_words_and_a_new_field_must_be_added_here() -> None:
    assert EVERY_FIELD_OF_A_SERVICE.keys() == set(Service.__dataclass_fields__) - {"name"}
    assert EVERY_FIELD_OF_A_TOPOLOGY.keys() == set(Topology.__dataclass_fields__) - {"services"}
    before = drafted(BANK)
    afters = [accounts(**{name: value}) for name, value in EVERY_FIELD_OF_A_SERVICE.items()]
    afters += [replace(BANK, **{name: value}) for name, value in EVERY_FIELD_OF_A_TOPOLOGY.items()]
    for after in afters:
        found = differences(before, drafted(after, before), {})
        assert found
        assert all(one.subject != FALLBACK and one.text for one in found), found


@st.composite
def blueprints(draw: st.DrawFn, bank: st.SearchStrategy[Topology]) -> Blueprint:
    """With some history and some images."""
    history = draw(st.lists(bank, max_size=2))
    parent = None
    for one in history:
        parent = drafted(one, parent)
    last = draw(bank)
    return draft(
        last, images(last, draw(st.sampled_from(["1.0.0", "1.1.0"])), draw(st.sampled_from("01"))), Facts(), parent
    )


@settings(max_examples=80, deadline=None)
@given(blueprints(topologies()), blueprints(topologies()))
def test_different_digests_always_have_a_difference_and_equal_ones_none(one: Blueprint, other: Blueprint) -> None:
    found = differences(one, other, {})
    assert bool(found) == (one.digest != other.digest)
    assert all(difference.subject != FALLBACK for difference in found)
    assert len(set(found)) == len(found)
    assert not differences(one, one, {})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_edited_field_is_one_kind_of_difference(data: st.DataObject) -> None:
    before = drafted(data.draw(topologies()))
    service = data.draw(st.sampled_from(before.topology.services))
    name = data.draw(st.sampled_from(sorted(EVERY_FIELD_OF_A_SERVICE)))
    edited = replace(service, **{name: EVERY_FIELD_OF_A_SERVICE[name]})
    assume(edited != service)
    others = [edited if one is service else one for one in before.topology.services]
    after = drafted(replace(before.topology, services=tuple(others)), before)
    for difference in differences(before, after, {}):
        assert difference.subject in (service.name, "path")


def test_facts_and_parents_are_no_difference() -> None:
    before = drafted(BANK)
    after = replace(before, parent=before.digest, facts=Facts({"a": IPv4Address("203.0.113.1")}))
    assert differences(before, after, {}) == ()


def test_what_no_words_exist_for_is_said_all_the_same() -> None:
    before = drafted(BANK)
    after = replace(before, images={**before.images, "stranger": before.images["ledger"]})
    (found,) = differences(before, after, {})
    assert found.subject == FALLBACK


# Overrides of what is rendered.

ADD = Operation("add", "/Resources/Vpc/Metadata", "{}")
DROP = Operation("remove", "/Resources/Nat")


def overrides(*given: Override) -> Blueprint:
    return replace(drafted(BANK), overrides=given)


def overridden(before: Blueprint | None, after: Blueprint) -> list[str]:
    marks = {**MARKS, "overrides/network/1": Mark("overrides/network.yaml", 7)}
    return [line(each) for each in differences(before, after, marks) if each.subject == "override"]


def test_overrides_that_come_and_go() -> None:
    one, both = overrides(Override("network", (ADD,))), overrides(Override("network", (ADD, DROP)))
    assert overridden(one, both) == ["~ override  network remove /Resources/Nat  overrides/network.yaml:7"]
    assert overridden(both, one) == ["- override  network remove /Resources/Nat"]
    assert overridden(None, one) == ["~ override  network add /Resources/Vpc/Metadata"]
    assert overridden(one, one) == []
    other = overrides(Override("edge", (ADD,)))
    assert overridden(one, other) == [
        "~ override  edge add /Resources/Vpc/Metadata", "- override  network add /Resources/Vpc/Metadata",
    ]  # fmt: skip


def test_overrides_in_another_order_are_a_difference() -> None:
    one, other = overrides(Override("network", (ADD, DROP))), overrides(Override("network", (DROP, ADD)))
    assert one.digest != other.digest
    assert overridden(one, other) == ["~ override  network: the same operations, in another order or number"]
    assert overridden(one, overrides(Override("network", (ADD, DROP, ADD)))) == [
        "~ override  network: the same operations, in another order or number"
    ]
