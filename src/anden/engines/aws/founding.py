"""Which stacks a client's account stands on, in which account each is made, and with which values. Reads only.

Credentials of the organization's management account lead to everything: the account is made or put under guardrails,
and entered by a role. Credentials of the client's own account lead to its own stacks.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import organizing, standing
from anden.engines.aws.errors import code, explained, message
from anden.engines.aws.execute import GONE
from anden.engines.aws.organizing import Organization
from anden.engines.aws.render import accounts
from anden.engines.aws.render.account import ACCOUNT_TRAIL, Present, Settings, account_of
from anden.engines.aws.render.filled import asked, filled, lacking
from anden.engines.aws.render.organization import ACCESS_ROLE, ORGANIZATION, RECORD, RECORD_BUCKET, organization
from anden.engines.aws.render.template import Stack
from anden.engines.aws.session import Session
from anden.model.problem import Problem
from anden.model.topology import Topology

OPTIONS: Mapping[str, str] = {
    "Repository": "--repository OWNER/NAME", "Deploys": "--deploys SUBJECT", "PeopleAccount": "--people ACCOUNT",
    "BudgetUsd": "--budget USD", "Email": "--email ADDRESS", "AccountEmail": "--account-email ADDRESS",
    "Parent": "--parent UNIT",
}  # fmt: skip
"""Template parameter to the option that gives its value."""
WHAT = {
    RECORD: "where the organization's record is kept", ORGANIZATION: "how the organization is watched",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wishes:
    """What no manifest says. values: template parameter to value (see OPTIONS); what was given once is remembered by
    the stack. log_account: where the organization's record goes, 12 digits. access_role: by which the management
    account enters the others."""

    values: Mapping[str, str] = field(default_factory=dict)
    log_account: str = ""
    access_role: str = ACCESS_ROLE


@dataclass(frozen=True, slots=True)
class Stood:
    """A stack as CloudFormation has it. parameters, tags: name to value; empty where there is no stack."""

    status: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Founding:
    """One client's account. topology and others: its environments. session: the credentials that one has."""

    session: Session
    topology: Topology
    others: Sequence[Topology]
    wishes: Wishes
    organization: Organization = field(default_factory=Organization)
    account: str = ""
    """12 digits; empty: it is still to be made."""
    entered: dict[str, Session] = field(default_factory=dict)
    _log: str | None = None

    def look(self) -> None:
        """Who we are, and which account is meant. Raises Problems: no credentials, or another account is named."""
        mine = self.session.account()
        self.organization = organizing.seen(self.session)
        self.account = self.named or (self._made() if self.managing else mine)
        if not self.managing:
            self.session.require(self.named)

    @property
    def named(self) -> str:
        """The account that the manifest names, 12 digits; or empty."""
        return next((each.account for each in (self.topology, *self.others) if each.account), "")

    @property
    def managing(self) -> bool:
        """Whether the credentials are of the management account, and the client's is another one."""
        mine = self.session.account()
        return self.organization.management == mine and self.named != mine

    @property
    def region(self) -> str:
        """Where the account's stack is."""
        return account_of(self.topology, self.others).region

    def inside(self, account: str) -> Session:
        """Credentials of that account. Raises Problems: it cannot be entered."""
        if account == self.session.account():
            return self.session
        if account not in self.entered:
            self.entered[account] = self.session.as_role(account, self.wishes.access_role)
        return self.entered[account]

    def above(self) -> Iterator[tuple[str, Stack]]:
        """The stacks above the account, each with the account that it is made in. What the organization itself stands
        on comes with a log account only. An account that was made by the stack stays in the stack."""
        if not self.managing:
            return
        its = account_of(self._environment(self.named or self._adopted()), self.others_named)
        record, watch, client = organization(its)
        if log := self.log_account:
            yield log, self._valued(log, record)
            yield self.session.account(), self._valued(self.session.account(), watch)
        yield self.session.account(), self._valued(self.session.account(), client)

    def below(self) -> Iterator[tuple[str, Stack]]:
        """The account's own stacks. Of one that is still to be made: as they will be in an empty one."""
        found: frozenset[Present] = frozenset()
        if self.account:
            inside = self.inside(self.account)
            found = standing.present(lambda service: inside.client(service, self.region), self.topology.client)
        settings = None
        if bucket := self._record_bucket():
            # The organization's trail counts before it shows in a new account.
            found |= {Present.TRAIL} if not self._has_trail() else set()
            settings = Settings(record_bucket=bucket)
        for stack in accounts.account(self._environment(self.account), self.others_named, settings, found):
            yield self.account, self._valued(self.account, stack)

    def stood(self, account: str, stack: Stack) -> Stood:
        """What stands of a stack. Raises Problems."""
        if not account:
            return Stood(GONE)
        client = self.inside(account).client("cloudformation", stack.region)
        with explained(f"stack {stack.name}"):
            try:
                (found,) = client.describe_stacks(StackName=stack.name)["Stacks"]
            except ClientError as error:
                if code(error) == "ValidationError" and "does not exist" in message(error):
                    return Stood(GONE)
                raise
        return Stood(
            str(found["StackStatus"]),
            {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())},
            {each["Key"]: each["Value"] for each in found.get("Tags", ())},
        )

    def made(self) -> str:
        """The account that the client's stack in the management account has made, 12 digits; or empty."""
        client = self.session.client("cloudformation", self.region)
        name = f"anden-{self.topology.client}-{ORGANIZATION}"
        with explained(f"stack {name}"):
            try:
                told: Any = client.describe_stack_resources(StackName=name)["StackResources"]
            except ClientError as error:
                if code(error) == "ValidationError" and "does not exist" in message(error):
                    return ""
                raise
        for each in told:
            if each["LogicalResourceId"] == "Account" and each["ResourceStatus"] in (
                "CREATE_COMPLETE",
                "UPDATE_COMPLETE",
            ):
                return str(each["PhysicalResourceId"])
        return ""

    @property
    def others_named(self) -> tuple[Topology, ...]:
        """The other environments, in the same account."""
        return tuple(replace(each, account=None) for each in self.others)

    def _environment(self, account: str) -> Topology:
        return replace(self.topology, account=account or None)

    def _made(self) -> str:
        return self.made() or self._adopted()

    def _adopted(self) -> str:
        """One that has the address already: a run that was cut off made it, or a person did. Not one that the stack
        still has: it would leave the stack."""
        email = self.wishes.values.get("AccountEmail", "")
        return "" if not email or self.made() else self.organization.with_email(email)

    def _has_trail(self) -> bool:
        """Whether our own stack in the account has the trail: it is then not taken away."""
        return "Trail" in self._watched()

    def _record_bucket(self) -> str:
        """Of the log account, where Config delivers: the one that is meant, else what the account's stack says."""
        if self.managing and self.log_account:
            return RECORD_BUCKET.replace("${AWS::AccountId}", self.log_account)
        bucket = self._watched().get("Delivery", {}).get("Properties", {}).get("S3BucketName")
        return bucket if isinstance(bucket, str) else ""

    def _watched(self) -> Mapping[str, Any]:
        """The resources of the stack that watches the account, as its template has them; empty: there is none."""
        if not self.account:
            return {}
        client = self.inside(self.account).client("cloudformation", self.region)
        name = f"anden-{self.topology.client}-{ACCOUNT_TRAIL}"
        with explained(f"stack {name}"):
            try:
                body = client.get_template(StackName=name)["TemplateBody"]
            except ClientError as error:
                if code(error) == "ValidationError":
                    return {}
                raise
        template = json.loads(body) if isinstance(body, str) else body
        resources: Mapping[str, Any] = template.get("Resources", {})
        return resources

    @property
    def log_account(self) -> str:
        """The organization's, as said now or when its stack was made; empty: there is none."""
        if self.wishes.log_account or not self.managing:
            return self.wishes.log_account
        if self._log is None:
            client = self.session.client("cloudformation", self.region)
            with explained("AWS"):
                try:
                    (found,) = client.describe_stacks(StackName=f"anden-{ORGANIZATION}")["Stacks"]
                except ClientError as error:
                    if code(error) != "ValidationError":
                        raise
                    found = {}
            said = {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())}
            self._log = said.get("RecordBucketName", "").removeprefix(RECORD_BUCKET.partition("$")[0])
        return self._log

    def _valued(self, account: str, stack: Stack) -> Stack:
        """With what is asked for now, else what was given before, else the template's own defaults."""
        before = self.stood(account, stack).parameters
        known = {"PeopleAccount": account} if account and not before else {}
        if self.organization.management:
            log = self.log_account
            known |= {"ManagementAccount": self.organization.management, "Organization": self.organization.id}
            known |= {
                "RecordBucketName": RECORD_BUCKET.replace("${AWS::AccountId}", log),
                "Parent": self.organization.root,
            }
            known |= {"AccessRole": self.wishes.access_role}
        wanted = {name: value for name, value in self.wishes.values.items() if value}
        return filled(stack, {**known, **{name: before[name] for name in asked(stack) if name in before}, **wanted})


def unvalued(stack: Stack, account: str) -> list[Problem]:
    """What a person has to say first. account: empty while it is still to be made."""
    found = []
    for name in lacking(stack):
        if name == "PeopleAccount" and not account:
            continue  # its own, once it is there
        said = str(stack.template["Parameters"][name].get("Description", "")) or "the address of the new account"
        what, why = f"{name} is not known", said[:1].lower() + said[1:]
        fix = f"Say it with {OPTIONS[name]}; it is remembered." if name in OPTIONS else "Give the template a default."
        if name == "AccountEmail":
            fix += ' If the client has an account already, name it: `account: "111122223333"` in the manifest.'
        found.append(Problem(f"stack {stack.name}", what, why, fix))
    return found


def described(stack: Stack) -> str:
    """What a stack is, for people."""
    if stack.family == ORGANIZATION and stack.name != f"anden-{ORGANIZATION}":
        return "guardrails, and the account itself" if "Account" in stack.template["Resources"] else "guardrails"
    return WHAT.get(stack.family) or accounts.WHAT.get(stack.family, stack.family)
