"""`anden-boundary`: what no role of anden's may ever do, whatever its own policies say; every one carries it.

It never grants. The four roles of people and pipelines may do what their policies say, except what is denied below;
every other role (of tasks, backups, flow logs) gets no further than `SERVICES`. Denied to all: users and keys that
outlive a session, touching the account's own roles or this boundary, roles without it, turning the watch off, losing
state, other regions, leaving the organization.
"""

from anden.engines.aws.render.account import ROLES, Account, bucket_name
from anden.engines.aws.render.arns import BOUNDARY, BOUNDARY_NAME, anywhere, arn
from anden.engines.aws.render.statement import allow, deny, deny_all_but, document
from anden.engines.aws.render.template import Json, Part, resource, sub

SERVICES = (
    "backup:*", "backup-storage:*", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData", "dynamodb:*",
    "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:DeleteSnapshot", "ec2:Describe*", "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecs:DescribeServices",
    "elasticfilesystem:*", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:Describe*",
    "elasticloadbalancing:Modify*", "elasticloadbalancing:RegisterTargets", "events:*", "kms:CreateGrant",
    "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*",
    "logs:CreateLogDelivery", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:Describe*", "logs:FilterLogEvents",
    "logs:GetLogEvents", "logs:PutLogEvents", "rds:*", "s3:*", "secretsmanager:GetSecretValue", "sns:Publish",
    "sqs:*", "ssm:GetParameter*", "ssmmessages:*", "tag:GetResources", "xray:Put*",
)  # fmt: skip
"""The most that a role of a service may get: messages, records, images, secrets, logs, copies of them, and which tasks
a balancer sends to (ECS moves them between versions)."""

GLOBAL = (
    "account:*", "budgets:*", "ce:*", "health:*", "iam:*", "organizations:*", "pricing:*", "route53:*",
    "s3:GetAccountPublic*", "s3:ListAllMyBuckets", "servicequotas:*", "sts:*", "support:*", "tag:*",
)  # fmt: skip
"""What lives in one region for all of them, wherever one works."""

LASTING = (
    "iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
    "iam:CreateServiceSpecificCredential", "iam:CreateGroup", "iam:AddUserToGroup", "iam:UploadSigningCertificate",
    "iam:CreateSAMLProvider", "iam:UpdateSAMLProvider", "iam:CreateOpenIDConnectProvider",
    "iam:AddClientIDToOpenIDConnectProvider",
)  # fmt: skip
"""Ways in that outlive a session."""

OF_ROLES = (
    "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole*", "iam:DetachRolePolicy", "iam:PutRole*",
    "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole*",
)  # fmt: skip
OF_POLICIES = (
    "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy*", "iam:SetDefaultPolicyVersion",
    "iam:TagPolicy", "iam:UntagPolicy",
)  # fmt: skip

UNWATCH = (
    "cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail",
    "config:DeleteConfigurationRecorder", "config:DeleteDeliveryChannel", "config:StopConfigurationRecorder",
    "guardduty:Delete*", "guardduty:Disassociate*", "guardduty:StopMonitoringMembers", "guardduty:UpdateDetector",
    "access-analyzer:DeleteAnalyzer",
)  # fmt: skip
"""What would end the account's being watched."""

LOSE_BUCKET = (
    "s3:DeleteBucket*", "s3:DeleteObjectVersion*", "s3:PutBucket*", "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration", "s3:BypassGovernanceRetention",
)  # fmt: skip
LOSE_KEY = ("kms:DisableKey*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DeleteAlias", "kms:UpdateAlias")
LEAVE = ("account:*", "organizations:LeaveOrganization", "billing:Update*", "payments:*")


def part(account: Account) -> Part:
    """The boundary."""
    made = resource(
        "AWS::IAM::ManagedPolicy", ManagedPolicyName=BOUNDARY_NAME, PolicyDocument=policy(account),
        Description="What no role made by anden may ever do; it grants nothing.",
    )  # fmt: skip
    return Part({"Boundary": made})


def policy(account: Account) -> Json:
    """Its document."""
    own = [arn("iam", f"role/{name}", region=False) for name in ROLES]
    bucket = f"arn:${{AWS::Partition}}:s3:::{bucket_name(account.client, '${AWS::AccountId}')}"
    state = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/anden/{account.client}/state"}}
    return document(
        allow("People", ["*"], when={"ArnLike": {"aws:PrincipalArn": own}}),
        allow("Services", SERVICES),
        deny("Lasting", LASTING),
        deny("OwnRoles", OF_ROLES, own),
        deny("OwnPolicies", OF_POLICIES, arn("iam", "policy/anden-*", region=False)),
        deny("Unbounded", ["iam:CreateRole", "iam:PutRolePermissionsBoundary"],
             when={"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}}),
        deny("Unbinding", ["iam:DeleteRolePermissionsBoundary"]),
        deny("Unwatch", UNWATCH),
        deny("State", LOSE_BUCKET, [sub(bucket), sub(f"{bucket}/*")]),
        deny("StateKey", LOSE_KEY, anywhere("kms", "key/*"), when=state),
        deny("Leave", LEAVE),
        deny_all_but("Regions", GLOBAL, when={"StringNotEquals": {"aws:RequestedRegion": list(account.regions)}}),
    )  # fmt: skip
