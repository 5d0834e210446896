"""The page of what goes wrong at the perimeter names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "perimeter-faults.md").read_text()
NAMED = re.compile(r"`(tests/[\w./-]+?)(?::(\w+))?`")


def test_every_test_that_it_names_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 20
    for file, name in named:
        assert (ROOT / file).exists(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(), f"{file}: {name}"


def test_every_row_names_one() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert all(NAMED.search(row.rpartition(" | ")[2]) for row in rows)
