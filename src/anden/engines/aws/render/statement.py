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


def allow(sid: str, actions: Sequence[str], on: Json = "*", when: Condition | None = None, **more: Json) -> Json:
    """A statement that allows. more: `Principal`, in the policies of resources."""
    return _statement("Allow", sid, {"Action": list(actions)}, on, when, more)


def deny(sid: str, actions: Sequence[str], on: Json = "*", when: Condition | None = None, **more: Json) -> Json:
    """A statement that denies, whatever else allows."""
    return _statement("Deny", sid, {"Action": list(actions)}, on, when, more)


def deny_all_but(sid: str, actions: Sequence[str], when: Condition | None = None) -> Json:
    """A statement that denies everything except these actions."""
    return _statement("Deny", sid, {"NotAction": list(actions)}, "*", when, {})


def deny_on_others(sid: str, actions: Sequence[str], but: Json) -> Json:
    """A statement that denies on every resource except these."""
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "NotResource": but}


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
    return document(_statement("Allow", "Trust", {"Action": list(actions)}, None, when, {"Principal": dict(principal)}))
