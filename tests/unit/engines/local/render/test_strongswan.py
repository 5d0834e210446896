"""strongSwan's side of an agreement as text. That daemons so told raise a tunnel is shown in tests/live."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath

import pytest
from tests.unit.engines.local.render.sample import golden

from anden.engines.local.render.strongswan import (
    LIBIPSEC_MTU,
    Dataplane,
    Proof,
    connection,
    key,
    mss,
    settings,
)
from anden.model.ids import ZoneName
from anden.model.link import Agreement, Endpoint
from anden.model.topology import REHEARSAL, Link
from anden.planning.devices.strongswan import proposals, theirs
from anden.planning.link_policies import AWS
from anden.planning.links import agreement

CORE = Link(
    "core",
    IPv4Address("203.0.113.10"),
    (IPv4Network("10.20.0.0/16"), IPv4Network("10.22.0.0/16")),
    ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)
ENDPOINTS = (Endpoint(IPv4Address("198.51.100.101")), Endpoint(IPv4Address("198.51.100.102")))
FOLDER = PurePosixPath("/run/anden/links/core-1")


def agreed(link: Link = CORE, endpoints: tuple[Endpoint, ...] = ENDPOINTS) -> Agreement:
    return agreement(link, IPv4Network("172.30.0.0/16"), [ZoneName("a")], endpoints)


def test_golden() -> None:
    both = agreed()
    golden("link.strongswan.conf", settings(both, FOLDER, Dataplane.LIBIPSEC))
    told = [{"load-conn": connection(both, tunnel), "load-shared": key(tunnel)} for tunnel in both.tunnels]
    golden("link.vici.json", json.dumps(told, indent=1) + "\n")
    golden("link.theirs.swanctl.conf", theirs(both))


def test_while_somebody_is_invited_one_certificate_is_taken_and_it_has_to_be_of_the_authority_too() -> None:
    both, proof = agreed(replace(CORE, secret=(), certificate=REHEARSAL)), Proof("ours", "authority", "key", 0.0, 1.0)
    any_, one = (connection(both, both.tunnels[0], proof, expected)["core"] for expected in ("", "theirs"))
    assert isinstance(any_, dict)
    assert isinstance(one, dict)
    assert any_["remote"] == {"auth": "pubkey", "cacerts": ["authority"], "id": "203.0.113.10"}
    assert one["remote"] == {"auth": "pubkey", "cacerts": ["authority"], "certs": ["theirs"], "id": "203.0.113.10"}
    assert {**one, "remote": None} == {**any_, "remote": None}


def test_the_kernels_data_plane_is_one_plugin_less() -> None:
    ours, kernels = (settings(agreed(), FOLDER, plane) for plane in Dataplane)
    assert ours.replace(" kernel-libipsec", "") == kernels
    assert ours != kernels


def test_an_aead_is_offered_without_an_integrity_of_its_own() -> None:
    assert proposals(AWS.ike, key_exchange=True) == [
        "aes256-sha256-modp2048-ecp256-ecp384",
        "aes256gcm16-prfsha256-modp2048-ecp256-ecp384",
    ]
    assert proposals(AWS.esp, key_exchange=False) == [
        "aes256-sha256-modp2048-ecp256-ecp384",
        "aes256gcm16-modp2048-ecp256-ecp384",
    ]


def test_keys_live_no_longer_than_agreed() -> None:
    message = json.dumps(connection(agreed(), agreed().tunnels[0]))
    said = json.loads(message)["core"]
    seconds = {name: int(said[name].removesuffix("s")) for name in ("rekey_time", "over_time", "rand_time")}
    assert seconds["rekey_time"] + seconds["over_time"] == AWS.ike.lifetime_s
    child = said["children"]["net"]
    assert child["life_time"] == f"{AWS.esp.lifetime_s}s"
    assert child["rekey_time"] == f"{AWS.esp.lifetime_s - AWS.rekey_margin_s}s"


def test_both_sides_name_the_same_networks_crosswise() -> None:
    straight = agreed(replace(CORE, seen_as=None))
    text = theirs(straight)
    assert text.count("remote_ts = 172.30.0.0/16\n") == len(ENDPOINTS)
    assert text.count("local_ts = 10.20.0.0/16, 10.22.0.0/16\n") == len(ENDPOINTS)


def test_segments_fit_the_narrower_of_the_two() -> None:
    assert mss(agreed(), Dataplane.NETLINK) == AWS.mss
    assert mss(agreed(), Dataplane.LIBIPSEC) == LIBIPSEC_MTU - 40


@pytest.mark.parametrize("endpoints", [(Endpoint(), Endpoint()), (ENDPOINTS[0], Endpoint())])
def test_nothing_is_written_for_an_address_that_is_not_known(endpoints: tuple[Endpoint, ...]) -> None:
    unknown = agreed(endpoints=endpoints)
    second = unknown.tunnels[1]
    for act in (lambda: theirs(unknown), lambda: connection(unknown, second), lambda: key(second)):
        with pytest.raises(ValueError, match="has no address yet"):
            act()
