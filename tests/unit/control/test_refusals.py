"""What `up` refuses once the images are known."""

from dataclasses import replace
from pathlib import Path

from tests.unit.control.bench import CLIENT, ENVIRONMENT, TWO

from anden import manifest
from anden.control.refusals import without_command
from anden.engines.simulated import SimulatedImages

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
