"""How changes get in: `anden-change`, the policy of whoever changes environments, and the role of a pipeline.

Everything but images and state is changed *through CloudFormation*: the same person or pipeline who calls EC2 by hand
is refused (`aws:CalledVia`). Roles can be made with the boundary only, and be passed to the services that anden
uses only. The account's own stacks are not for it: whoever sets the account up changes those.
"""

from anden.engines.aws.render.access import (
    NOT_BY_CLOUDFORMATION,
    PUSH,
    READ_OBJECTS,
    SECRET_VALUES,
    SESSION_S,
    VIA_S3,
)
from anden.engines.aws.render.account import DEPLOY, OWN_FAMILIES, ROLE_TAG, Account, Present
from anden.engines.aws.render.arns import BOUNDARY, anywhere, arn
from anden.engines.aws.render.state_bucket import TEMPLATES
from anden.engines.aws.render.statement import Condition, allow, deny, document, trust
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, sub, tags

ISSUER = "token.actions.githubusercontent.com"
"""GitHub's issuer for workflows (GitHub docs, "OpenID Connect reference")."""
AUDIENCE = "sts.amazonaws.com"
REPOSITORY = "[A-Za-z0-9][A-Za-z0-9-]*(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?"
"""`OWNER/NAME`, with the numbers that newer subjects carry: no wildcard can stand in it."""
DEPLOYS = "[A-Za-z0-9:/._-]+"
"""The rest of a subject: `environment:production`, `ref:refs/heads/main`."""

STACKS = (
    "cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback", "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet", "cloudformation:DeleteStack", "cloudformation:Describe*",
    "cloudformation:DetectStack*", "cloudformation:ExecuteChangeSet", "cloudformation:Get*", "cloudformation:List*",
    "cloudformation:RollbackStack", "cloudformation:SetStackPolicy", "cloudformation:TagResource",
    "cloudformation:UntagResource", "cloudformation:UpdateTerminationProtection",
)  # fmt: skip
"""Change sets and what belongs to them. CreateStack and UpdateStack are missing on purpose: they show no plan."""
MADE = (
    "acm:*", "apigateway:*", "application-autoscaling:*", "backup:*", "backup-storage:*", "cloudwatch:*", "ec2:*",
    "ecr:*", "ecs:*", "elasticloadbalancing:*", "events:*", "kms:*", "logs:*", "network-firewall:*", "route53:*",
    "route53resolver:*", "s3:*", "secretsmanager:*", "servicediscovery:*", "sns:*", "ssm:*", "wafv2:*",
)  # fmt: skip
"""Services that an environment is made of."""
BOUND = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary",
         "iam:PutRolePolicy", "iam:DeleteRolePolicy")  # fmt: skip
"""What knows the boundary of the role that it is done to (Service authorization reference, IAM)."""
OF_MADE_ROLES = ("iam:DeleteRole", "iam:Get*", "iam:List*", "iam:TagRole", "iam:UntagRole",
                 "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription")  # fmt: skip
PASSED_TO = ("apigateway.amazonaws.com", "backup.amazonaws.com", "ecs-tasks.amazonaws.com", "ecs.amazonaws.com",
             "events.amazonaws.com", "vpc-flow-logs.amazonaws.com")  # fmt: skip
LINKED = (
    "apigateway", "backup", "ecs", "ecs.application-autoscaling", "elasticloadbalancing", "inspector2",
    "network-firewall", "replication.ecr", "s2svpn", "signer", "vpce", "wafv2",
)  # fmt: skip
"""Services whose own role is made with their first resource."""
BY_CLOUDFORMATION: Condition = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}


