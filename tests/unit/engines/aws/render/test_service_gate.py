"""cfn-lint takes every stack, without a suppression."""

from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint

from anden import manifest
from anden.engines.aws.caveats import caveats
from anden.engines.aws.render.stacks import environment
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Facts
from anden.planning import blueprint

ROOT = Path(__file__).parents[5]
MANIFESTS = [ROOT / "examples/banco-andino/anden.yaml", *sorted((ROOT / "tests/golden").glob("*/anden.yaml"))]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_cfn_lint_takes_them(path: Path) -> None:
    read = manifest.read(path.read_text(), "anden.yaml", client=path.parent.name)
    for name in read.environments:
        topology = read.topologies[name]
        images = SimulatedImages().presume(path.parent, {each.name: each.source for each in topology.services})
        draft = blueprint.draft(topology, images, Facts(), None, read.marks[name])
        for stack in environment(draft, caveats(topology)):
            found = lint(stack.text, config=ManualArgs(regions=[stack.region or "us-east-1"]))
            assert [f"{each.rule.id}: {each.message}" for each in found] == [], stack.name
