"""The environment's KMS key: logs, images, secrets, alarms and backups. Rotated every year. It has a stack of
its own, which outlives the environment: what it has sealed can be read for as long as the key is there, and a second
life seals with the same one."""

from anden.engines.aws.render.arns import ROOT, arn
from anden.engines.aws.render.naming import KEY, place, space
from anden.engines.aws.render.statement import OURS, allow, document
from anden.engines.aws.render.template import Json, Keep, Part, Resource, att, ref, resource, sub, tags
from anden.model.topology import Topology

ROTATION_DAYS = 365
"""From one rotation to the next (KMS developer guide, "Rotating keys": 90 to 2,560)."""
WAITING_DAYS = 30
"""From asking for the key's end to its end, the longest there is (KMS API, "ScheduleKeyDeletion": 7 to 30)."""

LOG_SEALING = ("kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*")
"""What CloudWatch Logs needs of a key (its user guide, "Encrypt log data in CloudWatch Logs using KMS")."""


def part(topology: Topology) -> Part:
    """The key and its name."""
    return Part(
        {
            "Key": key(topology, f"everything of {topology.client}/{topology.environment}", keep="replaced"),
            "KeyName": resource("AWS::KMS::Alias", AliasName=f"alias{space(topology)}", TargetKeyId=ref("Key")),
        },
        {KEY.key: att("Key", "Arn")},
    )


def key(topology: Topology, what: str, keep: Keep = True) -> Resource:
    """A key that the account's IAM policies open, and that AWS's own services may use for this account only."""
    return resource(
        "AWS::KMS::Key", keep=keep, Description=f"anden: {what}", EnableKeyRotation=True,
        RotationPeriodInDays=ROTATION_DAYS, PendingWindowInDays=WAITING_DAYS, KeyPolicy=_policy(),
        Tags=tags(Name=place(topology)),
    )  # fmt: skip


def _policy() -> Json:
    use = ["kms:Decrypt", "kms:GenerateDataKey*"]
    logs = arn("logs", "log-group:*")
    return document(
        allow("ByIamPoliciesOfTheAccount", ["kms:*"], "*", aws=ROOT),
        allow(
            "LogGroupsOfTheAccount", LOG_SEALING, "*", service=sub("logs.${AWS::Region}.amazonaws.com"),
            when={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        ),
        allow("AlarmsToTheTopic", use, "*", service="cloudwatch.amazonaws.com", when=OURS),
        allow("NewsOfBackups", use, "*", service="backup.amazonaws.com", when=OURS),
    )  # fmt: skip
