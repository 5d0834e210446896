"""Who may do what in a client's account: SRE, developer, auditor. The table of docs/aws/access.md is tried in tests.

    anden-look     looks at everything and reads nothing: no secrets, no objects, no images, no messages, no log lines
    anden-change   changes environments, through CloudFormation only (`delivery`); SRE and the pipeline have it
    anden-sre      both, and operates: restarts, scales, debugs, replaces secrets without reading them, restores backups
    anden-developer looks, pushes images; reads logs, restarts and looks inside where it is not production, which
                   goes on record there
    anden-auditor  looks, and reads the record: state, trail, findings. Data is denied to it, whatever is attached later

Nobody's role reads a secret's value: tasks do.
"""

from collections.abc import Sequence

from anden.engines.aws.render.account import AUDITOR, DEVELOPER, ROLE_TAG, SRE, TRAIL_BUCKET, Account
from anden.engines.aws.render.arns import BOUNDARY, anywhere
from anden.engines.aws.render.debug import FAMILY_END
from anden.engines.aws.render.statement import Condition, allow, deny, deny_on_others, document, trust
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, sub, tags

SESSION_S = 4 * 3600
"""How long a person's session lasts: half a working day."""

LOOK = (
    "access-analyzer:Get*", "access-analyzer:List*", "acm:DescribeCertificate", "acm:ListCertificates",
    "apigateway:GET", "application-autoscaling:Describe*", "backup:Describe*", "backup:Get*", "backup:List*",
    "budgets:Describe*", "budgets:ViewBudget", "ce:GetCostAndUsage", "ce:GetCostForecast", "cloudformation:Describe*",
    "cloudformation:DetectStack*", "cloudformation:Get*", "cloudformation:List*", "cloudtrail:Describe*",
    "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents", "cloudwatch:Describe*", "cloudwatch:Get*",
    "cloudwatch:List*", "config:Describe*", "config:Get*", "config:List*", "dynamodb:Describe*", "dynamodb:List*",
    "ec2:Describe*", "ec2:GetEbsEncryptionByDefault", "ecr:Describe*", "ecr:GetLifecyclePolicy",
    "ecr:GetRegistry*", "ecr:GetRepositoryPolicy", "ecr:GetSigningConfiguration", "ecr:List*", "ecs:Describe*",
    "ecs:List*", "elasticloadbalancing:Describe*", "events:Describe*", "events:List*", "guardduty:Get*",
    "guardduty:List*", "health:Describe*", "iam:GenerateCredentialReport", "iam:Get*", "iam:List*",
    "iam:SimulatePrincipalPolicy", "inspector2:BatchGet*", "inspector2:Get*", "inspector2:List*", "kms:Describe*",
    "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:List*", "logs:Describe*", "logs:List*",
    "organizations:Describe*", "organizations:List*", "rds:Describe*", "rds:ListTagsForResource",
    "route53:GetHostedZone", "route53:List*", "route53resolver:Get*", "route53resolver:List*",
    "s3:GetAccountPublicAccessBlock", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListAllMyBuckets",
    "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecret*",
    "servicediscovery:Get*", "servicediscovery:List*", "servicequotas:Get*", "servicequotas:List*", "signer:Get*",
    "signer:List*", "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:List*", "sqs:GetQueueAttributes",
    "sqs:ListQueue*", "ssm:DescribeParameters", "sts:GetCallerIdentity", "tag:Get*", "wafv2:Describe*", "wafv2:Get*",
    "wafv2:List*",
)  # fmt: skip
"""Looking: descriptions, figures, findings and the prices of it. None gives content back."""

DATA = (
    "backup:StartRestoreJob", "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQL*",
    "dynamodb:Query", "dynamodb:Scan", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecs:ExecuteCommand",
    "logs:FilterLogEvents", "logs:Get*", "logs:StartLiveTail", "logs:StartQuery", "logs:Unmask", "rds-data:*",
    "secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "ssm:GetParameter*",
    "ssm:StartSession", "ssmmessages:*",
)  # fmt: skip
"""What gives content back."""
SECRET_VALUES = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue")
WRITE_SECRETS = (
    "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue",
    "secretsmanager:RestoreSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource",
    "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage",
)  # fmt: skip
READ_LOGS = ("logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartLiveTail", "logs:StartQuery")
LOG_ANSWERS = ("logs:GetQueryResults", "logs:StopQuery")
"""Of a query that was allowed; they name no log group."""
PUSH = (
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
)  # fmt: skip
TOUCH = ("ecs:StopTask", "ecs:UpdateService")
INSIDE = ("ecs:ExecuteCommand",)
TARGET = "aws:ssm:TargetId"
"""What a session's data key is bound to: `ecs:CLUSTER_TASK_CONTAINER`, as AWS's session-manager-plugin asks for it."""
SESSIONS = "ecs-execute-command-"
"""How ECS names its sessions."""
WALL_LOG = "aws-waf-logs-"
"""How WAF wants its log groups' names to begin (WAF developer guide, "Sending web ACL traffic logs to a CloudWatch Logs
log group")."""
READ_OBJECTS = ("s3:GetObject", "s3:GetObjectVersion")


