"""The wording of invalid manifests: tests/golden/invalid/NAME.yaml, and every problem of it in NAME.txt."""

import os
from pathlib import Path

import pytest

from anden import manifest
from anden.model.problem import Problems

FOLDER = Path(__file__).parents[2] / "golden" / "invalid"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
LEAST_CASES = 25


def problems_of(text: str) -> Problems:
    with pytest.raises(Problems) as raised:
        manifest.read(text, "anden.yaml", client="folder")
    return raised.value


@pytest.mark.parametrize("case", CASES)
def test_wording(case: str) -> None:
    found = problems_of((FOLDER / f"{case}.yaml").read_text()).problems
    said = "".join(f"{problem}\n" for problem in found)
    kept = FOLDER / f"{case}.txt"
    if os.environ.get("ANDEN_GOLDEN") == "write":
        kept.write_text(said)
    assert said == kept.read_text(), "ANDEN_GOLDEN=write writes it anew; review the difference like code"
    for problem in found:
        assert all((problem.where, problem.what, problem.why, problem.fix)), problem
        assert problem.fix.endswith((".", "?")), problem
        assert not problem.what.endswith("."), problem
        assert not problem.why.endswith("."), problem


def test_every_case_is_kept() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == CASES
    assert len(CASES) >= LEAST_CASES
