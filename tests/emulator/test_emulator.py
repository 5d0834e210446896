"""The emulator itself: that our provisioners make what they say, and refuse what AWS's schemas refuse."""

import json
import time
from typing import Any

import pytest
from tests.emulator.emulator import Emulator

Resources = dict[str, dict[str, Any]]


LIMIT_S = 20


def settled(aws: Emulator, name: str) -> str:
    """The stack's state when nothing is in flight any more; `gone` when there is none."""
    client = aws.client("cloudformation")
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        found = [each["StackStatus"] for each in client.describe_stacks()["Stacks"] if each["StackName"] == name]
        if not found or not found[0].endswith("IN_PROGRESS"):
            return found[0] if found else "gone"
        time.sleep(0.02)
    raise AssertionError(f"{name} is still {found[0]} after {LIMIT_S} s")


def deployed(aws: Emulator, resources: Resources, name: str = "try") -> tuple[str, list[str]]:
    """The stack's last state, and what CloudFormation said of resources that failed."""
    client = aws.client("cloudformation")
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    there = any(each["StackName"] == name for each in client.describe_stacks()["Stacks"])
    action = client.update_stack if there else client.create_stack
    action(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
    status = settled(aws, name)
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"] in ("CREATE_FAILED", "UPDATE_FAILED")]
    return status, [each.get("ResourceStatusReason", "") for each in failed]


def made(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_, "Properties": properties}


NETWORK: Resources = {
    "Vpc": made("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Subnet": made("AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
    "Address": made("AWS::EC2::EIP", Domain="vpc"),
    "Nat": made(
        "AWS::EC2::NatGateway", SubnetId={"Ref": "Subnet"}, AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]}
    ),
    "Group": made("AWS::EC2::SecurityGroup", VpcId={"Ref": "Vpc"}, GroupDescription="a group"),
    "In": made(
        "AWS::EC2::SecurityGroupIngress", GroupId={"Ref": "Group"}, IpProtocol="tcp", FromPort=80, ToPort=80,
        SourceSecurityGroupId={"Ref": "Group"},
    ),
    "Acl": made("AWS::EC2::NetworkAcl", VpcId={"Ref": "Vpc"}),
    "Entry": made(
        "AWS::EC2::NetworkAclEntry", NetworkAclId={"Ref": "Acl"}, RuleNumber=100, Protocol=-1, RuleAction="allow",
        CidrBlock="0.0.0.0/0",
    ),
    "Peer": made(
        "AWS::EC2::CustomerGateway", IpAddress="203.0.113.10", Type="ipsec.1", BgpAsn=65000,
        CertificateArn="arn:aws:acm:us-east-1:111122223333:certificate/2f4c-81",
    ),
    "Gateway": made("AWS::EC2::VPNGateway", Type="ipsec.1"),
    "Link": made(
        "AWS::EC2::VPNConnection", Type="ipsec.1", CustomerGatewayId={"Ref": "Peer"}, VpnGatewayId={"Ref": "Gateway"},
        StaticRoutesOnly=True,
    ),
    "Domains": made("AWS::Route53Resolver::FirewallDomainList", Name="open", Domains=["api.exchange.example"]),
    "Published": made("AWS::SSM::Parameter", Name="/a/egress", Type="String", Value={"Ref": "Address"}),
}  # fmt: skip


def test_what_a_stack_makes_is_seen_by_the_api(aws: Emulator) -> None:
    status, failed = deployed(aws, NETWORK)
    assert (status, failed) == ("CREATE_COMPLETE", [])
    ec2 = aws.client("ec2")
    (address,) = ec2.describe_addresses()["Addresses"]
    (nat,) = ec2.describe_nat_gateways()["NatGateways"]
    assert nat["State"] == "available"
    groups = {group["GroupName"]: group for group in ec2.describe_security_groups()["SecurityGroups"]}
    (rule,) = groups["try-Group"]["IpPermissions"]
    assert (rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) == (80, groups["try-Group"]["GroupId"])
    (link,) = ec2.describe_vpn_connections()["VpnConnections"]
    assert link["Options"]["StaticRoutesOnly"]
    assert aws.client("ssm").get_parameter(Name="/a/egress")["Parameter"]["Value"] == address["PublicIp"]
    aws.client("cloudformation").delete_stack(StackName="try")
    assert settled(aws, "try") == "gone"
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_vpn_connections()["VpnConnections"] == []


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (made("AWS::EC2::EIP", Dmain="vpc"), "#: extraneous key [Dmain] is not permitted"),
        (made("AWS::EC2::NetworkAcl"), "#: required key [VpcId] not found"),
        (made("AWS::EC2::CustomerGateway", IpAddress="203.0.113.10", Type="ipsec.1", BgpAsn="many"), "#/BgpAsn"),
        (
            made("AWS::EC2::CustomerGateway", IpAddress="203.0.113.10", Type="ipsec.1", BgpAsn=65000,
                 CertificateArn="arn:aws:iam::111122223333:server-certificate/core"),
            "#/CertificateArn",
        ),
        (
            made("AWS::ApplicationAutoScaling::ScalableTarget", MinCapacity=1, MaxCapacity=2, ServiceNamespace="ecs",
                 ScalableDimension="ecs:service:Desired", ResourceId="service/a/b"),
            "ecs:service:Desired is not a valid enum value",
        ),
        (made("AWS::EC2::SecurityGroup", GroupDescription="a", Rules=[]), "#: extraneous key [Rules] is not permitted"),
        (made("AWS::SNS::Topic", TopicName="a", Subscription=[{"Endpoint": "x"}]), "required key [Protocol] not found"),
        (made("AWS::EC2::EIP", AllocationId="eipalloc-1"), "#/AllocationId: is read-only"),
        (made("AWS::EC2::VPNGatewayRoutePropagation", RouteTableIds=["rtb-1"], VpnGatewayId="vgw-1"), "does not exist"),
    ],
)  # fmt: skip
def test_what_the_schema_refuses_fails_the_stack(aws: Emulator, resource: dict[str, Any], said: str) -> None:
    status, failed = deployed(aws, {"Bad": resource})
    assert status == "ROLLBACK_COMPLETE"
    assert said in failed[0]


def test_an_update_is_checked_too_and_put_back(aws: Emulator) -> None:
    assert deployed(aws, {"Address": made("AWS::EC2::EIP", Domain="vpc")})[0] == "CREATE_COMPLETE"
    worse = {"Address": made("AWS::EC2::EIP", Domain="vpc", Tags=[{"Key": "a"}])}
    status, failed = deployed(aws, worse)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "required key [Value] not found" in failed[0]


def test_a_property_that_aws_takes_only_once_makes_a_new_resource(aws: Emulator) -> None:
    client = aws.client("cloudformation")
    ids: list[Any] = []
    for name in ("one", "one", "two"):
        resources = {
            "Domains": made("AWS::Route53Resolver::FirewallDomainList", Name=name, Domains=[f"{len(ids)}.example"])
        }
        deployed(aws, resources)
        ids.append(client.describe_stack_resource(StackName="try", LogicalResourceId="Domains"))
    physical = [each["StackResourceDetail"]["PhysicalResourceId"] for each in ids]
    assert physical[0] == physical[1] != physical[2]
