"""The samples in the pages about AWS are what the commands print of the example, with a date held still.

`ANDEN_GOLDEN=write` writes them anew, after a change of what is rendered.
"""

import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from anden import manifest, paper
from anden.cli.place import Meaning
from anden.cli.render import cost, preflight
from anden.cli.render.paint import PLAIN
from anden.engines.aws import estimate_of
from anden.model.cost import Assumed

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 26)


def example() -> Meaning:
    text = (ROOT / "examples" / "banco-andino" / "anden.yaml").read_text()
    read = manifest.read(text, "anden.yaml", client="banco-andino")
    return Meaning(read.topologies["production"], read.marks["production"], ())


def costs() -> list[str]:
    of = example()
    return cost.text(estimate_of(paper.described(of.topology, of.marks), Assumed(), TODAY), PLAIN)


def lacks() -> list[str]:
    return preflight.text(paper.preflight(example(), ask=False), PLAIN)


@pytest.mark.parametrize(("name", "lines"), [("cost", costs), ("preflight", lacks)])
def test_the_sample_is_what_is_printed(name: str, lines: Callable[[], list[str]]) -> None:
    page = ROOT / "docs" / "aws" / f"{name}.md"
    text = page.read_text()
    block = re.compile(rf"(```\n\$ anden {name} [^\n]*\n)(.*?)(```\n)", re.DOTALL)
    said = "\n".join(lines()) + "\n"
    if os.environ.get("ANDEN_GOLDEN") == "write":
        text = block.sub(lambda found: found[1] + said + found[3], text)
        page.write_text(text)
    shown = block.search(text)
    assert shown is not None
    assert shown[2] == said, f"docs/aws/{name}.md differs: ANDEN_GOLDEN=write, and review the difference"
