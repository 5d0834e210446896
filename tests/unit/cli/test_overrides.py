"""Overrides beside a manifest: checked, shown in the plan with their lines, and part of what is planned."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run

RIGHT = """stack: rules
why: a topic that only this client has
environments: [production]
patch:
  - { op: add, path: /Resources/Topic, value: { Type: "AWS::SNS::Topic" } }
"""
WRONG = "stack: rules\npatch: [{ op: remove, path: /Resources/Nothing }, { op: remove, path: /Resources/Neither }]\n"


@pytest.fixture
def folder(shop: Path) -> Path:
    manifest = shop / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("client: shop\n", "client: shop\nregion: us-east-1\n"))
    (shop / "overrides").mkdir()
    return shop / "overrides"


def target(run: Run, environment: str, engine: str = "aws") -> str:
    return str(run("plan", "-e", environment, "--on", engine, "--json").json["target"])


def test_a_plan_shows_them_with_their_lines_and_they_are_part_of_its_target(run: Run, folder: Path) -> None:
    before, other = target(run, "production"), target(run, "test")
    (folder / "topic.yaml").write_text(RIGHT)
    said = run("plan", "-e", "production", "--on", "aws")
    assert said.code == 0, said.err
    (shown,) = [line for line in said.out.splitlines() if line.startswith("~ override")]
    assert shown.split() == ["~", "override", "rules", "add", "/Resources/Topic", "overrides/topic.yaml:5"]
    assert target(run, "production") != before
    assert target(run, "test") == other


def test_they_are_the_stacks_business_and_not_the_twins(run: Run, folder: Path) -> None:
    before = target(run, "production", "simulated")
    (folder / "topic.yaml").write_text(RIGHT)
    assert target(run, "production", "simulated") == before


def test_check_says_everything_that_is_wrong_with_them(run: Run, folder: Path) -> None:
    (folder / "topic.yaml").write_text(RIGHT)
    assert run("check").code == 0
    (folder / "wrong.yml").write_text(WRONG)
    said = run("check")
    assert said.code == 1
    assert "override rules /Resources/Nothing (overrides/wrong.yml:2): remove cannot be done here" in said.err
    assert "override rules /Resources/Neither (overrides/wrong.yml:2)" in said.err
    (folder / "shape.yaml").write_text("stack: rules\n")
    assert "there is no list of operations" in run("check").err


def test_a_plan_is_blocked_by_what_cannot_be_done(run: Run, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    said = run("plan", "-e", "production", "--on", "aws")
    assert said.code == 1
    assert "✗ override rules /Resources/Nothing (overrides/wrong.yaml:2)" in said.out
    assert "blocked by 2 problems" in said.out
    (folder / "wrong.yaml").write_text("nonsense")
    assert run("plan", "-e", "production", "--on", "aws").code == 1


def test_the_firewall_is_not_to_be_had_this_way(run: Run, folder: Path) -> None:
    (folder / "open.yaml").write_text(
        "stack: rules\npatch:\n"
        "  - { op: add, path: /Resources/Open, value: { Type: 'AWS::EC2::SecurityGroupIngress' } }\n"
    )
    said = run("check").err
    assert "it changes the firewall (Open); `reaches` is the whole of it" in said


def test_cost_and_preflight_count_what_they_add(run: Run, folder: Path) -> None:
    (folder / "key.yaml").write_text(RIGHT.replace("AWS::SNS::Topic", "AWS::KMS::Key"))
    families = run("cost", "-e", "production", "--json").json["families"]
    assert any(each["family"] == "KMS" and each["base"] > 0 for each in families)
    needed = run("preflight", "-e", "production", "--on", "aws", "--offline", "--json").json["checks"]
    assert any(each["need"]["quota"] == "keys" for each in needed)


def test_render_writes_what_up_would_apply(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "topic.yaml").write_text(RIGHT)
    words = ("render", "-e", "production", "-o", str(tmp_path / "out"))
    said = run(*words, "--on", "aws")
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "out" / "rules.json").read_text())["Resources"]["Topic"]["Type"] == "AWS::SNS::Topic"
    order = json.loads((tmp_path / "out" / "order.json").read_text())
    assert order["blueprint"] == target(run, "production")
    (folder / "wrong.yaml").write_text(WRONG)
    said = run(*words, "--on", "aws")
    assert said.code == 1
    assert "override rules /Resources/Nothing (overrides/wrong.yaml:2)" in said.err
