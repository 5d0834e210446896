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

from anden.engines.aws import failures, happenings, images, levels, preview, protection
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
STUCK = frozenset({"UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"})
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
UNCHANGEABLE = EMPTY | STUCK | {"DELETE_FAILED"}
"""No change set can be made of it as it is."""
NOT_EXECUTABLE = preview.NOT_FOUND | {"InvalidChangeSetStatus", "InvalidChangeSetStatusException"}


@dataclass(slots=True)
class Work:
    """One run of execute. tell: takes what is worth telling people. stop: set when nobody waits any more.
    productive: change sets are drift-aware. accounts: blueprint to the account that it names. account: the one that is
    named for the environment; None: any will do."""

    session: Session
    key: EnvironmentKey
    poll_s: float = POLL_S
    region: str | None = None
    productive: bool = False
    accounts: Mapping[Digest, str | None] = field(default_factory=dict)
    account: str | None = None
    pinned: Mapping[tuple[str, Digest], str] = field(default_factory=dict)
    """Stack's name and template's digest to the id of the change set that was approved: that one is executed, or
    nothing."""
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
        apply(work, effect)
    elif isinstance(effect, DeleteStack):
        work.session.require(work.account)
        delete(work, effect)
    elif isinstance(effect, CopyImage):
        work.session.require(work.accounts.get(effect.blueprint))
        images.copy(
            work.session, effect.image, work.carrier, lambda text, sign: work.tell(step.address, text, sign), work.stop
        )
    elif isinstance(effect, SetLevel):
        levels.say(work.session, work.key, effect.service, effect.level, work.region)
    else:
        raise TypeError(f"the aws engine has no {effect.kind}")


def apply(work: Work, effect: ApplyStack) -> None:
    """Make it be so. Raises Problems: refused, rolled back, or not ended in time."""
    stack = effect.stack
    where, client = f"stack {stack.name}", work.session.client("cloudformation", stack.region)
    status, its_id = _at_rest(work, client, stack.family, stack.name)
    if status in EMPTY:
        work.tell(stack.family, f"is deleted first: its creation failed ({status})", "-")
        _delete(work, stack.family, stack.name, stack.region, its_id, lift=True)
        status = GONE
    if status in STUCK:
        raise Problems(
            failures.stuck(stack.name, happenings.cause(client, its_id), happenings.hindrance(client, its_id))
        )
    if status == "DELETE_FAILED":
        raise Problems(failures.half_deleted(stack.name, happenings.cause(client, its_id)))
    pinned = work.pinned.get((stack.name, stack.digest))
    if pinned is None:
        made = preview.preview(
            work.session, work.key, stack, effect.blueprint, create=status in (GONE, "REVIEW_IN_PROGRESS"),
            drift_aware=drift_aware(work, effect), poll_s=work.poll_s, stop=work.stop.is_set,
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
            if code(error) in NOT_EXECUTABLE:
                raise Problems(failures.stale(stack.name, message(error))) from error
            raise
    ended = _wait(work, client, stack.family, stack.name, its_id, since)
    if ended not in DONE:
        cause = happenings.cause(client, its_id, since)
        if ended in STUCK:
            raise Problems(failures.stuck(stack.name, cause, happenings.hindrance(client, its_id)))
        raise Problems(failures.failed(stack.name, ended, cause))
    _protect(client, stack, where)


def drift_aware(work: Work, effect: ApplyStack) -> bool:
    """Whether its change set puts back what was changed by hand."""
    return effect.drift == "revert" or (work.productive and effect.drift != "keep")


def delete(work: Work, effect: DeleteStack) -> None:
    """End it; what stays is told. Nothing to do when there is none. Raises Problems."""
    client = work.session.client("cloudformation", effect.region)
    status, its_id = state(client, effect.name)
    if status == GONE:
        return
    if status != "DELETE_IN_PROGRESS":
        status, its_id = _at_rest(work, client, effect.family, effect.name)
    _delete(work, effect.family, effect.name, effect.region, its_id, lift=effect.lift)


def _delete(work: Work, subject: str, name: str, region: str, its_id: str, *, lift: bool) -> None:
    client = work.session.client("cloudformation", region)
    guarded = protection.guarded(work.session, its_id, region)
    for resource, arn in guarded if lift else ():
        protection.lift(work.session, arn, region)
        work.tell(subject, f"{resource}: deletion protection lifted", "-")
    since = happenings.latest(client, its_id)
    with explained(f"stack {name}"):
        client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        client.delete_stack(StackName=its_id)
    ended = _wait(work, client, subject, name, its_id, since)
    for left in happenings.retained(client, its_id, since):
        work.tell(subject, f"retained: {left}", "!", EventKind.NOTE)
    if ended not in (GONE, "DELETE_COMPLETE"):
        cause, holding = happenings.cause(client, its_id, since), () if lift else [resource for resource, _ in guarded]
        raise Problems(failures.undeletable(name, ended, cause, holding))


def _at_rest(work: Work, client: Any, subject: str, name: str) -> tuple[str, str]:
    """Its status and id, once what somebody has in flight there has ended."""
    status, its_id = state(client, name)
    if status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        work.tell(subject, f"waits for what is in flight there ({status})", "…")
        status = _wait(work, client, subject, name, its_id)
    return status, its_id


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


def _wait(work: Work, client: Any, subject: str, name: str, its_id: str, since: str = "") -> str:
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
            raise Problems(failures.CUT_OFF)
        if time.monotonic() > deadline:
            raise Problems(failures.unended(name, OPERATION_LIMIT_S, status))
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
