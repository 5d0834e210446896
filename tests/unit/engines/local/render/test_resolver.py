"""The resolver's files as text. What it answers by them is in tests/unit/engines/local/cell/test_names_server.py."""

import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.local.render.sample import BANK, CASES, golden

from anden.engines.local.render.resolver import STANDINS, book, internet
from anden.model.configuration import AllowName
from anden.model.ids import DestinationName, ServiceName


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    golden(f"{case}.resolver.json", book(CASES[case]))
    golden(f"{case}.internet.json", internet(CASES[case]))


def test_a_service_without_a_port_has_no_name() -> None:
    assert "worker" not in json.loads(book(BANK))["internal"]


hosts = st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True)


def zone(names: set[str]) -> dict[str, IPv4Address]:
    allows = tuple(AllowName(ServiceName("accounts"), DestinationName("x"), name, 443) for name in sorted(names))
    found = json.loads(internet(replace(BANK, names_out=allows)))
    return {name: IPv4Address(about["a"][0]) for name, about in found.items()}


@given(st.sets(hosts, max_size=60))
def test_every_name_has_an_address_of_documentations_and_of_its_own(names: set[str]) -> None:
    found = zone(names)
    assert found.keys() == names
    assert len(set(found.values())) == len(names)
    assert all(any(address in network for network in STANDINS) for address in found.values())


@given(hosts)
def test_a_name_alone_keeps_its_address(name: str) -> None:
    assert zone({name}) == zone({name})


def test_more_names_than_addresses() -> None:
    assert len(zone({f"h{number}.example" for number in range(600)})) == 600
