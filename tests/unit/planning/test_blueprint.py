from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.unit.planning.topologies import drafted, images, service, topology

from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.mark import Mark
from anden.model.problem import Problems
from anden.model.topology import Range
from anden.planning.blueprint import draft

BANK = topology(
    service("accounts", instances=Range(2, 8), reaches=("ledger",)),
    service("ledger", instances=Range(2, 4)),
    service("worker", None),
    zones=3,
)


def test_everything_is_placed() -> None:
    blueprint = drafted(BANK)
    assert blueprint.parent is None
    assert [placement.service for placement in blueprint.placements] == ["accounts", "ledger", "worker"]
    assert blueprint.placement("accounts").address == blueprint.layout.names[4]
    assert [slot.zone for slot in blueprint.placement("ledger").slots] == ["b", "c", "a", "b", "c"]
    assert codec.from_json(Blueprint, codec.to_json(blueprint)) == blueprint


def test_it_names_its_parent_and_is_never_its_own() -> None:
    first = drafted(BANK)
    second = drafted(replace(BANK, zones=2), first)
    again = drafted(replace(BANK, zones=2), second)
    assert second.parent == first.digest
    assert again.digest == second.digest
    assert again.parent == first.digest


def test_facts_are_new_each_time_and_not_in_the_digest() -> None:
    first = drafted(BANK)
    facts = Facts({"a": IPv4Address("203.0.113.1")})
    second = draft(BANK, images(BANK), facts, first)
    assert second.facts == facts
    assert second.digest == first.digest


def test_images_of_other_services_are_left_out() -> None:
    more = {**images(BANK), "stranger": images(BANK)["ledger"]}
    assert draft(BANK, more, Facts(), None).digest == drafted(BANK).digest


def test_a_service_without_an_image_is_a_problem_of_its_own() -> None:
    with pytest.raises(Problems) as found:
        draft(BANK, {"ledger": images(BANK)["ledger"]}, Facts(), None, {"services/worker": Mark("anden.yaml", 9)})
    assert [problem.where for problem in found.value.problems] == [
        "services/accounts/image",
        "services/worker/image (anden.yaml:9)",
    ]


def test_a_thousand_services() -> None:
    many = topology(*(service(f"s{index:04}", instances=Range(2, 8)) for index in range(1000)), zones=3)
    resolved = images(many)
    blueprint = draft(many, resolved, Facts(), None)
    assert draft(many, resolved, Facts(), blueprint) == blueprint
    assert sum(len(placement.slots) for placement in blueprint.placements) == 10_000
