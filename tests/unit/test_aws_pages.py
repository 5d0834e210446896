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
from anden.engines.aws.render.naming import RESERVED_ENVIRONMENTS
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


OVERVIEW = ROOT / "docs" / "aws.md"


def test_the_overview_leads_to_every_page_about_aws_and_the_readme_to_it() -> None:
    text = OVERVIEW.read_text()
    pages = {each.name for each in (ROOT / "docs" / "aws").glob("*.md")}
    assert pages - set(re.findall(r"\(aws/([\w-]+\.md)", text)) == set()
    assert "(docs/aws.md)" in (ROOT / "README.md").read_text()


def test_the_tests_that_the_overview_names_are_there() -> None:
    """`test_x.py` alone is in the folder of the one named before it."""
    folder, named = ROOT, re.findall(r"`((?:tests/[\w/]*)?(?:test_\w+\.py)?)`", OVERVIEW.read_text())
    missing = []
    for name in filter(None, named):
        if name.startswith("tests/"):
            path = ROOT / name
            folder = path.parent
        else:
            path = folder / name
        if not path.exists():
            missing.append(name)
    assert len(named) > 5
    assert missing == []


def test_the_overview_names_every_environment_that_cannot_be() -> None:
    (said,) = re.findall(r"An environment cannot be called (.*?): those names", OVERVIEW.read_text(), re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", said)) == RESERVED_ENVIRONMENTS


def test_the_short_table_says_what_the_whole_one_says() -> None:
    """Of access.md, each row of which is tried."""
    whole = rows(ROOT / "docs" / "aws" / "access.md")
    short = rows(OVERVIEW)
    production, elsewhere = "read log lines of production", "read log lines of certification"
    assert short["read log lines"] == told(whole[production], whole[elsewhere])
    assert short["restart and scale"] == told(
        whole["restart or scale a service of production"], whole["restart or scale a service of certification"],
        within="not in production",
    )  # fmt: skip
    for mine, its in {
        "look at everything but content": "list stacks and what is in them",
        "change an environment, through CloudFormation": "make a change set for an environment's stack",
        "read a secret's value": "read a secret's value",
        "change the account's own stacks": "make a change set for the account's own stack",
    }.items():
        assert short[mine] == told(whole[its], whole[its]), mine


def rows(page: Path) -> dict[str, list[str]]:
    """Tables of five columns or more: the first column to the next four."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.read_text().splitlines() if "|" in line
    ]
    return {each[0]: each[1:5] for each in cells if len(each) >= 5}


def told(there: list[str], elsewhere: list[str], within: str = "not of production") -> list[str]:
    return [
        "yes" if may == "yes" else within if also == "yes" else "no" for may, also in zip(there, elsewhere, strict=True)
    ]
