"""What a plan on AWS says beforehand: what blocks and what is a guess, and what changes in the cost."""

from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address, IPv4Network

from tests.unit.engines.aws.made import blueprint, service

from anden.engines.aws.foresight import foresee, preflight_of
from anden.model.blueprint import Blueprint
from anden.model.foresight import Foresight
from anden.model.mark import Mark
from anden.model.override import Operation, Override
from anden.model.preflight import AccountFacts
from anden.model.topology import Link, Route

TODAY = date(2025, 7, 1)
LARGE = blueprint(service("web", "2..8", cpu=1000, memory=2048))


def seen(given: Blueprint, current: Blueprint | None = None, allowed: float | None = None) -> Foresight:
    quotas = {"fargate-vcpu": allowed} if allowed is not None else {}
    facts = AccountFacts("111122223333", "us-east-1", 0.0, quotas) if allowed is not None else None
    return foresee(given, current, {}, facts, TODAY)


def test_a_guess_blocks_nothing_and_an_accounts_word_does() -> None:
    guessed = seen(LARGE)
    assert [each.name for each in guessed.shortfalls] == ["Fargate vCPU"]
    assert guessed.problems == ()
    said = seen(LARGE, allowed=7.0)
    assert [(each.where, each.what) for each in said.problems] == [("quota Fargate vCPU", "7 left, 8 needed at max")]
    assert said.problems[0].fix == "Ask for more: fargate/L-3032A538."
    assert seen(LARGE, allowed=16.0).problems == ()


def test_what_aws_raises_for_nobody_is_no_guess() -> None:
    crowd = seen(blueprint(service("web", "1..1001")))
    assert [each.where for each in crowd.problems] == ["quota tasks of a service (web)"]


def test_the_cost_of_a_change_is_beside_what_was_there() -> None:
    small = blueprint(service("web", "1..2", cpu=1000, memory=2048))
    new, more = seen(small).cost, seen(LARGE, small).cost
    assert new is not None
    assert more is not None
    assert (new.was_base, new.was_max) == (None, None)
    assert (more.was_base, more.was_max) == (new.base, new.max)
    assert more.base > new.base


def test_what_aws_refuses_of_a_link_blocks_with_its_place_in_plan_and_preflight() -> None:
    link = Link("core", IPv4Address("10.9.9.9"), (IPv4Network("192.0.2.0/24"),), ("vpn-1", "vpn-2"))
    private, marks = blueprint(service(), links=(link,)), {"links/core/peer": Mark("anden.yaml", 9)}
    found = foresee(private, None, marks, None, TODAY).problems
    assert [(each.where, each.what) for each in found] == [
        ("links/core/peer (anden.yaml:9)", "10.9.9.9 cannot be reached from AWS")
    ]
    assert preflight_of(private, None, marks).problems == found
    public = blueprint(service(), links=(replace(link, peer=IPv4Address("203.0.113.10")),))
    assert foresee(public, None, {}, None, TODAY).problems == ()


def test_an_override_that_cannot_be_done_blocks_with_its_place() -> None:
    wrong = replace(LARGE, overrides=(Override("rules", (Operation("remove", "/Resources/Nothing"),)),))
    found = foresee(wrong, None, {"overrides/rules/0": Mark("overrides/it.yaml", 3)}, None, TODAY)
    assert [each.where for each in found.problems] == ["override rules /Resources/Nothing (overrides/it.yaml:3)"]
    assert found.cost is None


def test_without_a_region_or_prices_nothing_is_made_up() -> None:
    assert seen(blueprint(service(), region=None)) == Foresight()
    assert seen(blueprint(service(), region="xx-nowhere-1")).cost is None
    was = blueprint(service(), region=None)
    assert seen(LARGE, was).cost is None


def test_more_routes_than_a_stack_holds_are_said() -> None:
    many = blueprint(*(service(f"s{number}", route=Route(f"/s{number}")) for number in range(130)))
    found = {each.where: each for each in seen(many).problems}
    assert "Have fewer routes" in found["quota resources of a stack (edge)"].fix
    assert "quota resources of a stack (edge)" not in {each.where for each in seen(LARGE).problems}
