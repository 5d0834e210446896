"""Before `account bootstrap` an account has no state bucket: what is refused, what stays on the machine, and how it
comes into the bucket afterwards. By the command line, at two machines."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, REGION, Emulator

from anden import connection
from anden.cli.main import main
from anden.engines.aws import moving
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.state import State
from anden.engines.simulated import SimulatedImages
from anden.machine import SystemClock
from anden.model.problem import Problem, Problems

TEXT = f"""anden: 1
client: shop
region: {REGION}
environments: {{ dev: {{}}, production: {{ production: true, zones: 2 }} }}
services:
  web: {{ image: web:1.0, port: 8080, route: /, instances: 2..3 }}
"""
POLL_S = 0.02
BUCKET = bucket_name("shop", ACCOUNT)
Operator = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Operator]:
    """The command line at somebody's machine: a folder of their own with TEXT, and a state folder of their own. The
    account has no state bucket."""
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


def stacks(aws: Emulator) -> list[str]:
    found = aws.client("cloudformation").describe_stacks()["Stacks"]
    return [each["StackName"] for each in found if each["StackStatus"] != "DELETE_COMPLETE"]


def whats(who: Operator, *words: str) -> list[str]:
    return [each["what"] for each in json.loads(who("history", "--json", *words)[1])][::-1]


def test_nothing_productive_is_changed_while_its_state_would_lie_on_one_machine(
    aws: Emulator, at: Callable[[str], Operator]
) -> None:
    ana = at("ana")
    code, out, err = ana("up", "-e", "production")
    assert code == 1
    assert "its state would lie on this machine only, and it is production" in out + err
    assert "`anden account bootstrap -e production`" in out + err
    code, out, err = ana("plan", "-e", "production")
    assert code == 1
    assert "`anden account bootstrap -e production`" in out
    assert stacks(aws) == []
    assert [each["outcome"] for each in json.loads(ana("history", "-e", "production", "--json")[1])] == ["refused"]


def test_what_one_machine_kept_goes_to_the_bucket_and_is_gone_on_with_from_another(
    aws: Emulator, at: Callable[[str], Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, luis = at("ana"), at("luis")
    for words in (("up", "-e", "dev"), ("deploy", "web", "web:2.0", "-e", "dev")):
        code, _, err = ana(*words)
        assert code == 0, err
        assert "! state is kept on this machine only" in err
        assert "`anden account bootstrap` makes one" in err
    before = json.loads(ana("status", "-e", "dev", "--json")[1])
    done = whats(ana, "-e", "dev")
    folder = tmp_path / "ana" / "state" / "shop" / "aws" / ACCOUNT
    assert (folder / "anden.db").is_file()
    aws.client("s3").create_bucket(Bucket=BUCKET)

    # Cut off before the target is written: the command is refused, everything stays here, and the next one goes on.
    whole = State.put_target

    def cut(*_: object) -> None:
        raise Problems(Problem("the network", "was cut"))

    monkeypatch.setattr(State, "put_target", cut)
    code, out, err = ana("status", "-e", "dev")
    assert code == 1
    assert "this machine holds records that are not in s3://" in out + err
    assert "`anden history --on aws` moves them" in out + err
    assert (folder / "anden.db").is_file()
    monkeypatch.setattr(State, "put_target", whole)

    code, out, err = ana("history", "-e", "dev", "--json")
    assert code == 0, err
    assert f"~ the state of dev was moved from this machine to s3://{BUCKET}" in err
    assert [each["what"] for each in json.loads(out)][::-1] == [*done, moving.PURPOSE]  # nothing twice
    assert not (folder / "anden.db").exists()
    assert (folder / "moved-1" / "anden.db").is_file()

    code, out, err = ana("status", "-e", "dev", "--json")
    assert "moved" not in err
    assert "one machine" not in err
    after = json.loads(out)
    assert (after["blueprint"], after["change"]["state"]) == (before["blueprint"], "verified")
    assert json.loads(luis("status", "-e", "dev", "--json")[1])["blueprint"] == before["blueprint"]
    code, _, err = luis("rollback", "-e", "dev")  # to a blueprint that only ana's machine had
    assert code == 0, err
    code, out, _ = luis("state", "rebuild")
    assert code == 0
    assert "all of it reads back as it was written" in out


def test_a_bucket_that_knows_the_environment_otherwise_wins_and_it_is_said(
    aws: Emulator, at: Callable[[str], Operator], tmp_path: Path
) -> None:
    ana, luis = at("ana"), at("luis")
    assert ana("up", "-e", "dev")[0] == 0
    aws.client("s3").create_bucket(Bucket=BUCKET)
    code, _, err = luis("up", "-e", "dev")
    assert code == 0, err
    code, _, err = luis("deploy", "web", "web:3.0", "-e", "dev")
    assert code == 0, err
    code, out, err = ana("status", "-e", "dev", "--json")
    assert code == 0, err
    assert f"! s3://{BUCKET} knows dev already and wins" in err
    (web,) = json.loads(out)["services"]
    assert web["image"] == "3.0"
    aside = tmp_path / "ana" / "state" / "shop" / "aws" / ACCOUNT / "moved-1" / "anden.db"
    assert str(aside.parent) in err
    assert aside.is_file()
    assert whats(luis, "-e", "dev") == ["up", "deploy web web:3.0"]
