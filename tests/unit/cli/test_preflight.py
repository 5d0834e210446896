"""`anden preflight`, and what `plan --on aws` says of quotas and costs, from the manifest alone."""

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run

NOT_ASKED = "! not read: account: it was not asked"


@pytest.fixture(autouse=True)
def nobody(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials anywhere, and a region in the manifest."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(shop / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shop / "none"))
    manifest = shop / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("client: shop\n", "client: shop\nregion: us-east-1\n"))


def larger(shop: Path) -> None:
    manifest = shop / "anden.yaml"
    manifest.write_text(
        manifest.read_text().replace("instances: 1..3", "instances: 1..3, size: { cpu: 4, memory: 8 GB }")
    )


def test_it_holds_by_documented_defaults(run: Run) -> None:
    said = run("preflight", "-e", "test", "--on", "aws", "--offline")
    assert said.code == 0, said.err
    assert said.out.startswith("shop/test, aws us-east-1: everything holds\n")
    assert NOT_ASKED in said.out
    assert "Fargate vCPU" in run("preflight", "-e", "test", "--on", "aws", "--offline", "--all").out


def test_a_shortfall_is_an_error_with_the_command_to_raise_it(run: Run, shop: Path) -> None:
    larger(shop)
    said = run("preflight", "-e", "test", "--on", "aws", "--offline")
    assert said.code == 1
    assert "✗ Fargate vCPU: 6 allowed by default, 12.25 needed at max, 24.50 while all are deployed" in said.out
    assert "--service-code fargate --quota-code L-3032A538 --desired-value 25" in said.out
    short = [each for each in run("preflight", "-e", "test", "--on", "aws", "--offline", "--json").json["checks"]
             if each["verdict"] != "holds"]  # fmt: skip
    assert [each["request"] for each in short] == ["fargate/L-3032A538"]


def test_without_credentials_defaults_count_and_it_says_why(run: Run) -> None:
    said = run("preflight", "-e", "test", "--on", "aws")
    assert said.code == 0, said.err
    assert "! not read: account: Unable to locate credentials" in said.out


def test_a_profile_that_is_not_there_is_said_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "! not read: account: The config profile (nobody) could not be found" in run("preflight", "--on", "aws").out


def test_it_is_about_aws_and_needs_a_region(run: Run, shop: Path) -> None:
    assert "Add `--on aws`." in run("preflight").err
    manifest = shop / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("region: us-east-1\n", ""))
    assert "the manifest says no region" in run("preflight", "--on", "aws", "--offline").err


def test_a_plan_shows_the_shortfall_and_is_not_blocked_by_a_guess(run: Run, shop: Path) -> None:
    assert "✗ quota" not in run("plan", "-e", "test", "--on", "aws").out
    larger(shop)
    said = run("plan", "-e", "test", "--on", "aws")
    assert said.code == 0, said.err
    assert "✗ quota" in said.out
    assert "Fargate vCPU: 6 allowed by default" in said.out
    assert "/month at base" in said.out.splitlines()[-1]


def test_a_plan_is_blocked_by_zones_that_are_not_there(run: Run, shop: Path) -> None:
    manifest = shop / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("us-east-1", "sa-east-1").replace("zones: 2", "zones: 4"))
    said = run("plan", "-e", "production", "--on", "aws")
    assert said.code == 1
    assert "sa-east-1 offers 3 zones, 4 are needed" in said.out
    assert "blocked by 1 problem" in said.out


def test_the_twin_costs_nothing_and_has_no_quotas(run: Run) -> None:
    said = run("plan", "-e", "test", "--on", "simulated")
    assert "month" not in said.out