def part(account: Account) -> Part:
    """`anden-change`; GitHub's provider unless the account has it, and `anden-deploy`, which one subject of it gets."""
    change = resource(
        "AWS::IAM::ManagedPolicy", ManagedPolicyName="anden-change", PolicyDocument=policy(account),
        Description="Changes environments, through CloudFormation.",
    )  # fmt: skip
    resources: dict[str, Resource] = {"Change": change, "Deploy": _deploy(account)}
    if Present.GITHUB not in account.present:
        resources["Github"] = resource(
            "AWS::IAM::OIDCProvider", Url=f"https://{ISSUER}", ClientIdList=[AUDIENCE], Tags=tags(Name="anden-github"),
        )  # fmt: skip
    settings = account.settings
    parameters: dict[str, Json] = {
        "Repository": {"Type": "String", "AllowedPattern": REPOSITORY, "Description": "OWNER/NAME on GitHub"},
        "Deploys": {"Type": "String", "AllowedPattern": DEPLOYS, "Default": settings.deploys,
                    "Description": "The rest of the subject that may deploy, exact"},
    }  # fmt: skip
    if settings.repository:
        parameters["Repository"]["Default"] = settings.repository
    return Part(resources, parameters=parameters)


def _deploy(account: Account) -> Resource:
    provider = arn("iam", f"oidc-provider/{ISSUER}", region=False)
    exact = {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": sub("repo:${Repository}:${Deploys}")}
    assume = trust({"Federated": provider}, ["sts:AssumeRoleWithWebIdentity"], {"StringEquals": exact})
    own = Present.GITHUB not in account.present
    return resource(
        "AWS::IAM::Role", after=["Boundary", *(["Github"] if own else [])], RoleName=DEPLOY,
        Description="A workflow on GitHub that deploys.", MaxSessionDuration=SESSION_S,
        AssumeRolePolicyDocument=assume, PermissionsBoundary=BOUNDARY, ManagedPolicyArns=[ref("Look"), ref("Change")],
        Tags=tags(**{ROLE_TAG: "deploy"}),
    )  # fmt: skip


def policy(account: Account) -> Json:
    """What changing takes."""
    roles = arn("iam", f"role/{account.roles}*", region=False)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    linked = [f"{name}.amazonaws.com" for name in LINKED]
    own = [anywhere("cloudformation", f"stack/{account.stacks}{name}/*") for name in OWN_FAMILIES]
    return document(
        allow("Stacks", STACKS, [anywhere("cloudformation", f"{kind}/{account.stacks}*")
                                 for kind in ("stack", "changeSet")]),
        allow("Templates", ["cloudformation:ListStacks", "cloudformation:ValidateTemplate"]),
        allow("Made", MADE, when=BY_CLOUDFORMATION),
        allow("Published", ["ssm:GetParameters"], anywhere("ssm", f"parameter/anden/{account.client}/*")),
        allow("Bound", BOUND, roles, when=bounded),
        allow("Roles", OF_MADE_ROLES, roles),
        allow("Pass", ["iam:PassRole"], roles, when={"StringEquals": {"iam:PassedToService": list(PASSED_TO)}}),
        allow("Linked", ["iam:CreateServiceLinkedRole"], when={"StringEquals": {"iam:AWSServiceName": linked}}),
        allow("Login", ["ecr:GetAuthorizationToken"]),
        allow("Images", PUSH, anywhere("ecr", f"repository/{account.client}/*")),
        allow("ListState", ["s3:ListBucket", "s3:ListBucketVersions"], att("StateBucket", "Arn")),
        allow("State", [*READ_OBJECTS, "s3:PutObject"], sub("${StateBucket.Arn}/*")),
        allow("OldTemplates", ["s3:DeleteObject"], sub(f"${{StateBucket.Arn}}/{TEMPLATES}*")),
        allow("StateKey", ["kms:Decrypt", "kms:GenerateDataKey"], att("StateKey", "Arn"), when=VIA_S3),
        deny("OwnStacks", [each for each in STACKS if not each.endswith("*")], own),
        deny("NoSecretValues", SECRET_VALUES, when=NOT_BY_CLOUDFORMATION),
    )  # fmt: skip
