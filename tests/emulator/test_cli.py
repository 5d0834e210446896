"""`anden … --on aws` as a person runs it, against an emulated account; only the images are not built."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, REGION, Emulator

from anden import connection
from anden.cli.main import main
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.account import bucket_name
from anden.engines.simulated import SimulatedImages
from anden.machine import SystemClock

TEXT = f"""anden: 1
client: shop
region: {REGION}
services:
  web: {{ image: web:1.0, port: 8080, route: /, instances: 1..3, reaches: [api] }}
  api: {{ image: api:1.0, port: 8080 }}
"""
POLL_S = 0.02
Run = Callable[..., tuple[int, str, str]]


def _engine_of_aws() -> tuple[AwsEngine, SimulatedImages]:
    return AwsEngine(SystemClock(), POLL_S, Carrying()), SimulatedImages()


@pytest.fixture
def run(aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in a folder with TEXT; the account has a state bucket."""
    aws.client("s3").create_bucket(Bucket=bucket_name("shop", ACCOUNT))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "anden.yaml").write_text(TEXT)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(connection, "_engine_of_aws", _engine_of_aws)

    def ran(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--on", "aws"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def stacks(aws: Emulator) -> set[str]:
    found = aws.client("cloudformation").describe_stacks()["Stacks"]
    return {
        each["StackName"].removeprefix("anden-shop-dev-") for each in found if each["StackStatus"] != "DELETE_COMPLETE"
    }


ALL = {"network", "firewall", "rules", "data", "edge", "service-web", "service-api"}


def test_an_environment_from_nothing_to_gone(aws: Emulator, run: Run) -> None:
    code, out, _ = run("plan")
    assert code == 0, out
    assert "+ 7 stacks" in out
    assert stacks(aws) == set()
    code, out, err = run("up")
    assert code == 0, err
    assert stacks(aws) == ALL
    assert "service-web" in err
    code, out, _ = run("status")
    assert code == 0
    assert out.startswith("shop/dev, aws, ")
    assert "= manifest" in out
    code, out, err = run("up")
    assert "nothing to do" in err
    code, out, _ = run("plan")
    assert "Nothing to do" in out
    code, _, err = run("deploy", "web", "web:2.0")
    assert code == 0, err
    code, _, err = run("scale", "web", "2")
    assert code == 0, err
    code, _, err = run("rollback")
    assert code == 0, err
    code, _, err = run("restart", "api")
    assert code == 0, err
    code, out, _ = run("state", "rebuild")
    assert code == 0
    assert "all of it reads back as it was written" in out
    code, out, _ = run("history", "--json")
    assert [each["what"] for each in json.loads(out)][::-1] == [
        "up", "up", "deploy web web:2.0", "scale web 2", "rollback", "restart api",
    ]  # fmt: skip
    code, _, err = run("down", "-y")
    assert code == 0, err
    assert stacks(aws) == set()


def test_a_plan_knows_whose_account_it_is_and_what_others_use_of_its_quotas(aws: Emulator, run: Run) -> None:
    manifest = Path("anden.yaml")
    manifest.write_text(TEXT + 'account: "999999999999"\n')
    code, out, err = run("plan")
    assert code == 1
    assert "999999999999" in out + err
    code, _, err = run("up")
    assert code == 1
    assert stacks(aws) == set()
    for _ in range(5):
        aws.client("ec2").allocate_address(Domain="vpc")
    manifest.write_text(TEXT.replace("services:", "environments: { dev: { egress: one } }\nservices:"))
    code, out, _ = run("plan")
    assert "✗ quota    Elastic IPs: 5 allowed by default, 5 used by others, 1 needed at max" in out
    assert code == 0  # what is allowed is a documented guess, for this account does not say


ONE = "\n".join(line for line in TEXT.replace(", reaches: [api]", "").splitlines() if "api:" not in line) + "\n"
DEBUG = ONE.replace("image: web:1.0", "image: web:1.0, env: { LEVEL: debug }")


def test_what_was_changed_by_hand_is_found_and_a_saved_plan_is_done_exactly(aws: Emulator, run: Run) -> None:
    """One environment for both: its first stacks are those of a plan that was approved."""
    manifest = Path("anden.yaml")
    manifest.write_text(ONE)
    code, out, err = run("plan", "--save", "first.json")
    assert code == 0, out + err
    assert "… later     " in out
    assert "`anden up --plan first.json` does exactly this" in err
    manifest.write_text(DEBUG)
    code, out, err = run("up", "--plan", "first.json")  # not the manifest that was approved
    assert code == 1
    assert "it is of blueprint " in out + err
    assert "service-web" not in stacks(aws)
    manifest.write_text(ONE)
    code, _, err = run("up", "--plan", "first.json")
    assert code == 0, err
    assert stacks(aws) == ALL - {"service-api"}

    code, out, _ = run("status", "--drift")
    assert code == 0
    assert "nothing but what is said here" in out
    assert "anden-shop-dev-network" not in out
    cfn, ssm = aws.client("cloudformation"), aws.client("ssm")
    found = cfn.list_stack_resources(StackName="anden-shop-dev-network")["StackResourceSummaries"]
    held = next(each for each in found if each["ResourceType"] == "AWS::SSM::Parameter")
    name, logical = held["PhysicalResourceId"], held["LogicalResourceId"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value="by-hand", Overwrite=True)
    assert logical not in run("status")[1]  # nobody has looked since
    code, out, _ = run("status", "--drift")
    assert code == 0
    assert logical in out
    code, out, err = run("up", "--no-input")
    assert code == 1
    assert logical in out + err
    code, _, err = run("up", "--revert")
    assert code == 0, err
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == before
    assert logical not in run("status", "--drift")[1]

    manifest.write_text(DEBUG)
    code, out, err = run("plan", "--save", "second.json")
    assert code == 0, out + err
    assert [each["family"] for each in json.loads(Path("second.json").read_text())["prepared"]] == ["service-web"]
    code, _, err = run("up", "--plan", "second.json")
    assert code == 0, err
    assert "Nothing to do" in run("plan")[1]
    Path("second.json").write_text("{}")
    code, out, err = run("up", "--plan", "second.json")
    assert code == 1
    assert "it is not a saved plan" in out + err
