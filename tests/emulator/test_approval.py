"""From a plan that is saved to an `up` that does exactly that, through control, on the emulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import REGION, Emulator

from anden import manifest
from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model import codec
from anden.model.approval import Prepared, SavedPlan
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.store import open_store

SMALL = f"""
anden: 1
client: banco
region: {REGION}
environments: {{ dev: {{}} }}
services:
  web: {{ image: "web:1.0", port: 8080, route: / }}
"""
MORE = SMALL.replace("image:", "env: { LEVEL: debug }, image:")


@pytest.fixture
def control(aws: Emulator) -> Iterator[Control]:
    engine, clock = AwsEngine(VirtualClock(7.0), 0.02, Carrying()), VirtualClock(7.0)
    made = Control(engine, SimulatedImages(), open_store(":memory:"), clock, InlineRunner())
    topology = manifest.read(SMALL, "anden.yaml", client="banco").topologies["dev"]
    assert topology.production is False
    yield made
    made.close()


def at(text: str) -> Asked:
    return Asked("banco", "dev", Path("/nowhere"), text)


def up(control: Control, text: str, approved: SavedPlan | None = None) -> tuple[Outcome, list[str]]:
    """How it ended, and the problems that were told."""
    said = [each for each in control.up(at(text), "ana", approved=approved) if isinstance(each, Event)]
    problems = [str(each.problem) for each in said if each.problem is not None and each.kind is EventKind.PROBLEM]
    return Outcome(said[-1].outcome or ""), problems


def saved(control: Control, text: str) -> SavedPlan:
    report = control.plan(at(text), prepare=True)
    assert report.problems == ()
    assert report.saved is not None
    return codec.from_json(SavedPlan, codec.to_json(report.saved))  # as through a file


def execution(aws: Emulator, change: Prepared) -> str:
    return str(aws.client("cloudformation").describe_change_set(ChangeSetName=change.id)["ExecutionStatus"])


def test_what_was_saved_is_done_and_only_that(aws: Emulator, control: Control) -> None:
    first = saved(control, SMALL)
    assert first.prepared  # from nothing: what uses nothing else
    assert set(first.later).isdisjoint(each.family for each in first.prepared)
    assert {each.family for each in first.prepared} >= {"network"}
    assert "service-web" in first.later
    assert up(control, SMALL, first) == (Outcome.DONE, [])
    change = saved(control, MORE)
    (web,) = change.prepared
    assert (web.family, change.later) == ("service-web", {})
    assert any(effect.kind == "AWS::ECS::TaskDefinition" for effect in web.effects)
    assert execution(aws, web) == "AVAILABLE"
    outcome, problems = up(control, SMALL, change)  # not the manifest that was approved
    assert outcome is Outcome.REFUSED
    assert "it is of blueprint " in problems[0]
    assert up(control, MORE, change) == (Outcome.DONE, [])
    assert execution(aws, web) == "EXECUTE_COMPLETE"
    assert up(control, MORE, change) == (Outcome.DONE, [])  # again: it is done already


def test_what_was_deleted_or_overtaken_is_refused_before_anything_is_done(aws: Emulator, control: Control) -> None:
    assert up(control, SMALL) == (Outcome.DONE, [])
    change = saved(control, MORE)
    (web,) = change.prepared
    before = aws.client("cloudformation").describe_stacks(StackName=web.stack)["Stacks"][0]
    aws.client("cloudformation").delete_change_set(ChangeSetName=web.id)
    outcome, (problem,) = up(control, MORE, change)
    assert outcome is Outcome.REFUSED
    assert problem.startswith(f"stack {web.stack}: the change set that was approved cannot be executed; ")
    assert problem.endswith("Plan again, and have it approved.")
    overtaken = saved(control, MORE)
    cfn = aws.client("cloudformation")
    cfn.update_stack(
        StackName=web.stack, UsePreviousTemplate=True, Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=[*before["Tags"], {"Key": "by", "Value": "hand"}],
    )  # fmt: skip
    cfn.get_waiter("stack_update_complete").wait(StackName=web.stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    outcome, (problem,) = up(control, MORE, overtaken)
    assert outcome is Outcome.REFUSED
    assert "the stack was changed since the change set was approved" in problem or "cannot be executed" in problem
    assert control.status(at(SMALL)).matches_manifest
