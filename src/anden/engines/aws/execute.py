"""Doing what steps say: stacks through change sets, several at once, with what CloudFormation tells meanwhile.

Whatever interrupts it, running it again is safe: nothing is kept here, what is in flight is waited for, and what a
run that was cut off has left (a change set, an empty stack) is taken up or done anew.
"""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import happenings, images, levels, preview
from anden.engines.aws.errors import code, explained, message
from anden.engines.aws.session import Session
from anden.model.event import Event, EventKind
from anden.model.ids import Digest, EnvironmentKey
from anden.model.plan import ApplyStack, CopyImage, DeleteStack, Receipt, SetLevel, Step
from anden.model.ports import Carrier
from anden.model.problem import Problem, Problems
from anden.model.stack import StackWanted

MOST_AT_ONCE = 8
"""Stacks in work at the same time; each asks CloudFormation about once in POLL_S."""
POLL_S = 2.0
OPERATION_LIMIT_S = 3 * 3600.0
"""For one stack: an ECS service waits 3 h at most before CloudFormation gives it up."""
GONE = "GONE"
EMPTY = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
"""Nothing that serves stands there: it can only be deleted, and made anew."""
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
CUT_OFF = Problem("aws", "this run was ended", "what AWS has in work goes on there", "Run the same command again.")


@dataclass(slots=True)
class Work:
    """One run of execute. tell: takes what is worth telling people. stop: set when nobody waits any more.
    productive: change sets are drift-aware. accounts: blueprint to the account that it names."""

    session: Session
    key: EnvironmentKey
    poll_s: float = POLL_S
    region: str | None = None
    productive: bool = False
    accounts: Mapping[Digest, str | None] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)
    """Stack's name to the id of the change set that was approved: that one is executed, or nothing."""
    carrier: Carrier | None = None
    """Who brings images; None: nobody can, and what is not in the registry is a problem."""
    stop: threading.Event = field(default_factory=threading.Event)
    told: "queue.Queue[Receipt | Event | None]" = field(default_factory=queue.Queue)

    def tell(self, subject: str, text: str, sign: str = "", kind: EventKind = EventKind.STEP) -> None:
        """Worth saying."""
        self.told.put(Event(kind, subject, text, sign))


def execute(work: Work, steps: Sequence[Step]) -> Iterator[Receipt | Event]:
    """Stacks and images of one plan at once (they never depend on each other), then levels. Closing the iterator ends
    the waiting and the copying, not what AWS has in work."""
    pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="anden-stack")
    left = len(steps)
    try:
        for step in steps:
            pool.submit(_step, work, step)
        while left:
            said = work.told.get()
            if isinstance(said, Receipt):
                left -= 1
            if said is not None:
                yield said
    finally:
        work.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _step(work: Work, step: Step) -> None:
    began = time.monotonic()
    problem: Problem | None = None
    try:
        _do(work, step)
    except Problems as found:
        problem = found.problems[0]
    except Exception as error:  # a thread's last word: nobody else would hear of it
        problem = Problem(step.address, "anden itself failed", repr(error), "Run it again, and tell us of it.")
    work.told.put(Receipt(step.address, step.action, time.monotonic() - began, problem))


def _do(work: Work, step: Step) -> None:
    effect = step.effect
    if isinstance(effect, ApplyStack):
        work.session.require(work.accounts.get(effect.blueprint))
        apply(work, effect.stack, effect.blueprint)
    elif isinstance(effect, DeleteStack):
        delete(work, effect.name, effect.region)
    elif isinstance(effect, CopyImage):
        work.session.require(work.accounts.get(effect.blueprint))
        images.copy(
            work.session, effect.image, work.carrier, lambda text, sign: work.tell(step.address, text, sign), work.stop
        )
    elif isinstance(effect, SetLevel):
        levels.say(work.session, work.key, effect.service, effect.level, work.region)
    else:
        raise TypeError(f"the aws engine has no {effect.kind}")


def apply(work: Work, stack: StackWanted, blueprint: Digest) -> None:
    """Make it be so. Raises Problems: refused, rolled back, or not ended in time."""
    where, client = f"stack {stack.name}", work.session.client("cloudformation", stack.region)
    status, its_id = state(client, stack.name)
    if status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        work.tell(stack.family, f"waits for what is in flight there ({status})", "…")
        status = _wait(work, client, stack.family, where, its_id)
    if status in EMPTY:
        work.tell(stack.family, f"is deleted first: its creation failed ({status})", "-")
        _delete(work, client, stack.family, stack.name, where, its_id)
        status = GONE
    if status == "UPDATE_ROLLBACK_FAILED":
        raise Problems(_stuck(where, stack.name, happenings.cause(client, its_id)))
    if status == "DELETE_FAILED":
        what = "it was being deleted, and some of it could not be"
        fix = "Delete it first, in the AWS console or with `aws cloudformation delete-stack`."
        raise Problems(Problem(where, what, happenings.cause(client, its_id).said, fix))
    create = status in (GONE, "REVIEW_IN_PROGRESS")
    pinned = work.pinned.get(stack.name)
    if pinned is None:
        made = preview.preview(
            work.session, work.key, stack, blueprint, create=create, drift_aware=work.productive, poll_s=work.poll_s,
            stop=work.stop.is_set,
        )  # fmt: skip
        if made.nothing:
            _protect(client, stack, where)
            return
        pinned, its_id = made.id, made.stack
    since = happenings.latest(client, its_id)
    with explained(where):
        try:
            client.execute_change_set(ChangeSetName=pinned)
        except ClientError as error:
            if code(error) in ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus"):
                what, fix = "the change set that was approved cannot be executed", "Plan again, and have it approved."
                raise Problems(Problem(where, what, message(error), fix)) from error
            raise
    ended = _wait(work, client, stack.family, where, its_id, since)
    if ended not in DONE:
        raise Problems(failed(where, stack.name, ended, happenings.cause(client, its_id, since)))
    _protect(client, stack, where)


