"""An emulator that enforces IAM, with the account's stacks in it."""

import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from tests.emulator import emulator

from anden.engines.aws.render import accounts
from anden.engines.aws.render.account import ROLE_TAG, Settings
from anden.engines.aws.render.template import Stack
from anden.model.topology import Topology

ACCOUNT, REGION = "111122223333", "us-east-1"
CLIENT = "banco-andino"
PRODUCTION = Topology(
    CLIENT, "production", (), production=True, region=REGION, recovery="us-west-2", account=ACCOUNT
)  # fmt: skip
CERTIFICATION = Topology(CLIENT, "certification", (), region=REGION, account=ACCOUNT)
SETTINGS = Settings(repository="banco/platform", budget_usd=4000, email="ops@banco.example")
SETTLE_LIMIT_S = 60
POLL_S = 0.05


def stacks() -> tuple[Stack, ...]:
    """What is deployed in these tests."""
    return accounts.account(PRODUCTION, [CERTIFICATION], SETTINGS)


@dataclass
class Ground:
    """The emulator and sessions in it. Clients speak as if over TLS: the emulator takes a proxy's word for that."""

    url: str
    sessions: dict[str, boto3.session.Session] = field(default_factory=dict)

    def client(self, service: str, who: str = "root", region: str = REGION) -> Any:
        """A boto3 client with the credentials of a role (`anden-sre`), a user, or of the account's root."""
        made = self.sessions[who].client(
            service, region_name=region, endpoint_url=self.url, config=Config(retries={"total_max_attempts": 1})
        )  # type: ignore[call-overload]
        made.meta.events.register("before-send.*", _as_over_tls)
        return made

    def keep(self, who: str, key: str, secret: str, token: str | None = None) -> None:
        """Remember credentials under a name."""
        self.sessions[who] = boto3.session.Session(key, secret, token, region_name=REGION)

    def deploy(self, stack: Stack) -> None:
        """Make a stack as root and wait for it."""
        client = self.client("cloudformation", region=stack.region)
        client.create_stack(StackName=stack.name, TemplateBody=stack.text, Capabilities=["CAPABILITY_NAMED_IAM"])
        deadline = time.monotonic() + SETTLE_LIMIT_S
        while time.monotonic() < deadline:
            status = client.describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                break
            time.sleep(POLL_S)
        events = client.describe_stack_events(StackName=stack.name)["StackEvents"]
        why = [each.get("ResourceStatusReason") for each in events if each["ResourceStatus"].endswith("FAILED")]
        assert (status, why) == ("CREATE_COMPLETE", []), (stack.name, status, why)

    def person(self, name: str, role: str | None) -> None:
        """A user who may take any role on as far as their own policies go, with the tag `anden:role` or without."""
        iam = self.client("iam")
        tags = [{"Key": ROLE_TAG, "Value": role}] if role else []
        iam.create_user(UserName=name, Tags=tags)
        allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName=name, PolicyName="take", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.keep(name, key["AccessKeyId"], key["SecretAccessKey"])

    def take(self, person: str, role: str) -> None:
        """Take a role on as a person; its credentials are kept under the role's name."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        given = self.client("sts", person).assume_role(RoleArn=arn, RoleSessionName=person)["Credentials"]
        self.keep(role, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def deploys(self, subject: str, audience: str = "sts.amazonaws.com") -> None:
        """Take `anden-deploy` on as a workflow of GitHub whose token says this; kept under the role's name."""
        claims = {"iss": "https://token.actions.githubusercontent.com", "aud": audience, "sub": subject}
        token = ".".join(_segment(each) for each in ({"alg": "RS256", "typ": "JWT"}, claims, {}))
        arn = f"arn:aws:iam::{ACCOUNT}:role/anden-deploy"
        given = self.client("sts").assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="workflow", WebIdentityToken=token
        )["Credentials"]
        self.keep("anden-deploy", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _segment(words: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode().rstrip("=")


def _as_over_tls(request: Any, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "https"


@contextmanager
def enforcing() -> Iterator[Ground]:
    """A running emulator that enforces IAM, empty; ended by its process id, whatever happens."""
    interpreter = emulator.python()
    assert interpreter is not None
    with tempfile.TemporaryDirectory(prefix="anden-enforcing-") as folder:
        log, port = Path(folder) / "log", emulator._free_port()
        variables = {
            "PATH": os.environ.get("PATH", ""), "HOME": folder, "TMPDIR": folder, "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1", "AUTH": "true", "S3_DATA_DIR": f"{folder}/s3", "LOG_LEVEL": "INFO",
            "PYTHONDONTWRITEBYTECODE": "1", "MINISTACK_ACCOUNT_ID": ACCOUNT,
        }  # fmt: skip
        argv = [str(interpreter), str(Path(__file__).with_name("launcher.py")), str(emulator.schemas())]
        with log.open("wb") as output:
            started = subprocess.Popen(
                argv, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            url = f"http://127.0.0.1:{port}"
            emulator._wait(started, url, log)
            ground = Ground(url)
            ground.keep("root", "test", "test")
            yield ground
        finally:
            emulator._end(started)
