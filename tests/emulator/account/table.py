"""Who may do what: the table of docs/aws/access.md, as data. Each row is judged by the evaluator for each role, and
tried for real with the role's credentials where the emulator can tell."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulator.account.enforcing import ACCOUNT, CLIENT, REGION
from tests.emulator.account.evaluator import Context, Request

ROLES = ("sre", "developer", "auditor", "deploy")
BUCKET = f"anden-{CLIENT}-{ACCOUNT}"
STATE = f"arn:aws:s3:::{BUCKET}"
TARGET, BLUEPRINT = "environments/production/target.json", "blueprints/sha256-00.json"
TEMPLATE = "templates/00.json"
OTHER_BUCKET = "receipts"
REPOSITORY = f"{CLIENT}/production/accounts"
SECRET = f"{CLIENT}/production/core-token"
DEBUG = f"{CLIENT}-production-accounts-debug"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/anden-boundary"
TASKS = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TASKS]})
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'

Ask = Callable[[Callable[[str], Any]], Any]
"""Given a maker of clients by service, makes the call."""


@dataclass(frozen=True)
class Row:
    """what: in words. may: the roles that may, short. ask: the real call; None: `untried` says why not."""

    what: str
    may: tuple[str, ...]
    request: Request
    ask: Ask | None = None
    untried: str = ""
    region: str = REGION


def arn(service: str, rest: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


def tagged(environment: str) -> Context:
    return {"aws:ResourceTag/anden:client": CLIENT, "aws:ResourceTag/anden:environment": environment}


def _row(
    what: str, may: str, action: str, resource: str, ask: Ask | None = None, *, context: Context | None = None,
    untried: str = "", region: str = REGION,
) -> Row:  # fmt: skip
    within: Context = {**(context or {}), **({"aws:RequestedRegion": region} if region != REGION else {})}
    return Row(what, tuple(may.split()), Request(action, resource, within), ask, untried, region)


def _service(environment: str) -> str:
    return arn("ecs", f"service/{CLIENT}-{environment}/accounts")


def _restart(environment: str) -> Ask:
    return lambda of: of("ecs").update_service(
        cluster=f"{CLIENT}-{environment}", service="accounts", forceNewDeployment=True
    )


def _inside(environment: str) -> Ask:
    return lambda of: of("ecs").execute_command(
        cluster=f"{CLIENT}-{environment}", task="1", command="sh", interactive=True
    )


def _run(cluster: str, definition: str) -> Ask:
    return lambda of: of("ecs").run_task(cluster=cluster, taskDefinition=definition)


def _debugging(cluster: str) -> Context:
    return {**tagged("production"), "ecs:cluster": arn("ecs", f"cluster/{cluster}")}


def _sealing(environment: str) -> Context:
    bound = f"ecs:{CLIENT}-{environment}_1_2"
    return {**tagged(environment), "kms:EncryptionContext:aws:ssm:TargetId": bound}


def _lines(environment: str) -> Ask:
    return lambda of: of("logs").filter_log_events(logGroupName=f"/anden/{CLIENT}/{environment}/accounts")


def _change_set(stack: str) -> Ask:
    return lambda of: of("cloudformation").create_change_set(
        StackName=stack, ChangeSetName="try", ChangeSetType="CREATE", TemplateBody=TEMPLATE
    )


def _role(name: str, boundary: Mapping[str, str]) -> Ask:
    return lambda of: of("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **boundary)


def _group(name: str) -> str:
    return arn("logs", f"log-group:/anden/{CLIENT}/{name}/accounts")


VIA = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
NOT_VIA = "the emulator does not tell who calls through CloudFormation"
NO_API = "the emulator does not have it"
NO_KEYS = "the emulator does not tell what a data key is bound to"
NOT_TAGS = "the emulator does not ask for it"
OF_STACK = f"stack/anden-{CLIENT}-production-edge/1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/anden-{CLIENT}-production-task"

LOOKING = (
    _row("list stacks and what is in them", "sre developer auditor deploy", "cloudformation:DescribeStacks",
         arn("cloudformation", OF_STACK), lambda of: of("cloudformation").describe_stacks()),
    _row("see services and tasks of production", "sre developer auditor deploy", "ecs:DescribeServices",
         _service("production"), lambda of: of("ecs").describe_services(
             cluster=f"{CLIENT}-production", services=["accounts"]), context=tagged("production")),
    _row("see addresses, groups and routes", "sre developer auditor deploy", "ec2:DescribeSecurityGroups", "*",
         lambda of: of("ec2").describe_security_groups()),
    _row("see roles and their policies", "sre developer auditor deploy", "iam:GetRole",
         f"arn:aws:iam::{ACCOUNT}:role/anden-sre", lambda of: of("iam").get_role(RoleName="anden-sre")),
    _row("see who called what (CloudTrail)", "sre developer auditor deploy", "cloudtrail:LookupEvents", "*",
         lambda of: of("cloudtrail").lookup_events()),
    _row("see which secrets there are", "sre developer auditor deploy", "secretsmanager:DescribeSecret",
         arn("secretsmanager", f"secret:{SECRET}"),
         lambda of: of("secretsmanager").describe_secret(SecretId=SECRET)),
    _row("see an image's findings", "sre developer auditor deploy", "ecr:DescribeImageScanFindings",
         arn("ecr", f"repository/{REPOSITORY}"), lambda of: of("ecr").describe_image_scan_findings(
             repositoryName=REPOSITORY, imageId={"imageTag": "1"})),
    _row("look into a region that the client does not use", "", "ec2:DescribeInstances", "*",
         lambda of: of("ec2").describe_instances(), region="eu-west-1"),
)  # fmt: skip
READING = (
    _row("read the state: target, journal, blueprints", "sre developer auditor deploy", "s3:GetObject",
         f"{STATE}/{TARGET}", lambda of: of("s3").get_object(Bucket=BUCKET, Key=TARGET)),
    _row("read log lines of production", "sre", "logs:FilterLogEvents", _group("production"), _lines("production"),
         context=tagged("production")),
    _row("read log lines of certification", "sre developer", "logs:FilterLogEvents", _group("certification"),
         _lines("certification"), context=tagged("certification")),
    _row("read a secret's value", "", "secretsmanager:GetSecretValue", arn("secretsmanager", f"secret:{SECRET}"),
         lambda of: of("secretsmanager").get_secret_value(SecretId=SECRET)),
    _row("have CloudFormation fetch a tunnel's key", "sre deploy", "secretsmanager:GetSecretValue",
         arn("secretsmanager", f"secret:{SECRET}"), context=VIA, untried=NOT_VIA),
    _row("read an object of a bucket of the services", "", "s3:GetObject", f"arn:aws:s3:::{OTHER_BUCKET}/1",
         lambda of: of("s3").get_object(Bucket=OTHER_BUCKET, Key="1")),
    _row("read a table's items", "", "dynamodb:GetItem", arn("dynamodb", "table/receipts"),
         lambda of: of("dynamodb").get_item(TableName="receipts", Key={"id": {"S": "1"}})),
    _row("read a queue's messages", "", "sqs:ReceiveMessage", arn("sqs", "receipts"), lambda of: of(
        "sqs").receive_message(QueueUrl=of("sqs").meta.endpoint_url + f"/{ACCOUNT}/receipts")),
    _row("pull an image", "sre developer deploy", "ecr:BatchGetImage", arn("ecr", f"repository/{REPOSITORY}"),
         lambda of: of("ecr").batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "1"}])),
)  # fmt: skip
OPERATING = (
    _row("restart or scale a service of production", "sre", "ecs:UpdateService", _service("production"),
         _restart("production"), context=tagged("production")),
    _row("restart or scale a service of certification", "sre developer", "ecs:UpdateService",
         _service("certification"), _restart("certification"), context=tagged("certification")),
    _row("run a command inside an instance of production", "", "ecs:ExecuteCommand", _service("production"),
         _inside("production"), context=tagged("production")),
    _row("run a command inside an instance of certification", "sre developer", "ecs:ExecuteCommand",
         _service("certification"), _inside("certification"), context=tagged("certification")),
    _row("seal a session of such a command in production", "", "kms:GenerateDataKey", arn("kms", "key/1"),
         context=_sealing("production"), untried=NO_KEYS),
    _row("seal a session of such a command in certification", "sre developer", "kms:GenerateDataKey",
         arn("kms", "key/1"), context=_sealing("certification"), untried=NO_KEYS),
    _row("use the key of certification for anything else", "", "kms:GenerateDataKey", arn("kms", "key/1"),
         context=tagged("certification"), untried=NO_KEYS),
    _row("end a session of such a command", "sre developer", "ssm:TerminateSession",
         arn("ssm", "session/ecs-execute-command-1"), untried=NO_API),
    _row("end another session of Systems Manager", "", "ssm:TerminateSession", arn("ssm", "session/ana-1"),
         untried=NO_API),
    _row("run a debug task in production", "sre", "ecs:RunTask", arn("ecs", f"task-definition/{DEBUG}:1"),
         _run(f"{CLIENT}-production", DEBUG), context=_debugging(f"{CLIENT}-production")),
    _row("run a debug task in a cluster that is not the client's", "", "ecs:RunTask",
         arn("ecs", f"task-definition/{DEBUG}:1"), _run("payroll", DEBUG), context=_debugging("payroll")),
    _row("run a service's own definition as a task", "", "ecs:RunTask", arn("ecs", "task-definition/debug:1"),
         _run(f"{CLIENT}-production", "debug"), context=_debugging(f"{CLIENT}-production")),
    _row("give a debug task its tags as it begins", "sre", "ecs:TagResource", arn("ecs", f"task/{CLIENT}-production/1"),
         context={"ecs:CreateAction": "RunTask", "aws:RequestTag/anden:client": CLIENT}, untried=NOT_TAGS),
    _row("give a task the tags of another client as it begins", "", "ecs:TagResource",
         arn("ecs", f"task/{CLIENT}-production/1"), untried=NOT_TAGS,
         context={"ecs:CreateAction": "RunTask", "aws:RequestTag/anden:client": "payroll"}),
    _row("replace a secret's value, without reading it", "sre", "secretsmanager:PutSecretValue",
         arn("secretsmanager", f"secret:{SECRET}"),
         lambda of: of("secretsmanager").put_secret_value(SecretId=SECRET, SecretString="new")),
    _row("make or delete a secret", "sre", "secretsmanager:CreateSecret",
         arn("secretsmanager", f"secret:{CLIENT}/production/new"), lambda of: of("secretsmanager").create_secret(
             Name=f"{CLIENT}/production/new", SecretString="new")),
    _row("give a value that only a person can (a certificate's ARN)", "sre", "ssm:PutParameter",
         arn("ssm", f"parameter/anden/{CLIENT}/production/given/certificate"), lambda of: of("ssm").put_parameter(
             Name=f"/anden/{CLIENT}/production/given/certificate", Value="x", Type="String")),
    _row("give a value that a stack publishes", "", "ssm:PutParameter",
         arn("ssm", f"parameter/anden/{CLIENT}/production/network/vpc"), lambda of: of("ssm").put_parameter(
             Name=f"/anden/{CLIENT}/production/network/vpc", Value="x", Type="String")),
    _row("try an alarm out, or silence it", "sre", "cloudwatch:SetAlarmState",
         arn("cloudwatch", f"alarm:anden-{CLIENT}-production-down"), lambda of: of("cloudwatch").set_alarm_state(
             AlarmName=f"anden-{CLIENT}-production-down", StateValue="ALARM", StateReason="drill")),
    _row("start restoring a backup", "sre", "backup:StartRestoreJob", "*", untried=NO_API),
    _row("ask for a higher quota", "sre", "servicequotas:RequestServiceQuotaIncrease", "*", untried=NO_API),
)  # fmt: skip
CHANGING = (
    _row("make a change set for an environment's stack", "sre deploy", "cloudformation:CreateChangeSet",
         arn("cloudformation", OF_STACK), _change_set(f"anden-{CLIENT}-production-edge")),
    _row("delete an environment's stack", "sre deploy", "cloudformation:DeleteStack", arn("cloudformation", OF_STACK),
         lambda of: of("cloudformation").delete_stack(StackName=f"anden-{CLIENT}-production-edge")),
    _row("make a change set for the account's own stack", "", "cloudformation:CreateChangeSet",
         arn("cloudformation", f"stack/anden-{CLIENT}-account/1"), _change_set(f"anden-{CLIENT}-account")),
    _row("change a stack that is not anden's", "", "cloudformation:CreateChangeSet",
         arn("cloudformation", "stack/payroll/1"), _change_set("payroll")),
    _row("make a stack without a change set", "", "cloudformation:CreateStack",
         arn("cloudformation", OF_STACK), lambda of: of("cloudformation").create_stack(
             StackName=f"anden-{CLIENT}-production-edge", TemplateBody=TEMPLATE)),
    _row("make a security group by hand", "", "ec2:CreateSecurityGroup", "*",
         lambda of: of("ec2").create_security_group(GroupName="x", Description="x")),
    _row("make a security group through CloudFormation", "sre deploy", "ec2:CreateSecurityGroup", "*",
         context=VIA, untried=NOT_VIA),
    _row("make a role of an environment, with the boundary", "sre deploy", "iam:CreateRole", ROLE,
         _role(f"anden-{CLIENT}-production-task", {"PermissionsBoundary": BOUNDARY}),
         context={"iam:PermissionsBoundary": BOUNDARY}),
    _row("make a role without the boundary", "", "iam:CreateRole", ROLE, _role(f"anden-{CLIENT}-production-bare", {})),
    _row("make a role of another name", "", "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/other",
         _role("other", {"PermissionsBoundary": BOUNDARY}), context={"iam:PermissionsBoundary": BOUNDARY}),
    _row("pass an environment's role to ECS", "sre deploy", "iam:PassRole", ROLE,
         context={"iam:PassedToService": "ecs-tasks.amazonaws.com"}, untried="the emulator does not check it"),
    _row("pass an environment's role to EC2 or Lambda", "", "iam:PassRole", ROLE,
         context={"iam:PassedToService": "lambda.amazonaws.com"}, untried="the emulator does not check it"),
    _row("push an image", "sre developer deploy", "ecr:InitiateLayerUpload", arn("ecr", f"repository/{REPOSITORY}"),
         lambda of: of("ecr").initiate_layer_upload(repositoryName=REPOSITORY)),
)  # fmt: skip
STATE_ROWS = (
    _row("write a target over the one that was read", "sre deploy", "s3:PutObject", f"{STATE}/{TARGET}",
         lambda of: of("s3").put_object(Bucket=BUCKET, Key=TARGET, Body=b"{}", IfMatch='"unread"'),
         context={"s3:if-match": '"unread"'}),
    _row("write a target over whatever is there", "", "s3:PutObject", f"{STATE}/{TARGET}",
         lambda of: of("s3").put_object(Bucket=BUCKET, Key=TARGET, Body=b"{}")),
    _row("keep a new blueprint", "sre deploy", "s3:PutObject", f"{STATE}/{BLUEPRINT}",
         lambda of: of("s3").put_object(Bucket=BUCKET, Key=BLUEPRINT, Body=b"{}", IfNoneMatch="*"),
         context={"s3:if-none-match": "*"}),
    _row("hand CloudFormation a large template over", "sre deploy", "s3:PutObject", f"{STATE}/{TEMPLATE}",
         lambda of: of("s3").put_object(Bucket=BUCKET, Key=TEMPLATE, Body=b"{}", ContentType="application/json")),
    _row("write a blueprint or journal entry over another", "", "s3:PutObject", f"{STATE}/{BLUEPRINT}",
         lambda of: of("s3").put_object(Bucket=BUCKET, Key=BLUEPRINT, Body=b"{}", IfMatch='"unread"'),
         context={"s3:if-match": '"unread"'}),
    _row("put a command on the record of production", "sre deploy", "s3:PutObject",
         f"{STATE}/environments/production/journal/1.json", lambda of: of("s3").put_object(
             Bucket=BUCKET, Key="environments/production/journal/1.json", Body=b"{}", IfNoneMatch="*"),
         context={"s3:if-none-match": "*"}),
    _row("put a command on the record of certification", "sre developer deploy", "s3:PutObject",
         f"{STATE}/environments/certification/journal/1.json", lambda of: of("s3").put_object(
             Bucket=BUCKET, Key="environments/certification/journal/1.json", Body=b"{}", IfNoneMatch="*"),
         context={"s3:if-none-match": "*"}),
    _row("delete a target, a blueprint or a journal entry", "", "s3:DeleteObject", f"{STATE}/{TARGET}",
         lambda of: of("s3").delete_object(Bucket=BUCKET, Key=TARGET)),
    _row("change the bucket's policy", "", "s3:PutBucketPolicy", STATE,
         lambda of: of("s3").put_bucket_policy(Bucket=BUCKET, Policy=ANYTHING)),
    _row("switch the key of the state off, through CloudFormation even", "", "kms:DisableKey", arn("kms", "key/1"),
         context={**VIA, "kms:ResourceAliases": [f"alias/anden/{CLIENT}/state"]}, untried=NOT_VIA),
)  # fmt: skip
GUARDED = (
    _row("change one of the four roles", "", "iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/anden-developer",
         lambda of: of("iam").attach_role_policy(RoleName="anden-developer", PolicyArn=BOUNDARY),
         context={"iam:PermissionsBoundary": BOUNDARY}),
    _row("change the boundary", "", "iam:CreatePolicyVersion", BOUNDARY,
         lambda of: of("iam").create_policy_version(PolicyArn=BOUNDARY, PolicyDocument=ANYTHING, SetAsDefault=True)),
    _row("take the boundary off a role", "", "iam:DeleteRolePermissionsBoundary", ROLE,
         lambda of: of("iam").delete_role_permissions_boundary(RoleName="anden-developer")),
    _row("make a user or an access key", "", "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x",
         lambda of: of("iam").create_user(UserName="x")),
    _row("take on another of the four roles", "", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/anden-sre",
         lambda of: of("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/anden-sre", RoleSessionName="again")),
    _row("stop the trail", "", "cloudtrail:StopLogging", arn("cloudtrail", "trail/anden"),
         lambda of: of("cloudtrail").stop_logging(Name="anden")),
    _row("end GuardDuty", "", "guardduty:DeleteDetector", arn("guardduty", "detector/1"), untried=NO_API),
    _row("leave the organization", "", "organizations:LeaveOrganization", "*", untried=NO_API),
)  # fmt: skip

PARTS: Mapping[str, tuple[Row, ...]] = {
    "Looking": LOOKING, "Reading content": READING, "Operating": OPERATING, "Changing": CHANGING,
    "State": STATE_ROWS, "What stands guard": GUARDED,
}  # fmt: skip
ROWS = tuple(row for rows in PARTS.values() for row in rows)


def markdown() -> str:
    """The table as docs/aws/access.md has it."""
    lines = []
    for part, rows in PARTS.items():
        lines += [f"| {part} | SRE | developer | auditor | deploy | tried |", "|---|---|---|---|---|---|"]
        for row in rows:
            marks = ["yes" if role in row.may else "–" for role in ROLES]
            tried = "yes" if row.ask else f"rules only: {row.untried}"
            lines.append(f"| {row.what} | {' | '.join(marks)} | {tried} |")
        lines.append("")
    return "\n".join(lines)
