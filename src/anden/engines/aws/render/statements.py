"""Policy documents as values: what IAM, KMS, S3 and SNS take."""

from collections.abc import Sequence

from anden.engines.aws.render.template import Json, sub

VERSION = "2012-10-17"


def document(*statements: Json) -> Json:
    """A policy document."""
    return {"Version": VERSION, "Statement": list(statements)}


def allow(
    sid: str, actions: Sequence[str], resources: Json = None, *, service: Json = None, aws: Json = None,
    when: Json = None,
) -> Json:  # fmt: skip
    """A statement that allows. service, aws: the principal, in policies of resources. when: the conditions."""
    made: dict[str, Json] = {"Sid": sid, "Effect": "Allow"}
    if service is not None:
        made["Principal"] = {"Service": service}
    elif aws is not None:
        made["Principal"] = {"AWS": aws}
    made["Action"] = list(actions) if len(actions) != 1 else actions[0]
    if resources is not None:
        made["Resource"] = resources
    if when is not None:
        made["Condition"] = when
    return made


def only_tls(resources: Json, actions: str) -> Json:
    """A statement that denies everybody who comes without TLS."""
    return {
        "Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip


OURS: Json = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
"""A condition: an AWS service acts for a resource of this account, and for nobody else's (the confused deputy)."""


def assumed_by(service: str, when: Json = None) -> Json:
    """A trust policy for one AWS service, acting for this account."""
    return document(allow("Assume", ["sts:AssumeRole"], service=service, when=OURS if when is None else when))


def arn(service: str, rest: str) -> Json:
    """An ARN of this account and region: `arn("ecr", "repository/x")`."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}")


def managed(name: str) -> Json:
    """ARN of a policy of AWS's own."""
    return sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{name}")


ROOT: Json = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
"""The account itself: whom its own IAM policies then let in."""
