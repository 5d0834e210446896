"""The renderer's own stacks under control: what they use is there when they come, and still there when they go."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.control.stack_bench import Bench
from tests.unit.control.stack_world import StackWorld, Trouble

from anden import manifest
from anden.engines.aws.wanted import wanted
from anden.model.blueprint import Blueprint, Facts
from anden.model.command import Outcome
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.stack import StackWanted
from anden.planning.blueprint import draft

EXAMPLE = Path(__file__).parents[4] / "examples" / "banco-andino" / "anden.yaml"
TEXT = """
anden: 1
client: banco
region: us-east-1
services:
  web: { image: web:1.0, port: 8080, route: /, instances: 2..4, reaches: [api] }
  api: { image: api:1.0, port: 8080, instances: 1..3 }
"""


NETWORK = StackWanted("anden-banco-dev-network", "network", "us-east-1", "{}", (), lasting=True)
"""In the place of the network's own stack while that is not part of what is rendered."""


class Rendered(StackWorld):
    """A world whose stacks are those of the aws engine."""

    def stacks(
        self, blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]
    ) -> tuple[StackWanted, ...]:
        made = wanted(blueprint, keeping, generations)
        there = {stack.family for stack in made}
        return (*(NETWORK for _ in range("network" not in there)), *made)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, world=Rendered)


def blueprints() -> dict[str, Blueprint]:
    """The example's."""
    read = manifest.read(EXAMPLE.read_text(), EXAMPLE.name, client="banco-andino")
    return {
        name: draft(
            topology,
            {each.name: Image(f"{each.name}:1", Digest("sha256:" + "0" * 64)) for each in topology.services},
            Facts(), None, read.marks[name],
        )
        for name, topology in read.topologies.items()
    }  # fmt: skip


@pytest.mark.parametrize("name", ["certification", "production"])
def test_every_stack_of_the_example_uses_only_what_is_made_before_it(name: str) -> None:
    before: set[str] = set()
    for stack in wanted(blueprints()[name], None, {}):
        # The network's stack is another module's: until it is merged nothing here makes it.
        assert set(stack.after) <= before | {"network"}, stack.family
        before.add(stack.family)


def test_a_service_comes_after_every_rule_and_door_that_it_needs() -> None:
    stacks = {stack.family: stack for stack in wanted(blueprints()["production"], None, {})}
    rules = {family for family in stacks if family.startswith("rules")}
    services = [stack for family, stack in stacks.items() if family.startswith("service-")]
    assert services
    assert all({*rules, "edge", "data"} <= set(each.after) for each in services)


def test_the_same_blueprint_gives_the_same_texts_and_a_restart_is_one_stack() -> None:
    blueprint = blueprints()["production"]
    first, again = wanted(blueprint, None, {}), wanted(blueprint, None, {})
    assert first == again
    restarted = wanted(blueprint, None, {"accounts": 1})
    assert [one.family for one, other in zip(first, restarted, strict=True) if one != other] == ["service-accounts"]


def test_a_change_between_the_examples_versions_ends_at_the_targets_own(bench: Bench) -> None:
    assert bench.up(TEXT).outcome == Outcome.DONE
    assert bench.settled()
    more = TEXT.replace("web:1.0", "web:2.0") + "  job: { image: job:1.0, reaches: [api] }\n"
    assert bench.up(more).outcome == Outcome.DONE
    assert bench.settled()
    assert bench.engine.history.index("+ service-job") > bench.engine.history.index("~ rules")
    assert bench.up(TEXT.replace(", reaches: [api]", "")).outcome == Outcome.DONE
    assert bench.settled()
    gone, narrowed = bench.engine.history.index("- service-job"), len(bench.engine.history) - 1
    assert gone < narrowed - bench.engine.history[::-1].index("~ rules")


def test_a_version_that_fails_goes_back(bench: Bench) -> None:
    bench.up(TEXT)
    bench.engine.troubles["service-web"] = Trouble("WebService: tasks do not become healthy")
    end = bench.up(TEXT.replace("web:1.0", "web:2.0").replace("api:1.0", "api:2.0"))
    assert end.outcome == Outcome.ROLLED_BACK
    assert bench.settled()


def test_down_leaves_nothing(bench: Bench) -> None:
    bench.up(TEXT)
    assert bench.run(bench.control.down(bench.at(TEXT), "ana")).outcome == Outcome.DONE
    assert bench.engine.account.stacks == {}
