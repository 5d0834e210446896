"""The example on the emulator: from nothing to complete, changed, hurt in every stack, taken up again, and ended."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.emulator.emulator import Emulator

from anden import manifest
from anden.engines.aws import execute
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.execute import Work
from anden.engines.aws.session import Session
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.plan import Action, ApplyStack, DeleteStack, Receipt, Step
from anden.model.problem import Problem
from anden.model.stack import StackState, StackWanted
from anden.planning import blueprint

ROOT = Path(__file__).parents[2]
KEY = EnvironmentKey("banco-andino", "production", EngineName.AWS)
POLL_S = 0.02


def drafted() -> Blueprint:
    read = manifest.read((ROOT / "tests/golden/client/anden.yaml").read_text(), "anden.yaml", client="banco-andino")
    topology, marks = read.topologies["production"], read.marks["production"]
    images = SimulatedImages().presume(ROOT, {each.name: each.source for each in topology.services})
    return blueprint.draft(replace(topology, account=None), images, Facts(), None, marks)


def wanted(engine: AwsEngine) -> tuple[StackWanted, ...]:
    return engine.stacks(drafted(), None, {})


def layers(stacks: Sequence[StackWanted]) -> list[list[StackWanted]]:
    """Each after those that it uses."""
    left, done, found = list(stacks), set[str](), []
    here = {each.family for each in stacks}
    while left:
        ready = [each for each in left if not (set(each.after) & here) - done]
        assert ready, f"{[each.family for each in left]} wait for each other"
        found.append(ready)
        done |= {each.family for each in ready}
        left = [each for each in left if each.family not in done]
    return found


def run(steps: Sequence[Step]) -> tuple[dict[str, Problem | None], list[str]]:
    problems, told = {}, []
    for said in execute.execute(Work(Session(), KEY, POLL_S), steps):
        if isinstance(said, Receipt):
            problems[said.address] = said.problem
        else:
            told.append(f"{said.subject} {said.text}")
    return problems, told


def apply(stacks: Sequence[StackWanted]) -> dict[str, Problem | None]:
    digest = Digest("sha256:" + "b" * 64)
    return run([Step(Action.CREATE, each.family, "wanted", ApplyStack(each, digest)) for each in stacks])[0]


def hurt(stack: StackWanted) -> StackWanted:
    """The same with a resource that AWS refuses, after everything else."""
    template = json.loads(stack.template)
    others = sorted(template["Resources"])
    bad = {"Type": "AWS::SNS::Topic", "Properties": {"Nope": 1}, "DependsOn": others}
    template["Resources"]["Injected"] = bad
    return replace(stack, template=json.dumps(template))


def prepared(aws: Emulator, stacks: Sequence[StackWanted]) -> None:
    """What the account's stack and people give beforehand: bucket, secrets, parameters that no stack here publishes."""
    aws.client("s3").create_bucket(Bucket="anden-banco-andino-000000000000")
    published: set[str] = set()
    used: dict[str, str] = {}
    secrets: set[str] = set()
    for each in stacks:
        template = json.loads(each.template)
        published |= {
            made["Properties"]["Name"]
            for made in template["Resources"].values()
            if made["Type"] == "AWS::SSM::Parameter"
        }
        secrets |= set(re.findall(r"resolve:secretsmanager:([^:}]+)", each.template))
        used |= {its["Default"]: its["Type"] for its in template["Parameters"].values() if "SSM" in its["Type"]}
    for name in sorted(secrets):
        aws.client("secretsmanager").create_secret(Name=name, SecretString="a.pre-shared_key")
    for name in sorted(used.keys() - published):
        aws.client("ssm").put_parameter(Name=name, Type="String", Value=f"given-{name.rpartition('/')[2]}")


def test_from_nothing_to_complete_and_back(aws: Emulator) -> None:
    engine = AwsEngine(VirtualClock(7.0))
    stacks = wanted(engine)
    prepared(aws, stacks)
    for layer in layers(stacks):
        assert apply(layer) == {each.family: None for each in layer}
    seen = {each.family: each for each in engine.observe(KEY).stacks}
    assert {family: each.template for family, each in seen.items()} == {each.family: each.digest for each in stacks}
    assert {each.state for each in seen.values()} == {StackState.SETTLED}
    for layer in layers(stacks):  # a failure in the middle of every stack's next change
        problems = apply([hurt(each) for each in layer])
        assert all(
            found is not None and "Injected (AWS::SNS::Topic) failed" in found.what for found in problems.values()
        )
        assert all(found is not None and "stands as before" in found.why for found in problems.values())
        assert apply(layer) == {each.family: None for each in layer}
    told: list[str] = []
    for layer in reversed(layers(stacks)):
        problems, said = run([Step(Action.DELETE, each.family, "", DeleteStack(each.name, each.family, each.region))
                              for each in layer])  # fmt: skip
        assert problems == {each.family: None for each in layer}
        told += said
    assert any("retained: " in line and "AWS::EC2::EIP" in line for line in told)
    assert engine.observe(KEY).stacks == ()
