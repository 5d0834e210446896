"""Setting a client's account up: what would be done, and doing it. Running it again goes on where it was cut off.

Every stack goes through a change set. Those that stand already are shown as CloudFormation would change them, and just
that is executed; those that come are shown from their templates. A stack that fails stops what comes after it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

from botocore.exceptions import ClientError

from anden.engines.aws import execute, foreign, happenings, organizing, preview
from anden.engines.aws.errors import DENIED, code, explained
from anden.engines.aws.execute import EMPTY, GONE, POLL_S, Work
from anden.engines.aws.founding import Founding, Wishes, described, unvalued
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.render.naming import ACCOUNT
from anden.engines.aws.render.template import Stack
from anden.engines.aws.session import Session
from anden.model.account import AccountPlan, AccountReport, AccountStack, Foreign, ResourceChange
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.plan import Action, ApplyStack, Receipt, Step
from anden.model.problem import Problem, Problems
from anden.model.stack import StackWanted
from anden.model.topology import Topology

ENTER_LIMIT_S = 120.0
"""A new account's access role can be taken on after some seconds (Organizations user guide, "Creating an account")."""
ACTIONS = {"Add": Action.CREATE, "Modify": Action.UPDATE, "Remove": Action.DELETE}
BY_HAND = (
    "aws organizations enable-aws-service-access --service-principal cloudtrail.amazonaws.com",
    "aws guardduty enable-organization-admin-account --admin-account-id {log}",
    "aws organizations register-delegated-administrator --account-id {log} --service-principal config.amazonaws.com",
)
"""What no template can do, once an organization, with its management account's credentials. log: its log account."""


def bootstrap(
    session: Session, topology: Topology, others: Sequence[Topology], wishes: Wishes, poll_s: float = POLL_S
) -> "Bootstrap":
    """Raises Problems: no region is said, the environments name several accounts, or there are no credentials."""
    if topology.region is None:
        fix = "Add `region: us-east-1`, or the one that is meant, at the top of the manifest."
        raise Problems(Problem("region", "the manifest names none", "the account's stacks live in one", fix))
    named = {each.account for each in (topology, *others) if each.account}
    if len(named) > 1:
        what, fix = f"the environments name several: {', '.join(sorted(named))}", "Set up one at a time, with -e."
        raise Problems(Problem("account", what, "each account has stacks of its own", fix))
    founding = Founding(session, topology, others, wishes)
    founding.look()
    return Bootstrap(founding, poll_s)


