"""Who may do what in an account: each row of the table judged from the templates, and tried with real credentials."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.emulator import emulator
from tests.emulator.account.enforcing import (
    ACCOUNT,
    CERTIFICATION,
    CLIENT,
    PRODUCTION,
    REGION,
    Ground,
    enforcing,
    stacks,
)
from tests.emulator.account.evaluator import Request, Rules
from tests.emulator.account.table import BUCKET, OTHER_BUCKET, REPOSITORY, ROLES, ROWS, SECRET, TARGET, Row, markdown

from anden.engines.aws.render.account import account_of
from anden.engines.aws.render.organization import organization

PAGE = Path(__file__).parents[3] / "docs" / "aws" / "access.md"
REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
TAGS = {"anden:client": CLIENT}
RULES = Rules(
    [stack.text for stack in stacks()], ACCOUNT, REGION,
    controls=[stack.text for stack in organization(account_of(PRODUCTION, [CERTIFICATION]))],
)  # fmt: skip
ALONE = Rules([stack.text for stack in stacks()], ACCOUNT, REGION)


def of(row: Row) -> str:
    return row.what


@pytest.mark.parametrize("row", ROWS, ids=of)
def test_the_rules_say_so_with_and_without_an_organization(row: Row) -> None:
    for role in ROLES:
        for rules in (RULES, ALONE):
            assert rules.allows(f"anden-{role}", row.request) == (role in row.may), role


@pytest.fixture(scope="session")
def furnished(ground: Ground) -> Ground:
    """With what the calls of the table are about, and a session of each role."""
    furnish(ground)
    for person, role in (("ana", "sre"), ("luis", "developer"), ("maria", "auditor")):
        ground.take(person, f"anden-{role}")
    ground.deploys("repo:banco/platform:environment:production")
    return ground


def furnish(ground: Ground) -> None:
    for environment in ("production", "certification"):
        tags = {**TAGS, "anden:environment": environment}
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        cluster = f"{CLIENT}-{environment}"
        ecs = ground.client("ecs")
        ecs.create_cluster(clusterName=cluster, tags=listed)
        for family in ("debug", f"{cluster}-accounts-debug"):
            ecs.register_task_definition(family=family, containerDefinitions=[{"name": "x", "image": "x"}], tags=listed)
        ecs.create_service(cluster=cluster, serviceName="accounts", taskDefinition="debug", desiredCount=0, tags=listed)
        ground.client("logs").create_log_group(logGroupName=f"/anden/{CLIENT}/{environment}/accounts", tags=tags)
    ground.client("secretsmanager").create_secret(Name=SECRET, SecretString="hidden")
    ground.client("ecr").create_repository(repositoryName=REPOSITORY)
    s3 = ground.client("s3")
    s3.create_bucket(Bucket=OTHER_BUCKET)
    s3.put_object(Bucket=OTHER_BUCKET, Key="1", Body=b"1")
    s3.put_object(Bucket=BUCKET, Key=TARGET, Body=b"{}", IfNoneMatch="*")
    ground.client("dynamodb").create_table(
        TableName="receipts", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    ground.client("sqs").create_queue(QueueName="receipts")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", [row for row in ROWS if row.ask], ids=of)
def test_it_is_so_when_tried(furnished: Ground, row: Row, role: str) -> None:
    assert row.ask is not None

    def client(service: str) -> Any:
        return furnished.client(service, f"anden-{role}", row.region)

    try:
        row.ask(client)
        refused = ""
    except ClientError as error:
        refused = f"{error}" if error.response["Error"]["Code"] in REFUSALS else ""
    assert (not refused) == (role in row.may), refused


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.ask and not row.may and row.request.action != "sts:AssumeRole"], ids=of
)  # without the stacks there is no role to take on
def test_what_nobody_may_is_refused_by_the_rules_and_not_by_the_emulator(unruled: Ground, row: Row) -> None:
    assert row.ask is not None
    try:
        row.ask(lambda service: unruled.client(service, "root", row.region))
    except ClientError as error:
        assert error.response["Error"]["Code"] not in REFUSALS  # noqa: PT017 - any other error is as good as an answer


@pytest.fixture(scope="session")
def unruled() -> Iterator[Ground]:
    """An emulator without the account's stacks, and with what the calls of the table are about."""
    if emulator.python() is None:
        pytest.skip("the emulator is not installed: ./test does that, or name its Python in ANDEN_EMULATOR")
    with enforcing() as it:
        it.client("s3").create_bucket(Bucket=BUCKET)
        furnish(it)
        yield it


