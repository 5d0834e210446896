"""`anden trust` as a command; --yes in a mount namespace of its own, so that this machine's store is not touched."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run

from anden.cli.render import trust as render
from anden.cli.render.paint import PLAIN
from anden.engines.local import authority, trust
from anden.engines.local.trust import Trust

APART = """\
set -e
mount --make-rprivate /
for each in /usr/local/share/ca-certificates /etc/ssl/certs; do mount -t tmpfs none $each; done
test ! -d /etc/ca-certificates/update.d || mount -t tmpfs none /etc/ca-certificates/update.d
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path / "state"))
    (tmp_path / "anden.yaml").write_text("anden: 1\nclient: bank\nservices:\n  web: { image: 'web:1' }\n")
    return tmp_path


def made(folder: Path) -> None:
    authority.sign(authority.folder(folder / "state", "bank"), "bank", ("api.bank.example",), time.time())


def test_without_an_authority_it_says_how_there_will_be_one(run: Run, folder: Path) -> None:
    said = run("-C", str(folder), "trust")
    assert said.code == 1
    assert "`domain`" in said.err
    assert "no authority" in run("-C", str(folder), "trust", "--remove").out


def test_it_says_what_it_would_do_and_does_nothing(run: Run, folder: Path) -> None:
    made(folder)
    said = run("-C", str(folder), "trust")
    assert said.code == 3
    for word in (trust.SYSTEM.added, "api.bank.example", "SHA-256", "Nothing was changed", "can pretend to be"):
        assert str(word) in said.out
    found = run("-C", str(folder), "trust", "--json")
    assert (found.code, found.json["trusted"], found.json["client"]) == (3, False, "bank")
    assert "PRIVATE" not in said.out + found.out


def test_the_doctor_says_whether_it_is_trusted(run: Run, folder: Path) -> None:
    made(folder)
    checks = {each["name"]: each for each in run("doctor", "--json").json["checks"]}
    assert "`anden trust`" in checks["certificates of bank"]["detail"]
    assert checks["certificates of bank"]["ok"]
    (authority.folder(folder / "state", "bank") / authority.PUBLIC).write_text("nonsense")
    checks = {each["name"]: each for each in run("doctor", "--json").json["checks"]}
    assert not checks["certificates of bank"]["ok"]


def test_on_aws_there_is_none(run: Run, folder: Path) -> None:
    said = run("-C", str(folder), "--on", "aws", "trust")
    assert said.code == 1
    assert "ACM" in said.err


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/sbin/update-ca-certificates").exists(), reason="needs both")
def test_it_is_installed_and_taken_out_of_a_store(folder: Path) -> None:
    made(folder)
    words = [sys.executable, "-m", "anden.cli.main", "-C", str(folder), "trust"]
    asked = " && ".join(" ".join([*words, *more]) for more in (["--yes", "--json"], ["--json"], ["--remove", "--json"]))
    before = sorted(trust.SYSTEM.added.iterdir())
    done = subprocess.run(
        [shutil.which("unshare") or "unshare", "--mount", "sh", "-c", APART + asked], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    decoder, answers, text = json.JSONDecoder(), [], done.stdout.strip()
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].strip()
    assert [each.get("trusted") for each in answers] == [True, True, None]
    assert answers[2]["removed"] == [answers[0]["place"]]
    assert sorted(trust.SYSTEM.added.iterdir()) == before


def test_what_people_read() -> None:
    found = Trust(
        "bank", "/s/a.crt", "AB:CD", ("bank.example",), 0.0, "/s/a.key", "/l/x.crt", False, ("/l/y.crt",), True
    )
    said = "\n".join(render.lines(found, (), PLAIN))
    assert "/l/y.crt is an earlier one" in said
    elsewhere = Trust("bank", "/s/a.crt", "AB:CD", ("bank.example",), 0.0, "/s/a.key", "/l/x.crt", False, (), False)
    assert "cp /s/a.crt" in "\n".join(render.lines(elsewhere, trust.by_hand("/s/a.crt"), PLAIN))
