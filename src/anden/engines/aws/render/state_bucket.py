"""Where a client's state lives: a key and a versioned bucket, which outlive the stack and every mistake.

The bucket refuses what anden itself never does, so that no other program and no older anden can: writing a blueprint
over another, or a target, lock or journal entry without saying which one it replaces (engines.aws.state).
"""

from anden.engines.aws.render.account import BUCKET_KEY, STATE_KEY_KEY, Account, bucket_name
from anden.engines.aws.render.arns import ROOT
from anden.engines.aws.render.statement import allow, deny, document, only_tls
from anden.engines.aws.render.template import Json, Part, att, ref, resource, sub, tags

OLD_VERSIONS_DAYS = 400
"""How long what a write replaced is kept: more than a year, so that a yearly audit finds it."""
UNFINISHED_DAYS = 7
"""How long the parts of an upload that nobody finished are kept."""
WAITING_DAYS = 30
"""From asking for a key's deletion to its end; the longest that KMS offers."""
TEMPLATES = "templates/"
"""Where templates over CloudFormation's inline limit go; these are not state, and expire."""
TEMPLATES_DAYS = 90
ONCE, SWAPPED = ("blueprints/*", "environments/*/journal/*"), ("environments/*",)
"""Keys that are written once, and keys that are written only by a conditional write."""


def part(account: Account) -> Part:
    """Key, alias, bucket and the bucket's policy; publishes the bucket's name and the key's ARN."""
    bucket = resource(
        "AWS::S3::Bucket", keep=True, BucketName=sub(bucket_name(account.client, "${AWS::AccountId}")),
        VersioningConfiguration={"Status": "Enabled"},
        BucketEncryption={"ServerSideEncryptionConfiguration": [{
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": att("StateKey", "Arn")},
        }]},
        PublicAccessBlockConfiguration=PRIVATE, OwnershipControls=OWNED,
        LifecycleConfiguration={"Rules": [
            {"Id": "old-versions", "Status": "Enabled",
             "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSIONS_DAYS},
             "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS}},
            {"Id": "templates", "Status": "Enabled", "Prefix": TEMPLATES, "ExpirationInDays": TEMPLATES_DAYS},
        ]},
        Tags=tags(Name=f"anden-{account.client}-state"),
    )  # fmt: skip
    policy = resource("AWS::S3::BucketPolicy", keep=True, Bucket=ref("StateBucket"), PolicyDocument=_policy())
    resources = {"StateKey": _key(account), "StateKeyAlias": _alias(account), "StateBucket": bucket}
    publishes = {BUCKET_KEY: ref("StateBucket"), STATE_KEY_KEY: att("StateKey", "Arn")}
    return Part({**resources, "StateBucketPolicy": policy}, publishes)


PRIVATE = {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}
OWNED = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def _key(account: Account) -> Json:
    """One key for state and notices. The account's own policies say who uses it (`access`): its key policy hands it
    to them, and lets two services in that bring messages to the topic of notices."""
    ours = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    policy = document(
        allow("Account", ["kms:*"], aws=ROOT),
        allow("Notices", ["kms:Decrypt", "kms:GenerateDataKey*"], when=ours,
              service=["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]),
    )  # fmt: skip
    return resource(
        "AWS::KMS::Key", keep=True, Description=f"anden: state of {account.client}", EnableKeyRotation=True,
        PendingWindowInDays=WAITING_DAYS, KeyPolicy=policy, Tags=tags(Name=f"anden-{account.client}-state"),
    )  # fmt: skip


def _alias(account: Account) -> Json:
    return resource("AWS::KMS::Alias", AliasName=f"alias/anden/{account.client}/state", TargetKeyId=ref("StateKey"))


def encrypted_transport(bucket: str) -> Json:
    """Nobody speaks to this bucket without TLS."""
    return only_tls([att(bucket, "Arn"), sub(f"${{{bucket}.Arn}}/*")], "s3:*")


def _policy() -> Json:
    def objects(*patterns: str) -> list[Json]:
        return [sub(f"${{StateBucket.Arn}}/{pattern}") for pattern in patterns]

    absent = {"s3:if-none-match": "true"}
    return document(
        encrypted_transport("StateBucket"),
        deny("WrittenOnce", ["s3:PutObject"], objects(*ONCE), Principal="*", when={"Null": absent}),
        deny("Swapped", ["s3:PutObject"], objects(*SWAPPED), Principal="*",
             when={"Null": {**absent, "s3:if-match": "true"}}),
        deny("Kept", ["s3:DeleteObject", "s3:DeleteObjectVersion"], objects(*ONCE, *SWAPPED), Principal="*"),
        _other("OtherCipher", "s3:x-amz-server-side-encryption", "aws:kms"),
        _other("OtherKey", "s3:x-amz-server-side-encryption-aws-kms-key-id", att("StateKey", "Arn")),
    )  # fmt: skip


def _other(sid: str, key: str, wanted: Json) -> Json:
    """Who says how to encrypt must say it our way; who says nothing gets the bucket's own way. `Null` because a
    condition that something is not so holds as well where nothing is said."""
    return deny(sid, ["s3:PutObject"], sub("${StateBucket.Arn}/*"), Principal="*",
                when={"Null": {key: "false"}, "StringNotEquals": {key: wanted}})  # fmt: skip
