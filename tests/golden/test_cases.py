"""One golden case, both engines: parity shows in a listing.

    tests/golden/CASE/anden.yaml                      what a person wrote
    tests/golden/CASE/ENVIRONMENT/blueprint.json      everything placed
    tests/golden/CASE/ENVIRONMENT/plan.txt            what `up` would say and do, from nothing
    tests/golden/CASE/ENVIRONMENT/reach.txt           who reaches whom
    tests/golden/CASE/ENVIRONMENT/local/…             what the twin writes and applies
    tests/golden/CASE/ENVIRONMENT/as-aws/…            the same with AWS's manners, where it is another file
    tests/golden/CASE/ENVIRONMENT/aws/differences.txt what AWS does differently

`ANDEN_GOLDEN=write` writes them anew; review the difference like code.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from anden import manifest
from anden.engines.aws.caveats import caveats as aws_caveats
from anden.engines.local.engine import LocalEngine
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.manners import AWS
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.reach import Path as Path_
from anden.planning import blueprint, difference, reachability, rehearsal

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/anden.yaml"))


def caveat_lines(caveats: tuple[Caveat, ...]) -> str:
    return "".join(f"≠ {each.engine}: {each.subject}: {each.text}\n" for each in caveats)


def plan_lines(key: EnvironmentKey, target: Blueprint, marks: Mapping[str, object], caveats: tuple[Caveat, ...]) -> str:
    lines = [f"{key}"]
    for each in difference.differences(None, target, marks):  # type: ignore[arg-type]
        lines.append(f"{each.action} {each.subject}  {each.text}  {each.mark or ''} {each.note}".rstrip())
    lines += ["", "steps:"]
    nothing = Observation(key=key, at=0.0, present=False)
    for step in rehearsal.rehearse(key, target, {}, {}, None, caveats, nothing):
        lines.append(f"{step.action} {step.address}  {step.reason}".rstrip())
    return "\n".join(lines) + "\n"


def reach_lines(paths: tuple[Path_, ...]) -> str:
    lines = []
    for each in paths:
        way = " → ".join(hop.what for hop in each.hops)
        verdict = "open" if each.open else f"BLOCKED: {each.reason}"
        lines.append(f"{each.caller} → {each.callee}:{each.port}  {verdict}  [{way}]")
    return "\n".join(lines) + "\n"


def rendered(case: str, tmp_path: Path) -> dict[str, str]:
    folder = HERE / case
    read = manifest.read((folder / "anden.yaml").read_text(), "anden.yaml", client=case)
    local = LocalEngine(tmp_path / "state", tmp_path / "images", VirtualClock())
    files: dict[str, str] = {}
    for name in read.environments:
        topology, marks = read.topologies[name], read.marks[name]
        key = EnvironmentKey(read.client, name, EngineName.LOCAL)
        images = SimulatedImages().presume(tmp_path, {each.name: each.source for each in topology.services})
        caveats = local.caveats(topology)
        target = blueprint.draft(topology, images, local.facts(key, topology.zones, topology), None, marks)
        files[f"{name}/blueprint.json"] = codec.to_json(target, indent=1) + "\n"
        files[f"{name}/plan.txt"] = plan_lines(key, target, marks, caveats)
        files[f"{name}/reach.txt"] = reach_lines(reachability.matrix(target, marks, caveats))
        files[f"{name}/local/differences.txt"] = caveat_lines(caveats)
        files[f"{name}/aws/differences.txt"] = caveat_lines(aws_caveats(topology))
        twin = local.render(target)
        files |= {f"{name}/local/{file}": text for file, text in twin.items()}
        if topology.production:
            as_aws = local.render(target, AWS)
            files |= {f"{name}/as-aws/{file}": text for file, text in as_aws.items() if text != twin[file]}
    return files


@pytest.mark.parametrize("case", CASES)
def test_case(case: str, tmp_path: Path) -> None:
    files = rendered(case, tmp_path)
    if os.environ.get("ANDEN_GOLDEN") == "write":
        for name, text in files.items():
            path = HERE / case / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    kept = {
        str(path.relative_to(HERE / case)): path.read_text()
        for path in (HERE / case).rglob("*")
        if path.is_file() and path.name != "anden.yaml"
    }
    assert sorted(kept) == sorted(files)
    for name, text in files.items():
        assert kept[name] == text, f"{case}/{name} differs: ANDEN_GOLDEN=write, and review the difference"


def test_there_are_cases() -> None:
    assert {"small", "client"} <= set(CASES)
