"""How an account that stands alone is watched: a trail, GuardDuty, Config and an access analyzer, kept in the account.

Where an organization does it (`organization`), this stack leaves out what the account is said to have already, and
Config, which every account has of its own, delivers to the log account's bucket.
"""

from collections.abc import Mapping

from anden.engines.aws.render.account import TRAIL_BUCKET, Account, Present
from anden.engines.aws.render.state_bucket import OWNED, PRIVATE, UNFINISHED_DAYS, encrypted_transport
from anden.engines.aws.render.statement import allow, document
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, sub, tags

RECORD_DAYS = 3_653
"""How long the record is kept: ten years, the longest that the rules of banks usually ask for."""
COLD_DAYS = 90
"""After which it is kept where reading takes hours and keeping costs a twentieth."""
BRINGERS = {Present.TRAIL: "cloudtrail.amazonaws.com", Present.CONFIG: "config.amazonaws.com"}
"""Who brings which record."""


def part(account: Account) -> Part:
    """What the account does not have yet."""
    resources: dict[str, Resource] = {
        "Analyzer": resource("AWS::AccessAnalyzer::Analyzer", AnalyzerName="anden", Type="ACCOUNT"),
    }
    if Present.GUARDDUTY not in account.present:
        resources["Detector"] = resource(
            "AWS::GuardDuty::Detector", Enable=True, FindingPublishingFrequency="FIFTEEN_MINUTES",
            Features=[{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}],
        )  # fmt: skip
    ours = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    elsewhere = account.settings.record_bucket
    delivers = {Present.TRAIL} if elsewhere else set(BRINGERS)
    who = {kind: ours for kind in BRINGERS if kind in delivers - account.present}
    if who:
        resources |= record_bucket(sub(TRAIL_BUCKET), who)
    if Present.TRAIL not in account.present:
        resources["Trail"] = resource(
            "AWS::CloudTrail::Trail", after=["RecordBucketPolicy"], TrailName="anden", IsLogging=True,
            IsMultiRegionTrail=True, IncludeGlobalServiceEvents=True, EnableLogFileValidation=True,
            S3BucketName=ref("RecordBucket"),
        )  # fmt: skip
    if Present.CONFIG not in account.present:
        resources |= recorder(elsewhere or ref("RecordBucket"), [] if elsewhere else ["RecordBucketPolicy"])
    return Part(resources)


def record_bucket(name: Json, who: Mapping[Present, Json]) -> dict[str, Resource]:
    """The bucket that records go to. who: of each kind of record, the condition that its bringer must meet."""
    arn, objects = att("RecordBucket", "Arn"), sub("${RecordBucket.Arn}/*")
    statements = [encrypted_transport("RecordBucket")]
    for kind, ours in who.items():
        service = BRINGERS[kind]
        acl = {"s3:x-amz-acl": "bucket-owner-full-control"}
        written = {**ours, "StringEquals": {**ours["StringEquals"], **acl}}
        name_of = str(kind).capitalize()
        looks = ["s3:GetBucketAcl", "s3:ListBucket"]
        statements += [
            allow(f"{name_of}Looks", looks, arn, ours, service=service),
            allow(f"{name_of}Writes", ["s3:PutObject"], objects, written, service=service),
        ]
    bucket = resource(
        "AWS::S3::Bucket", keep=True, BucketName=name, VersioningConfiguration={"Status": "Enabled"},
        BucketEncryption={"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        ]},
        PublicAccessBlockConfiguration=PRIVATE, OwnershipControls=OWNED,
        LifecycleConfiguration={"Rules": [{
            "Id": "record", "Status": "Enabled", "ExpirationInDays": RECORD_DAYS,
            "Transitions": [{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": COLD_DAYS}],
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        }]},
        Tags=tags(Name="anden-record"),
    )  # fmt: skip
    policy = resource(
        "AWS::S3::BucketPolicy", keep=True, Bucket=ref("RecordBucket"), PolicyDocument=document(*statements)
    )
    return {"RecordBucket": bucket, "RecordBucketPolicy": policy}


def recorder(bucket: Json, after: list[str]) -> dict[str, Resource]:
    """Config's recorder of every kind of resource, and where it delivers. It works with the service's own role, which
    no policy of ours widens: the boundary would not let a role of ours see everything."""
    mine = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/config.amazonaws.com/"
               "AWSServiceRoleForConfig")  # fmt: skip
    channel = resource(
        "AWS::Config::DeliveryChannel", after=after, Name="anden", S3BucketName=bucket,
        ConfigSnapshotDeliveryProperties={"DeliveryFrequency": "TwentyFour_Hours"},
    )  # fmt: skip
    return {
        "RecorderRole": resource("AWS::IAM::ServiceLinkedRole", AWSServiceName="config.amazonaws.com"),
        "Recorder": resource(
            "AWS::Config::ConfigurationRecorder", after=["RecorderRole"], Name="anden", RoleARN=mine,
            RecordingGroup={"AllSupported": True, "IncludeGlobalResourceTypes": True},
        ),
        "Delivery": channel,
    }  # fmt: skip
