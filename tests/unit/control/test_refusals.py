"""What `up` refuses once the images are known."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.control.bench import CLIENT, ENVIRONMENT, TWO, Bench

from anden import manifest
from anden.control.environment import Control
from anden.control.refusals import without_command
from anden.control.runner import InlineRunner
from anden.engines.simulated import SimulatedImages
from anden.model.command import Outcome
from anden.model.problem import Problems

READ = manifest.read(TWO, "anden.yaml", client=CLIENT)
TOPOLOGY, MARKS = READ.topologies[ENVIRONMENT], READ.marks[ENVIRONMENT]


def test_an_image_that_says_nothing_to_run_is_refused_with_its_place_and_its_fix(tmp_path: Path) -> None:
    images = SimulatedImages().presume(tmp_path, {each.name: each.source for each in TOPOLOGY.services})
    assert not without_command(TOPOLOGY, images, MARKS)
    silent = {name: replace(image, command=(), entrypoint=()) for name, image in images.items()}
    found = without_command(TOPOLOGY, silent, MARKS)
    assert [problem.where for problem in found] == ["services/api (anden.yaml:6)", "services/web (anden.yaml:5)"]
    assert all("command" in problem.fix for problem in found)
    spoken = replace(TOPOLOGY, services=tuple(replace(each, command=("serve",)) for each in TOPOLOGY.services))
    assert not without_command(spoken, silent, MARKS)


@pytest.mark.parametrize("production", [True, False])
def test_whose_records_lie_on_one_machine_changes_nothing_productive(tmp_path: Path, production: bool) -> None:
    bench = Bench(tmp_path)
    text = TWO.replace(
        "services:", f"environments: {{ dev: {{ production: {str(production).lower()}, zones: 2 }} }}\nservices:"
    )
    text = text.replace("1..3", "2..3")
    assert bench.up(text).outcome == Outcome.DONE
    lonely = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, InlineRunner(), alone=True)
    at, before = bench.at(text), bench.target
    told = [
        lonely.up(at, "ana"), lonely.deploy(at, "ana", "web", "web:2.0"), lonely.scale(at, "ana", "web", 3),
        lonely.rollback(at, "ana"), lonely.restart(at, "ana"), lonely.down(at, "ana"),
    ]  # fmt: skip
    for command in told:
        if not production:
            assert bench.run(command).outcome == Outcome.DONE
            continue
        with pytest.raises(Problems, match="its state would lie on this machine only") as refused:
            list(command)
        assert "`anden account bootstrap -e dev`" in refused.value.problems[0].fix
    assert (bench.store.target(before.key) == before) is production
    outcomes = {each.outcome for each in lonely.commands(at, len(told))}
    assert outcomes == {Outcome.REFUSED if production else Outcome.DONE}
    assert any("anden account bootstrap" in each.fix for each in lonely.plan(at).problems) is production
