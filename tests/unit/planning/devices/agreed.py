"""Agreements that the tests of devices share, and how their texts are compared."""

import os
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from anden.model.ids import ZoneName
from anden.model.link import Admitted, Agreement, Endpoint, Opening
from anden.model.topology import Link
from anden.planning.links import agreement, inside

GOLDEN = Path(__file__).parent / "golden"
CORE = Link(
    "core",
    IPv4Address("203.0.113.10"),
    (IPv4Network("10.20.0.0/16"),),
    ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)
BOTH = replace(CORE, networks=(IPv4Network("10.20.0.0/16"), IPv4Network("10.22.0.0/16")))
CERTIFIED = replace(CORE, secret=(), certificate="arn:aws:acm:us-east-1:111122223333:certificate/2f4c-81")
SPEAKING = replace(BOTH, bgp=65010)
"""By BGP, where every device takes several networks."""
OPENINGS = (
    Opening("core-api", IPv4Network("10.20.4.17/32"), 8443),
    Opening("files", IPv4Network("10.20.9.0/24"), 2049),
)
ADMITTED = (
    Admitted(
        "notices", (IPv4Network("10.20.4.0/24"), IPv4Network("10.20.8.1/32")),
        (IPv4Address("100.64.10.6"), IPv4Address("100.64.10.22")), 8443,
    ),
    Admitted("files", (IPv4Network("10.20.9.0/24"),), (IPv4Address("100.64.10.6"), IPv4Address("100.64.10.22")), 2049),
)  # fmt: skip
ADDRESSES = (IPv4Address("198.51.100.100"), IPv4Address("198.51.100.101"))


def agreed(link: Link = CORE, addresses: Sequence[IPv4Address | None] = ADDRESSES) -> Agreement:
    insides: list[IPv4Interface] = [inside(1, number, bgp=link.bgp is not None) for number in (1, 2)]
    endpoints = [Endpoint(address, its) for address, its in zip(addresses, insides, strict=True)]
    return agreement(link, IPv4Network("172.30.0.0/16"), [ZoneName("a")], endpoints)


def golden(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
