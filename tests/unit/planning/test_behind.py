"""What the firewall lets through to the other side of links, and which links are raised."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import DestinationName, EngineName, ServiceName
from anden.model.plan import Caveat
from anden.model.topology import Destination, ImageSource, Link, Range, Service, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from anden.planning.firewall import allows_behind

CORE = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"))


def place(name: str, network: str, link: str | None = "core") -> Destination:
    return Destination(DestinationName(name), 8443, network=IPv4Network(network), link=link)


def topology(*reaches: str, links: tuple[Link, ...] = (CORE,)) -> Topology:
    web = Service(ServiceName("web"), ImageSource("web:1"), port=8080, instances=Range(1, 1), reaches=reaches)
    places = (place("core-api", "10.20.4.17"), place("astray", "10.99.0.1"), place("open", "192.0.2.1", None))
    return Topology("bank", "dev", (web,), destinations=places, links=links)


def drafted(of: Topology) -> Blueprint:
    images = SimulatedImages().presume(Path(), {each.name: each.source for each in of.services})
    return draft(of, images, Facts(), None)


def test_what_lies_in_the_links_networks_and_is_declared() -> None:
    [allow] = allows_behind(topology("core-api", "astray", "open"), ())
    assert (allow.caller, allow.destination, allow.link, str(allow.network)) == (
        "web", "core-api", "core", "10.20.4.17/32",
    )  # fmt: skip
    assert allows_behind(topology(), ()) == ()


@pytest.mark.parametrize("name", ["core-api", "core"])
def test_nothing_where_the_destination_or_its_link_is_withheld(name: str) -> None:
    assert allows_behind(topology("core-api"), [Caveat(EngineName.LOCAL, name, "not here", (name,))]) == ()


def test_nothing_by_a_link_that_is_nowhere_described() -> None:
    assert allows_behind(topology("core-api", links=()), ()) == ()


def test_a_link_that_is_dropped_stays_while_its_callers_do_and_of_two_the_target_s_is_raised() -> None:
    before, after = drafted(topology("core-api")), drafted(topology(links=()))
    assert [each.link for each in configure(after, before, ()).links] == [CORE]
    assert configure(after, None, ()).links == ()
    moved = replace(CORE, peer=IPv4Address("203.0.113.20"))
    [linked] = configure(drafted(topology("core-api", links=(moved,))), before, ()).links
    assert linked.link == moved
    assert [each.name for each in linked.keys] == ["vpn-1", "vpn-2"]
