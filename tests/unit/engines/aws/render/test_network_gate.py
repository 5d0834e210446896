"""Both validators on the network of every manifest that we show: no error, and no warning without a reason."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.static_gate import gate
from tests.unit.engines.aws.render.networks import BANK, BRANCH, SEEN, stack

from anden import manifest
from anden.engines.aws.render.template import Stack
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.topology import Egress
from anden.planning.blueprint import draft

ROOT = Path(__file__).parents[5]
SHOWN = sorted([*(ROOT / "tests" / "golden").glob("*/anden.yaml"), ROOT / "examples" / "banco-andino" / "anden.yaml"])
MOST_RESOURCES = 500
"""Of a stack (CloudFormation user guide, "Quotas")."""
LONGEST_TEMPLATE = 1_048_576
"""Bytes of a template in S3 (the same page)."""


def blueprints() -> Iterator[tuple[str, Blueprint]]:
    """Every environment of every manifest shown, in its region."""
    for path in SHOWN:
        read = manifest.read(path.read_text(), path.name, client=path.parent.name)
        for name in read.environments:
            of = replace(read.topologies[name], region=read.topologies[name].region or "us-east-1")
            images = SimulatedImages().presume(path.parent, {each.name: each.source for each in of.services})
            yield f"{path.parent.name}-{name}", draft(of, images, Facts(), None, read.marks[name])


def stacks() -> dict[str, Stack]:
    """And some that no manifest shows: every layer at its largest, without egress, and in the middle of a change."""
    found = {name: stack(target) for name, target in blueprints()}
    most = replace(BANK, links=(BRANCH, SEEN), zones=4, production=True, client="c" * 40, environment="e" * 40)
    return {
        **found,
        "most": stack(most),
        "no-egress": stack(replace(BANK, egress=Egress.NONE)),
        "changing": stack(replace(BANK, links=(), zones=1), BANK),
        "elsewhere": stack(replace(most, region="sa-east-1", zones=3)),
    }


STACKS = stacks()


@pytest.mark.parametrize("name", STACKS)
def test_the_network_passes_both_validators(name: str) -> None:
    made = STACKS[name]
    assert gate(made.text, made.region).findings == ()


@pytest.mark.parametrize("name", STACKS)
def test_a_network_is_one_stack(name: str) -> None:
    assert len(STACKS[name].template["Resources"]) <= MOST_RESOURCES
    assert len(STACKS[name].text.encode()) <= LONGEST_TEMPLATE
    assert len(STACKS[name].name) <= 128
