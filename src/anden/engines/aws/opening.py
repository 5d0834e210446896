"""Opening a client's state with the ordinary credentials chain (environment, profile, single sign-on, role): nobody is
ever asked for a key."""

import time
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Opened:
    """account: its twelve digits. place: where a client's state lies in it, as `s3://…`. state None: it has no such
    bucket yet."""

    account: str
    place: str
    state: State | None

    def records(self) -> AccountRecords | None:
        """The store in the bucket. Whoever asks closes it."""
        return AccountRecords(self.state, fresh, time.time) if self.state is not None else None


def fresh() -> str:
    """An id that nobody has used."""
    return uuid4().hex


def open_account(client: str, writer: str = READER) -> Opened:
    """A client's state in the account whose credentials we have. writer: an id of this process; without one nothing is
    written. Raises Problems: there are no credentials, or they are not good for that."""
    try:
        session = boto3.session.Session()
        words = Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"mode": "standard", "total_max_attempts": TRIES}
        )
        region = session.region_name or SOME_REGION
        account = session.client("sts", region_name=region, config=words).get_caller_identity()["Account"]
        s3 = session.client("s3", region_name=region, config=words)
        bucket = bucket_name(client, account)
        there = _is_there(s3, bucket, account)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Problems(NOBODY) from error
    except ClientError as error:
        raise Problems(_refused(error)) from error
    except BotoCoreError as error:
        why = str(error).rstrip(".")
        raise Problems(
            Problem("AWS", "cannot be asked", why, "Check the network and the profile, then again.")
        ) from error
    return Opened(account, f"s3://{bucket}", State(s3, bucket, client, time.time, writer) if there else None)


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
