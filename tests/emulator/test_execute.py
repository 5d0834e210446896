"""Stacks through change sets on the emulator: made, changed, refused, cut off, found in every bad state, ended."""

import json
import threading
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from tests.emulator.emulator import ACCOUNT, REGION, Emulator
from tests.emulator.test_emulator import settled

from anden.engines.aws import execute
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.execute import Work
from anden.engines.aws.preview import MOST_INLINE_BYTES, preview
from anden.engines.aws.session import Session
from anden.engines.simulated.clock import VirtualClock
from anden.model.event import Event
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.plan import Action, ApplyStack, DeleteStack, Receipt, Step
from anden.model.problem import Problem, Problems
from anden.model.stack import StackSeen, StackState, StackWanted

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
BLUEPRINT = Digest("sha256:" + "b" * 64)
POLL_S = 0.05
NAME = "anden-banco-dev-data"
REFUSED = {"Type": "AWS::SNS::Topic", "Properties": {"Nope": 1}}


def topic(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}, **more}


def stack(name: str = NAME, lasting: bool = False, **resources: Any) -> StackWanted:
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    return StackWanted(name, name.rpartition("-")[2], REGION, template, ("network",), lasting)


def applying(wanted: StackWanted) -> Step:
    return Step(Action.CREATE, wanted.family, "wanted", ApplyStack(wanted, BLUEPRINT))


def ending(wanted: StackWanted) -> Step:
    return Step(Action.DELETE, wanted.family, "no longer", DeleteStack(wanted.name, wanted.family, wanted.region))


def run(*steps: Step, **words: Any) -> tuple[list[Problem | None], list[str]]:
    """The receipts' problems in the order of the steps, and what was told."""
    told, receipts = [], {}
    for said in execute.execute(Work(Session(), KEY, POLL_S, **words), steps):
        if isinstance(said, Receipt):
            receipts[said.address] = said.problem
        else:
            told.append(f"{said.sign} {said.subject} {said.text}")
    return [receipts[step.address] for step in steps], told


def seen(aws: Emulator) -> dict[str, StackSeen]:
    return {each.family: each for each in AwsEngine(VirtualClock(7.0)).observe(KEY).stacks}


def test_a_stack_is_made_changed_left_alone_and_ended(aws: Emulator) -> None:
    first = stack(One=topic("one"))
    (problem,), told = run(applying(first))
    assert problem is None
    assert told == ["✓ data One create complete"]
    found = seen(aws)["data"]
    assert (found.state, found.template, found.blueprint) == (StackState.SETTLED, first.digest, BLUEPRINT)
    assert (found.after, found.region) == (("network",), REGION)
    assert run(applying(first)) == ([None], [])  # nothing to do
    second = stack(One=topic("one"), Two=topic("two"))
    assert run(applying(second))[0] == [None]
    assert seen(aws)["data"].template == second.digest
    assert run(ending(second))[0] == [None]
    assert seen(aws) == {}
    assert run(ending(second)) == ([None], [])  # it is gone already


def test_what_is_kept_is_told_and_protection_is_no_obstacle(aws: Emulator) -> None:
    address = {"Type": "AWS::EC2::EIP", "DeletionPolicy": "RetainExceptOnCreate", "Properties": {"Domain": "vpc"}}
    wanted = stack(lasting=True, Address=address)
    assert run(applying(wanted))[0] == [None]
    cfn = aws.client("cloudformation")
    assert cfn.describe_stacks(StackName=NAME)["Stacks"][0]["EnableTerminationProtection"] is True
    (problem,), told = run(ending(wanted))
    assert problem is None
    (left,) = aws.client("ec2").describe_addresses()["Addresses"]
    assert f"! data retained: Address (AWS::EC2::EIP) {left['PublicIp']}" in told


def test_a_failed_creation_is_explained_and_a_second_run_makes_it(aws: Emulator) -> None:
    (problem,), told = run(applying(stack(One=topic("one"), Two=REFUSED)))
    assert str(problem) == (
        f"stack {NAME}: Two (AWS::SNS::Topic) failed; AWS said: Properties validation failed for resource Two with"
        " message: #: extraneous key [Nope] is not permitted; its creation was rolled back, and nothing of it stands."
        " Mend what AWS names, and run the same command again: it goes on from here."
    )
    assert any(line.startswith("✗ data Two") for line in told)
    found = seen(aws)["data"]
    assert (found.state, found.template) == (StackState.FAILED, None)
    assert found.why.startswith("Two: Properties validation failed")
    mended = stack(One=topic("one"), Two=topic("two"))
    (problem,), told = run(applying(mended))
    assert problem is None
    assert told[0] == "- data is deleted first: its creation failed (ROLLBACK_COMPLETE)"
    assert seen(aws)["data"].template == mended.digest


def test_a_failed_change_stands_as_before(aws: Emulator) -> None:
    first = stack(One=topic("one"))
    run(applying(first))
    (problem,), _ = run(applying(stack(One=topic("one"), Two=REFUSED)))
    assert problem is not None
    assert problem.what == "Two (AWS::SNS::Topic) failed"
    assert problem.why.endswith("; it stands as before")
    found = seen(aws)["data"]
    assert (found.state, found.template) == (StackState.FAILED, first.digest)
    assert run(applying(stack(One=topic("one"), Two=topic("two"))))[0] == [None]
    assert seen(aws)["data"].state is StackState.SETTLED


