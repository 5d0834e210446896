"""Both validators on the network of every manifest that we show: no error, and no warning without a reason."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.core import get_rules
from cfnlint.rules import RulesCollection
from cloudformation_validate import CompositeEngine, ReportStatus, Severity, TemplateContent, ValidateConfig
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


@cache
def suppressed() -> frozenset[tuple[str, str, str]]:
    lines = (Path(__file__).parent / "suppressions.txt").read_text().splitlines()
    found = [re.fullmatch(r"(\S+)  (\S+)  (\S+): (\S.*)", line) for line in lines if line and line[0] != "#"]
    assert all(found), "a suppression says its rule, type, path and reason"
    return frozenset((each[1], each[2], each[3]) for each in found if each)


@cache
def engine() -> CompositeEngine:
    return CompositeEngine()


@cache
def rules() -> RulesCollection:
    found: RulesCollection = get_rules([], [], ["W", "E"])
    return found


def validated(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Rule, resource, path and text of what AWS's own validator says."""
    report = engine().validate_template(TemplateContent(text), ValidateConfig(severity_level=Severity.WARN))
    if report.status is not ReportStatus.OK:
        yield report.status.name, "", "", "not validated as a whole"
    for each in report.diagnostics:
        path = (each.property_path or "").removeprefix("Properties.")
        yield each.rule_id, each.entity.logical_id if each.entity else "", path, each.message


def linted(text: str, region: str) -> Iterator[tuple[str, str, str, str]]:
    """The same of cfn-lint."""
    for each in lint(text, rules(), [region]):
        words = [str(word) for word in each.path or ()]  # type: ignore[attr-defined]
        yield each.rule.id, words[1] if len(words) > 1 else "", ".".join(words[3:]), each.message


@pytest.mark.parametrize("name", STACKS)
def test_the_network_passes_both_validators(name: str) -> None:
    made = STACKS[name]
    resources = json.loads(made.text)["Resources"]
    found = [*validated(made.text), *linted(made.text, made.region)]
    stands = [
        each for each in found if (each[0], resources.get(each[1], {}).get("Type", ""), each[2]) not in suppressed()
    ]  # fmt: skip
    assert stands == []


def test_every_suppression_is_needed() -> None:
    made = STACKS["most"]
    resources = made.template["Resources"]
    found = [*validated(made.text), *linted(made.text, made.region)]
    assert suppressed() <= {(rule, resources[name]["Type"], path) for rule, name, path, _ in found if name}


def test_the_gate_hears_both_validators() -> None:
    broken = json.loads(STACKS["most"].text)
    broken["Resources"]["PublicAcl"]["Properties"]["Nonsense"] = 1
    text = json.dumps(broken)
    assert "PublicAcl" in {resource for _, resource, _, _ in validated(text)}
    assert "PublicAcl" in {resource for _, resource, _, _ in linted(text, "us-east-1")}


@pytest.mark.parametrize("name", STACKS)
def test_a_network_is_one_stack(name: str) -> None:
    assert len(STACKS[name].template["Resources"]) <= MOST_RESOURCES
    assert len(STACKS[name].text.encode()) <= LONGEST_TEMPLATE
    assert len(STACKS[name].name) <= 128
