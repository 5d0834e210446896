"""What is read of an account: quotas, what others use, zones; and that a refusal costs no more than what it refuses."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engines.aws.made import blueprint, service
from tests.unit.engines.aws.recorded import Answers, recorded

from anden.engines.aws import tables
from anden.engines.aws.account_facts import read
from anden.model.preflight import AccountFacts
from anden.model.problem import Problems

TOPOLOGY = blueprint(service(), account="111122223333").topology


def tags(client: str = "banco", environment: str = "dev") -> str:
    pairs = (("anden:client", client), ("anden:environment", environment))
    inside = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in pairs)
    return f"<tagSet>{inside}</tagSet>"


def members(client: str = "banco", environment: str = "dev") -> str:
    pairs = (("anden:client", client), ("anden:environment", environment))
    inside = "".join(f"<member><Key>{key}</Key><Value>{value}</Value></member>" for key, value in pairs)
    return f"<Tags>{inside}</Tags>"


def quota(code: str, value: float) -> dict[str, Any]:
    return {"QuotaCode": code, "Value": value}


ANSWERS: Answers = {
    "GetCallerIdentity": "<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult>",
    "ListServiceQuotas/fargate": {"Quotas": [quota("L-3032A538", 16.0), quota("L-36FBB829", 4.0)]},
    "ListServiceQuotas/vpc": {"Quotas": [quota("L-0EA8095F", 80.0)]},
    "ListServiceQuotas": {"Quotas": []},
    "DescribeAvailabilityZones": "<availabilityZoneInfo>"
    "<item><zoneName>us-east-1b</zoneName></item><item><zoneName>us-east-1a</zoneName></item></availabilityZoneInfo>",
    "DescribeVpcs": f"<vpcSet><item><vpcId>vpc-1</vpcId>{tags()}</item><item><vpcId>vpc-2</vpcId></item>"
    f"<item><vpcId>vpc-3</vpcId>{tags(environment='production')}</item></vpcSet>",
    "DescribeInternetGateways": "<internetGatewaySet/>",
    "DescribeSecurityGroups": "<securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo>",
    "DescribeAddresses": f"<addressesSet><item>{tags('other')}</item><item>{tags()}</item></addressesSet>",
    "DescribeVpnConnections": "<vpnConnectionSet><item><state>deleted</state></item>"
    "<item><state>available</state></item></vpnConnectionSet>",
    "DescribeVpnGateways": "<vpnGatewaySet/>",
    "DescribeCustomerGateways": "<customerGatewaySet/>",
    "DescribeLoadBalancers": "<DescribeLoadBalancersResult><LoadBalancers>"
    "<member><LoadBalancerArn>arn:1</LoadBalancerArn><Type>application</Type></member>"
    "<member><LoadBalancerArn>arn:2</LoadBalancerArn><Type>network</Type></member>"
    "</LoadBalancers></DescribeLoadBalancersResult>",
    "DescribeTargetGroups": "<DescribeTargetGroupsResult><TargetGroups/></DescribeTargetGroupsResult>",
    "DescribeTags": "<DescribeTagsResult><TagDescriptions><member><ResourceArn>arn:1</ResourceArn>"
    f"{members('other')}</member></TagDescriptions></DescribeTagsResult>",
    "DescribeStacks": f"<DescribeStacksResult><Stacks><member><StackName>a</StackName>{members()}</member>"
    "<member><StackName>b</StackName></member></Stacks></DescribeStacksResult>",
    "ListClusters": {"clusterArns": ["arn:ours", "arn:theirs"]},
    "DescribeClusters": {
        "clusters": [
            {"clusterArn": "arn:ours", "tags": [
                {"key": "anden:client", "value": "banco"}, {"key": "anden:environment", "value": "dev"},
            ]},
            {"clusterArn": "arn:theirs", "tags": []},
        ]
    },
    "ListTasks": {"taskArns": ["t1", "t2"]},
    "DescribeTasks": {"tasks": [{"cpu": "1024"}, {"cpu": "512"}]},
}  # fmt: skip


def facts(answers: Answers) -> AccountFacts:
    with recorded(answers) as aws:
        return read(aws.client, TOPOLOGY, tables.quotas(), 1_000.0)


def test_everything_that_an_account_says() -> None:
    found = facts(ANSWERS)
    assert (found.account, found.region, found.at) == ("111122223333", "us-east-1", 1_000.0)
    assert found.unread == {}
    assert found.zones == ("us-east-1a", "us-east-1b")


def test_one_code_may_be_two_quotas_and_what_is_not_listed_is_left_to_its_default() -> None:
    assert facts(ANSWERS).quotas == {"fargate-vcpu": 16.0, "group-rules-in": 80.0, "group-rules-out": 80.0}


def test_what_others_use_and_not_what_is_this_environments() -> None:
    assert facts(ANSWERS).used == {
        "vpcs": 2, "internet-gateways": 0, "groups": 1, "addresses": 1, "vpn-connections": 1, "vpn-gateways": 0,
        "customer-gateways": 0, "balancers": 1, "network-balancers": 1, "target-groups": 0, "stacks": 1,
        "fargate-vcpu": 1.5,
    }  # fmt: skip


def test_a_refusal_is_said_and_costs_no_other_answer() -> None:
    refused = (400, "AccessDeniedException", "User is not\n  authorized to perform that")
    found = facts({**ANSWERS, "ListServiceQuotas/fargate": refused, "DescribeVpnGateways": refused})
    assert found.unread == {
        "quotas of fargate": "AccessDeniedException: User is not authorized to perform that",
        "networks in use": "AccessDeniedException: User is not authorized to perform that",
    }
    assert "fargate-vcpu" not in found.quotas
    assert found.quotas["group-rules-in"] == 80.0
    assert found.used["vpcs"] == 2
    assert "vpn-gateways" not in found.used
    assert found.used["balancers"] == 1


def test_without_an_account_nothing_more_is_asked() -> None:
    with recorded({"GetCallerIdentity": (403, "ExpiredToken", "The security token included is expired")}) as aws:
        found = read(aws.client, TOPOLOGY, tables.quotas(), 1_000.0)
        assert aws.asked == ["GetCallerIdentity"]
    assert found.account == ""
    assert found.unread == {"account": "ExpiredToken: The security token included is expired"}


def test_another_account_than_the_manifests_is_refused() -> None:
    with recorded(ANSWERS) as aws, pytest.raises(Problems, match="111122223333, the manifest says 999900001111"):
        read(aws.client, replace(TOPOLOGY, account="999900001111"), tables.quotas(), 1_000.0)


def test_long_words_are_cut() -> None:
    found = facts({**ANSWERS, "DescribeAvailabilityZones": (400, "Nope", "x" * 1000)})
    assert len(found.unread["zones"]) == 200
    assert found.zones == ()
