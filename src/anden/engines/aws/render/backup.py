"""AWS Backup: a plan for each environment, with a copy of every recovery point in a locked vault of another region.

The plan takes the environment's records, and whatever the team has tagged `anden:backup` = CLIENT/ENVIRONMENT: what
they keep in databases of their own. A plan that would select nothing looks like safety and is none: `unselected`.
"""

from collections.abc import Iterator, Mapping, Sequence

from anden.engines.aws.render import keys
from anden.engines.aws.render.arns import BOUNDARY, managed
from anden.engines.aws.render.naming import KEY, place, vault_name
from anden.engines.aws.render.statement import assumed_by
from anden.engines.aws.render.template import Json, Part, Resource, Stack, att, ref, resource, sub
from anden.model.blueprint import Blueprint
from anden.model.problem import Problem
from anden.model.topology import Topology

TAG = "anden:backup"
"""The tag by which a resource asks to be in the plan; its value is CLIENT/ENVIRONMENT."""
DAILY = "cron(0 5 * * ? *)"
"""When a recovery point is made, in UTC."""
START_MINUTES, COMPLETION_MINUTES = 60, 720
"""How late a backup may start, and how long it may take, from its time on."""
KEPT_DAYS = 35
"""From a recovery point's making to its end, in either region."""
LEAST_DAYS = 7
"""The lock: no recovery point ends before (AWS Backup developer guide, "AWS Backup Vault Lock")."""
COOLING_DAYS = 30
"""In production: from the lock's making to the day from which nobody can take it off any more, AWS included."""
PLAN = "AWS::Backup::BackupPlan"
SUPPORTED = frozenset(
    {
        "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::EFS::FileSystem", "AWS::RDS::DBInstance",
        "AWS::RDS::DBCluster", "AWS::EC2::Volume", "AWS::EC2::Instance", "AWS::DocDB::DBCluster",
        "AWS::Neptune::DBCluster", "AWS::FSx::FileSystem",
    }
)  # fmt: skip
"""Types of resources that AWS Backup can back up (AWS Backup developer guide, "Feature availability by resource")."""
TOLD = ("BACKUP_JOB_FAILED", "COPY_JOB_FAILED")
"""What the topic is told of."""
ROLES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)


def wanted(topology: Topology) -> bool:
    """Whether the environment has a plan: only a copy elsewhere is worth one."""
    return topology.recovery is not None and topology.recovery != topology.region


def recovery(blueprint: Blueprint) -> Part:
    """The vault of the copies, and its key: in the recovery region."""
    topology = blueprint.topology
    return Part(
        {
            "Key": keys.key(topology, f"copies of backups of {topology.client}/{topology.environment}"),
            "Vault": _vault(topology, att("Key", "Arn")),
        }
    )


def part(blueprint: Blueprint) -> Part:
    """Vault, plan and selection, in the region where the environment is, in the stack of the records."""
    topology = blueprint.topology
    lifecycle = {"DeleteAfterDays": KEPT_DAYS}
    there = (
        f"arn:${{AWS::Partition}}:backup:{topology.recovery}:${{AWS::AccountId}}:backup-vault:{vault_name(topology)}"
    )
    rule = {
        "RuleName": "daily", "TargetBackupVault": ref("Vault"), "ScheduleExpression": DAILY,
        "StartWindowMinutes": START_MINUTES, "CompletionWindowMinutes": COMPLETION_MINUTES, "Lifecycle": lifecycle,
        "CopyActions": [{"DestinationBackupVaultArn": sub(there), "Lifecycle": lifecycle}],
    }  # fmt: skip
    return Part(
        {
            "Vault": _vault(topology, KEY, {"SNSTopicArn": ref("Alarms"), "BackupVaultEvents": list(TOLD)}),
            "BackupRole": resource(
                "AWS::IAM::Role", AssumeRolePolicyDocument=assumed_by("backup.amazonaws.com"),
                PermissionsBoundary=BOUNDARY, ManagedPolicyArns=[managed(each) for each in ROLES],
            ),
            "Plan": resource(
                PLAN, BackupPlan={"BackupPlanName": place(topology), "BackupPlanRule": [rule]}
            ),
            "Selection": resource(
                "AWS::Backup::BackupSelection", BackupPlanId=ref("Plan"),
                BackupSelection={
                    "SelectionName": "records", "IamRoleArn": att("BackupRole", "Arn"),
                    "Resources": [att("Records", "Arn")],
                },
            ),
            "SelectionByTag": resource(
                "AWS::Backup::BackupSelection", BackupPlanId=ref("Plan"),
                BackupSelection={
                    "SelectionName": "tagged", "IamRoleArn": att("BackupRole", "Arn"),
                    "ListOfTags": [
                        {
                            "ConditionType": "STRINGEQUALS", "ConditionKey": TAG,
                            "ConditionValue": f"{topology.client}/{topology.environment}",
                        }
                    ],
                },
            ),
        }
    )  # fmt: skip


def _vault(topology: Topology, key: Json, notifications: Json = None) -> Resource:
    lock: dict[str, Json] = {"MinRetentionDays": LEAST_DAYS}
    if topology.production:
        lock["ChangeableForDays"] = COOLING_DAYS
    return resource(
        "AWS::Backup::BackupVault", keep=True, BackupVaultName=vault_name(topology),
        EncryptionKeyArn=key, LockConfiguration=lock, maybe={"Notifications": notifications},
    )  # fmt: skip


def concerns(stack: Stack) -> bool:
    """Whether it has a backup plan in it, or something that one could select."""
    return PLAN in stack.kinds or not SUPPORTED.isdisjoint(stack.kinds)


def unselected(stacks: Sequence[Stack]) -> tuple[Problem, ...]:
    """A problem for each plan none of whose selections takes anything that the stacks make."""
    return tuple(_unselected(stacks))


def _unselected(stacks: Sequence[Stack]) -> Iterator[Problem]:
    there = {
        (stack.name, name): made
        for stack in stacks
        for name, made in stack.template["Resources"].items()
        if made["Type"] in SUPPORTED
    }
    for stack in stacks:
        resources = stack.template["Resources"]
        for name, made in resources.items():
            if made["Type"] != PLAN:
                continue
            selections = [
                each["Properties"]["BackupSelection"]
                for each in resources.values()
                if each["Type"] == "AWS::Backup::BackupSelection" and each["Properties"]["BackupPlanId"] == ref(name)
            ]
            if not any(_takes(each, stack, there) for each in selections):
                yield Problem(
                    f"stack {stack.name}/{name}",
                    "the backup plan selects nothing",
                    "a plan without a resource makes no recovery point, and says nothing about it",
                    f"Select what holds data, or tag it {TAG}.",
                )


def _takes(selection: Mapping[str, Json], stack: Stack, there: Mapping[tuple[str, str], Resource]) -> bool:
    """Whether a selection takes one of the resources that could be backed up."""
    for wanted_ in selection.get("Resources", ()):
        reference = wanted_.get("Fn::GetAtt", [None])[0] if isinstance(wanted_, Mapping) else None
        if (stack.name, reference) in there:
            return True
    asked = [(each["ConditionKey"], each["ConditionValue"]) for each in selection.get("ListOfTags", ())]
    has = [{(tag["Key"], tag["Value"]) for tag in made["Properties"].get("Tags", ())} for made in there.values()]
    return any(pair in tags for pair in asked for tags in has)
