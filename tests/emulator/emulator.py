"""AWS as far as it can be emulated on this machine: `ministack`, on loopback, with our provisioners in it.

It runs under a Python of its own (it pins botocore): the one that ANDEN_EMULATOR names, or `.emulator/bin/python` in
the repository, which `./test` installs from requirements/emulator.txt.
"""

import functools
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

ROOT = Path(__file__).parents[2]
ACCOUNT = "000000000000"
"""The account that the emulator plays for access keys that are not 12 digits."""
REGION = "us-east-1"
START_LIMIT_S = 120
"""Where everything else has gone first, an idle lane of `./test` waits long for a processor; 3 s are usual."""
END_LIMIT_S = 5
POLL_S = 0.05
LOG_SHOWN_BYTES = 2000


def python() -> Path | None:
    """The Python that has the emulator; None: it is not installed."""
    named = os.environ.get("ANDEN_EMULATOR")
    found = Path(named) if named else ROOT / ".emulator" / "bin" / "python"
    return found if found.exists() else None


def schemas() -> Path:
    """AWS's public resource schemas, as cfn-lint carries them."""
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise RuntimeError("cfn-lint is not installed: it carries the resource schemas")
    return Path(found.origin).parent / "data" / "schemas"


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator. url: where it answers. pid: its process. log: what it wrote."""

    url: str
    pid: int
    log: Path

    def variables(self, account: str = ACCOUNT, region: str = REGION) -> Mapping[str, str]:
        """The environment variables with which any AWS client talks to it. account: 12 digits are an account there."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test" if account == ACCOUNT else account,
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def client(self, service: str, region: str = REGION, account: str = ACCOUNT) -> Any:
        """A boto3 client of it."""
        words = self.variables(account, region)
        session: Any = boto3.session.Session(
            aws_access_key_id=words["AWS_ACCESS_KEY_ID"], aws_secret_access_key=words["AWS_SECRET_ACCESS_KEY"],
            region_name=region,
        )  # fmt: skip
        return session.client(service, endpoint_url=self.url, config=Config(retries={"total_max_attempts": 1}))

    def forget(self) -> None:
        """Everything that was made in it is gone."""
        asked = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(asked, timeout=END_LIMIT_S) as answer:  # noqa: S310 - loopback
            answer.read()


def reached(it: Emulator) -> dict[str, str | None]:
    """What this process's variables must be for ordinary AWS clients in it to reach it; None: not set at all."""
    others = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION")
    return {**dict.fromkeys(others), **it.variables()}


@contextmanager
def one_reading_of_models() -> Iterator[None]:
    """Sessions share what they have read of AWS's models: each command line in this process makes a session of its own,
    and reading took a third of its time."""
    theirs, shared = botocore.session.create_loader, functools.cache(create_loader)
    botocore.session.create_loader = shared
    try:
        yield
    finally:
        botocore.session.create_loader = theirs


@contextmanager
def running(*, auth: bool = False, account: str | None = None) -> Iterator[Emulator]:
    """An emulator on a free port of loopback; ended by its process id, whatever happens. auth: enforce IAM."""
    interpreter = python()
    if interpreter is None:
        raise RuntimeError("the emulator is not installed: ./test does that, or name its Python in ANDEN_EMULATOR")
    with tempfile.TemporaryDirectory(prefix="anden-emulator-") as folder:
        log = Path(folder) / "log"
        port = _free_port()
        variables = {
            "PATH": os.environ.get("PATH", ""), "HOME": folder, "TMPDIR": folder, "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1", "AUTH": "true" if auth else "false", "S3_DATA_DIR": f"{folder}/s3",
            "LOG_LEVEL": "INFO", "PYTHONDONTWRITEBYTECODE": "1",
            **({"MINISTACK_ACCOUNT_ID": account} if account else {}),
        }  # fmt: skip
        argv = [str(interpreter), str(Path(__file__).with_name("launcher.py")), str(schemas())]
        with log.open("wb") as output:
            started = subprocess.Popen(
                argv, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(started, url, log)
            with one_reading_of_models():
                yield Emulator(url, started.pid, log)
        finally:
            _end(started)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _wait(started: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if started.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=1) as answer:  # noqa: S310 - loopback
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(POLL_S)
    said = log.read_text(errors="replace")[-LOG_SHOWN_BYTES:]
    raise RuntimeError(f"the emulator did not start (exit code {started.poll()}):\n{said}")


def _end(started: subprocess.Popen[bytes]) -> None:
    if started.poll() is None:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(END_LIMIT_S)


if __name__ == "__main__":  # a person who wants to look at it: python -m tests.emulator.emulator
    with running() as it:
        sys.stdout.write("".join(f"export {name}={value}\n" for name, value in it.variables().items()))
        sys.stdout.flush()
        signal.pause()
