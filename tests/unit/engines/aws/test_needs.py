"""What an environment needs of each quota: every count against a small case made by hand."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engines.aws.made import blueprint, service, stack

from anden.engines.aws import tables
from anden.engines.aws.caveats import caveats
from anden.engines.aws.needs import needs
from anden.engines.aws.render import stacks as rendered
from anden.engines.aws.render.template import Published, Stack, att, ref
from anden.model.blueprint import Blueprint
from anden.model.ids import ServiceName
from anden.model.preflight import Need
from anden.model.topology import Egress, Incoming, Link, Route, Service, Strategy

Three = tuple[float, float, float]
Made = dict[str, tuple[str, dict[str, Any]]]


def needed(given: Blueprint, *stacks: Stack) -> dict[str, Need]:
    found = {need.quota: need for need in needs(given, stacks)}
    assert found.keys() <= tables.quotas().quotas.keys()
    return found


def three(need: Need) -> Three:
    return need.base, need.max, need.deploying


def many(kind: str, count: int, **properties: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    return {f"{kind.rpartition('::')[2]}{number}": (kind, properties) for number in range(count)}


# From the blueprint.


def test_vcpus_at_base_at_max_and_while_deploying() -> None:
    web, api = service("web", "2..8", cpu=1000), service("api", "1..2", cpu=250)
    # Beyond the maximum a change may start a quarter, at least one: 2 of web and 1 of api.
    assert three(needed(blueprint(web, api))["fargate-vcpu"]) == (2.25, 8.5, 10.75)


def test_blue_green_runs_both_versions_whole() -> None:
    web = service("web", "2..8", cpu=1000, strategy=Strategy.BLUE_GREEN)
    assert three(needed(blueprint(web))["fargate-vcpu"]) == (2, 8, 16)
    assert three(needed(blueprint(web))["service-tasks"]) == (2, 8, 16)


@pytest.mark.parametrize(("percent", "most"), [(200, 16), (150, 12), (115, 9), (100, 8)])
def test_a_service_template_bounds_its_deployment(percent: int, most: int) -> None:
    made = {"Service": ("AWS::ECS::Service", {"DeploymentConfiguration": {"MaximumPercent": percent}})}
    found = needed(blueprint(service("web", "2..8", cpu=1000)), stack("service-web", made))
    assert three(found["fargate-vcpu"]) == (2, 8, most)


def test_the_service_with_most_tasks_is_named() -> None:
    found = needed(blueprint(service("web", "2..8"), service("api", "1..20")))["service-tasks"]
    assert (found.of, three(found)) == ("api", (2, 20, 25))
    assert three(needed(blueprint(service("web"), service("api")))["services"]) == (2, 2, 2)


def test_addresses_in_the_fullest_zone() -> None:
    two = blueprint(service("web", "2..8"), service("api", "1..3"), zones=2)
    # web: 1, 4, 5 of 10; api: 1, 2, 2 of 4.
    assert three(needed(two)["private-addresses"]) == (2, 6, 7)
    one = blueprint(service("web", "2..8"), service("api", "1..3"))
    assert three(needed(one)["private-addresses"]) == (3, 11, 14)


def test_secrets_are_counted_once() -> None:
    both = {"A": "core-token", "B": "other"}
    assert three(needed(blueprint(service("web", secrets=both), service("api", secrets=both)))["secrets"]) == (2, 2, 2)


# From the stacks.


@pytest.mark.parametrize(
    ("quota", "kind"),
    [
        ("vpcs", "AWS::EC2::VPC"), ("addresses", "AWS::EC2::EIP"),
        ("balancers", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
        ("balancer-target-groups", "AWS::ElasticLoadBalancingV2::TargetGroup"),
        ("target-groups", "AWS::ElasticLoadBalancingV2::TargetGroup"),
        ("balancer-rules", "AWS::ElasticLoadBalancingV2::ListenerRule"), ("vpn-connections", "AWS::EC2::VPNConnection"),
        ("vpn-gateways", "AWS::EC2::VPNGateway"), ("customer-gateways", "AWS::EC2::CustomerGateway"),
        ("keys", "AWS::KMS::Key"), ("roles", "AWS::IAM::Role"), ("alarms", "AWS::CloudWatch::Alarm"),
        ("groups", "AWS::EC2::SecurityGroup"), ("vpc-links", "AWS::ApiGatewayV2::VpcLink"),
        ("subnets", "AWS::EC2::Subnet"), ("internet-gateways", "AWS::EC2::InternetGateway"),
    ],
)  # fmt: skip
def test_resources_of_a_type_over_all_stacks(quota: str, kind: str) -> None:
    given = blueprint(service())
    found = needed(given, stack("network", many(kind, 2)), stack("edge", many(kind, 1)))
    assert three(found[quota]) == (3, 3, 3)
    assert quota not in needed(given)


def test_nat_gateways_of_the_fullest_zone() -> None:
    made: Made = {
        "PublicA": ("AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1a"}),
        "SeenA": ("AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1a"}),
        "PublicB": ("AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1b"}),
        "NatA": ("AWS::EC2::NatGateway", {"SubnetId": ref("PublicA")}),
        "SeenNatA": ("AWS::EC2::NatGateway", {"SubnetId": ref("SeenA"), "ConnectivityType": "private"}),
        "NatB": ("AWS::EC2::NatGateway", {"SubnetId": ref("PublicB")}),
    }
    found = needed(blueprint(service(), zones=2), stack("network", made))["nat-gateways"]
    assert (found.of, found.base) == ("zone a", 2)


def test_rules_of_the_group_with_most_in_each_direction() -> None:
    web, api = (Published("firewall", f"group-of-{name}", "AWS::EC2::SecurityGroup::Id") for name in ("web", "api"))
    firewall = stack(
        "firewall",
        {
            "GroupOfWeb": ("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": [{"IpProtocol": "-1"}]}),
            "GroupOfApi": ("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": [{"IpProtocol": "-1"}]}),
        },
        group_of_web=att("GroupOfWeb", "GroupId"), group_of_api=att("GroupOfApi", "GroupId"),
    )  # fmt: skip
    rules = stack("rules", {
        **{f"Out{number}": ("AWS::EC2::SecurityGroupEgress", {"GroupId": web}) for number in range(3)},
        "InOne": ("AWS::EC2::SecurityGroupIngress", {"GroupId": api}),
    })  # fmt: skip
    more = stack("rules-2", {"InTwo": ("AWS::EC2::SecurityGroupIngress", {"GroupId": api})})
    found = needed(blueprint(service("web"), service("api")), firewall, rules, more)
    assert (found["group-rules-out"].of, found["group-rules-out"].base) == ("firewall/GroupOfWeb", 4)
    assert (found["group-rules-in"].of, found["group-rules-in"].base) == ("firewall/GroupOfApi", 2)


def test_entries_of_a_network_acl_by_direction() -> None:
    def entry(egress: bool) -> tuple[str, dict[str, Any]]:
        return "AWS::EC2::NetworkAclEntry", {"NetworkAclId": ref("Wall"), "Egress": egress}

    made = {"A": entry(True), "B": entry(True), "C": entry(False)}
    found = needed(blueprint(service()), stack("network", made))
    assert (found["acl-rules-out"].base, found["acl-rules-in"].base) == (2, 1)


def test_groups_of_an_interface() -> None:
    three_groups = {"NetworkConfiguration": {"AwsvpcConfiguration": {"SecurityGroups": ["a", "b", "c"]}}}
    balancer = ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"SecurityGroups": ["a"]})
    found = needed(
        blueprint(service()), stack("edge", {"Balancer": balancer}),
        stack("service-web", {"Service": ("AWS::ECS::Service", three_groups)}),
    )["interface-groups"]  # fmt: skip
    assert (found.of, found.base) == ("service-web", 3)


def test_endpoints_interfaces_and_addresses_of_data_and_edge() -> None:
    endpoint: tuple[str, dict[str, Any]] = (
        "AWS::EC2::VPCEndpoint",
        {"VpcEndpointType": "Interface", "SubnetIds": [ref("DataA"), ref("DataB")]},
    )
    made = {"One": endpoint, "Two": endpoint, "Free": ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"})}
    edge: Made = {
        "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {}),
        "Link": ("AWS::ApiGatewayV2::VpcLink", {"SubnetIds": [ref("A"), ref("B")]}),
    }
    found = needed(blueprint(service("web", "1..4")), stack("network", made), stack("edge", edge))
    assert found["endpoints"].base == 2
    assert (found["data-addresses"].of, found["data-addresses"].base) == ("network/DataA", 2)
    assert found["edge-addresses"].base == 9
    # 4 of endpoints, 16 of the balancer, 2 of the link; then 1, 4 and 5 tasks.
    assert three(found["interfaces"]) == (23, 26, 27)


def test_targets_are_tasks_of_services_with_a_route() -> None:
    edge = stack("edge", {"Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {})})
    found = needed(blueprint(service("web", "2..4", route=Route("/")), service("api", "1..9")), edge)
    assert three(found["balancer-targets"]) == (2, 4, 5)


def test_balancers_of_links_have_quotas_of_their_own() -> None:
    core = Link(
        "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("one", "two"),
        IPv4Network("100.64.10.0/26"),
        incoming=tuple(
            Incoming(ServiceName(name), (IPv4Network("10.20.4.0/24"),), at) for name, at in (("api", 1), ("web", 2))
        ),
    )  # fmt: skip
    drafted = blueprint(service("api", "1..9"), service("web", "2..4", route=Route("/")), zones=2, links=(core,))
    found = needed(drafted, *rendered.environment(drafted, caveats(drafted.topology)))
    assert (found["balancers"].base, found["network-balancers"].base) == (1, 1)
    assert found["network-balancer-listeners"].base == 2
    assert (found["balancer-target-groups"].base, found["target-groups"].base) == (1, 3)
    assert (three(found["network-balancer-targets"]), found["network-balancer-targets"].of) == (
        (3, 13, 26),
        "link core",
    )


def test_what_a_stack_is_limited_in() -> None:
    used = Published("network", "vpc", "AWS::EC2::VPC::Id")
    small, large = stack("edge", many("A::B::C", 1)), stack("network", many("A::B::C", 4, VpcId=used), one="x")
    found = needed(blueprint(service()), small, large)
    assert (found["stacks"].base, found["stack-resources"].base, found["stack-resources"].of) == (2, 5, "network")
    assert found["template-bytes"].base == len(large.text.encode())
    assert found["parameters"].base == 1


def test_stacks_of_the_recovery_region_count_for_nothing() -> None:
    there = replace(stack("recovery", many("AWS::KMS::Key", 1)), region="us-west-2")
    found = needed(blueprint(service()), there, stack("data", many("AWS::KMS::Key", 2)))
    assert (found["keys"].base, found["stacks"].base) == (2, 1)


def test_parameters_are_what_a_stack_takes_from_others() -> None:
    vpc = Published("network", "vpc", "AWS::EC2::VPC::Id")
    found = needed(blueprint(service()), stack("edge", many("A::B::C", 2, VpcId=vpc)))["stack-parameters"]
    assert (found.of, found.base) == ("edge", 1)


def test_routes_resources_of_an_api_and_connections_of_a_gateway() -> None:
    made = {
        **many("AWS::EC2::Route", 2, RouteTableId=ref("Table")),
        "Lone": ("AWS::EC2::Route", {"RouteTableId": ref("Other")}),
        **many("AWS::ApiGateway::Resource", 3, RestApiId=ref("Api")),
        **many("AWS::EC2::VPNConnection", 2, VpnGatewayId=ref("Gateway")),
    }  # fmt: skip
    found = needed(blueprint(service()), stack("network", made))
    assert [found[key].base for key in ("routes", "api-resources", "vpn-gateway-connections")] == [2, 3, 2]


# As rendered: the rules that the design asks for are the ones that are counted.


def test_the_rendered_rules_are_those_of_the_configuration() -> None:
    web = service("web", reaches=("api", "db"), route=Route("/"))
    given = blueprint(web, service("api", reaches=("db",)), service("db"), egress=Egress.NONE)
    found = needed(given, *rendered.environment(given, caveats(given.topology)))
    # web goes out to api, db and the endpoints, and to nothing by its group's own rule; db is entered by web and api.
    assert (found["group-rules-out"].of, found["group-rules-out"].base) == ("firewall/GroupOfWeb", 4)
    assert found["group-rules-in"].base >= 2


SPANS = st.tuples(st.integers(0, 5), st.integers(1, 7)).map(lambda pair: f"{pair[0]}..{pair[0] + pair[1]}")
NAMES = ("a", "b", "c", "d")


@st.composite
def environments(draw: st.DrawFn) -> tuple[Service, ...]:
    count = draw(st.integers(1, len(NAMES)))
    made = []
    for index, name in enumerate(NAMES[:count]):
        reaches = tuple(draw(st.sets(st.sampled_from(NAMES[:index])))) if index else ()
        strategy = draw(st.sampled_from(list(Strategy)))
        made.append(
            service(name, draw(SPANS), cpu=draw(st.sampled_from([250, 1000])), strategy=strategy, reaches=reaches)
        )
    return tuple(made)


@given(environments(), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_more_never_needs_less(services: tuple[Service, ...], zones: int) -> None:
    """Never less at max than at base, nor while deploying than at max; and a service more lowers no need."""

    def of(some: tuple[Service, ...]) -> dict[str, Need]:
        given = blueprint(*some, zones=zones)
        return needed(given, *rendered.environment(given, caveats(given.topology)))

    all_of, fewer = of(services), of(services[:-1]) if len(services) > 1 else {}
    for need in all_of.values():
        assert need.base <= need.max <= need.deploying, need
    for key, need in fewer.items():
        assert all(less <= more for less, more in zip(three(need), three(all_of[key]), strict=True)), key
