"""What stands above a client's account: the account itself and its guardrails, and the record of everything.

    anden-CLIENT-organization    in the management account: the account (made, unless the manifest names one), its
                                 service control policies
    anden-organization           in the management account, once for all clients: trail, aggregator of Config
    anden-organization-record    in the log account, once: the bucket that both write to

Each stack is in an account of its own, so their values travel as parameters and not by SSM. Templates cannot make
an account the administrator of GuardDuty or of Config for the organization, nor switch GuardDuty on in accounts to
come: docs/aws/access.md has the three commands for that.
"""

from anden.engines.aws.render import guardrails
from anden.engines.aws.render.account import Account, Present
from anden.engines.aws.render.statement import trust
from anden.engines.aws.render.template import Json, Part, Resource, Stack, assemble, att, ref, resource, sub, tags
from anden.engines.aws.render.trail import record_bucket

ORGANIZATION = "organization"
RECORD = "organization-record"
RECORD_BUCKET = "anden-record-${AWS::AccountId}"
ACCESS_ROLE = "OrganizationAccountAccessRole"
"""The role that Organizations makes in a new account, by which the management account gets in."""
ACCOUNT_ID: Json = {"Type": "String", "AllowedPattern": "[0-9]{12}"}


def organization(account: Account) -> tuple[Stack, ...]:
    """The three stacks, in the order in which they are made."""
    space = "/anden"
    return (
        assemble(
            name=f"anden-{RECORD}", family=RECORD, region=account.region, space=space, parts=[record()],
            description="anden: the record of the organization, in its log account", lasting=True,
        ),
        assemble(
            name=f"anden-{ORGANIZATION}", family=ORGANIZATION, region=account.region, space=space, parts=[watch()],
            description="anden: how the organization is watched, in its management account", lasting=True,
        ),
        assemble(
            name=f"{account.stacks}{ORGANIZATION}", family=ORGANIZATION, region=account.region,
            space=f"{space}/{account.client}", parts=[client(account)], lasting=True,
            description=f"anden: the account of {account.client} and its guardrails, in the management account",
        ),
    )  # fmt: skip


def client(account: Account) -> Part:
    """The client's account, and what nobody in it may do."""
    resources: dict[str, Resource] = {}
    role: Json = {"Type": "String", "Default": ACCESS_ROLE, "AllowedPattern": "[A-Za-z0-9+=,.@_-]+"}
    parameters: dict[str, Json] = {"AccessRole": role}
    target: Json = account.account
    if target is None:
        resources["Account"] = resource(
            "AWS::Organizations::Account", keep=True, AccountName=f"anden {account.client}", Email=ref("AccountEmail"),
            ParentIds=[ref("Parent")], RoleName=ref("AccessRole"), Tags=tags(**{"anden:client": account.client}),
        )  # fmt: skip
        # Not even when the stack's creation is rolled back: a closed account's address can never be used again.
        resources["Account"]["DeletionPolicy"] = "Retain"
        target = att("Account", "AccountId")
        parameters["AccountEmail"] = {"Type": "String", "AllowedPattern": "[^@ ]+@[^@ ]+"}
        parameters["Parent"] = {"Type": "String", "AllowedPattern": "(r-[0-9a-z]{4,32})|(ou-[0-9a-z]{4,32}-[0-9a-z]+)"}
    documents = {"Watch": guardrails.watch(account), "Own": guardrails.own(account, "AccessRole")}
    for name, content in documents.items():
        resources[name] = resource(
            "AWS::Organizations::Policy", Name=f"{account.stacks}{name.lower()}", Type="SERVICE_CONTROL_POLICY",
            Content=content, TargetIds=[target], Description=f"anden: guardrails of {account.client}",
        )  # fmt: skip
    return Part(resources, parameters=parameters)


def watch() -> Part:
    """The trail of every account, and Config's view over all of them."""
    trail = resource(
        "AWS::CloudTrail::Trail", TrailName="anden", IsLogging=True, IsMultiRegionTrail=True,
        IncludeGlobalServiceEvents=True, EnableLogFileValidation=True, IsOrganizationTrail=True,
        S3BucketName=ref("RecordBucketName"),
    )  # fmt: skip
    managed = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"
    role = resource(
        "AWS::IAM::Role", AssumeRolePolicyDocument=trust({"Service": "config.amazonaws.com"}),
        ManagedPolicyArns=[sub(managed)], Description="Config's view over the organization's accounts",
    )  # fmt: skip
    view = resource(
        "AWS::Config::ConfigurationAggregator", ConfigurationAggregatorName="anden",
        OrganizationAggregationSource={"RoleArn": att("AggregatorRole", "Arn"), "AllAwsRegions": True},
    )  # fmt: skip
    parameters: dict[str, Json] = {"RecordBucketName": {"Type": "String", "AllowedPattern": "[a-z0-9.-]{3,63}"}}
    return Part({"Trail": trail, "AggregatorRole": role, "Aggregator": view}, parameters=parameters)


def record() -> Part:
    """The bucket of records: the organization's trail writes to it, and Config in each of its accounts."""
    trail = sub("arn:${AWS::Partition}:cloudtrail:*:${ManagementAccount}:trail/anden")
    who: dict[Present, Json] = {
        Present.TRAIL: {"StringEquals": {"aws:SourceAccount": ref("ManagementAccount")},
                        "ArnLike": {"aws:SourceArn": trail}},
        Present.CONFIG: {"StringEquals": {"aws:SourceOrgID": ref("Organization")}},
    }  # fmt: skip
    parameters: dict[str, Json] = {
        "ManagementAccount": ACCOUNT_ID,
        "Organization": {"Type": "String", "AllowedPattern": "o-[a-z0-9]{10,32}"},
    }
    return Part(record_bucket(sub(RECORD_BUCKET), who), parameters=parameters)
