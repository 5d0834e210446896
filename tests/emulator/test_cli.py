"""`anden … --on aws` as a person runs it, against an emulated account; only the images are not built."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, REGION, Emulator

from anden import app, connection
from anden.cli.main import main
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.account import bucket_name
from anden.engines.simulated import SimulatedImages
from anden.machine import SystemClock
from anden.model.ids import EngineName

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


ALL = {"key", "network", "firewall", "rules", "data", "edge", "service-web", "service-api"}


def test_an_environment_from_nothing_to_gone(aws: Emulator, run: Run) -> None:
    code, out, _ = run("plan")
    assert code == 0, out
    assert "+ 8 stacks" in out
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
    assert stacks(aws) == {"key"}


def allocations(aws: Emulator) -> dict[str, str]:
    return {each["AllocationId"]: each["PublicIp"] for each in aws.client("ec2").describe_addresses()["Addresses"]}


def meant(zones: int) -> None:
    more = f"environments: {{ dev: {{ zones: {zones}, egress: per-zone }} }}\nservices:"
    Path("anden.yaml").write_text(TEXT.replace("services:", more))


def test_fixed_addresses_outlive_the_environment_until_they_are_released(aws: Emulator, run: Run) -> None:
    meant(2)
    code, _, err = run("up")
    assert code == 0, err
    first = allocations(aws)
    assert len(first) == 2
    code, out, err = run("down", "-y")
    assert code == 0, err
    assert stacks(aws) == {"key", "address-a", "address-b"}
    for address in first.values():
        assert f"kept: {address}, $3.65 a month" in err
        assert address in out
    assert "anden down -e dev --on aws --release" in err
    code, out, _ = run("status")
    assert "not running" in out
    assert all(f"is kept: {address}, $3.65 a month" in out for address in first.values())
    code, out, _ = run("plan")
    assert all(address in out for address in first.values())
    code, _, err = run("up")  # a second life has the same
    assert code == 0, err
    assert allocations(aws) == first
    meant(3)
    code, _, err = run("up")
    assert code == 0, err
    three = allocations(aws)
    assert len(three) == 3
    assert three.items() > first.items()
    meant(2)
    code, _, err = run("up")  # a zone less: its address is kept, and said
    assert code == 0, err
    assert allocations(aws) == three
    code, out, _ = run("status")
    (idle,) = set(three.values()) - set(first.values())
    assert f"stack address-c: is not used and kept: {idle}" in out
    meant(3)
    code, _, err = run("up")  # it comes back to its own
    assert code == 0, err
    assert allocations(aws) == three


def test_a_release_asks_and_leaves_nothing(aws: Emulator, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    meant(3)
    assert run("up")[0] == 0
    three = allocations(aws)
    code, _, err = run("down", "--release", "--no-input")
    assert code != 0
    assert "give up for ever" in err
    assert all(address in err for address in three.values())
    assert allocations(aws) == three
    code, _, err = run("down", "--release", "-y")
    assert code == 0, err
    assert allocations(aws) == {}
    assert stacks(aws) == set()
    keys = aws.client("kms")
    ends = {keys.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"] for each in keys.list_keys()["Keys"]}
    assert ends == {"PendingDeletion"}
    code, _, err = run("down", "--release", "-y")
    assert code == 0
    assert "nothing to release" in err
    code, out, _ = run("history", "--json")
    assert [each["what"] for each in json.loads(out)] == ["down --release", "down --release", "up"]
    assert not [each.getMessage() for each in caplog.records if "failed" in each.getMessage()]


def test_what_is_kept_can_be_released_after_the_environment_has_gone(aws: Emulator, run: Run) -> None:
    meant(2)
    assert run("up")[0] == 0
    assert run("down", "-y")[0] == 0
    some = next(iter(allocations(aws)))
    aws.client("ec2").release_address(AllocationId=some)  # as a release that was cut off leaves it
    code, _, err = run("down", "--release", "-y")
    assert code == 0, err
    assert allocations(aws) == {}
    assert stacks(aws) == set()


def test_what_is_kept_is_no_shortage_for_the_next_life(aws: Emulator, run: Run) -> None:
    meant(2)
    assert run("up")[0] == 0
    assert run("down", "-y")[0] == 0
    for _ in range(3):
        aws.client("ec2").allocate_address(Domain="vpc")
    code, out, _ = run("plan")
    assert code == 0
    assert "Elastic IPs" not in "".join(line for line in out.splitlines() if "quota" in line)
    aws.client("ec2").allocate_address(Domain="vpc")
    code, out, _ = run("plan")
    assert "✗ quota    Elastic IPs: 5 allowed by default, 4 used by others, 2 needed" in out


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


def cut_off(words: dict[str, object], at: str) -> None:
    """A `down` whose caller leaves when it tells of `at`."""
    where = {"client": "shop", "environment": "dev", "engine": "aws"}
    with app.connect("shop", EngineName.AWS, start=False, seen=True) as api:
        told = api.stream("POST", "/v1/down", {"at": where, **words})
        assert any(each.get("subject") == at for each in told)
        told.close()


def test_a_down_that_was_cut_off_is_ended_by_the_same_command(aws: Emulator, run: Run) -> None:
    meant(2)
    assert run("up")[0] == 0
    first = allocations(aws)
    cut_off({"release": True}, "service-web")
    assert stacks(aws) > {"key", "address-a", "address-b"}
    assert allocations(aws) == first
    code, _, err = run("down", "-y")  # what was asked for before is not done for who does not ask again
    assert code == 0, err
    assert stacks(aws) == {"key", "address-a", "address-b"}
    assert allocations(aws) == first


def ended(aws: Emulator, family: str) -> None:
    """Its deletion is asked for, and nobody waits."""
    client, name = aws.client("cloudformation"), f"anden-shop-dev-{family}"
    client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    client.delete_stack(StackName=name)


@pytest.mark.parametrize("family", ["address-a", "key"])
def test_a_release_that_was_cut_off_is_ended_by_the_same_command_or_forgotten_by_up(
    aws: Emulator, run: Run, family: str
) -> None:
    meant(2)
    assert run("up")[0] == 0
    assert run("down", "-y")[0] == 0
    first = allocations(aws)
    ended(aws, family)
    code, _, err = run("up")
    assert code == 0, err
    second = allocations(aws)
    assert len(second) == 2
    assert len(second.items() & first.items()) == (1 if family == "address-a" else 2)
    assert run("down", "-y")[0] == 0
    ended(aws, family)
    code, _, err = run("down", "--release", "-y")
    assert code == 0, err
    assert allocations(aws) == {}
    assert stacks(aws) == set()


def test_an_address_that_somebody_released_is_made_anew_when_its_stack_is_deleted(aws: Emulator, run: Run) -> None:
    meant(2)
    assert run("up")[0] == 0
    assert run("down", "-y")[0] == 0
    first = allocations(aws)
    some = min(first, key=lambda each: first[each])
    aws.client("ec2").release_address(AllocationId=some)
    code, _, err = run("up")
    assert code == 1
    assert f"The allocation ID '{some}' does not exist" in err
    published = aws.client("ssm").get_parameters_by_path(Path="/anden/shop/dev/", Recursive=True)["Parameters"]
    (family,) = {each["Name"].split("/")[4] for each in published if each["Value"] == some}
    ended(aws, family)
    code, _, err = run("up")
    assert code == 0, err
    assert len(allocations(aws)) == 2
    assert allocations(aws).keys() & first.keys() == first.keys() - {some}


ONE = "\n".join(line for line in TEXT.replace(", reaches: [api]", "").splitlines() if "api:" not in line) + "\n"
DEBUG = ONE.replace("image: web:1.0", "image: web:1.0, env: { LEVEL: debug }")


def scans_are_shown(aws: Emulator, run: Run, manifest: Path) -> None:
    """Of the image that runs, as soon as there is a verdict; another image has none yet."""
    said = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 2}}}
    tag = {"Key": "emulator:scan", "Value": base64.b64encode(json.dumps(said).encode()).decode()}
    (shelf,) = aws.client("ecr").describe_repositories(repositoryNames=["shop/dev/web"])["repositories"]
    aws.client("ecr").tag_resource(resourceArn=shelf["repositoryArn"], tags=[tag])
    assert "! scan  web (web:1.0): 2 critical" in run("plan")[1]
    (scanned,) = json.loads(run("plan", "--json")[1])["scans"]
    assert (scanned["service"], scanned["scan"]["verdict"], scanned["scan"]["counts"]) == (
        "web",
        "found",
        {"CRITICAL": 2},
    )
    manifest.write_text(ONE.replace("web:1.0", "web:9.0"))  # which does not lie there
    assert "  scan  not scanned yet: web" in run("plan")[1]
    manifest.write_text(ONE)


def changes_by_hand_are_shown_and_put_back(aws: Emulator, run: Run) -> None:
    """A parameter that the network's stack publishes."""
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


def test_what_was_changed_by_hand_is_found_and_a_saved_plan_is_done_exactly(aws: Emulator, run: Run) -> None:
    """One environment for both: its first stacks are those of a plan that was approved."""
    manifest = Path("anden.yaml")
    manifest.write_text(ONE)
    code, out, err = run("plan", "--save", "first.json")
    assert code == 0, out + err
    assert "… later     " in out
    assert "  scan  not scanned yet: web" in out
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

    scans_are_shown(aws, run, manifest)
    changes_by_hand_are_shown_and_put_back(aws, run)

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
