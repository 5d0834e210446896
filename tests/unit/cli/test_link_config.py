"""`anden link config`: from the manifest alone, with every refusal in words."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Ran, Run

MANIFEST = """\
anden: 1
client: bank
region: us-east-1
environments:
  dev:
    links:
      core: { peer: 203.0.113.10, networks: [10.20.0.0/16], seen-as: 100.64.10.0/26, secret: [vpn-1, vpn-2] }
      both: { peer: 203.0.113.11, networks: [10.30.0.0/16, 10.31.0.0/16], secret: [vpn-3, vpn-4] }
      cards: { peer: 203.0.113.12, networks: [10.40.0.0/16], certificate: rehearsal }
    destinations:
      core-api: { link: core, to: 10.20.4.17:8443 }
services:
  web: { image: "web:1.0.0", port: 8080, route: /, reaches: [core-api] }
"""
Config = Callable[..., Ran]


@pytest.fixture
def config(run: Run, tmp_path: Path) -> Config:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "anden.yaml").write_text(MANIFEST)
    return lambda *words: run("-C", str(folder), "link", "config", *words)


def test_it_is_the_twins_from_the_manifest_alone(config: Config) -> None:
    said = config("core")
    assert said.code == 0
    # `both` has the first number: links are numbered by name.
    assert "remote_addrs = 198.51.100.104\n" in said.out
    assert "remote_ts = 100.64.10.0/26\n" in said.out
    assert "We open TCP to: 10.20.4.17:8443 (core-api)." in said.out


def test_as_json_it_has_the_agreement_and_the_names_of_the_keys(config: Config) -> None:
    said = json.loads(config("core", "--device", "palo-alto", "--json").out)
    assert (said["link"], said["device"], said["keys"], said["tried"]) == ("core", "palo-alto", ["vpn-1", "vpn-2"], "")
    assert [each["ours"]["address"] for each in said["agreement"]["tunnels"]] == ["198.51.100.104", "198.51.100.105"]
    assert said["openings"] == [{"destination": "core-api", "network": "10.20.4.17/32", "port": 8443}]
    assert said["text"].startswith("# Link core: your side, for Palo Alto Networks")


def test_what_a_device_cannot_is_refused_and_not_guessed(config: Config) -> None:
    said = config("both", "--device", "cisco-ios")
    assert said.code == 1
    assert said.out == ""
    assert "this link has 2" in said.err
    assert config("both", "--device", "fortinet").code == 0
    assert config("core", "--device", "zyxel").code == 2


def test_what_only_the_account_knows_is_said_so(config: Config) -> None:
    said = config("core", "--on", "aws")
    assert said.code == 1
    assert "the outside addresses of our two endpoints are not known yet" in said.err
    assert "After the first `anden up --on aws`" in said.err
    assert "remote_addrs = 198.18.1." in config("core", "--on", "simulated").out


def test_with_certificates_there_is_no_key_and_aws_alone_knows_what_its_endpoints_show(config: Config) -> None:
    said = json.loads(config("cards", "--json").out)
    assert said["keys"] == []
    assert "certs = cards.pem" in said["text"]
    refused = config("cards", "--on", "aws")
    assert refused.code == 1
    assert "what the certificates of our endpoints say on AWS is not known here" in refused.err


def test_before_anything_runs_the_page_says_what_is_agreed_and_that_nobody_signed_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "anden.yaml").write_text(MANIFEST)
    said = run("-C", str(tmp_path), "link", "page", "core", "-o", str(tmp_path / "core.md"))
    assert said.code == 0
    assert "not signed: nobody is invited" in said.out
    text = (tmp_path / "core.md").read_text()
    assert text.startswith("# Link core of bank/dev\n")
    assert text.count("Nothing was seen from there.") == 2
    assert "This page is not signed" in text
    assert json.loads(run("-C", str(tmp_path), "link", "page", "core", "--json").out)["signed"] is False


def test_a_link_that_is_not_declared_is_named_with_those_that_are(config: Config) -> None:
    said = config("cor")
    assert said.code == 1
    assert "link cor: there is none of this name; both, cards, core." in said.err
