"""Planted bugs: each patch in `bugs` is a small mistake of the kind that people make, and the judge must see it.

A patch says in its head what the bug is, and within how many seeds (from 0) it is caught.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((Path(__file__).parent / "bugs").glob("*.patch"))
WITHIN = re.compile(r"^Caught within: (\d+) seeds$", re.MULTILINE)
LIMIT_S = 600
ONE = "import sys; from tests.simulation.seeds import many; import anden; print(anden.__file__); " + (
    "print(many(0, int(sys.argv[1]), True).wrong)"
)


def test_there_are_bugs() -> None:
    assert len(PATCHES) >= 10


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_bug_is_caught(patch: Path, tmp_path: Path) -> None:
    within = WITHIN.search(patch.read_text())
    assert within is not None
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    applied = subprocess.run(
        ["git", "apply", "--verbose", str(patch)],
        cwd=tmp_path, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert applied.returncode == 0, f"{patch.name} does not apply any more:\n{applied.stderr}"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    lived = subprocess.run(
        [sys.executable, "-c", ONE, within[1]],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert lived.returncode == 0, lived.stderr
    where, wrong = lived.stdout.splitlines()[:2]
    assert where.startswith(str(tmp_path)), "the patched code was not the one that ran"
    assert wrong != "{}", f"nothing saw it: {patch.read_text().splitlines()[0]}"
