"""The command line as a person runs it, in this process, on a state folder of the test's own."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anden.cli.main import main

MANIFEST = """anden: 1
client: shop
environments:
  test: { egress: one }
  production:
    production: true
    zones: 2
    egress: per-zone
    services: { web: { instances: 2..4 }, api: { instances: 2..4 } }
destinations: { exchange: 192.0.2.10:443 }
services:
  web: { image: web:1.0.0, port: 8080, route: /, reaches: [api, exchange], instances: 1..3 }
  api: { image: api:1.0.0, port: 8080 }
"""


@dataclass(frozen=True)
class Ran:
    """What a call gave: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest, as the current one; state goes to a folder beside it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "anden.yaml").write_text(MANIFEST)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("ANDEN_COMMAND", raising=False)
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return folder


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line with these words."""

    def ran(*words: str) -> Ran:
        code = main(words)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return ran
