"""What nobody in a client's account may do, its administrators included: service control policies.

Two documents, because one holds 5,120 characters: `watch` (leaving, other regions, root, the watch) and `own` (anden's
own roles, boundary and state, which only the access role of the organization may touch).
"""

from anden.engines.aws.render.account import ROLES, Account, bucket_name
from anden.engines.aws.render.arns import BOUNDARY_NAME
from anden.engines.aws.render.boundary import GLOBAL, LOSE_BUCKET, LOSE_KEY, OF_POLICIES, OF_ROLES, UNWATCH
from anden.engines.aws.render.statement import deny, deny_all_but, document
from anden.engines.aws.render.template import Json, sub

PROVIDERS = (
    "iam:AddClientIDToOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:CreateSAMLProvider",
    "iam:DeleteOpenIDConnectProvider", "iam:DeleteSAMLProvider", "iam:UpdateOpenIDConnectProviderThumbprint",
    "iam:UpdateSAMLProvider",
)  # fmt: skip
"""Changing whom the account believes."""


def watch(account: Account) -> Json:
    """Leaving the organization, regions that the client does not use, the root user, and the end of being watched."""
    return document(
        deny("Leave", ["organizations:LeaveOrganization", "account:CloseAccount"]),
        deny_all_but("Regions", GLOBAL, {"StringNotEquals": {"aws:RequestedRegion": list(account.regions)}}),
        deny("Root", ["*"], when={"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:root"}}),
        deny("Unwatch", [*UNWATCH, "config:DeleteConfigRule"]),
    )


def own(account: Account, access_role: str) -> Json:
    """What anden stands on. access_role: the template parameter with the name of the organization's access role."""
    others = {"ArnNotLike": {"aws:PrincipalArn": sub(f"arn:*:iam::*:role/${{{access_role}}}")}}
    roles = [f"arn:*:iam::*:role/{name}" for name in ROLES]
    policies = [f"arn:*:iam::*:policy/{name}" for name in (BOUNDARY_NAME, "anden-look", "anden-change")]
    bucket = f"arn:*:s3:::{bucket_name(account.client, '*')}"
    state = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/anden/{account.client}/state"}}
    return document(
        deny("Roles", OF_ROLES, roles, others),
        deny("Policies", OF_POLICIES, policies, others),
        deny("Providers", PROVIDERS, when=others),
        deny("State", LOSE_BUCKET, [bucket, f"{bucket}/*"], others),
        deny("StateKey", LOSE_KEY, when={**others, **state}),
    )
