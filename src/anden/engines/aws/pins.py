"""Change sets that lie ready for approval, and whether those that were approved can still be executed."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import execute, failures, preview
from anden.engines.aws.errors import code, explained, message
from anden.engines.aws.preview import NOT_FOUND
from anden.model.approval import Prepared
from anden.model.plan import ApplyStack
from anden.model.problem import Problem, Problems

CREATING = frozenset({execute.GONE, "REVIEW_IN_PROGRESS"})


def prepared(work: execute.Work, effects: Sequence[ApplyStack]) -> tuple[Prepared, ...]:
    """A change set for each, which nobody has executed. Where a stack is not at rest there is none. Raises Problems."""
    found = []
    for effect in effects:
        stack = effect.stack
        client = work.session.client("cloudformation", stack.region)
        status, _ = execute.state(client, stack.name)
        if status not in CREATING and (status.endswith("IN_PROGRESS") or status in execute.UNCHANGEABLE):
            continue
        made = preview.preview(
            work.session, work.key, stack, effect.blueprint, create=status in CREATING,
            drift_aware=execute.drift_aware(work, effect), poll_s=work.poll_s, stop=work.stop.is_set,
        )  # fmt: skip
        if not made.nothing:
            found.append(Prepared(stack.name, stack.family, stack.region, stack.digest, made.id, made.effects))
    return tuple(found)


def check(work: execute.Work, approved: Sequence[Prepared]) -> tuple[Prepared, ...]:
    """Those that are still to be executed: what stands there already was executed by an earlier run. Raises Problems,
    with each that cannot be executed any more."""
    problems: list[Problem] = []
    left: list[Prepared] = []
    for each in approved:
        client = work.session.client("cloudformation", each.region)
        if _stands(client, each):
            continue
        found = _problem(client, each)
        if found is None:
            left.append(each)
        else:
            problems.append(found)
    if problems:
        raise Problems(problems)
    return tuple(left)


def _stands(client: Any, each: Prepared) -> bool:
    """The stack is what the change set makes of it."""
    with explained(f"stack {each.stack}"):
        try:
            (found,) = client.describe_stacks(StackName=each.stack)["Stacks"]
        except ClientError as error:
            if code(error) == "ValidationError":
                return False
            raise
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    return found["StackStatus"] in execute.DONE and tags.get(preview.TEMPLATE) == each.template


def _problem(client: Any, each: Prepared) -> Problem | None:
    with explained(f"stack {each.stack}"):
        try:
            made = client.describe_change_set(ChangeSetName=each.id)
        except ClientError as error:
            if code(error) in NOT_FOUND:
                return failures.stale(each.stack, message(error))
            raise
        if made["ExecutionStatus"] != "AVAILABLE":
            return failures.stale(each.stack, f"it is {made['ExecutionStatus']}")
        (stack,) = client.describe_stacks(StackName=made["StackId"])["Stacks"]
    changed = stack.get("LastUpdatedTime")
    if stack["StackStatus"] != "REVIEW_IN_PROGRESS" and changed is not None and changed > made["CreationTime"]:
        return failures.moved(each.stack, stack["StackStatus"])
    return None
