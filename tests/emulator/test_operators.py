"""Two operators at two machines (two state folders, two copies of the manifest), one account, by the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, REGION, Emulator

from anden import app, connection
from anden.cli import place
from anden.cli.main import main
from anden.cli.options import Said
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.account import bucket_name
from anden.engines.simulated import SimulatedImages
from anden.machine import SystemClock
from anden.model.ids import EngineName

TEXT = f"""anden: 1
client: shop
region: {REGION}
services:
  web: {{ image: web:1.0, port: 8080, route: /, instances: 1..3 }}
"""
POLL_S = 0.02
Operator = Callable[..., tuple[int, str, str]]


def _engine_of_aws() -> tuple[AwsEngine, SimulatedImages]:
    return AwsEngine(SystemClock(), POLL_S, Carrying()), SimulatedImages()


@pytest.fixture
def at(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Operator]:
    """The command line at somebody's machine: a folder of their own with TEXT, and a state folder of their own."""
    aws.client("s3").create_bucket(Bucket=bucket_name("shop", ACCOUNT))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(
        connection, "_engine_of_aws", lambda: (AwsEngine(SystemClock(), POLL_S, Carrying()), SimulatedImages())
    )

    def machine(name: str) -> Operator:
        folder = tmp_path / name / "shop"
        folder.mkdir(parents=True)
        (folder / "anden.yaml").write_text(TEXT)

        def ran(*words: str) -> tuple[int, str, str]:
            monkeypatch.setenv("ANDEN_STATE", str(tmp_path / name / "state"))
            monkeypatch.chdir(folder)
            code = main([*words, "--on", "aws"])
            said = capsys.readouterr()
            return code, said.out, said.err

        return ran

    return machine


def test_a_second_operator_sees_the_same_target_and_goes_on_from_it(
    at: Callable[[str], Operator], caplog: pytest.LogCaptureFixture
) -> None:
    ana, luis = at("ana"), at("luis")
    code, _, err = ana("up")
    assert code == 0, err
    code, out, _ = luis("status")
    assert code == 0
    assert "= manifest" in out
    seen = [json.loads(who("status", "--json")[1])["blueprint"] for who in (ana, luis)]
    assert seen[0] is not None
    assert seen[0] == seen[1]
    assert "Nothing to do" in luis("plan")[1]
    code, _, err = luis("deploy", "web", "web:2.0")
    assert code == 0, err
    assert json.loads(ana("status", "--json")[1])["blueprint"] != seen[0]
    code, _, err = ana("rollback")  # of what the other one did
    assert code == 0, err
    assert json.loads(luis("status", "--json")[1])["blueprint"] == seen[0]
    for who in (ana, luis):
        said = json.loads(who("history", "--json")[1])
        assert [each["what"] for each in said][::-1] == ["up", "deploy web web:2.0", "rollback"]
    assert "no command of this control plane" not in caplog.text  # after its command each leaves it alone


def test_of_two_at_once_one_wins_and_the_other_is_told_who(at: Callable[[str], Operator]) -> None:
    ana, luis = at("ana"), at("luis")
    assert ana("up")[0] == 0
    with app.connect("shop", EngineName.AWS, start=False, seen=True) as api:
        here = place.running(Said(engine="aws")).at(with_manifest=False)
        told = api.stream("POST", "/v1/deploy", {"at": here, "service": "web", "image": "web:3.0"})
        first = next(told)
        code, out, err = luis("deploy", "web", "web:4.0")
        assert code == 1
        assert "somebody else is changing it" in out + err
        assert "`deploy web web:3.0`" in out + err
        assert luis("status")[0] == 0  # looking is for everybody
        assert [first, *told][-1]["outcome"] == "done"
    assert image_of_web(luis) == "3.0"
    code, _, err = luis("deploy", "web", "web:4.0")
    assert code == 0, err
    assert image_of_web(ana) == "4.0"


def image_of_web(who: Operator) -> str:
    (web,) = json.loads(who("status", "--json")[1])["services"]
    return str(web["image"])


def test_a_lost_laptop_loses_nothing(at: Callable[[str], Operator], tmp_path: Path) -> None:
    ana = at("ana")
    assert ana("up")[0] == 0
    assert ana("deploy", "web", "web:2.0")[0] == 0
    before = json.loads(ana("state", "rebuild", "--json")[1])
    status = json.loads(ana("status", "--json")[1])["blueprint"]
    shutil.rmtree(tmp_path / "ana" / "state")
    luis = at("luis")
    code, out, _ = luis("state", "rebuild")
    assert code == 0
    assert "all of it reads back as it was written" in out
    assert json.loads(luis("state", "rebuild", "--json")[1]) == before
    assert before["environments"][0]["blueprint"] == status
    code, _, err = luis("rollback")  # needs the blueprint before, which only the bucket has
    assert code == 0, err
    assert image_of_web(luis) == "1.0"


def test_what_was_lost_in_the_bucket_is_said(at: Callable[[str], Operator], aws: Emulator) -> None:
    ana = at("ana")
    assert ana("up")[0] == 0
    s3, bucket = aws.client("s3"), bucket_name("shop", ACCOUNT)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="blueprints/")["Contents"]]
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    code, out, _ = ana("state", "rebuild")
    assert code == 1
    assert "is not in the bucket" in out
