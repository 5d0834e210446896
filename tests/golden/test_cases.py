"""One golden case, both engines: parity shows in a listing.

    tests/golden/CASE/anden.yaml                      what a person wrote
    tests/golden/CASE/ENVIRONMENT/blueprint.json      everything placed
    tests/golden/CASE/ENVIRONMENT/plan.txt            what `up` would say and do, from nothing
    tests/golden/CASE/ENVIRONMENT/reach.txt           who reaches whom
    tests/golden/CASE/ENVIRONMENT/local/…             what the twin writes and applies
    tests/golden/CASE/ENVIRONMENT/as-aws/…            the same with AWS's manners, where it is another file
    tests/golden/CASE/ENVIRONMENT/aws/STACK.json      the templates, and order.json and README.md beside them
    tests/golden/CASE/ENVIRONMENT/aws/differences.txt what AWS does differently

A case that names no region is rendered for us-east-1. Of the large one only names, sizes and digests are kept (LARGE).
Every stack passes both validators (tests/static_gate.py).

`ANDEN_GOLDEN=write` writes them anew; review the difference like code.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from tests.static_gate import SUPPRESSIONS, Suppression, gate, suppressions_of

from anden import manifest
from anden.engines.aws.caveats import caveats as aws_caveats
from anden.engines.aws.engine import AwsEngine
from anden.engines.local.engine import LocalEngine
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.manners import AWS
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.reach import Path as Path_
from anden.model.topology import Topology
from anden.planning import blueprint, difference, reachability, rehearsal

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/anden.yaml"))
LARGE = {"sixty": 3}
"""Cases of which only a summary is kept, and of how many of their services the templates go through the gate."""
NOWHERE = HERE / "nowhere"
"""A folder that is not there: what a build would contain must not change with these files."""
REGION = "us-east-1"
DIGITS = 16
"""Of a digest in a summary."""


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
        files |= {f"{name}/aws/{file}": text for file, text in on_aws(case)[name].items()}
        if topology.production:
            as_aws = local.render(target, AWS)
            files |= {f"{name}/as-aws/{file}": text for file, text in as_aws.items() if text != twin[file]}
    return summary(files) if case in LARGE else files


def summary(files: Mapping[str, str]) -> dict[str, str]:
    """The same in two short files for each environment: file, resources of a template, bytes, digest."""
    kept: dict[str, list[str]] = {}
    for name, text in files.items():
        environment, _, rest = name.partition("/")
        side, _, file = rest.rpartition("/")
        resources = len(json.loads(text).get("Resources", ())) if side == "aws" and file.endswith(".json") else 0
        said = [file if side == "aws" else rest, f"{resources} resources" if resources else ""]
        digest = hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
        line = "  ".join([*filter(None, said), f"{len(text.encode())} bytes", digest])
        kept.setdefault(f"{environment}/{'aws' if side == 'aws' else 'local'}/summary.txt", []).append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in kept.items()}


def lent(topology: Topology) -> Topology:
    """With a region, for AWS has no environment without one."""
    return replace(topology, region=topology.region or REGION)


@cache
def on_aws(case: str) -> dict[str, Mapping[str, str]]:
    """Environment to what the aws engine renders of it, from nothing, without an account to ask."""
    read = manifest.read((HERE / case / "anden.yaml").read_text(), "anden.yaml", client=case)
    found = {}
    for name in read.environments:
        topology, marks = lent(read.topologies[name]), read.marks[name]
        images = SimulatedImages().presume(NOWHERE, {each.name: each.source for each in topology.services})
        drafted = blueprint.draft(topology, images, Facts(), None, marks)
        found[name] = AwsEngine(VirtualClock()).render(drafted)
    return found


def templates(case: str) -> list[tuple[str, str, str]]:
    """Name, text and region of every stack that goes through the gate."""
    found, services = [], 0
    for environment, files in on_aws(case).items():
        for each in json.loads(files["order.json"])["stacks"]:
            services += each["file"].startswith("service-")
            if not each["file"].startswith("service-") or services <= LARGE.get(case, services):
                found.append((f"{environment}/{each['file']}", files[each["file"]], each["region"]))
    return found


_used: dict[str, frozenset[Suppression]] = {}


@pytest.mark.parametrize("case", CASES)
def test_every_stack_passes_both_validators(case: str) -> None:
    wrong, used = {}, frozenset[Suppression]()
    for name, text, region in templates(case):
        judged = gate(text, region)
        used |= judged.used
        if judged.findings:
            wrong[name] = [str(each) for each in judged.findings]
    _used[case] = used
    assert wrong == {}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_said_to_be_nothing(case: str) -> None:
    """CloudFormation refuses a null: what is not there is left out (`resource`'s `maybe`)."""
    found = [name for name, text, _ in templates(case) if re.search(r"^ *(\"[^\"]*\": )?null,?$", text, re.MULTILINE)]
    assert found == []


def test_every_suppression_is_needed() -> None:
    for case in CASES:
        if case not in _used and case not in LARGE:
            _used[case] = frozenset(one for _, text, region in templates(case) for one in gate(text, region).used)
    needed = frozenset(one for used in _used.values() for one in used)
    assert set(suppressions_of(SUPPRESSIONS)) == needed


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
    assert {"small", "client", "example", "vpn", "blue-green", "two-regions", "sixty"} == set(CASES)


def test_the_example_is_the_one_that_everything_is_shown_with() -> None:
    example = HERE.parents[1] / "examples" / "banco-andino" / "anden.yaml"
    assert (HERE / "example" / "anden.yaml").read_text() == example.read_text()
