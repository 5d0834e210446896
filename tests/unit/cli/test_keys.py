"""A file of keys beside a manifest: checked, and part of what is planned, wherever the manifest is read."""

import json
from pathlib import Path

import pytest
from tests import tokens
from tests.unit.cli.conftest import Run

FIRST, SECOND = tokens.ec_signer("first"), tokens.ec_signer("second")


@pytest.fixture
def keys(shop: Path) -> Path:
    manifest = shop / "anden.yaml"
    text = manifest.read_text().replace("route: /,", "route: { path: /, auth: customers },")
    issuer = "auth: { customers: { issuer: https://id.example, audience: shop, keys: keys.json } }\n"
    manifest.write_text(text + issuer)
    return shop / "keys.json"


def target(run: Run) -> str:
    ran = run("plan", "-e", "test", "--on", "simulated", "--json")
    assert ran.code == 0, ran.err
    return str(ran.json["target"])


def test_check_says_what_is_wrong_with_them(run: Run, keys: Path) -> None:
    assert "keys.json cannot be read" in run("check").err
    keys.write_text(json.dumps({"keys": [{**FIRST.jwk(), "d": "s3cret-number"}]}))
    ran = run("check")
    assert ran.code != 0
    assert "keys.json holds a private key" in ran.err
    assert "s3cret-number" not in ran.out + ran.err
    keys.write_text(json.dumps({"keys": [FIRST.jwk()]}))
    assert run("check").code == 0


def test_they_are_part_of_what_is_planned(run: Run, keys: Path) -> None:
    keys.write_text(json.dumps({"keys": [FIRST.jwk()]}))
    before = target(run)
    assert target(run) == before
    keys.write_text(json.dumps({"keys": [FIRST.jwk(), SECOND.jwk()]}))
    assert target(run) != before


def test_an_issuer_without_them_closes_its_routes(run: Run, keys: Path) -> None:
    keys.write_text(json.dumps({"keys": [FIRST.jwk()]}))
    assert "answers 503" not in run("plan", "-e", "test", "--on", "simulated").out
    manifest = keys.parent / "anden.yaml"
    manifest.write_text(manifest.read_text().replace(", keys: keys.json", ""))
    assert "answers 503: the issuer's keys (customers)" in run("plan", "-e", "test", "--on", "simulated").out
