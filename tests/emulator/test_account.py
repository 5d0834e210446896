"""`anden account` as a person runs it: an account made, adopted, set up again, and cut off at its calls."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore import loaders
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError
from tests.emulator.emulator import REGION, Emulator

from anden.cli.main import main
from anden.engines.aws import bootstrap
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.session import Session

MANAGEMENT, LOG = "100000000001", "100000000002"
EMAIL = "aws-shop@shop.example"
TEXT = f"""anden: 1
client: shop
region: {REGION}
recovery: us-west-2
environments:
  dev: {{}}
  production: {{ production: true, zones: 2 }}
services:
  web: {{ image: web:1.0, port: 8080, route: /, instances: 2..3 }}
"""
GIVEN = ("--repository", "shop/platform", "--budget", "500", "--email", "ops@shop.example")
NEW = (*GIVEN, "--account-email", EMAIL)
OWN = {"anden-shop-account", "anden-shop-account-recovery", "anden-shop-account-trail"}
NOTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]}
)
BARE: dict[str, dict[str, Any]] = {
    "guardduty.ListDetectors": {"DetectorIds": []},
    "ecr.GetRegistryScanningConfiguration": {"scanningConfiguration": {"rules": []}},
}
"""What the emulator does not have answers as in an account that has nothing there."""
LOADER = loaders.Loader()
"""botocore's own, read once for all runs: it reads the descriptions of services anew for each session otherwise."""
POLL_S = 0.02
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in a folder with TEXT, with credentials of the management account unless told others."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "anden.yaml").write_text(TEXT)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(bootstrap.bootstrap, "__defaults__", (POLL_S,))
    monkeypatch.setattr(loaders, "create_loader", lambda path=None: LOADER)
    made = Session.client

    def client(session: Session, service: str, region: str) -> Any:
        its = made(session, service, region)
        for call, answer in BARE.items():
            its.meta.events.register(f"before-call.{call}", partial(_bare, answer), unique_id=call)
        return its

    monkeypatch.setattr(Session, "client", client)

    def ran(*words: str, account: str = MANAGEMENT) -> tuple[int, str, str]:
        for name, value in aws.variables(account).items():
            monkeypatch.setenv(name, value)
        code = main(["account", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def _bare(answer: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    return AWSResponse("", 200, HTTPHeaders(), None), answer


def stacks(aws: Emulator, account: str, region: str = REGION) -> dict[str, str]:
    found = aws.client("cloudformation", region, account).describe_stacks()["Stacks"]
    return {each["StackName"]: each["StackStatus"] for each in found if each["StackStatus"] != "DELETE_COMPLETE"}


def standing(aws: Emulator, account: str) -> set[str]:
    both = {**stacks(aws, account), **stacks(aws, account, "us-west-2")}
    return {name for name, status in both.items() if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")}


def members(aws: Emulator) -> dict[str, str]:
    listed = aws.client("organizations", account=MANAGEMENT).list_accounts()["Accounts"]
    return {each["Email"]: each["Id"] for each in listed if each["Status"] == "ACTIVE" and each["Id"] != MANAGEMENT}


def controls(aws: Emulator, account: str) -> set[str]:
    told = aws.client("organizations", account=MANAGEMENT).list_policies_for_target(
        TargetId=account, Filter="SERVICE_CONTROL_POLICY"
    )
    return {each["Name"] for each in told["Policies"]}


def name_account(account: str) -> None:
    Path("anden.yaml").write_text(TEXT + f'account: "{account}"\n')


def test_an_account_is_made_with_everything_it_stands_on(aws: Emulator, run: Run) -> None:
    code, out, err = run("plan", *NEW)
    assert code == 0, out + err
    assert out.startswith(f"shop, aws new account, {REGION}, organization of {MANAGEMENT}\n")
    assert "+ anden-shop-organization" in out
    assert "guardrails, and the account itself: Account, Policy ×2" in out
    assert "4 stacks to make" in out
    assert members(aws) == {}
    assert stacks(aws, MANAGEMENT) == {}
    code, out, err = run("bootstrap", *NEW, "--yes")
    assert code == 0, out + err
    made = members(aws)[EMAIL]
    assert f'Write it into the manifest: account: "{made}"' in out
    assert f"its state lives in s3://{bucket_name('shop', made)}" in out
    assert standing(aws, MANAGEMENT) == {"anden-shop-organization"}
    assert standing(aws, made) == OWN
    assert controls(aws, made) == {"FullAWSAccess", "anden-shop-watch", "anden-shop-own"}
    assert aws.client("s3", account=made).head_bucket(Bucket=bucket_name("shop", made))
    # Again, in every way: what was said once is remembered, and nothing is left to do.
    for words in (NEW, ()):
        code, out, _ = run("plan", *words)
        assert (code, out.splitlines()[-1]) == (0, "Nothing to do"), out
    name_account(made)
    code, out, err = run("bootstrap", "--yes")
    assert code == 0, out + err
    assert members(aws)[EMAIL] == made
    assert standing(aws, made) == OWN
    assert controls(aws, made) == {"FullAWSAccess", "anden-shop-watch", "anden-shop-own"}
    # A change is shown as CloudFormation would do it.
    code, out, _ = run("plan", "--budget", "700")
    assert code == 0
    assert "~ anden-shop-account " in out
    assert "Budget" in out
    assert out.endswith("1 stack to change\n")
    assert "Nothing to do" in run("plan")[1]


def test_a_log_account_keeps_the_organizations_record(aws: Emulator, run: Run) -> None:
    code, out, err = run("bootstrap", *NEW, "--log-account", LOG, "--yes")
    assert code == 0, out + err
    made = members(aws)[EMAIL]
    assert standing(aws, LOG) == {"anden-organization-record"}
    assert standing(aws, MANAGEMENT) == {"anden-organization", "anden-shop-organization"}
    held = aws.client("cloudformation", account=made).describe_stack_resources(StackName="anden-shop-account-trail")
    assert "Trail" not in {each["LogicalResourceId"] for each in held["StackResources"]}
    code, out, _ = run("plan", *NEW)  # it is remembered
    assert code == 0
    assert "by hand, once: aws guardduty enable-organization-admin-account --admin-account-id " + LOG in out
    assert out.endswith("Nothing to do\n"), out
    # The client's own credentials see the same.
    name_account(made)
    code, out, err = run("plan", account=made)
    assert code == 0, out + err
    assert out.endswith("Nothing to do\n"), out


def test_an_adopted_account_is_shown_and_what_is_there_stays(aws: Emulator, run: Run) -> None:
    theirs = "100000000003"
    name_account(theirs)
    ec2, iam = aws.client("ec2", account=theirs), aws.client("iam", account=theirs)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for _ in range(3):
        ec2.allocate_address(Domain="vpc")
    iam.create_policy(PolicyName="theirs", PolicyDocument=NOTHING)
    iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    code, out, err = run("plan", *GIVEN, account=theirs)
    assert code == 0, out + err
    assert f"{vpc} 10.9.0.0/16" in out
    assert "left alone: policies of IAM: theirs" in out
    assert "Elastic IPs 3 of 5" in out
    assert "3 stacks to make" in out
    code, out, err = run("bootstrap", *GIVEN, "--yes", account=theirs)
    assert code == 0, out + err
    assert standing(aws, theirs) == OWN
    held = aws.client("cloudformation", account=theirs).describe_stack_resources(StackName="anden-shop-account")
    assert "Github" not in {each["LogicalResourceId"] for each in held["StackResources"]}
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
    assert vpc in {each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]}
    assert "Nothing to do" in run("plan", account=theirs)[1]


def test_what_has_to_be_said_is_asked_for_all_at_once(aws: Emulator, run: Run) -> None:
    code, out, _ = run("plan")
    assert code == 1
    for option in ("--account-email", "--repository", "--budget", "--email"):
        assert f"Say it with {option} " in out
    assert out.endswith("Blocked by 4 problems\n")
    assert run("bootstrap", "--yes")[0] == 1
    assert stacks(aws, MANAGEMENT) == {}


def test_an_account_outside_of_the_organization_is_refused_there(aws: Emulator, run: Run) -> None:
    name_account("100000000009")
    code, out, _ = run("plan", *GIVEN)
    assert code == 1
    assert "aws organizations invite-account-to-organization --target Id=100000000009,Type=ACCOUNT" in out


def test_nothing_is_done_unless_somebody_says_so(aws: Emulator, run: Run) -> None:
    code, _, err = run("bootstrap", *NEW)
    assert code == 1
    assert "Say it with --yes" in err
    assert members(aws) == {}


def test_json_is_one_document(aws: Emulator, run: Run) -> None:
    code, out, _ = run("plan", *NEW, "--json")
    assert code == 0
    assert [each["action"] for each in json.loads(out)["stacks"]] == ["+"] * 4
    code, out, _ = run("bootstrap", *NEW, "--yes", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["account"] == members(aws)[EMAIL]
    assert report["done"][0] == "anden-shop-organization"


def test_a_stack_that_fails_is_explained_and_nothing_after_it_is_begun(aws: Emulator, run: Run) -> None:
    """The account itself is made before its guardrails fail: it stays, and the next run takes it over."""
    organizations = aws.client("organizations", account=MANAGEMENT)
    organizations.describe_organization()
    foreign = organizations.create_policy(
        Name="anden-shop-own", Type="SERVICE_CONTROL_POLICY", Content=NOTHING, Description="theirs"
    )["Policy"]["PolicySummary"]["Id"]
    code, out, err = run("bootstrap", *NEW, "--yes")
    assert code == 1
    assert "0 stacks stand; nothing after them was begun" in out
    assert "stack anden-shop-organization: Own (AWS::Organizations::Policy) failed; AWS said: Duplicate" in err
    assert "run the same command again" in err
    assert standing(aws, MANAGEMENT) == set()
    (made,) = members(aws).values()
    assert standing(aws, made) == set()
    organizations.delete_policy(PolicyId=foreign)
    code, out, err = run("bootstrap", *NEW, "--yes")
    assert code == 0, out + err
    assert members(aws) == {EMAIL: made}
    assert standing(aws, made) == OWN
    assert controls(aws, made) == {"FullAWSAccess", "anden-shop-watch", "anden-shop-own"}


# Cut off.

CALLS = ("CreateChangeSet", "ExecuteChangeSet", "UpdateTerminationProtection", "AssumeRole", "DeleteChangeSet")


class Cut:
    """The line to AWS breaks at the nth of the calls that change something: before AWS hears of it, or before we hear
    of the answer. From then on nothing gets through."""

    def __init__(self, nth: int, *, heard: bool) -> None:
        self.left, self.heard, self.broken = nth, heard, False

    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = Session.client

        def client(session: Session, service: str, region: str) -> Any:
            its = made(session, service, region)
            its.meta.events.register("before-call.*.*", self.before, unique_id="cut-before")
            its.meta.events.register("after-call.*.*", self.after, unique_id="cut-after")
            return its

        monkeypatch.setattr(Session, "client", client)

    def before(self, model: Any, **_: Any) -> None:
        if model.name in CALLS and not self.broken:
            self.left -= 1
            self.broken = self.left == 0 and not self.heard
        if self.broken:
            raise EndpointConnectionError(endpoint_url="the line is cut")

    def after(self, model: Any, **_: Any) -> None:
        if model.name in CALLS and self.heard and self.left == 0:
            self.broken = True
            raise EndpointConnectionError(endpoint_url="the line is cut")


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "unanswered"])
def test_cut_off_at_any_call_the_next_run_completes(
    aws: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    calls = 0
    for nth in range(1, MOST_CALLS * STRIDE + 1, STRIDE):
        aws.forget()
        cut = Cut(nth, heard=heard)
        with monkeypatch.context() as patched:
            cut(patched)
            code, out, err = run("bootstrap", *NEW, "--yes")
        if not cut.broken:
            assert code == 0, out + err
            break
        calls += 1
        assert code == 1
        assert "the line is cut" in err, err
        code, out, err = run("bootstrap", *NEW, "--yes")
        assert code == 0, (nth, out + err)
        made = members(aws)
        assert list(made) == [EMAIL]  # one account, however often
        assert standing(aws, made[EMAIL]) == OWN, nth
        assert standing(aws, MANAGEMENT) == {"anden-shop-organization"}, nth
        assert controls(aws, made[EMAIL]) == {"FullAWSAccess", "anden-shop-watch", "anden-shop-own"}
    assert calls * STRIDE > len(OWN) * 2
    assert nth < MOST_CALLS


MOST_CALLS = 40
"""More than a whole run makes."""
STRIDE = int(os.environ.get("ANDEN_CRASH_STRIDE", "5"))
"""Every so manieth call is cut; 1 tries every one, and takes a minute for each of the two ways."""
