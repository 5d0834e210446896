"""Where alarms and failed backups are told: one encrypted SNS topic. Who listens is the team's to subscribe."""

from anden.engines.aws.render.naming import KEY, place
from anden.engines.aws.render.statement import OURS, allow, document, only_tls
from anden.engines.aws.render.template import Part, ref, resource
from anden.model.blueprint import Blueprint

TELLING = ("cloudwatch.amazonaws.com", "backup.amazonaws.com")


def part(blueprint: Blueprint) -> Part:
    """The topic, and who may publish."""
    return Part(
        {
            "Alarms": resource(
                "AWS::SNS::Topic", DisplayName=f"anden {place(blueprint.topology)}", KmsMasterKeyId=KEY
            ),
            "AlarmsPolicy": resource(
                "AWS::SNS::TopicPolicy", Topics=[ref("Alarms")],
                PolicyDocument=document(
                    allow("Tell", ["sns:Publish"], ref("Alarms"), service=list(TELLING), when=OURS),
                    only_tls(ref("Alarms"), "sns:Publish"),
                ),
            ),
        },
        {"alarms": ref("Alarms")},
    )  # fmt: skip
