"""The environment's records: a bucket that the internal balancer writes who asked for what, with every version kept
for a year. It is what the environment's backup plan copies to the recovery region, besides what the team tags."""

from anden.engines.aws.render.arns import arn
from anden.engines.aws.render.naming import place
from anden.engines.aws.render.statement import allow, document, only_tls
from anden.engines.aws.render.template import Part, att, ref, resource, sub, tags
from anden.model.blueprint import Blueprint

KEPT_DAYS = 365
"""From an access log's writing to its end."""
FORMER_DAYS = 30
"""From the end of a version that another one replaced."""
PREFIX = "balancer"
"""The folder of the balancer's access logs."""


def part(blueprint: Blueprint) -> Part:
    """The bucket. Sealed by S3's own keys: Elastic Load Balancing writes to no other (its user guide, "Enable access
    logs for your Application Load Balancer"). Without a name of its own, so that a new one never meets the kept one."""
    return Part(
        {
            "Records": resource(
                "AWS::S3::Bucket", keep=True,
                BucketEncryption={
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                VersioningConfiguration={"Status": "Enabled"},
                OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                LifecycleConfiguration={
                    "Rules": [
                        {
                            "Id": "AYear", "Status": "Enabled", "ExpirationInDays": KEPT_DAYS,
                            "NoncurrentVersionExpiration": {"NoncurrentDays": FORMER_DAYS},
                        }
                    ]
                },
                Tags=tags(Name=f"{place(blueprint.topology)}-records"),
            ),
            "RecordsPolicy": resource(
                "AWS::S3::BucketPolicy", Bucket=ref("Records"),
                PolicyDocument=document(
                    allow(
                        "AccessLogsOfTheBalancer", ["s3:PutObject"],
                        sub(f"${{Records.Arn}}/{PREFIX}/AWSLogs/${{AWS::AccountId}}/*"),
                        service="logdelivery.elasticloadbalancing.amazonaws.com",
                        when={
                            "ArnLike": {
                                "aws:SourceArn": arn("elasticloadbalancing", "loadbalancer/*")
                            }
                        },
                    ),
                    only_tls([att("Records", "Arn"), sub("${Records.Arn}/*")], "s3:*"),
                ),
            ),
        },
        {"records": ref("Records")},
    )  # fmt: skip
