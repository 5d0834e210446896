"""`anden cost`, from the manifest alone."""

from pathlib import Path

from tests.unit.cli.conftest import Run


def regional(shop: Path) -> None:
    path = shop / "anden.yaml"
    path.write_text(path.read_text().replace("client: shop\n", "client: shop\nregion: us-east-1\n"))


def test_it_says_a_total_what_it_assumed_and_how_old_the_prices_are(run: Run, shop: Path) -> None:
    regional(shop)
    said = run("cost", "-e", "production", "--logs-gb", "2")
    assert said.code == 0, said.err
    assert said.out.startswith("shop/production, aws us-east-1: a month of 730 hours, in USD\n")
    assert "Total" in said.out
    assert "--logs-gb 2" in said.out
    assert "list prices of 2025-06-01" in said.out
    assert "nothing was asked of AWS" in said.out
    assert "https://aws.amazon.com/fargate/pricing/" in run("cost", "-e", "production", "--lines").out


def test_as_json_every_line_has_its_page(run: Run, shop: Path) -> None:
    regional(shop)
    report = run("cost", "-e", "production", "--on", "aws", "--json").json
    assert report["base"] < report["max"]
    assert all(line["source"].startswith("https://") for line in report["lines"])
    assert {each["flag"] for each in report["assumptions"]} >= {"--requests", "--logs-gb"}


def test_what_cannot_be_estimated_is_a_problem(run: Run, shop: Path) -> None:
    assert "the manifest says no region" in run("cost").err
    regional(shop)
    assert "costs nothing" in run("cost", "--on", "local").err
    wrong = run("cost", "-e", "prod")
    assert wrong.code == 1
    assert "test, production" in wrong.err
    assert run("cost", "--requests", "-1").code == 2