def part(account: Account) -> Part:
    """`anden-look`, and the three roles of people. Their trust is for one account's principals that carry the tag
    `anden:role`: an administrator there cannot take a role on by being one."""
    look = resource(
        "AWS::IAM::ManagedPolicy", ManagedPolicyName="anden-look", PolicyDocument=document(allow("Look", LOOK)),
        Description="Looks at everything in the account, and reads no content.",
    )  # fmt: skip
    return Part(
        {
            "Look": look,
            "Sre": _role(SRE, "Operates and changes the environments.", sre(account), ref("Look"), ref("Change")),
            "Developer": _role(DEVELOPER, "Builds services.", developer(account), ref("Look")),
            "Auditor": _role(
                AUDITOR, "Sees everything, reads no data, changes nothing.", auditor(account), ref("Look")
            ),
        },
        parameters={"PeopleAccount": people(account)},
    )


def people(account: Account) -> Json:
    """The parameter: whose principals may take the roles on."""
    default = account.settings.people or account.account
    made = {"Type": "String", "AllowedPattern": "[0-9]{12}", "Description": "Account that people's identities live in"}
    return made | ({"Default": default} if default else {})


def _role(name: str, description: str, policy: Json, *managed: Json) -> Resource:
    short = name.removeprefix("anden-")
    principal = {"AWS": sub("arn:${AWS::Partition}:iam::${PeopleAccount}:root")}
    tagged = {"StringEquals": {f"aws:PrincipalTag/{ROLE_TAG}": short}}
    return resource(
        "AWS::IAM::Role", after=["Boundary"], RoleName=name, Description=description, MaxSessionDuration=SESSION_S,
        AssumeRolePolicyDocument=trust(principal, when=tagged), PermissionsBoundary=BOUNDARY,
        ManagedPolicyArns=list(managed), Policies=[{"PolicyName": short, "PolicyDocument": policy}],
        Tags=tags(**{ROLE_TAG: short}),
    )  # fmt: skip


def sre(account: Account) -> Json:
    """What SRE may beside looking and changing. A task's roles are passed on by what `delivery` allows. A debug task
    has no tags yet when it is given them: those that it is to have are judged."""
    ours: Condition = {"StringEquals": {"aws:ResourceTag/anden:client": account.client}}
    debugging: Condition = {
        "StringEquals": {"ecs:CreateAction": "RunTask", "aws:RequestTag/anden:client": account.client}
    }
    return document(
        allow("Logs", READ_LOGS, _logs(account)),
        allow("LogAnswers", LOG_ANSWERS),
        allow("Operate", [*TOUCH, "ecs:TagResource"], anywhere("ecs", "*"), when=ours),
        allow("Debug", ["ecs:RunTask"], anywhere("ecs", f"task-definition/{account.client}-*{FAMILY_END}:*"),
              when={**ours, "ArnLike": {"ecs:cluster": anywhere("ecs", f"cluster/{account.client}-*")}}),
        allow("DebugTags", ["ecs:TagResource"], anywhere("ecs", f"task/{account.client}-*"), when=debugging),
        *_inside(account),
        allow("Scale", ["application-autoscaling:RegisterScalableTarget"]),
        allow("Alarms", ["cloudwatch:DisableAlarmActions", "cloudwatch:EnableAlarmActions", "cloudwatch:SetAlarmState"],
              anywhere("cloudwatch", f"alarm:{account.stacks}*")),
        allow("Secrets", WRITE_SECRETS, anywhere("secretsmanager", f"secret:{account.client}/*")),
        allow("SecretKeys", ["kms:GenerateDataKey", "kms:Decrypt"], anywhere("kms", "key/*"),
              when={"StringLike": {"kms:ViaService": "secretsmanager.*.amazonaws.com"}}),
        allow("Backups", ["backup:StartBackupJob", "backup:StartCopyJob", "backup:StartRestoreJob"]),
        allow("Given", ["ssm:PutParameter"], anywhere("ssm", f"parameter/anden/{account.client}/*/given/*")),
        allow("Quotas", ["servicequotas:RequestServiceQuotaIncrease"]),
        deny("NoSecretValues", SECRET_VALUES, when=NOT_BY_CLOUDFORMATION),
    )  # fmt: skip


