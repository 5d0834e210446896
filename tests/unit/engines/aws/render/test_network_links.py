"""Links: two tunnels, static routes where they are needed and nowhere else, and the addresses that the client sees."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from tests.unit.engines.aws.render.networks import BANK, BRANCH, CORE, SEEN, Network, network
from tests.unit.planning.topologies import drafted

from anden.engines.aws.render.naming import secret_name
from anden.engines.aws.render.seen_as import parts_of
from anden.engines.aws.render.template import text

CORE_HOST = "10.20.4.17"
BOTH = replace(BANK, links=(BRANCH, SEEN))


def connection(found: Network, link: str = "core") -> dict[str, Any]:
    properties: dict[str, Any] = found.of("EC2::VPNConnection")[found.published()[f"link-{link}"]["Ref"]]
    return properties


def tunnels(found: Network, link: str = "core") -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = connection(found, link)["VpnTunnelOptionsSpecifications"]
    return options


def test_one_gateway_for_all_links() -> None:
    found = network(BOTH)
    (gateway,) = found.of("EC2::VPNGateway")
    attached = [each for each in found.of("EC2::VPCGatewayAttachment").values() if "VpnGatewayId" in each]
    assert attached == [{"VpcId": {"Ref": "Vpc"}, "VpnGatewayId": {"Ref": gateway}}]
    connections = found.of("EC2::VPNConnection")
    assert len(connections) == 2
    assert {each["VpnGatewayId"]["Ref"] for each in connections.values()} == {gateway}
    assert not found.of("EC2::VPNGatewayRoutePropagation")


def test_each_link_has_its_peer_and_what_lies_behind_it() -> None:
    found = network(BOTH)
    for link in (SEEN, BRANCH):
        its = connection(found, link.name)
        peer = found.of("EC2::CustomerGateway")[its["CustomerGatewayId"]["Ref"]]
        assert peer["IpAddress"] == str(link.peer)
        assert its["StaticRoutesOnly"] is True
        own = found.published()[f"link-{link.name}"]
        carried = [r for r in found.of("EC2::VPNConnectionRoute").values() if r["VpnConnectionId"] == own]
        assert sorted(each["DestinationCidrBlock"] for each in carried) == sorted(map(str, link.networks))


def test_by_bgp_nothing_is_static_but_our_own_routes_which_stay_as_they_are() -> None:
    static, spoken = (network(replace(BANK, links=(replace(SEEN, bgp=bgp),))) for bgp in (None, 65010))
    its = connection(spoken)
    assert its["StaticRoutesOnly"] is False
    assert "RemoteIpv4NetworkCidr" not in its  # the neighbours' own addresses have to pass
    assert not spoken.of("EC2::VPNConnectionRoute")
    assert not spoken.of("EC2::VPNGatewayRoutePropagation")
    assert spoken.of("EC2::Route") == static.of("EC2::Route")
    assert spoken.of("EC2::VPNGateway") == static.of("EC2::VPNGateway")  # which a change would replace
    assert [each["TunnelInsideCidr"] for each in tunnels(spoken)] == ["169.254.128.0/30", "169.254.128.4/30"]


@pytest.mark.parametrize(
    ("asn", "said"), [(2**31 - 1, "BgpAsn"), (2**31, "BgpAsnExtended"), (4_200_000_000, "BgpAsnExtended")]
)
def test_a_long_number_has_a_property_of_its_own(asn: int, said: str) -> None:
    (peer,) = network(replace(BANK, links=(replace(SEEN, bgp=asn),))).of("EC2::CustomerGateway").values()
    assert {key: value for key, value in peer.items() if key.startswith("BgpAsn")} == {said: asn}


def test_both_tunnels_say_what_they_speak() -> None:
    first, second = tunnels(network(BANK))
    assert first.pop("PreSharedKey") != second.pop("PreSharedKey")
    assert (first.pop("TunnelInsideCidr"), second.pop("TunnelInsideCidr")) == ("169.254.6.0/30", "169.254.6.4/30")
    assert first == second
    assert first["IKEVersions"] == [{"Value": "ikev2"}]
    for phase in ("Phase1", "Phase2"):
        assert {each["Value"] for each in first[f"{phase}EncryptionAlgorithms"]} == {"AES256", "AES256-GCM-16"}
        assert first[f"{phase}IntegrityAlgorithms"] == [{"Value": "SHA2-256"}]
        assert 2 not in {each["Value"] for each in first[f"{phase}DHGroupNumbers"]}
    assert (first["StartupAction"], first["DPDTimeoutAction"]) == ("start", "restart")
    assert first["RekeyMarginTimeSeconds"] < first["Phase2LifetimeSeconds"] / 2
    assert first["LogOptions"]["CloudwatchLogOptions"]["LogEnabled"] is True


def test_keys_come_by_name() -> None:
    assert secret_name(BANK, "vpn-1") == "banco-andino/certification/vpn-1"
    assert [each["PreSharedKey"] for each in tunnels(network(BANK))] == [
        "{{resolve:secretsmanager:banco-andino/certification/vpn-1}}",
        "{{resolve:secretsmanager:banco-andino/certification/vpn-2}}",
    ]
    assert connection(network(BANK))["PreSharedKeyStorage"] == "SecretsManager"


def test_without_seen_as_tasks_go_straight_to_the_gateway() -> None:
    found = network(BANK)
    assert {found.way(f"Private{zone}", CORE_HOST) for zone in "ABC"} == {"VpnGateway"}
    assert connection(found)["RemoteIpv4NetworkCidr"] == "172.30.0.0/16"
    assert found.blocks() == [IPv4Network("172.30.0.0/16")]


def test_a_link_leads_away_from_the_private_layer_only() -> None:
    for of in (BANK, BOTH):
        found = network(of)
        for subnet in (*found.subnets("Data"), *found.subnets("Edge")):
            assert found.way(subnet, CORE_HOST) is None
        assert {found.way(subnet, CORE_HOST) for subnet in found.subnets("Public")} == {"InternetGateway"}
        for subnet in found.subnets("Private"):
            assert found.way(subnet, "10.99.0.1") == f"Nat{subnet[-1]}", "what no link carries goes the other way"


def test_seen_as_translates_in_the_zone_and_only_then_goes_to_the_gateway() -> None:
    found = network(replace(BANK, links=(SEEN,)))
    assert found.blocks() == [IPv4Network("172.30.0.0/16"), IPv4Network("100.64.10.0/26")]
    taken = []
    for zone in "ABC":
        nat = found.way(f"Private{zone}", CORE_HOST)
        properties = found.of("EC2::NatGateway")[nat]
        assert properties["ConnectivityType"] == "private"
        assert "AllocationId" not in properties
        subnet = properties["SubnetId"]["Ref"]
        assert found.of("EC2::Subnet")[subnet]["AvailabilityZone"] == f"us-east-1{zone.lower()}"
        assert found.way(subnet, CORE_HOST) == "VpnGateway"
        assert found.way(subnet, "198.51.100.7") is None
        taken.append(found.subnets()[subnet])
    assert list(map(str, taken)) == ["100.64.10.0/28", "100.64.10.16/28", "100.64.10.32/28"]
    assert connection(found)["RemoteIpv4NetworkCidr"] == "100.64.10.0/26"


def test_subnets_of_seen_as_wait_for_their_block() -> None:
    found = network(replace(BANK, links=(SEEN,)))
    (block,) = found.of("EC2::VPCCidrBlock")
    inside = [name for name, network_ in found.subnets().items() if network_.subnet_of(IPv4Network("100.64.0.0/10"))]
    assert len(inside) == 3
    assert all(found.resources[name]["DependsOn"] == [block] for name in inside)


def test_seen_as_in_every_zone_leads_to_the_core_and_back() -> None:
    found = network(replace(BANK, links=(SEEN,)))
    assert all(found.reaches(f"Private{zone}", CORE_HOST, 8443) for zone in "ABC")
    assert not found.reaches("PrivateA", CORE_HOST, 8444)


def test_nothing_comes_in_through_a_link() -> None:
    for link in (CORE, SEEN):
        found = network(replace(BANK, links=(link,)))
        for subnet in found.subnets():
            for port in (22, 443, 1023):
                assert not found.passes(subnet, False, CORE_HOST, port)


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ("100.64.10.0/28", ["100.64.10.0/28"]),
        ("100.64.10.0/27", ["100.64.10.0/28", "100.64.10.16/28"]),
        ("100.64.10.0/26", ["100.64.10.0/28", "100.64.10.16/28", "100.64.10.32/28", "100.64.10.48/28"]),
        ("100.64.10.0/24", ["100.64.10.0/26", "100.64.10.64/26", "100.64.10.128/26", "100.64.10.192/26"]),
        ("100.64.10.0/29", []),
    ],
)
def test_the_block_is_cut_for_the_zones(block: str, parts: list[str]) -> None:
    assert list(map(str, parts_of(IPv4Network(block)))) == parts


def test_a_zone_more_moves_no_part() -> None:
    two, three = (network(replace(BANK, links=(SEEN,), zones=zones)).subnets() for zones in (2, 3))
    assert two.items() <= three.items()


def test_the_way_to_a_network_is_changed_in_its_place() -> None:
    """A table takes one route to a network: another under a new name would be refused while the first is there."""
    straight, seen = network(BANK), network(replace(BANK, links=(SEEN,)))
    ways = {name: r for name, r in straight.of("EC2::Route").items() if r["DestinationCidrBlock"] == "10.20.0.0/16"}
    assert len(ways) == 3
    for name in ways:
        assert "GatewayId" in straight.of("EC2::Route")[name]
        assert "NatGatewayId" in seen.of("EC2::Route")[name]


def test_a_link_that_goes_stays_until_its_last_caller_is_gone() -> None:
    gone = replace(BANK, links=(), destinations=BANK.destinations[1:])
    between = network(gone, BANK)
    assert between.reaches("PrivateB", CORE_HOST, 8443)
    assert between.of("EC2::VPNConnection") == network(BANK).of("EC2::VPNConnection")
    assert not network(gone).of("EC2::VPNConnection")


def test_a_network_that_a_link_no_longer_carries_stays_as_long() -> None:
    elsewhere = replace(CORE, networks=(IPv4Network("10.21.0.0/16"),), peer=IPv4Address("203.0.113.11"))
    between = network(replace(BANK, links=(elsewhere,), destinations=BANK.destinations[1:]), BANK)
    assert between.way("PrivateA", CORE_HOST) == between.way("PrivateA", "10.21.0.1") == "VpnGateway"
    assert [each["IpAddress"] for each in between.of("EC2::CustomerGateway").values()] == ["203.0.113.11"]


def test_no_key_stands_in_a_template_or_a_blueprint() -> None:
    target = drafted(BOTH)
    keys = [each["PreSharedKey"] for link in ("branch", "core") for each in tunnels(network(target), link)]
    assert all(key.startswith("{{resolve:secretsmanager:") for key in keys)
    assert len(set(keys)) == 4
    assert text(network(target).resources).count('PreSharedKey"') == 4


def test_links_may_be_called_as_other_things_are() -> None:
    names = ("core", "core-acl", "core-block", "logs", "core-nat-a", "core-subnet-a-acl")
    links = tuple(
        replace(
            CORE, name=name, networks=(IPv4Network(f"10.{20 + n}.0.0/16"),), seen_as=IPv4Network(f"100.64.{n}.0/26")
        )
        for n, name in enumerate(names)
    )
    found = network(replace(BANK, links=tuple(sorted(links, key=lambda link: link.name))))
    assert len(found.of("EC2::VPNConnection")) == len(names)
    for number in range(len(names)):
        nat = found.way("PrivateB", f"10.{20 + number}.0.1")
        its = found.of("EC2::NatGateway")[nat]["SubnetId"]["Ref"]
        assert found.subnets()[its].subnet_of(IPv4Network(f"100.64.{number}.0/26"))
