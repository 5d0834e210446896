"""Flow logs: a line for each flow that the VPC's interfaces accepted or refused, to CloudWatch Logs.

Encrypted by a key that AWS owns: the environment's own key is the data stack's, which comes after this one.
"""

from collections.abc import Sequence

from anden.engines.aws.render.arns import BOUNDARY
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, sub, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import VPC_ID

KEPT_DAYS, KEPT_DAYS_IN_PRODUCTION = 30, 365
"""How long lines are kept."""
INTERVAL_S = 60
"""How long a flow is gathered into one line: 60 or 600 (VPC user guide, "Flow log records")."""

LOGS, ROLE = "FlowLogs", "FlowLogsRole"


def log_group(terrain: Terrain, name: str) -> Resource:
    """A log group. It has a name that CloudFormation makes: a kept one must not stand in the way of the next."""
    days = KEPT_DAYS_IN_PRODUCTION if terrain.lasting else KEPT_DAYS
    return resource("AWS::Logs::LogGroup", keep=terrain.lasting, RetentionInDays=days, Tags=tags(Name=name))


def part(terrain: Terrain, *others: Json) -> Part:
    """The log of all traffic in the VPC, and the role by which it is written. In production the lines outlive it.
    others: ARNs of log groups that the role may write to as well."""
    name = f"{terrain.name}-flow-logs"
    resources: dict[str, Resource] = {
        LOGS: log_group(terrain, name),
        ROLE: resource(
            "AWS::IAM::Role", Description=f"{terrain.name}: writes the flow logs", AssumeRolePolicyDocument=_trust(),
            PermissionsBoundary=BOUNDARY, Policies=[{"PolicyName": "write", "PolicyDocument": _may(others)}],
            Tags=tags(Name=name),
        ),
        "FlowLog": resource(
            "AWS::EC2::FlowLog", ResourceType="VPC", ResourceId=ref(VPC_ID), TrafficType="ALL",
            LogDestinationType="cloud-watch-logs", LogGroupName=ref(LOGS), MaxAggregationInterval=INTERVAL_S,
            DeliverLogsPermissionArn=att(ROLE, "Arn"), Tags=tags(Name=name),
        ),
    }  # fmt: skip
    return Part(resources)


def _trust() -> Json:
    """Only flow logs of this account may take the role on (VPC user guide, "IAM role for publishing flow logs")."""
    logs = sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:vpc-flow-log/*")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
                    "ArnLike": {"aws:SourceArn": logs},
                },
            }
        ],
    }


def _may(others: Sequence[Json]) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                "Resource": [att(LOGS, "Arn"), *others],
            },
            {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"},
        ],
    }
