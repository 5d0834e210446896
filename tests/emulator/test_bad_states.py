"""What somebody has left behind, done by hand, or not paid for: each is mended, or refused in four parts."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.emulator.emulator import Emulator
from tests.emulator.refusing import refusing
from tests.emulator.test_execute import BLUEPRINT, NAME, REFUSED, applying, ending, run, seen, signal, stack, topic

from anden.engines.aws import execute
from anden.engines.aws.session import Session
from anden.model.plan import Action, ApplyStack, DeleteStack, Step
from anden.model.problem import Problems
from anden.model.stack import StackState, StackWanted

HELD = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/held", "Type": "String", "Value": "as declared"}}
BALANCER: dict[str, Any] = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
    "Balancer": {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {
            "Subnets": [{"Ref": "A"}], "Type": "application",
            "LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "true"}],
        },
    },
}  # fmt: skip


LIMIT_S = 20.0


def drifting(wanted: StackWanted, drift: Any) -> Step:
    return Step(Action.UPDATE, wanted.family, "by hand", ApplyStack(wanted, BLUEPRINT, drift))


def test_a_change_set_that_somebody_left_over_nothing_is_no_obstacle(aws: Emulator) -> None:
    first = stack(One=topic("one"))
    aws.client("cloudformation").create_change_set(
        StackName=NAME, ChangeSetName="somebodys", ChangeSetType="CREATE", TemplateBody=first.template
    )
    assert aws.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"] == (
        "REVIEW_IN_PROGRESS"
    )
    assert run(applying(first))[0] == [None]
    assert seen(aws)["data"].state is StackState.SETTLED


def test_a_creation_that_failed_is_deleted_and_made_anew_even_where_it_was_protected(aws: Emulator) -> None:
    (problem,), _ = run(applying(stack(**BALANCER, Last={**REFUSED, "DependsOn": ["Balancer"]})))
    assert problem is not None
    assert problem.what == "Last (AWS::SNS::Topic) failed"
    (problem,), told = run(applying(stack(**BALANCER)))
    assert problem is None
    assert told[0].startswith("- data is deleted first: its creation failed (ROLLBACK_")
    assert seen(aws)["data"].state is StackState.SETTLED


def test_down_lifts_protection_and_says_so_and_nothing_else_does(aws: Emulator) -> None:
    wanted = stack(**BALANCER)
    assert run(applying(wanted))[0] == [None]
    (problem,), _ = run(ending(wanted))
    assert str(problem).startswith(f"stack {NAME}: Balancer could not be deleted; AWS said: Load balancer '")
    assert str(problem).endswith(
        "; Balancer has deletion protection on, and this plan does not lift it."
        " `anden down` lifts it; to end this stack alone, turn it off yourself."
    )
    found = seen(aws)["data"]
    assert found.state is StackState.STUCK
    assert found.why.startswith("Balancer: Load balancer ")
    (problem,), _ = run(applying(wanted))
    assert problem is not None
    assert problem.what == "it was being deleted, and Balancer could not be (DELETE_FAILED)"
    step = Step(Action.DELETE, "data", "down", DeleteStack(NAME, "data", wanted.region, lift=True))
    (problem,), told = run(step)
    assert problem is None
    assert "- data Balancer: deletion protection lifted" in told
    assert seen(aws) == {}


def test_what_was_changed_or_deleted_by_hand_is_put_back_when_told_and_kept_otherwise(aws: Emulator) -> None:
    wanted = stack(One=HELD, Two=topic("two"))
    assert run(applying(wanted))[0] == [None]
    ssm, sns = aws.client("ssm"), aws.client("sns")
    ssm.put_parameter(Name="/held", Value="by hand", Overwrite=True)
    (arn,) = [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    sns.delete_topic(TopicArn=arn)
    assert run(drifting(wanted, "keep"))[0] == [None]
    assert run(drifting(wanted, "keep"), productive=True)[0] == [None]
    assert ssm.get_parameter(Name="/held")["Parameter"]["Value"] == "by hand"
    assert run(drifting(wanted, "revert"))[0] == [None]
    assert ssm.get_parameter(Name="/held")["Parameter"]["Value"] == "as declared"
    assert [each["TopicArn"] for each in sns.list_topics()["Topics"]] == [arn]


def test_what_was_retained_under_a_name_of_its_own_is_taken_up_again(aws: Emulator) -> None:
    kept = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {"LogGroupName": "/anden/banco/dev/web"}}  # fmt: skip
    wanted = stack(Group=kept, One=topic("one"))
    assert run(applying(wanted))[0] == [None]
    logs = aws.client("logs")
    logs.create_log_stream(logGroupName="/anden/banco/dev/web", logStreamName="before")
    (problem,), told = run(ending(wanted))
    assert problem is None
    assert any("retained: Group (AWS::Logs::LogGroup) /anden/banco/dev/web" in line for line in told)
    assert run(applying(wanted))[0] == [None]
    (stream,) = logs.describe_log_streams(logGroupName="/anden/banco/dev/web")["logStreams"]
    assert stream["logStreamName"] == "before"
    assert run(ending(wanted))[0] == [None]  # and is in the stack again, retained again
    assert logs.describe_log_groups()["logGroups"] != []


def test_being_asked_less_often_is_waited_for_and_given_up_at_last(
    aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(aws.url) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", way.url)
        way.refuse("DescribeStacks", ["Throttling"])
        assert run(applying(stack(One=topic("one"))))[0] == [None]
        way.refuse("DescribeStacks", ["Throttling"] * 9)
        way.asked.clear()
        with pytest.raises(Problems) as found:
            execute.state(Session(tries=2).client("cloudformation", "us-east-1"), NAME)
        assert way.asked == ["DescribeStacks"] * 2
        assert found.value.problems[0].what == "AWS is asked too often (DescribeStacks)"


def test_a_sign_in_that_ends_on_the_way_leaves_a_stack_that_the_next_run_takes_up(
    aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = stack(One=topic("one"))
    with refusing(aws.url) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", way.url)
        way.refuse("ExecuteChangeSet", ["ExpiredToken"])
        (problem,), _ = run(applying(wanted))
        assert str(problem) == (
            f"stack {NAME}: the credentials have expired; The security token included in the request is expired."
            " Sign in again (`aws sso login`), then try again."
        )
        assert run(applying(wanted))[0] == [None]
        assert seen(aws)["data"].template == wanted.digest


def test_another_account_is_not_taken_down_either(aws: Emulator) -> None:
    wanted = stack(One=topic("one"))
    run(applying(wanted))
    (problem,), _ = run(ending(wanted), account="111122223333")
    assert problem is not None
    assert problem.what == "the credentials are of account 000000000000"
    assert seen(aws)["data"].state is StackState.SETTLED


def test_no_way_leads_a_template_of_more_than_a_megabyte_into_cloudformation(aws: Emulator) -> None:
    wanted = stack(One=topic("one"))
    large = replace(wanted, template=json.dumps({**json.loads(wanted.template), "Metadata": {"x": "x" * 1_048_576}}))
    (problem,), _ = run(applying(large))
    assert problem is not None
    assert problem.why == "CloudFormation takes 1048576 of one"
    assert seen(aws) == {}


def filtered(pattern: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "LogGroupName": GROUP, "FilterName": "slow", "FilterPattern": pattern,
            "MetricTransformations": [{"MetricName": "slow", "MetricNamespace": "x", "MetricValue": "1"}],
        },
    }  # fmt: skip


GROUP = "/somebodys/group"


def meanwhile(when: Callable[[], bool], *then: Callable[[], object]) -> threading.Thread:
    """Begun: as soon as `when` is so, `then` is done; given up after LIMIT_S."""

    def watching() -> None:
        until = time.monotonic() + LIMIT_S
        while not when():
            assert time.monotonic() < until
            time.sleep(0.05)
        for each in then:
            each()

    begun = threading.Thread(target=watching, daemon=True)
    begun.start()
    return begun


def test_what_can_neither_go_on_nor_back_is_named_and_the_way_on_leads_on(aws: Emulator) -> None:
    """The update fails at one resource, and going back fails at another: its log group was deleted meanwhile."""
    logs, cfn = aws.client("logs"), aws.client("cloudformation")
    logs.create_log_group(logGroupName=GROUP)
    assert run(applying(stack(Slow=filtered("slow"))))[0] == [None]
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle", "DependsOn": ["Slow"]}
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "30", "Count": 1},
    }
    wanted = stack(Slow=filtered("slower"), Handle=handle, Wait=wait)

    def waits() -> bool:
        found = cfn.describe_stack_resources(StackName=NAME)["StackResources"]
        return any(each["LogicalResourceId"] == "Handle" for each in found)

    breaking = meanwhile(
        waits, lambda: logs.delete_log_group(logGroupName=GROUP), lambda: signal(aws, "FAILURE", "no luck")
    )
    (problem,), _ = run(applying(wanted))
    breaking.join()
    assert cfn.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert problem is not None
    assert problem.what == "its update failed, and Slow could not be put back (UPDATE_ROLLBACK_FAILED)"
    assert f"The specified log group does not exist: {GROUP}" in problem.why
    assert "; what the update failed at was Wait: WaitCondition received failed message: 'no luck'" in problem.why
    found = seen(aws)["data"]
    assert found.state is StackState.STUCK
    assert found.why.startswith("Slow: ")
    assert run(applying(wanted))[0] == [problem]  # nothing is tried in that state, and it is told the same way

    logs.create_log_group(logGroupName=GROUP)  # what it names is mended, and what it says is done
    assert f"`aws cloudformation continue-update-rollback --stack-name {NAME}`" in problem.fix
    cfn.continue_update_rollback(StackName=NAME)
    mended = stack(Slow=filtered("slower"))
    assert run(applying(mended))[0] == [None]
    assert (seen(aws)["data"].state, seen(aws)["data"].template) == (StackState.SETTLED, mended.digest)
    (kept,) = logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    assert kept["filterPattern"] == "slower"
