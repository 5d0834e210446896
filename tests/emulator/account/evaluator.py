"""IAM's decision from rendered templates, by code that shares nothing with the renderer or the emulator.

Knows what these templates use, and fails on anything else. A role's request is allowed when one of its policies allows
it, its boundary allows it, no service control policy's absence counts (`FullAWSAccess` stays attached), and nothing
denies: policies, boundary, service control policies, the bucket's policy.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Statement = Mapping[str, Any]
Context = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    context: Context = field(default_factory=dict)


class Rules:
    """The policies of one account. texts: its templates. controls: texts whose service control policies hold there."""

    def __init__(self, texts: Iterable[str], account: str, region: str, controls: Iterable[str] = ()) -> None:
        self._account, self._region = account, region
        self._of_roles: dict[str, list[Statement]] = {}
        self._boundaries: dict[str, list[Statement]] = {}
        self._of_buckets: dict[str, list[Statement]] = {}
        self._trusts: dict[str, list[Statement]] = {}
        self._controls: list[Statement] = []
        for text in texts:
            self._take(json.loads(text))
        for text in controls:
            self._control(json.loads(text))

    def allows(self, role: str, request: Request) -> bool:
        """Whether a session of the role may do it."""
        principal = f"arn:aws:iam::{self._account}:role/{role}"
        context = {"aws:PrincipalArn": principal, "aws:RequestedRegion": self._region, "aws:SecureTransport": "true"}
        asked = Request(request.action, request.resource, {**context, **request.context})
        identity, boundary = self._of_roles[role], self._boundaries[role]
        of_bucket = self._of_buckets.get(request.resource.split("/")[0], [])
        if any(_matches(each, asked, "Deny") for each in (*identity, *boundary, *of_bucket, *self._controls)):
            return False
        return all(any(_matches(each, asked, "Allow") for each in layer) for layer in (identity, boundary))

    def controlled(self, principal: str, request: Request) -> bool:
        """Whether service control policies deny it to a principal, an administrator even. principal: an ARN."""
        context = {"aws:PrincipalArn": principal, "aws:RequestedRegion": self._region, **request.context}
        asked = Request(request.action, request.resource, context)
        return any(_matches(each, asked, "Deny") for each in self._controls)

    def trusts(self, role: str, action: str, principal: tuple[str, str], context: Context) -> bool:
        """Whether the role lets a principal (kind and name: `("AWS", "arn:…")`) take it on."""
        kind, name = principal
        for each in self._trusts[role]:
            assert each["Effect"] == "Allow"
            named = each["Principal"].get(kind)
            if named == name and action in each["Action"] and _holds(each.get("Condition", {}), context):
                return True
        return False

    def _take(self, template: Any) -> None:
        made = _Resolver(template, self._account, self._region)
        resources = {name: made.resolved(each) for name, each in template["Resources"].items()}
        managed = {
            made.of_ref(name): each["Properties"]["PolicyDocument"]["Statement"]
            for name, each in resources.items()
            if each["Type"] == "AWS::IAM::ManagedPolicy"
        }
        for each in resources.values():
            its = each["Properties"]
            if each["Type"] == "AWS::IAM::Role" and "RoleName" in its:
                inline = [one for policy in its.get("Policies", ()) for one in policy["PolicyDocument"]["Statement"]]
                attached = [one for arn in its["ManagedPolicyArns"] for one in managed[arn]]
                self._of_roles[its["RoleName"]] = [*inline, *attached]
                self._boundaries[its["RoleName"]] = managed[its["PermissionsBoundary"]]
                self._trusts[its["RoleName"]] = its["AssumeRolePolicyDocument"]["Statement"]
            if each["Type"] == "AWS::S3::BucketPolicy":
                self._of_buckets[f"arn:aws:s3:::{its['Bucket']}"] = its["PolicyDocument"]["Statement"]

    def _control(self, template: Any) -> None:
        made = _Resolver(template, self._account, self._region)
        for each in template["Resources"].values():
            if each["Type"] == "AWS::Organizations::Policy":
                self._controls += made.resolved(each)["Properties"]["Content"]["Statement"]


class _Resolver:
    def __init__(self, template: Any, account: str, region: str) -> None:
        self._resources = template["Resources"]
        self._values = {
            "AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws",
            **{name: str(each.get("Default", name)) for name, each in template["Parameters"].items()},
        }  # fmt: skip

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"}:
            return self.of_ref(value["Ref"])
        if set(value) == {"Fn::GetAtt"}:
            return self._attribute(*value["Fn::GetAtt"])
        if set(value) == {"Fn::Sub"}:
            assert isinstance(value["Fn::Sub"], str)
            return re.sub(r"\$\{([^}]+)\}", lambda found: self._named(found[1]), value["Fn::Sub"])
        return {key: self.resolved(each) for key, each in value.items()}

    def of_ref(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        its = self._resources[name]["Properties"]
        match self._resources[name]["Type"]:
            case "AWS::IAM::ManagedPolicy":
                return f"arn:aws:iam::{self._values['AWS::AccountId']}:policy/{its['ManagedPolicyName']}"
            case "AWS::S3::Bucket":
                return str(self.resolved(its["BucketName"]))
        return name

    def _named(self, name: str) -> str:
        return self._attribute(*name.split(".")) if "." in name else self.of_ref(name)

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute == "Arn" and self._resources[name]["Type"] == "AWS::S3::Bucket":
            return f"arn:aws:s3:::{self.of_ref(name)}"
        return f"arn:aws:{name}:{attribute}"


def _matches(statement: Statement, asked: Request, effect: str) -> bool:
    assert not statement.keys() - {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource",
                                   "Condition"}, statement  # fmt: skip
    if statement["Effect"] != effect:
        return False
    if "Action" in statement and not _any(statement["Action"], asked.action, ignoring_case=True):
        return False
    if "NotAction" in statement and _any(statement["NotAction"], asked.action, ignoring_case=True):
        return False
    if "Resource" in statement and not _any(statement["Resource"], asked.resource):
        return False
    if "NotResource" in statement and _any(statement["NotResource"], asked.resource):
        return False
    return _holds(statement.get("Condition", {}), asked.context)


def _any(patterns: str | list[str], value: str, *, ignoring_case: bool = False) -> bool:
    many = [patterns] if isinstance(patterns, str) else patterns
    if ignoring_case:
        value, many = value.lower(), [each.lower() for each in many]
    return any(_like(value, each) for each in many)


def _like(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    known = {key.lower(): value for key, value in context.items()}
    return all(
        _one(operator, known.get(key.lower()), wanted)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _one(operator: str, found: str | list[str] | None, wanted: Any) -> bool:
    many = [str(each) for each in wanted] if isinstance(wanted, list) else [str(wanted)]
    if operator == "Null":
        return (found is None) == (many == ["true"])
    of, _, plain = operator.rpartition(":")
    if of in ("ForAnyValue", "ForAllValues"):  # the second also where there are none
        values = [found] if isinstance(found, str) else found or []
        return (any if of == "ForAnyValue" else all)(_one(plain, each, many) for each in values)
    assert not isinstance(found, list), operator
    match operator:
        case "StringEquals" | "Bool":
            return found is not None and found in many
        case "StringNotEquals":
            return found is None or found not in many
        case "StringLike" | "ArnLike":
            return found is not None and any(_like(found, each) for each in many)
        case "ArnNotLike":
            return found is None or not any(_like(found, each) for each in many)
    raise AssertionError(f"{operator} is not known here")
