"""Clients of AWS's APIs: the ordinary credentials chain, bounded retries, and a check of whose account it is.

Where AWS answers is botocore's own affair: an emulator is reached by the ordinary environment variable
AWS_ENDPOINT_URL, never by an option of ours.
"""

import threading
from typing import Any

import boto3
from botocore.config import Config

from anden.engines.aws import failures
from anden.engines.aws.errors import explained
from anden.model.problem import Problems

CONNECT_S, READ_S = 5, 30
TRIES = 8
"""Of one call. botocore's standard mode waits between them, longer each time and with jitter, at most 20 s (AWS SDKs
reference, "Retry behavior")."""
MOST_CONNECTIONS = 16
SOME_REGION = "us-east-1"
"""Where no region is named: to ask who we are, any answers."""
SESSION_NAME = "anden"
"""By which the trail of another account knows us, beside who took the role on."""
ROLE_S = 3600


class Session:
    """Credentials of one process, and clients by service and region; usable from several threads. tries: of a call."""

    def __init__(self, tries: int = TRIES) -> None:
        self._tries = tries
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._account = ""
        self.kept: dict[str, Any] = {}
        """What was read of things that never change, by ARN."""

    @property
    def region(self) -> str | None:
        """The region that the credentials chain configures."""
        with self._lock:
            found: str | None = self._opened().region_name
        return found

    def client(self, service: str, region: str) -> Any:
        """A client of that service there."""
        with self._lock:
            made = self._clients.get((service, region))
            if made is None:
                words = Config(
                    connect_timeout=CONNECT_S, read_timeout=READ_S, max_pool_connections=MOST_CONNECTIONS,
                    retries={"mode": "standard", "total_max_attempts": self._tries},
                )  # fmt: skip
                with explained("AWS"):
                    made = self._opened().client(service, region_name=region, config=words)
                self._clients[service, region] = made
        return made

    def account(self) -> str:
        """Whose credentials they are: 12 digits. Raises Problems: there are none, or they are refused."""
        if not self._account:
            with explained("AWS"):
                asked = self.client("sts", self.region or SOME_REGION).get_caller_identity()
            self._account = str(asked["Account"])
        return self._account

    def as_role(self, account: str, role: str) -> "Session":
        """The same in another account, by a role there; for an hour, the longest that a role taken on by a role lasts
        (IAM user guide, "Role chaining"). Raises Problems: it may not be taken on."""
        with explained(f"account {account}"):
            sts = self.client("sts", self.region or SOME_REGION)
            partition = str(sts.get_caller_identity()["Arn"]).split(":")[1]
            given = sts.assume_role(
                RoleArn=f"arn:{partition}:iam::{account}:role/{role}", RoleSessionName=SESSION_NAME,
                DurationSeconds=ROLE_S,
            )["Credentials"]  # fmt: skip
            other = Session()
            other._session = boto3.session.Session(
                given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=self.region
            )
        return other

    def require(self, account: str | None) -> None:
        """Raises Problems unless the credentials are of that account. None: the manifest names none, so any will do."""
        if account is not None and self.account() != account:
            raise Problems(failures.other_account(account, self.account()))

    def _opened(self) -> Any:
        if self._session is None:
            with explained("AWS"):
                self._session = boto3.session.Session()
        return self._session
