"""Opening a client's state with the ordinary credentials chain (environment, profile, single sign-on, role): nobody is
ever asked for a key."""

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from anden.engines.aws.journal import READER
from anden.engines.aws.records import AccountRecords
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.state import State
from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOME_REGION = "us-east-1"
"""To ask who we are where no region is configured: any answers, and S3 says itself where a bucket lies."""
CONNECT_S, READ_S, TRIES = 5, 20, 4
NOBODY = Problem(
    "AWS", "there are no credentials", "the ordinary chain (environment, profile, single sign-on, role) gives none",
    "Sign in as you do for the AWS command line (`aws sso login`, AWS_PROFILE), then try again.",
)  # fmt: skip
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
NO_BUCKET = frozenset({"404", "NoSuchBucket"})


def open_records(client: str) -> AccountRecords | None:
    """The records in the state bucket of the account whose credentials we have; None: the account has no such bucket.
    Raises Problems: there are no credentials, or they are not good for that."""
    found = open_state(client, uuid4().hex)
    return AccountRecords(found[0], lambda: uuid4().hex, time.time) if found else None


def open_state(client: str, writer: str = READER) -> tuple[State, str] | None:
    """The same as engines.aws.state gives it, and where it lies. writer: an id of this process; without one nothing is
    written."""
    try:
        session = boto3.session.Session()
        words = Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"mode": "standard", "total_max_attempts": TRIES}
        )
        region = session.region_name or SOME_REGION
        account = session.client("sts", region_name=region, config=words).get_caller_identity()["Account"]
        s3 = session.client("s3", region_name=region, config=words)
        bucket = bucket_name(client, account)
        if not _is_there(s3, bucket, account):
            return None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Problems(NOBODY) from error
    except ClientError as error:
        raise Problems(_refused(error)) from error
    except BotoCoreError as error:
        why = str(error).rstrip(".")
        raise Problems(
            Problem("AWS", "cannot be asked", why, "Check the network and the profile, then again.")
        ) from error
    return State(s3, bucket, client, time.time, writer), f"s3://{bucket}"


def _is_there(s3: "S3Client", bucket: str, account: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in NO_BUCKET:
            return False
        raise
    return True


def _refused(error: ClientError) -> Problem:
    code, said = error.response.get("Error", {}).get("Code", ""), error.response.get("Error", {}).get("Message", "")
    if code in EXPIRED:
        return Problem("AWS", "the credentials have expired", said.rstrip("."), "Sign in again (`aws sso login`).")
    fix = "Use credentials of the client's account that may read its state, for example its auditor's role."
    return Problem("AWS", f"these credentials are refused ({code})", said.rstrip("."), fix)
