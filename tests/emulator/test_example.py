"""The example on the emulator: from nothing to complete, changed, hurt in every stack, taken up again, and ended."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests.emulator.emulator import Emulator, reached

from anden import manifest
from anden.engines.aws import execute, failures
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.execute import Work
from anden.engines.aws.session import Session
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName
from anden.model.plan import Action, ApplyStack, Receipt, Step
from anden.model.problem import Problem
from anden.model.stack import StackSeen, StackState, StackWanted
from anden.model.topology import Incoming
from anden.planning import blueprint
from anden.planning.stacks import removal_of_stacks

ROOT = Path(__file__).parents[2]
KEY = EnvironmentKey("banco-andino", "production", EngineName.AWS)
POLL_S = 0.02
LET_IN = (Incoming(ServiceName("ledger"), (IPv4Network("10.20.4.0/24"),), 8443),)
"""What the link lets in, so that balancer, listener and targets are made and hurt with everything else."""


def drafted() -> Blueprint:
    read = manifest.read((ROOT / "tests/golden/client/anden.yaml").read_text(), "anden.yaml", client="banco-andino")
    topology, marks = read.topologies["production"], read.marks["production"]
    (core,) = topology.links
    topology = replace(topology, links=(replace(core, incoming=LET_IN),))
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


@dataclass
class Deploying:
    """The example on its way. made: families whose stacks are complete."""

    engine: AwsEngine
    stacks: Mapping[str, StackWanted]
    made: set[str] = field(default_factory=set)

    def before(self, family: str) -> None:
        """Everything that it uses, in order."""
        for each in self.stacks[family].after:
            if each in self.stacks and each not in self.made:
                self.before(each)
                assert apply([self.stacks[each]]) == {each: None}
                self.made.add(each)


FAMILIES = tuple(each.family for each in wanted(AwsEngine(VirtualClock(7.0))))
"""Every stack of the example."""


@pytest.fixture(scope="module")
def deploying(_emulator: Emulator) -> Iterator[Deploying]:
    """One example for the tests below, each of which makes what it needs: so that any may run alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in reached(_emulator).items():
            patch.setenv(name, value) if value is not None else patch.delenv(name, raising=False)
        _emulator.forget()
        engine = AwsEngine(VirtualClock(7.0))
        stacks = wanted(engine)
        prepared(_emulator, stacks)
        yield Deploying(engine, {each.family: each for each in stacks})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_failure_in_any_stack_is_explained_and_the_next_run_completes_it(deploying: Deploying, family: str) -> None:
    stack = deploying.stacks[family]
    deploying.before(family)
    if family not in deploying.made:  # its creation fails, after everything else in it was made
        found = apply([hurt(stack)])[family]
        assert found is not None
        assert found.where == f"stack {stack.name}"
        assert found.what == "Injected (AWS::SNS::Topic) failed"
        assert found.why.endswith("; its creation was rolled back, and nothing of it stands")
        assert found.fix == failures.AGAIN
        assert seen(deploying)[family].template is None
        assert apply([stack]) == {family: None}
        deploying.made.add(family)
    others = {each: one.template for each, one in seen(deploying).items()}
    found = apply([hurt(stack)])[family]  # a change of it fails
    assert found is not None
    assert found.what == "Injected (AWS::SNS::Topic) failed"
    assert found.why.endswith("; it stands as before")
    assert {each: one.template for each, one in seen(deploying).items()} == others
    assert seen(deploying)[family].state is StackState.FAILED
    assert seen(deploying)[family].why.startswith("Injected: Properties validation failed")
    assert apply([changed(stack)]) == {family: None}
    assert seen(deploying)[family].template == changed(stack).digest
    assert apply([stack]) == {family: None}
    assert seen(deploying)[family].state is StackState.SETTLED


def seen(deploying: Deploying) -> dict[str, StackSeen]:
    return {each.family: each for each in deploying.engine.observe(KEY).stacks}


def changed(stack: StackWanted) -> StackWanted:
    """The same with one resource more: an update that succeeds."""
    template = json.loads(stack.template)
    template["Resources"]["Another"] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"x-{stack.family}"}}
    return replace(stack, template=json.dumps(template))


def test_from_nothing_to_complete_and_back(aws: Emulator) -> None:
    engine = AwsEngine(VirtualClock(7.0))
    stacks = wanted(engine)
    prepared(aws, stacks)
    for layer in layers(stacks):
        assert apply(layer) == {each.family: None for each in layer}
    seen = {each.family: each for each in engine.observe(KEY).stacks}
    assert {family: each.template for family, each in seen.items()} == {each.family: each.digest for each in stacks}
    assert {each.state for each in seen.values()} == {StackState.SETTLED}
    told: list[str] = []
    for _ in range(len(stacks)):
        plan = removal_of_stacks(KEY, engine.observe(KEY), stacks)
        if not plan.steps:
            break
        problems, said = run(plan.steps)
        assert problems == {step.address: None for step in plan.steps}
        told += said
    assert "edge Balancer: deletion protection lifted" in told
    assert {line.partition("(")[2].partition(")")[0] for line in told if "retained: " in line} >= {
        "AWS::ECR::Repository", "AWS::Logs::LogGroup", "AWS::S3::Bucket",
    }  # fmt: skip
    left = engine.observe(KEY)
    assert not left.present
    assert {each.family for each in left.stacks} == {"key", "address-a", "address-b", "address-c"}
    before = allocations(aws)
    assert len(before) == 3
    for layer in layers(stacks):  # what was retained is no obstacle to a second life
        assert apply(layer) == {each.family: None for each in layer}
    assert allocations(aws) == before
    nats = aws.client("ec2").describe_nat_gateways()["NatGateways"]
    addressed = [its for nat in nats if nat["State"] != "deleted" for its in nat["NatGatewayAddresses"]]
    used = {its["AllocationId"] for its in addressed if "AllocationId" in its}  # private ones have none
    assert used == before


def allocations(aws: Emulator) -> set[str]:
    return {each["AllocationId"] for each in aws.client("ec2").describe_addresses()["Addresses"]}