def delete(work: Work, name: str, region: str) -> None:
    """End it; what stays is told. Nothing to do when there is none. Raises Problems."""
    where, client = f"stack {name}", work.session.client("cloudformation", region)
    status, its_id = state(client, name)
    if status == GONE:
        return
    if status.endswith("IN_PROGRESS") and status not in ("REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        work.tell(name, f"waits for what is in flight there ({status})", "…")
        _wait(work, client, name, where, its_id)
    _delete(work, client, name, name, where, its_id)


def _delete(work: Work, client: Any, subject: str, name: str, where: str, its_id: str) -> None:
    since = happenings.latest(client, its_id)
    with explained(where):
        client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        client.delete_stack(StackName=its_id)
    ended = _wait(work, client, subject, where, its_id, since)
    for kept in happenings.retained(client, its_id, since):
        work.tell(subject, f"retained: {kept}", "!", EventKind.NOTE)
    if ended not in (GONE, "DELETE_COMPLETE"):
        cause = happenings.cause(client, its_id, since)
        what = f"{cause.resource or 'it'} could not be deleted"
        fix = "See what still uses it, end that, and run the same command again."
        raise Problems(Problem(where, what, cause.said or ended, fix))


def state(client: Any, name: str) -> tuple[str, str]:
    """CloudFormation's status of the stack, or GONE; and its id. name: or an id, by which a deleted one is found."""
    with explained(f"stack {name}"):
        try:
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if code(error) == "ValidationError" and "does not exist" in message(error):
                return GONE, name
            raise
    return str(found["StackStatus"]), str(found["StackId"])


def _wait(work: Work, client: Any, subject: str, where: str, its_id: str, since: str = "") -> str:
    """The status when nothing is in flight any more, telling what happens. Raises Problems: not in time, or ended."""
    deadline = time.monotonic() + OPERATION_LIMIT_S
    told = since or happenings.latest(client, its_id)
    while True:
        told = _tell(work, client, subject, its_id, told)
        status, _ = state(client, its_id)
        if not status.endswith("IN_PROGRESS"):
            _tell(work, client, subject, its_id, told)
            return status
        if work.stop.is_set():
            raise Problems(CUT_OFF)
        if time.monotonic() > deadline:
            what = f"has not ended in {OPERATION_LIMIT_S / 3600:.0f} h ({status})"
            raise Problems(Problem(where, what, "CloudFormation is still at it", "Look at it, and run this again."))
        work.stop.wait(work.poll_s)


def _tell(work: Work, client: Any, subject: str, its_id: str, told: str) -> str:
    for each in happenings.after(client, its_id, told):
        if each.worth_telling:
            work.tell(subject, f"{each.resource} {each.status.lower().replace('_', ' ')}", each.sign)
        told = each.id
    return told


def _protect(client: Any, stack: StackWanted, where: str) -> None:
    if stack.lasting:
        with explained(where):
            client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=True)


def failed(where: str, name: str, ended: str, cause: happenings.Cause) -> Problem:
    """The problem of an operation that ended badly."""
    if ended == "UPDATE_ROLLBACK_FAILED":
        return _stuck(where, name, cause)
    back = "its creation was rolled back, and nothing of it stands" if "UPDATE" not in ended else "it stands as before"
    what = f"{cause.resource} ({cause.kind}) failed" if cause.resource else f"ended as {ended}"
    fix = "Mend what AWS names, and run the same command again: it goes on from here."
    return Problem(where, what, f"AWS said: {cause.said}; {back}", fix)


def _stuck(where: str, name: str, cause: happenings.Cause) -> Problem:
    fix = (
        f"Mend that, then `aws cloudformation continue-update-rollback --stack-name {name}`"
        " (with --resources-to-skip for what cannot be mended), and run the same command again."
    )
    what = f"its update failed, and {cause.resource or 'something'} could not be put back (UPDATE_ROLLBACK_FAILED)"
    return Problem(where, what, f"AWS said: {cause.said}", fix)
