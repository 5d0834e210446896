"""The wall before the gateway: AWS's managed rules against what attacks everybody, and a limit for each address."""

from anden.engines.aws.render.access import WALL_LOG
from anden.engines.aws.render.arns import arn
from anden.engines.aws.render.cluster import LOG_DAYS, LOG_DAYS_PRODUCTION
from anden.engines.aws.render.naming import KEY, place
from anden.engines.aws.render.template import Json, Part, att, resource, sub
from anden.model.blueprint import Blueprint

GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
)
"""In the order in which they are asked: 25, 200, 700 and 200 of the 1,500 capacity units that the price of a web ACL
has in it (WAF developer guide, "AWS Managed Rules rule groups list")."""
COUNTED = {"AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)}
"""Rules that only count: this one would refuse every body of more than 8 KB."""
MOST_FROM_ONE = 2_000
"""Requests of one address in five minutes."""
WINDOW_S = 300


def part(blueprint: Blueprint) -> Part:
    """The web ACL before the stage, and a log of what it refused. In the stack of the gateway."""
    topology = blueprint.topology
    name = place(topology)
    stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Stage}"
    return Part(
        {
            "Wall": resource(
                "AWS::WAFv2::WebACL", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=_seen(name),
                Rules=[*(_managed(number, group) for number, group in enumerate(GROUPS)), _rate(len(GROUPS))],
            ),
            "WallBeforeStage": resource(
                "AWS::WAFv2::WebACLAssociation", WebACLArn=att("Wall", "Arn"), ResourceArn=sub(stage)
            ),
            "WallLog": resource(
                "AWS::Logs::LogGroup", keep=topology.production, LogGroupName=f"{WALL_LOG}{name}", KmsKeyId=KEY,
                RetentionInDays=LOG_DAYS_PRODUCTION if topology.production else LOG_DAYS,
            ),
            "WallLogging": resource(
                "AWS::WAFv2::LoggingConfiguration", ResourceArn=att("Wall", "Arn"),
                LogDestinationConfigs=[
                    arn("logs", "log-group:${WallLog}")
                ],
                RedactedFields=[{"SingleHeader": {"Name": "authorization"}}, {"SingleHeader": {"Name": "cookie"}}],
                LoggingFilter={
                    "DefaultBehavior": "DROP",
                    "Filters": [
                        {
                            "Behavior": "KEEP", "Requirement": "MEETS_ANY",
                            "Conditions": [
                                {"ActionCondition": {"Action": action}} for action in ("BLOCK", "EXCLUDED_AS_COUNT")
                            ],
                        }
                    ],
                },
            ),
        }
    )  # fmt: skip


def _seen(name: str) -> Json:
    return {"CloudWatchMetricsEnabled": True, "SampledRequestsEnabled": True, "MetricName": name}


def _managed(priority: int, group: str) -> Json:
    statement: dict[str, Json] = {"VendorName": "AWS", "Name": group}
    if group in COUNTED:
        statement["RuleActionOverrides"] = [{"Name": name, "ActionToUse": {"Count": {}}} for name in COUNTED[group]]
    return {
        "Name": group, "Priority": priority, "OverrideAction": {"None": {}}, "VisibilityConfig": _seen(group),
        "Statement": {"ManagedRuleGroupStatement": statement},
    }  # fmt: skip


def _rate(priority: int) -> Json:
    limit = {"Limit": MOST_FROM_ONE, "AggregateKeyType": "IP", "EvaluationWindowSec": WINDOW_S}
    return {
        "Name": "too-many", "Priority": priority, "Action": {"Block": {}}, "VisibilityConfig": _seen("too-many"),
        "Statement": {"RateBasedStatement": limit},
    }  # fmt: skip