def developer(account: Account) -> Json:
    """What a developer may beside looking."""
    elsewhere = _not_productive(account)
    there = [sub(f"${{StateBucket.Arn}}/environments/{name}/*") for name in account.productive]
    return document(
        *read_state(account),
        allow("Login", ["ecr:GetAuthorizationToken"]),
        allow("Images", PUSH, anywhere("ecr", f"repository/{account.client}/*")),
        allow("Logs", READ_LOGS, _logs(account), when=elsewhere),
        allow("LogAnswers", LOG_ANSWERS),
        allow("Touch", TOUCH, anywhere("ecs", "*"), when=elsewhere),
        *_inside(account),
        allow("Record", ["s3:PutObject"], sub("${StateBucket.Arn}/environments/*/journal/*")),
        allow("RecordKey", ["kms:GenerateDataKey"], att("StateKey", "Arn"), when=VIA_S3),
        deny("NotThere", ["s3:PutObject"], there) if there else None,
        deny("NoSecretValues", SECRET_VALUES),
    )


def auditor(account: Account) -> Json:
    """What an auditor may beside looking: read the record. Data is denied, whatever else gets attached."""
    trail = f"arn:${{AWS::Partition}}:s3:::{TRAIL_BUCKET}"
    return document(
        *read_state(account),
        allow("ReadTrail", ["s3:GetObject", "s3:ListBucket"], [sub(trail), sub(f"{trail}/*")]),
        deny("NoData", DATA),
        deny_on_others("NoObjects", ["s3:GetObject*"], [sub("${StateBucket.Arn}/*"), sub(f"{trail}/*")]),
    )


def read_state(account: Account) -> Sequence[Json]:
    """Reading a client's state: which blueprint is the target, who holds the lock, what was done."""
    return (
        allow("ListState", ["s3:ListBucket", "s3:ListBucketVersions"], att("StateBucket", "Arn")),
        allow("ReadState", READ_OBJECTS, sub("${StateBucket.Arn}/*")),
        allow("ReadStateKey", ["kms:Decrypt"], att("StateKey", "Arn"), when=VIA_S3),
    )


def _inside(account: Account) -> Sequence[Json]:
    """A command in a task that is not productive. Its session is sealed with the environment's key, by whoever runs it
    too (ECS developer guide, "Monitor Amazon ECS containers with ECS Exec"), and ended by them."""
    elsewhere = _not_productive(account)
    sealing = {**elsewhere, "StringLike": {f"kms:EncryptionContext:{TARGET}": f"ecs:{account.client}-*"}}
    return (
        allow("Inside", INSIDE, anywhere("ecs", "*"), when=elsewhere),
        allow("SealInside", ["kms:GenerateDataKey"], anywhere("kms", "key/*"), when=sealing),
        allow("LeaveInside", ["ssm:TerminateSession"], anywhere("ssm", f"session/{SESSIONS}*")),
    )


NOT_BY_CLOUDFORMATION: Condition = {"ForAllValues:StringNotEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
"""Also where nothing was called by way of anything. CloudFormation fetches tunnels' keys with the right of whoever
applies the stack; whoever may do that may have a task print a secret as well."""
VIA_S3: Condition = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}


def _logs(account: Account) -> Json:
    """The client's log groups; the web firewall's have the name that WAF asks for."""
    names = (f"/anden/{account.client}/*", f"{WALL_LOG}{account.client}-*")
    return [anywhere("logs", f"log-group:{name}") for name in names]


def _not_productive(account: Account) -> Condition:
    """Of the client, and in no productive environment. The first half matters: a condition that something is not so
    holds as well for what has no tag at all."""
    ours: dict[str, dict[str, Json]] = {"StringEquals": {"aws:ResourceTag/anden:client": account.client}}
    if account.productive:
        ours["StringNotEquals"] = {"aws:ResourceTag/anden:environment": list(account.productive)}
    return ours
