"""Statements and documents of IAM policies, as values."""

from collections.abc import Mapping, Sequence

from anden.engines.aws.render.template import Json

LONGEST_MANAGED = 6_144
"""Characters of a managed policy without white space (IAM user guide, "IAM and AWS STS quotas")."""
LONGEST_INLINE = 10_240
"""Characters of all inline policies of a role together (the same page)."""
LONGEST_CONTROL = 5_120
"""Characters of a service control policy (Organizations user guide, "Quotas for AWS Organizations")."""

Condition = Mapping[str, Mapping[str, Json]]


OURS: Condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
"""A condition: an AWS service acts for a resource of this account, and for nobody else's (the confused deputy)."""


def allow(
    sid: str, actions: Sequence[str], on: Json = "*", when: Condition | None = None, *, service: Json = None,
    aws: Json = None,
) -> Json:  # fmt: skip
    """A statement that allows. service, aws: the principal, in policies of resources."""
    who = {"Service": service} if service is not None else {"AWS": aws} if aws is not None else None
    return _statement("Allow", sid, {"Action": _listed(actions)}, on, when, {"Principal": who} if who else {})


def deny(sid: str, actions: Sequence[str], on: Json = "*", when: Condition | None = None, **more: Json) -> Json:
    """A statement that denies, whatever else allows."""
    return _statement("Deny", sid, {"Action": _listed(actions)}, on, when, more)


def deny_all_but(sid: str, actions: Sequence[str], when: Condition | None = None) -> Json:
    """A statement that denies everything except these actions."""
    return _statement("Deny", sid, {"NotAction": _listed(actions)}, "*", when, {})


def deny_on_others(sid: str, actions: Sequence[str], but: Json) -> Json:
    """A statement that denies on every resource except these."""
    return {"Sid": sid, "Effect": "Deny", "Action": _listed(actions), "NotResource": but}


def _statement(
    effect: str, sid: str, what: Json, on: Json, when: Condition | None, more: Mapping[str, Json]
) -> dict[str, Json]:
    made: dict[str, Json] = {"Sid": sid, "Effect": effect, **more, **what}
    if on is not None:
        made["Resource"] = on
    if when:
        made["Condition"] = {operator: dict(keys) for operator, keys in when.items()}
    return made


def document(*statements: Json) -> dict[str, Json]:
    """A policy. Statements that are None are left out."""
    return {"Version": "2012-10-17", "Statement": [each for each in statements if each is not None]}


def trust(
    principal: Mapping[str, Json], actions: Sequence[str] = ("sts:AssumeRole",), when: Condition | None = None
) -> Json:
    """Who may take on a role."""
    words = {"Principal": dict(principal)}
    return document(_statement("Allow", "Trust", {"Action": _listed(actions)}, None, when, words))


def assumed_by(service: str, when: Condition = OURS) -> Json:
    """A trust policy for one AWS service, acting for this account."""
    words = {"Principal": {"Service": service}}
    return document(_statement("Allow", "Assume", {"Action": "sts:AssumeRole"}, None, when, words))


def only_tls(on: Json, action: str) -> Json:
    """A statement that denies everybody who comes without TLS."""
    return deny("OnlyTls", [action], on, {"Bool": {"aws:SecureTransport": "false"}}, Principal="*")


def _listed(actions: Sequence[str]) -> Json:
    return list(actions) if len(actions) != 1 else actions[0]
