"""ARNs of this account, as templates write them."""

from anden.engines.aws.render.template import Json, sub

BOUNDARY_NAME = "anden-boundary"
BOUNDARY: Json = sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{BOUNDARY_NAME}")
"""The permissions boundary that every role made by anden's stacks carries; the account's stack makes it."""
ROOT: Json = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
"""The account itself: whom its own IAM policies then let in."""


def arn(service: str, rest: str, *, region: bool = True) -> Json:
    """An ARN in this account: `arn("ecr", "repository/x")`. region False: of a service without regions."""
    where = "${AWS::Region}" if region else ""
    return sub(f"arn:${{AWS::Partition}}:{service}:{where}:${{AWS::AccountId}}:{rest}")


def anywhere(service: str, rest: str) -> Json:
    """The same in any region: stacks of the recovery region are the account's too."""
    return sub(f"arn:${{AWS::Partition}}:{service}:*:${{AWS::AccountId}}:{rest}")


def managed(name: str) -> Json:
    """ARN of a policy of AWS's own."""
    return sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{name}")
