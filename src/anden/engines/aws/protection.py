"""What keeps a stack's resources from being deleted, beside CloudFormation's own termination protection."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained
from anden.engines.aws.session import Session

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
PROTECTED = "deletion_protection.enabled"
GONE = frozenset({"LoadBalancerNotFound", "LoadBalancerNotFoundException"})


def guarded(session: Session, its_id: str, region: str) -> tuple[tuple[str, str], ...]:
    """The balancers of a stack that are protected: logical name and ARN. Raises Problems."""
    return tuple((name, arn) for name, arn in _balancers(session, its_id, region) if _protected(session, arn, region))


def lift(session: Session, arn: str, region: str) -> None:
    """Turn it off. Raises Problems."""
    with explained(f"balancer {arn.rpartition('/')[0].rpartition('/')[2]}"):
        session.client("elbv2", region).modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": PROTECTED, "Value": "false"}]
        )


def _balancers(session: Session, its_id: str, region: str) -> Iterator[tuple[str, str]]:
    with explained(f"stack {its_id}"):
        pages = session.client("cloudformation", region).get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=its_id):
            for each in page["StackResourceSummaries"]:
                if each["ResourceType"] == BALANCER and each.get("PhysicalResourceId"):
                    yield each["LogicalResourceId"], each["PhysicalResourceId"]


def _protected(session: Session, arn: str, region: str) -> bool:
    client: Any = session.client("elbv2", region)
    with explained(f"balancer {arn}"):
        try:
            said = client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        except ClientError as error:
            if code(error) in GONE:
                return False
            raise
    return any(each["Key"] == PROTECTED and each["Value"] == "true" for each in said)
