"""What a person gets who installs the wheel and has no clone."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anden import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds."""
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made / "site")
    return made / "site"


def run(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(installed), "ANDEN_STATE": str(cwd / "state")}
    return subprocess.run(
        [sys.executable, "-m", "anden", *words], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )


def test_it_is_the_wheel_that_answers(installed: Path, tmp_path: Path) -> None:
    where = "import anden; print(anden.__file__)"
    env = {**os.environ, "PYTHONPATH": str(installed)}
    said = subprocess.run(
        [sys.executable, "-c", where], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith(str(installed))
    assert __version__ in run(installed, "version", cwd=tmp_path).stdout


def test_doctor_reports_what_a_machine_lacks(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "doctor", "--json", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    names = {each["name"] for each in report["checks"]}
    assert {"root", "cgroups", "crun", "haproxy", "nft"} <= names
    for each in report["checks"]:
        assert each["ok"] or each["fix"], each


def test_a_manifest_is_written_checked_and_simulated(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "Containerfile").write_text("FROM scratch\nEXPOSE 8080\n")
    for words in (
        ["init"],
        ["check"],
        ["up", "--on", "simulated", "--no-input"],
        ["down", "--on", "simulated", "--yes"],
    ):
        done = run(installed, *words, cwd=tmp_path / "shop")
        assert done.returncode == 0, (words, done.stdout, done.stderr)
