import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from anden.engines.aws.render.account import (
    KEPT_OF_STACK_NAME,
    ROLES,
    Present,
    Settings,
    account_of,
    bucket_name,
)
from anden.engines.aws.render.accounts import account
from anden.engines.aws.render.arns import BOUNDARY
from anden.engines.aws.render.organization import organization
from anden.engines.aws.render.statement import LONGEST_CONTROL, LONGEST_INLINE, LONGEST_MANAGED
from anden.manifest.names import LONGEST_NAME
from anden.model.topology import Topology

INLINE_TEMPLATE_BYTES = 51_200
"""What CloudFormation takes without a bucket (its user guide, "Quotas")."""
LONGEST_BUCKET = 63
LONGEST_ARN_PIECES = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "1" * 12, "AWS::Region": "ap-southeast-1"}
PRODUCTION = Topology(
    "banco-andino", "production", (), production=True, region="us-east-1", recovery="us-west-2", account="111122223333"
)  # fmt: skip
CERTIFICATION = Topology("banco-andino", "certification", (), region="us-east-1", account="111122223333")
LONG = "c" * LONGEST_NAME
LONGEST = replace(PRODUCTION, client=LONG)


def resources(*topologies: Topology, **words: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack in account(topologies[0], topologies[1:], **words):
        for name, made in stack.template["Resources"].items():
            yield name, dict(made)


def resolved_length(document: Any) -> int:
    """Characters of a policy as IAM counts them, with the longest that stands for what is not known yet."""
    text = json.dumps(document, separators=(",", ":"))
    for name, value in LONGEST_ARN_PIECES.items():
        text = text.replace(f"${{{name}}}", value)
    text = text.replace('{"Fn::Sub":', "").replace('{"Ref":', "")
    return len(text)


@pytest.mark.parametrize("topology", [PRODUCTION, LONGEST], ids=["usual", "longest name"])
def test_the_account_s_first_stack_needs_no_bucket(topology: Topology) -> None:
    sizes = {stack.name: len(stack.text.encode()) for stack in account(topology)}
    assert max(sizes.values()) <= INLINE_TEMPLATE_BYTES, sizes


@pytest.mark.parametrize("topology", [PRODUCTION, LONGEST], ids=["usual", "longest name"])
def test_policies_are_within_iam_s_limits(topology: Topology) -> None:
    for name, made in resources(topology):
        its = made["Properties"]
        if made["Type"] == "AWS::IAM::ManagedPolicy":
            assert resolved_length(its["PolicyDocument"]) <= LONGEST_MANAGED, name
        if made["Type"] == "AWS::IAM::Role":
            inline = sum(resolved_length(each["PolicyDocument"]) for each in its.get("Policies", ()))
            assert inline <= LONGEST_INLINE, name
            assert len(its["ManagedPolicyArns"]) <= 10
    for stack in organization(account_of(topology)):
        for name, each in stack.template["Resources"].items():
            if each["Type"] == "AWS::Organizations::Policy":
                assert resolved_length(each["Properties"]["Content"]) <= LONGEST_CONTROL, name


def test_every_role_has_the_boundary() -> None:
    roles = {name: made["Properties"] for name, made in resources(PRODUCTION) if made["Type"] == "AWS::IAM::Role"}
    assert {its["RoleName"] for its in roles.values() if "RoleName" in its} == set(ROLES)
    assert {name for name, its in roles.items() if its.get("PermissionsBoundary") != BOUNDARY} == set()


def test_it_is_the_same_whichever_environment_asks() -> None:
    assert account(PRODUCTION, [CERTIFICATION]) == account(CERTIFICATION, [PRODUCTION])


def test_without_a_productive_environment_developers_may_touch_all_of_the_client_s() -> None:
    (role,) = [made for name, made in resources(CERTIFICATION) if name == "Developer"]
    (touch,) = [
        each
        for policy in role["Properties"]["Policies"]
        for each in policy["PolicyDocument"]["Statement"]
        if each["Sid"] == "Touch"
    ]
    assert touch["Condition"] == {"StringEquals": {"aws:ResourceTag/anden:client": "banco-andino"}}


def test_what_an_adopted_account_has_is_not_made() -> None:
    everything = dict(resources(PRODUCTION))
    left = dict(resources(PRODUCTION, present=frozenset(Present)))
    gone = {"Github", "Scanning", "Trail", "Detector", "Recorder", "RecorderRole", "Delivery", "RecordBucket"}
    assert everything.keys() - left.keys() == gone | {"RecordBucketPolicy"}
    assert left["Deploy"]["DependsOn"] == ["Boundary"]


def test_config_delivers_to_the_log_account_where_there_is_one() -> None:
    settings = Settings(record_bucket="anden-record-444455556666")
    made = dict(resources(PRODUCTION, settings=settings, present=frozenset({Present.TRAIL})))
    assert made["Delivery"]["Properties"]["S3BucketName"] == "anden-record-444455556666"
    assert "RecordBucket" not in made
    own = dict(resources(PRODUCTION, settings=settings))["RecordBucketPolicy"]["Properties"]["PolicyDocument"]
    assert {each["Sid"] for each in own["Statement"]} == {"OnlyTls", "TrailLooks", "TrailWrites"}


def test_state_outlives_the_stack_and_its_failures() -> None:
    made = dict(resources(PRODUCTION))
    for name in ("StateKey", "StateBucket", "StateBucketPolicy", "RecordBucket", "RecordBucketPolicy"):
        assert (made[name]["DeletionPolicy"], made[name]["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert [stack.lasting for stack in account(PRODUCTION)] == [True, False, True]


def test_settings_are_defaults_of_parameters() -> None:
    settings = Settings(
        people="444455556666", repository="a/b", deploys="ref:refs/heads/main", budget_usd=7, email="a@b"
    )
    (stack, *_) = account(PRODUCTION, settings=settings)
    defaults = {name: each.get("Default") for name, each in stack.template["Parameters"].items()}
    assert defaults == {
        "BudgetUsd": 7, "Deploys": "ref:refs/heads/main", "Email": "a@b", "PeopleAccount": "444455556666",
        "Repository": "a/b",
    }  # fmt: skip
    (bare, *_) = account(replace(PRODUCTION, account=None))
    open_ = {name for name, each in bare.template["Parameters"].items() if "Default" not in each}
    assert open_ == {"BudgetUsd", "Email", "PeopleAccount", "Repository"}


def test_stacks_are_where_they_belong() -> None:
    places = {stack.name: (stack.region, stack.after) for stack in account(PRODUCTION)}
    assert places == {
        "anden-banco-andino-account": ("us-east-1", ()),
        "anden-banco-andino-account-recovery": ("us-west-2", ("account",)),
        "anden-banco-andino-account-trail": ("us-east-1", ("account",)),
    }
    published = account(PRODUCTION)[0].template["Resources"]["PublishBucket"]["Properties"]["Name"]
    assert published == "/anden/banco-andino/account/bucket"


def test_an_account_is_one_client_s_and_has_a_region() -> None:
    with pytest.raises(ValueError, match="no region"):
        account(replace(PRODUCTION, region=None))
    with pytest.raises(ValueError, match="several accounts"):
        account(PRODUCTION, [replace(CERTIFICATION, account="999999999999")])
    with pytest.raises(ValueError, match="several accounts or clients"):
        account(PRODUCTION, [replace(CERTIFICATION, client="other")])


def test_a_bucket_s_name_fits() -> None:
    assert len(bucket_name(LONG, "1" * 12)) <= LONGEST_BUCKET


def test_no_client_s_name_makes_its_roles_look_like_the_account_s() -> None:
    assert max(len(name) for name in ROLES) < KEPT_OF_STACK_NAME
    for client in ("sre", "developer", "auditor", "deploy", "s", LONG):
        pattern = account_of(replace(PRODUCTION, client=client)).roles
        assert not [name for name in (*ROLES, "anden-boundary") if name.startswith(pattern)]


def test_an_account_that_the_manifest_does_not_name_is_made() -> None:
    (*_, named) = organization(account_of(PRODUCTION))
    (*_, unnamed) = organization(account_of(replace(PRODUCTION, account=None)))
    assert "Account" not in named.template["Resources"]
    assert named.template["Resources"]["Watch"]["Properties"]["TargetIds"] == ["111122223333"]
    assert unnamed.template["Resources"]["Account"]["DeletionPolicy"] == "Retain"
    assert unnamed.template["Resources"]["Watch"]["Properties"]["TargetIds"] == [
        {"Fn::GetAtt": ["Account", "AccountId"]}
    ]
