"""The name of a blueprint: what is part of it, and that it stays what it was."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from tests.unit.planning.topologies import drafted, service, topology

from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.link import PolicyName
from anden.model.override import Operation, Override
from anden.model.topology import Issuer, Link, Rate, Route, VerifyingKey

OVERRIDE = Override("network", (Operation("remove", "/Resources/Vpc/Metadata"),))


@pytest.fixture
def given() -> Blueprint:
    return drafted(topology(service("accounts"), service("ledger")))


def test_without_overrides_the_name_is_what_it_was_before_there_were_any(given: Blueprint) -> None:
    older = {
        "topology": codec.to_data(given.topology), "layout": codec.to_data(given.layout),
        "placements": [codec.to_data(each) for each in given.placements],
        "images": {name: codec.to_data(each) for name, each in given.images.items()},
    }  # fmt: skip
    assert given.digest == codec.digest(older)


def test_overrides_are_part_of_the_name_and_facts_are_not(given: Blueprint) -> None:
    more = replace(given, overrides=(OVERRIDE,))
    other = replace(given, overrides=(Override("network", (Operation("remove", "/Resources/Vpc/Other"),)),))
    assert len({given.digest, more.digest, other.digest}) == 3
    assert replace(more, facts=Facts({"a": IPv4Address("192.0.2.1")})).digest == more.digest


def test_a_blueprint_from_before_there_were_overrides_has_none(given: Blueprint) -> None:
    data = codec.to_data(given)
    del data["overrides"]
    assert codec.from_data(Blueprint, data) == given
    more = replace(given, overrides=(OVERRIDE,))
    assert codec.from_json(Blueprint, codec.to_json(more)).digest == more.digest


def test_without_keys_and_scopes_the_name_is_what_it_was_before_there_were_any() -> None:
    def named(scopes: tuple[str, ...] = (), keys: tuple[VerifyingKey, ...] = ()) -> Blueprint:
        issuer = Issuer("customers", "https://id.example", "bank", "keys.json" if keys else None, keys)
        web = service("web", route=Route("/", auth="customers", scopes=scopes))
        return drafted(topology(web, service("worker", port=None), auth=(issuer,)))

    plain = named()
    data = codec.to_data(plain)
    older = {name: data[name] for name in ("topology", "layout", "placements", "images")}
    for later in ("scopes", "rewrite", "body_bytes", "rate", "rate_each", "cors"):
        del older["topology"]["services"][0]["route"][later]
    for later in ("keys", "keys_file"):
        del older["topology"]["auth"][0][later]
    assert plain.digest == codec.digest(older)
    assert codec.from_data(Blueprint, {**data, **older}) == plain
    key = VerifyingKey("1", "RS256", "a PEM")
    other = replace(key, pem="another PEM")
    assert len({each.digest for each in (plain, named(("a",)), named((), (key,)), named((), (other,)))}) == 4


def test_limits_are_part_of_the_name_also_where_nothing_may_come() -> None:
    def named(**limits: Any) -> Blueprint:
        return drafted(topology(service("web", route=Route("/", **limits))))

    all_of_them = named(), named(body_bytes=0), named(rate=Rate(1, 1)), named(rate_each=Rate(1, 1)), named(rewrite="/a")
    assert len({each.digest for each in all_of_them}) == len(all_of_them)


def test_a_link_of_the_first_policy_keeps_the_name_that_it_had_before_there_were_others() -> None:
    core = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"))
    first, other = (
        drafted(topology(service("web"), links=(replace(core, policy=policy),)))
        for policy in (PolicyName.AWS, PolicyName.GCM_384)
    )
    older = codec.to_data(first)
    for later in ("policy", "bgp", "certificate", "incoming"):
        del older["topology"]["links"][0][later]
    assert codec.from_data(Blueprint, older) == first
    assert len({first.digest, other.digest}) == 2
    said = {name: older[name] for name in ("topology", "layout", "placements", "images", "links")}
    assert first.digest == codec.digest(said)