class Bootstrap:
    """One client's account, as it was when it was looked at."""

    def __init__(self, founding: Founding, poll_s: float) -> None:
        self._its = founding
        self._poll_s = poll_s
        self._key = EnvironmentKey(founding.topology.client, ACCOUNT, EngineName.AWS)

    def plan(self, now: float, *, keep: bool = False) -> AccountPlan:
        """What would be done. now: Unix seconds. keep: the change sets stay, for `run`. Raises Problems: AWS cannot be
        asked, or the account cannot be entered."""
        its = self._its
        problems = organizing.problems(its.organization, its.account) if its.managing else []
        stacks: list[AccountStack] = []
        if not problems:
            for account, stack in (*its.above(), *its.below()):
                said = unvalued(stack, account)
                problems += said
                if not said:
                    stacks.append(self._planned(account, stack, keep, problems))
        found, unread = self._foreign(now) if its.account and not problems else ((), ())
        log = its.log_account
        return AccountPlan(
            its.topology.client, its.account, its.region, its.organization.management if its.managing else "",
            tuple(stacks), found, unread, tuple(self._notes()),
            tuple(each.format(log=log) for each in BY_HAND) if its.managing and log else (), tuple(problems),
        )  # fmt: skip

    def run(self, plan: AccountPlan) -> Iterator[Event | AccountReport]:
        """Do it, telling what happens; the report comes last. Closing the iterator ends the waiting, not what AWS
        has in work."""
        its, done = self._its, list[str]()
        pinned = {each.name: each.change_set for each in plan.stacks if each.change_set}
        try:
            for account, stack in its.above():
                yield from self._apply(account, stack, pinned)
                done.append(stack.name)
            if not its.account:
                its.account = its.made()
                yield Event(EventKind.NOTE, "account", f"{its.account} is made", "+")
                self._enter()
            for account, stack in its.below():
                yield from self._apply(account, stack, pinned)
                done.append(stack.name)
        except Problems as found:
            yield AccountReport(plan, its.account, tuple(done), problem=found.problems[0])
            return
        yield AccountReport(plan, its.account, tuple(done), f"s3://{bucket_name(its.topology.client, its.account)}")

    def _apply(self, account: str, stack: Stack, pinned: Mapping[str, str]) -> Iterator[Event]:
        missing = unvalued(stack, account)
        if missing:
            raise Problems(missing)
        wanted = _wanted(stack)
        began = time.monotonic()
        mine = {(stack.name, wanted.digest): pinned[stack.name]} if stack.name in pinned else {}
        work = Work(self._its.inside(account), self._key, self._poll_s, stack.region, pinned=mine)
        step = Step(Action.UPDATE, stack.family, "the account", ApplyStack(wanted, wanted.digest))
        for said in execute.execute(work, [step]):
            if isinstance(said, Receipt):
                if said.problem is not None:
                    raise Problems(said.problem)
                took = time.monotonic() - began
                yield Event(EventKind.STEP, stack.family, "stands", "✓", took)
            else:
                yield said

    def _enter(self) -> None:
        """Wait until the new account lets us in. Raises Problems: not in time, or AWS cannot be asked."""
        deadline = time.monotonic() + ENTER_LIMIT_S
        while True:
            try:
                self._its.inside(self._its.account)
            except Problems as found:
                said = found.__cause__
                denied = isinstance(said, ClientError) and code(said) in DENIED
                if not denied or time.monotonic() > deadline:
                    raise
                time.sleep(self._poll_s)
            else:
                return

    def _planned(self, account: str, stack: Stack, keep: bool, problems: list[Problem]) -> AccountStack:
        stood = self._its.stood(account, stack)
        wanted = _wanted(stack)

        def said(action: Action | None, changes: Sequence[ResourceChange] = (), id: str = "") -> AccountStack:
            return AccountStack(stack.name, described(stack), account, stack.region, action, tuple(changes), id)

        if stood.status in (GONE, "REVIEW_IN_PROGRESS") or stood.status in EMPTY:
            made = [
                ResourceChange(Action.CREATE, name, each["Type"]) for name, each in stack.template["Resources"].items()
            ]
            return said(Action.CREATE, made)
        if stood.status.endswith("IN_PROGRESS") or stood.status in ("UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"):
            if not stood.status.endswith("IN_PROGRESS"):
                problems.append(self._stuck(account, stack, stood.status))
            return said(Action.UPDATE)
        if stood.tags.get(preview.TEMPLATE) == wanted.digest:
            return said(None)
        session = self._its.inside(account)
        shown = preview.preview(
            session, self._key, wanted, wanted.digest, create=False, drift_aware=False, poll_s=self._poll_s,
            stop=lambda: False,
        )  # fmt: skip
        if shown.nothing:
            return said(None)
        if not keep:
            with explained(f"stack {stack.name}"):
                session.client("cloudformation", stack.region).delete_change_set(ChangeSetName=shown.id)
        changes = [
            ResourceChange(ACTIONS.get(each.action, Action.UPDATE), each.resource, each.kind,
                           each.replacement in ("True", "Conditional"))
            for each in shown.effects
        ]  # fmt: skip
        return said(Action.UPDATE, changes, shown.id if keep else "")

    def _stuck(self, account: str, stack: Stack, status: str) -> Problem:
        client = self._its.inside(account).client("cloudformation", stack.region)
        back = status == "UPDATE_ROLLBACK_FAILED"
        why = (happenings.hindrance if back else happenings.cause)(client, stack.name).said
        fix = "Mend that in CloudFormation's console (continue the rollback, or delete it), and run this again."
        return Problem(f"stack {stack.name}", f"stands half-way ({status})", why, fix)

    def _foreign(self, now: float) -> tuple[tuple[Foreign, ...], tuple[str, ...]]:
        its = self._its
        inside = its.inside(its.account)
        found, unread = foreign.foreign(
            lambda service: inside.client(service, its.region), its.topology, now
        )  # fmt: skip
        if its.managing:
            client = its.session.client("organizations", its.region)
            with explained("organization"):
                controls = foreign.controls(client, its.account)
            found = (*found, controls) if controls else found
        return found, unread

    def _notes(self) -> Iterator[str]:
        its = self._its
        if its.managing and not its.account:
            yield "an account will be made: AWS keeps it for 90 days after it is closed, and its address for ever"
        if its.managing and not its.log_account:
            yield "no log account is named (--log-account): the account keeps its own record, and so can lose it"
        if not its.managing and its.organization.management == its.session.account():
            yield "it is its organization's management account, where no guardrail holds: give the client its own"
        elif not its.managing and its.organization.id:
            yield (
                f"its organization's guardrails are left as they are: that takes credentials of"
                f" {its.organization.management}"
            )
        elif not its.managing:
            yield "it stands alone, or its organization cannot be seen: no guardrails above its administrators"


def _wanted(stack: Stack) -> StackWanted:
    return StackWanted(stack.name, stack.family, stack.region, stack.text, stack.after, stack.lasting)