@pytest.mark.parametrize(
    ("person", "role", "may"),
    [("ana", "sre", True), ("ana", "auditor", False), ("luis", "sre", False), ("maria", "auditor", True),
     ("root-like", "sre", False), ("root-like", "auditor", False)],
)  # fmt: skip
def test_a_role_is_for_those_who_carry_its_tag(furnished: Ground, person: str, role: str, may: bool) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/anden-{role}"
    ask = furnished.client("sts", person).assume_role
    if may:
        assert ask(RoleArn=arn, RoleSessionName=person)["Credentials"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            ask(RoleArn=arn, RoleSessionName=person)


SUBJECTS = {
    "repo:banco/platform:environment:production": True,
    "repo:banco/platform:environment:certification": False,
    "repo:banco/platform:ref:refs/heads/main": False,
    "repo:banco/platform2:environment:production": False,
    "repo:Banco/platform:environment:production": False,
    "repo:evil/banco/platform:environment:production": False,
    "repo:banco/platform:environment:production-2": False,
    "repo:banco/platform:pull_request": False,
    "": False,
}


@pytest.mark.parametrize(("subject", "may"), SUBJECTS.items())
def test_one_subject_of_github_deploys(furnished: Ground, subject: str, may: bool) -> None:
    host = "token.actions.githubusercontent.com"
    provider = ("Federated", f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")
    claims = {f"{host}:sub": subject, f"{host}:aud": "sts.amazonaws.com"}
    assert RULES.trusts("anden-deploy", "sts:AssumeRoleWithWebIdentity", provider, claims) == may
    if may:
        furnished.deploys(subject)
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            furnished.deploys(subject)


def test_a_token_for_somebody_else_does_not_deploy(furnished: Ground) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        furnished.deploys("repo:banco/platform:environment:production", audience="https://github.com/banco")


ROOT, ADMIN = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/admin"
ACCESS = f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"
CONTROLLED = [
    ("leave the organization", ACCESS, Request("organizations:LeaveOrganization", "*"), True),
    ("use another region", ADMIN, Request("ec2:RunInstances", "*", {"aws:RequestedRegion": "eu-west-1"}), True),
    ("use the recovery region", ADMIN, Request("ec2:RunInstances", "*", {"aws:RequestedRegion": "us-west-2"}), False),
    ("use IAM, which is everywhere", ADMIN, Request("iam:GetRole", "*", {"aws:RequestedRegion": "us-east-1"}), False),
    ("do anything as root", ROOT, Request("s3:ListAllMyBuckets", "*"), True),
    ("stop the trail", ACCESS, Request("cloudtrail:StopLogging", "*"), True),
    ("end GuardDuty", ADMIN, Request("guardduty:DeleteDetector", "*"), True),
    ("stop Config", ADMIN, Request("config:StopConfigurationRecorder", "*"), True),
    ("change anden-sre", ADMIN, Request("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/anden-sre"), True),
    ("change anden-sre by way of the organization", ACCESS,
     Request("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/anden-sre"), False),
    ("change a role of their own", ADMIN, Request("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/mine"), False),
    ("empty the state", ADMIN, Request("s3:DeleteObjectVersion", f"arn:aws:s3:::{BUCKET}/{TARGET}"), True),
    ("delete the state's key", ADMIN,
     Request("kms:ScheduleKeyDeletion", "arn:aws:kms:us-east-1:1:key/1",
             {"kms:ResourceAliases": [f"alias/anden/{CLIENT}/state"]}), True),
    ("delete another key", ADMIN, Request("kms:ScheduleKeyDeletion", "arn:aws:kms:us-east-1:1:key/2"), False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "who", "request_", "denied"), CONTROLLED, ids=[each[0] for each in CONTROLLED])
def test_guardrails_hold_for_administrators(what: str, who: str, request_: Request, denied: bool) -> None:
    assert RULES.controlled(who, request_) == denied
    assert not ALONE.controlled(who, request_)


def test_a_task_gets_no_further_than_the_boundary(furnished: Ground) -> None:
    name, iam = f"anden-{CLIENT}-production-wide", furnished.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/anden-boundary",
    )  # fmt: skip
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    furnished.take("ana", name)
    assert furnished.client("secretsmanager", name).get_secret_value(SecretId=SECRET)["SecretString"]
    for service, call, words in (
        ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"}),
        ("iam", "create_user", {"UserName": "y"}),
        ("cloudformation", "delete_stack", {"StackName": f"anden-{CLIENT}-account"}),
        ("ecs", "update_service", {"cluster": f"{CLIENT}-production", "service": "accounts"}),
        ("s3", "delete_bucket", {"Bucket": BUCKET}),
        ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/anden-sre", "RoleSessionName": "again"}),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(furnished.client(service, name), call)(**words)
        assert refused.value.response["Error"]["Code"] in REFUSALS, call


def test_the_page_has_the_same_table() -> None:
    assert markdown() in PAGE.read_text(), "the table of docs/aws/access.md is tests/emulator/account/table.py's"
