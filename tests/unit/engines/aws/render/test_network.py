"""The network's stack: where things live, which way each layer leads, and what stays when the rest goes."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.engines.aws.render.networks import BANK, LOCAL, Network, network, stack
from tests.unit.planning.topologies import drafted, topologies

from anden.engines.aws.render import naming, stacks
from anden.engines.aws.render.template import Published, Stack
from anden.model.blueprint import Facts
from anden.model.ids import ZoneName
from anden.model.topology import Egress, Topology
from anden.planning.addressing import edges

ELSEWHERE = "198.51.100.7"
"""An address of the internet."""
ALONE = replace(BANK, links=(), egress=Egress.NONE, zones=1)


def test_the_vpc_is_the_blueprints_network_and_answers_names() -> None:
    (vpc,) = network(BANK).of("EC2::VPC").values()
    assert vpc["CidrBlock"] == "172.30.0.0/16"
    assert vpc["EnableDnsSupport"] is True
    assert vpc["EnableDnsHostnames"] is True


def test_every_zone_has_the_subnets_that_the_blueprint_placed() -> None:
    target = drafted(BANK)
    found = network(target)
    for zone in target.layout.zones:
        for layer, placed in (("Public", zone.public), ("Private", zone.private), ("Data", zone.data)):
            subnet = found.of("EC2::Subnet")[f"{layer}{zone.name.upper()}"]
            assert subnet["CidrBlock"] == str(placed)
            assert subnet["AvailabilityZone"] == f"us-east-1{zone.name}"
    assert len(found.subnets()) == 3 * 3 + 2
    assert not any(each["MapPublicIpOnLaunch"] for each in found.of("EC2::Subnet").values())


def test_the_edge_has_two_zones_whatever_the_environment_has() -> None:
    target = drafted(ALONE)
    found = network(target)
    assert list(found.subnets("Edge").values()) == list(edges(target.layout.network))
    assert [found.of("EC2::Subnet")[name]["AvailabilityZone"] for name in ("Edge0", "Edge1")] == [
        "us-east-1a", "us-east-1b",
    ]  # fmt: skip
    assert list(found.subnets("Private")) == ["PrivateA"]


def test_zones_are_the_accounts_where_it_has_said_which() -> None:
    target = replace(drafted(BANK), facts=Facts(zones={ZoneName("a"): "us-east-1d", ZoneName("b"): "us-east-1f"}))
    found = network(target).of("EC2::Subnet")
    assert {found[name]["AvailabilityZone"] for name in ("PublicA", "PrivateA", "DataA", "Edge0")} == {"us-east-1d"}
    assert {found[name]["AvailabilityZone"] for name in ("PrivateB", "Edge1")} == {"us-east-1f"}
    assert found["PrivateC"]["AvailabilityZone"] == "us-east-1c"


def test_each_zone_leaves_by_its_own_address() -> None:
    found = network(BANK)
    for zone in "ABC":
        assert found.way(f"Private{zone}", ELSEWHERE) == f"Nat{zone}"
        nat = found.of("EC2::NatGateway")[f"Nat{zone}"]
        assert nat["SubnetId"] == {"Ref": f"Public{zone}"}
        assert nat["AllocationId"] == naming.allocation(zone.lower())
        assert found.way(f"Public{zone}", ELSEWHERE) == "InternetGateway"


def test_all_zones_leave_by_one_address() -> None:
    found = network(replace(BANK, egress=Egress.ONE))
    assert {found.way(f"Private{zone}", ELSEWHERE) for zone in "ABC"} == {"NatA"}
    assert [nat["AllocationId"] for nat in found.of("EC2::NatGateway").values()] == [naming.allocation("a")]


def kept(of: Topology) -> dict[str, Stack]:
    """The stacks that outlive the environment."""
    every = stacks.environment(drafted(replace(of, region="us-east-1")), ())
    return {each.family: each for each in every if naming.outlives(each.family)}


def test_addresses_and_the_key_outlive_the_environment_each_in_a_stack_that_no_other_address_changes() -> None:
    every, one, none = kept(BANK), kept(replace(BANK, egress=Egress.ONE)), kept(replace(BANK, egress=Egress.NONE))
    assert list(every) == ["key", "address-a", "address-b", "address-c"]
    assert list(one) == ["key", "address-a"]
    assert list(none) == ["key"]
    assert one["address-a"].text == every["address-a"].text  # so that going to one for each zone keeps what is known
    for family, each in every.items():
        held = each.template["Resources"]["Key" if family == "key" else "Address"]
        assert each.lasting
        assert held["DeletionPolicy"] == "Delete"  # its stack is what is kept, and gives it up
        assert held["UpdateReplacePolicy"] == "Retain"


def test_a_gateway_waits_for_the_way_out() -> None:
    found = network(BANK)
    assert found.resources["PublicDefault"]["DependsOn"] == ["InternetGatewayAttached"]
    assert found.resources["NatB"]["DependsOn"] == ["PublicDefault"]


def test_without_egress_nothing_leads_out_and_nothing_is_paid_for() -> None:
    found = network(ALONE)
    for kind in ("EIP", "NatGateway", "InternetGateway", "Route", "VPNGateway", "VPCGatewayAttachment"):
        assert not found.of(f"EC2::{kind}"), kind
    assert {found.way(subnet, ELSEWHERE) for subnet in found.subnets()} == {None}


def leaks(found: Network) -> set[str]:
    return {name for name in found.subnets() if found.way(name, ELSEWHERE) == "InternetGateway"}


@given(topologies())
@settings(max_examples=25)
def test_only_public_subnets_meet_the_internet_and_data_and_edge_meet_nothing(of: Topology) -> None:
    found = network(replace(of, region="us-east-1"))
    assert leaks(found) == (set(found.subnets("Public")) if of.egress is not Egress.NONE else set())
    for name in (*found.subnets("Data"), *found.subnets("Edge")):
        assert found.way(name, ELSEWHERE) is None
        assert found.way(name, found.host(name)) == LOCAL
    ranges = list(found.subnets().values())
    assert not any(one.overlaps(other) for index, one in enumerate(ranges) for other in ranges[:index])


def test_every_subnet_has_its_own_wall_and_table_not_the_vpcs_default_ones() -> None:
    found = network(BANK)
    for kind in ("SubnetRouteTableAssociation", "SubnetNetworkAclAssociation"):
        assert sorted(each["SubnetId"]["Ref"] for each in found.of(f"EC2::{kind}").values()) == sorted(found.subnets())


def test_what_other_stacks_use_is_published() -> None:
    published = network(BANK).published()
    used = [naming.VPC, naming.ENDPOINTS_GROUP, naming.edge_subnet(0), naming.edge_subnet(1)]
    used += [naming.link_connection("core")]
    used += [naming.private_subnet(zone) for zone in "abc"] + [naming.data_subnet(zone) for zone in "abc"]
    assert {each.key for each in used} == published.keys()
    assert published["vpc"] == {"Ref": "Vpc"}
    assert published["data-c"] == {"Fn::GetAtt": ["DataC", "SubnetId"]}
    assert not any(isinstance(each, Published) for each in published.values())


def test_the_network_comes_after_its_addresses() -> None:
    first = stack(BANK)
    assert (first.name, first.family, first.after) == (
        "anden-banco-andino-certification-network",
        "network",
        ("address-a", "address-b", "address-c"),
    )
    assert first.region == "us-east-1"
    assert {each["Default"].rpartition("/")[2] for each in first.template["Parameters"].values()} == {"allocation"}


def test_the_same_blueprint_gives_the_same_text() -> None:
    assert stack(BANK).text == stack(BANK).text


# Endpoints.


def policies(found: Network) -> dict[str, Any]:
    endpoints = found.of("EC2::VPCEndpoint").values()
    return {each["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}."): each for each in endpoints}


def test_tasks_find_aws_inside_the_network() -> None:
    found = policies(network(ALONE))
    assert set(found) == {"ecr.api", "ecr.dkr", "kms", "logs", "s3", "secretsmanager", "ssm", "ssmmessages", "sts"}
    for each in found.values():
        assert each["VpcEndpointType"] == "Interface"
        assert each["PrivateDnsEnabled"] is True
        assert each["SubnetIds"] == [{"Ref": "DataA"}]
        assert each["SecurityGroupIds"] == [{"Fn::GetAtt": ["EndpointsGroup", "GroupId"]}]
    assert policies(network(BANK))["logs"]["SubnetIds"] == [{"Ref": f"Data{zone}"} for zone in "ABC"]
    assert found["s3"]["DnsOptions"] == {"PrivateDnsOnlyForInboundResolverEndpoint": "AllResolvers"}


def test_endpoints_let_only_the_clients_own_account_through() -> None:
    account = {"Ref": "AWS::AccountId"}
    for service, each in policies(network(BANK)).items():
        own, *others = each["PolicyDocument"]["Statement"]
        assert own["Condition"]["StringEquals"] == {"aws:PrincipalAccount": account}
        assert own["Condition"]["StringEqualsIfExists"] == {"aws:ResourceAccount": account}
        assert own["Action"] == f"{service.split('.', maxsplit=1)[0]}:*"
        assert bool(others) is (service == "s3")


def test_image_layers_come_from_awss_bucket_and_nothing_else_does() -> None:
    _, layers = policies(network(BANK))["s3"]["PolicyDocument"]["Statement"]
    assert layers["Action"] == "s3:GetObject"
    assert layers["Resource"]["Fn::Sub"] == "arn:${AWS::Partition}:s3:::prod-${AWS::Region}-starport-layer-bucket/*"
    assert "Condition" not in layers


def test_the_endpoints_group_allows_nothing_by_itself() -> None:
    (group,) = network(BANK).of("EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group
    assert [each["CidrIp"] for each in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]


# Flow logs.


def test_every_flow_is_logged_and_only_aws_in_this_account_writes_it() -> None:
    found = network(BANK)
    logs = found.of("EC2::FlowLog")
    assert set(logs) == {"FlowLog", "RefusedFlowLog"}
    log = logs["FlowLog"]
    assert (log["ResourceType"], log["ResourceId"], log["TrafficType"]) == ("VPC", {"Ref": "Vpc"}, "ALL")
    role = found.of("IAM::Role")["FlowLogsRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    write, look = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert write["Resource"] == [{"Fn::GetAtt": [name, "Arn"]} for name in ("FlowLogs", "RefusedFlows")]
    assert look["Action"] == "logs:DescribeLogGroups"
    assert "anden-boundary" in json.dumps(role["PermissionsBoundary"])


def test_what_is_refused_has_logs_of_its_own() -> None:
    found = network(BANK)
    log = found.of("EC2::FlowLog")["RefusedFlowLog"]
    assert (log["TrafficType"], log["LogGroupName"]) == ("REJECT", {"Ref": "RefusedFlows"})
    assert log["LogFormat"].startswith("${ecs-service-name} ${flow-direction} ")
    assert found.of("Route53Resolver::ResolverQueryLoggingConfig")["NamesLog"]["DestinationArn"] == {
        "Fn::GetAtt": ["RefusedNames", "Arn"]
    }
    (asked,) = found.of("Route53Resolver::ResolverQueryLoggingConfigAssociation").values()
    assert asked["ResourceId"] == {"Ref": "Vpc"}
    for name, which in (("RefusedFlows", "flows"), ("RefusedNames", "names")):
        group = found.of("Logs::LogGroup")[name]
        assert group["LogGroupName"] == f"/anden/banco-andino/certification/refused/{which}"
        assert group["RetentionInDays"] == 7


@pytest.mark.parametrize(("production", "days", "policy"), [(True, 365, "RetainExceptOnCreate"), (False, 30, None)])
def test_lines_are_kept_longer_in_production_and_outlive_it(production: bool, days: int, policy: str | None) -> None:
    found = network(replace(BANK, production=production))
    for name in ("FlowLogs", "LinkLogs"):
        assert found.of("Logs::LogGroup")[name]["RetentionInDays"] == days
        assert found.resources[name].get("DeletionPolicy") == policy
        assert "LogGroupName" not in found.of("Logs::LogGroup")[name]


# A change in flight: what the old blueprint needs stays until its last task is gone.


def test_a_zone_that_goes_stays_until_its_tasks_are_gone() -> None:
    two, three = replace(BANK, zones=2), BANK
    between, after = network(two, three), network(two)
    assert set(between.subnets("Private")) == {"PrivateA", "PrivateB", "PrivateC"}
    assert between.way("PrivateC", ELSEWHERE) == "NatC"
    assert set(after.subnets("Private")) == {"PrivateA", "PrivateB"}
    for name, each in after.resources.items():
        if each["Type"] in ("AWS::EC2::Subnet", "AWS::EC2::EIP", "AWS::EC2::NatGateway", "AWS::EC2::Route"):
            assert between.resources[name] == each, "nothing that stays is touched"


def test_egress_stays_until_the_last_task_that_uses_it_is_gone() -> None:
    shut = replace(BANK, egress=Egress.NONE)
    assert network(shut, BANK).way("PrivateA", ELSEWHERE) == "NatA"
    assert network(shut, BANK).reaches("PrivateA", "198.51.100.7", 25)
    assert network(shut).way("PrivateA", ELSEWHERE) is None


def test_another_network_is_another_vpc_and_keeps_nothing() -> None:
    moved = replace(BANK, network=IPv4Network("172.29.0.0/16"), zones=1)
    assert network(moved, BANK).resources == network(moved).resources
    assert IPv4Address("172.29.0.10") in network(moved).subnets()["PublicA"]
