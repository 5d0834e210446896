"""Planted bugs: each patch in `bugs` is a small mistake of the kind that people make, and the judge must see it.

A patch says in its head what the bug is, and within how many seeds it is caught: from 0, or from the one that it names.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((Path(__file__).parent / "bugs").glob("*.patch"))
FROM = re.compile(r"^From: seed (\d+)$", re.MULTILINE)
WITHIN = re.compile(r"^Caught within: (\d+) seeds$", re.MULTILINE)
LIMIT_S = 600
ONE = "import sys; from tests.simulation.seeds import many; import anden; print(anden.__file__); " + (
    "first, count = map(int, sys.argv[1:]); print(many(first, first + count, True).wrong)"
)


AT_ONCE = 2
"""Processors; a history uses one."""


def lived(patch: Path, folder: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The seeds that the patch names, over a copy of the source with the bug in it; where that is."""
    within = WITHIN.search(patch.read_text())
    assert within is not None
    first = FROM.search(patch.read_text())
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    applied = subprocess.run(
        ["git", "apply", "--verbose", str(patch)],
        cwd=folder, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert applied.returncode == 0, f"{patch.name} does not apply any more:\n{applied.stderr}"
    env = {**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", ONE, first[1] if first else "0", within[1]],
        cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    return folder, ran


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Path, Future[Any]]]:
    """What became of each."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {patch: pool.submit(lived, patch, tmp_path_factory.mktemp(patch.stem)) for patch in PATCHES}


def test_there_are_bugs() -> None:
    assert len(PATCHES) >= 10


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_bug_is_caught(lives: Mapping[Path, Future[Any]], patch: Path) -> None:
    folder, ran = lives[patch].result()
    assert ran.returncode == 0, ran.stderr
    where, wrong = ran.stdout.splitlines()[:2]
    assert where.startswith(str(folder)), "the patched code was not the one that ran"
    assert wrong != "{}", f"nothing saw it: {patch.read_text().splitlines()[0]}"