def test_stacks_of_one_plan_run_at_once_and_one_failure_takes_nobody_along(aws: Emulator) -> None:
    good = [stack(f"anden-banco-dev-s{number}", One=topic(f"s{number}")) for number in range(10)]
    bad = stack("anden-banco-dev-bad", One=REFUSED)
    problems, _ = run(applying(bad), *(applying(each) for each in good))
    assert [problem is None for problem in problems] == [False, *[True] * 10]
    assert {each.state for name, each in seen(aws).items() if name != "bad"} == {StackState.SETTLED}


@pytest.fixture
def held(aws: Emulator) -> tuple[StackWanted, Any]:
    """A stack that stays in work until it is signalled, and how to do that."""
    wanted = stack(
        Handle={"Type": "AWS::CloudFormation::WaitConditionHandle"},
        Wait={
            "Type": "AWS::CloudFormation::WaitCondition", "DependsOn": ["Handle"],
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "30", "Count": 1},
        },
    )  # fmt: skip

    return wanted, lambda: signal(aws, "SUCCESS")


def signal(aws: Emulator, status: str, reason: str = "") -> None:
    """To the Handle of the stack NAME, for its wait condition. status: `SUCCESS` or `FAILURE`."""
    found = aws.client("cloudformation").describe_stack_resource(StackName=NAME, LogicalResourceId="Handle")
    body = json.dumps({"Status": status, "UniqueId": "1", "Reason": reason, "Data": ""}).encode()
    address = found["StackResourceDetail"]["PhysicalResourceId"]
    asked = urllib.request.Request(address, body, {"Content-Type": ""}, method="PUT")  # noqa: S310 - loopback
    urllib.request.urlopen(asked, timeout=5).close()  # noqa: S310 - loopback


def test_a_run_that_is_cut_off_is_taken_up_by_the_next(aws: Emulator, held: tuple[StackWanted, Any]) -> None:
    wanted, release = held
    running = execute.execute(Work(Session(), KEY, POLL_S), [applying(wanted)])
    first = next(running)
    assert isinstance(first, Event)
    running.close()  # type: ignore[attr-defined]
    assert seen(aws)["data"].state is StackState.WORKING
    later = threading.Timer(0.5, release)
    later.start()
    (problem,), told = run(applying(wanted))
    later.join()
    assert problem is None
    assert told[0] == "… data waits for what is in flight there (CREATE_IN_PROGRESS)"
    assert seen(aws)["data"].template == wanted.digest


def test_a_change_set_that_a_run_left_is_made_anew(aws: Emulator) -> None:
    wanted = stack(One=topic("one"))
    made = _previewed(wanted, create=True)
    assert [(each.action, each.resource) for each in made.effects] == [("Add", "One")]
    assert seen(aws)["data"].template is None
    assert run(applying(wanted))[0] == [None]


def test_what_was_approved_is_executed_and_nothing_else(aws: Emulator) -> None:
    first, second = stack(One=topic("one")), stack(One=topic("one"), Two=topic("two"))
    run(applying(first))
    pinned = _previewed(second, create=False)
    assert [(each.action, each.resource) for each in pinned.effects] == [("Add", "Two")]
    assert run(applying(second), pinned={(NAME, second.digest): pinned.id})[0] == [None]
    (problem,), _ = run(applying(second), pinned={(NAME, second.digest): pinned.id})
    assert problem is not None
    assert problem.what == "the change set that was approved cannot be executed"


def test_a_large_template_goes_through_the_bucket(aws: Emulator) -> None:
    topics: dict[str, Any] = {f"T{number}": topic(f"topic-{number:04}-" + "x" * 200) for number in range(220)}
    wanted = stack(**topics)
    assert len(wanted.template) > MOST_INLINE_BYTES
    (problem,), _ = run(applying(wanted))
    assert problem is not None
    assert "there is no bucket anden-banco-000000000000 to hand it over in" in problem.what
    aws.client("s3").create_bucket(Bucket=f"anden-banco-{ACCOUNT}")
    assert run(applying(wanted))[0] == [None]


def test_another_account_is_refused(aws: Emulator) -> None:
    (problem,), _ = run(applying(stack(One=topic("one"))), accounts={BLUEPRINT: "111122223333"})
    assert str(problem) == (
        "account 111122223333: the credentials are of account 000000000000; the blueprint names its account."
        " Use credentials of 111122223333, or correct `account` in the manifest."
    )
    assert seen(aws) == {}


def test_a_parameter_that_nobody_published_is_refused_before_anything_is_made(aws: Emulator) -> None:
    wanted = stack(One=topic("one"))
    parameters = {"Vpc": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/not/there"}}
    template = json.dumps({**json.loads(wanted.template), "Parameters": parameters})
    (problem,), _ = run(applying(replace(wanted, template=template)))
    assert problem is not None
    assert "/not/there" in problem.why
    assert settled(aws, NAME) == "gone"


def _previewed(wanted: StackWanted, *, create: bool) -> Any:
    return preview(
        Session(), KEY, wanted, BLUEPRINT, create=create, drift_aware=False, poll_s=POLL_S, stop=lambda: False
    )  # fmt: skip


def test_nobody_without_credentials(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(Problems, match="there are no credentials"):
        AwsEngine(VirtualClock(7.0)).observe(KEY)
