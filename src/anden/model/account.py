"""A client's account in the cloud before anything runs in it: what is there, and what setting it up would do."""

from dataclasses import dataclass

from anden.model.plan import Action
from anden.model.problem import Problem


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What becomes of one resource. kind: AWS's type. replaces: a new one takes its place, or may."""

    action: Action
    resource: str
    kind: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class AccountStack:
    """What becomes of one stack. account: 12 digits, empty: the account that is still to be made. action None: it
    stands as it should. changes: of its resources. change_set: pins what was shown of one that stands."""

    name: str
    what: str
    account: str
    region: str
    action: Action | None
    changes: tuple[ResourceChange, ...] = ()
    change_set: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What somebody else has made, or what holds there already: shown, and left alone. what: `VPCs`. names: its ids or
    names, some of them. count: all of them."""

    what: str
    names: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """`anden account plan`.

    account: 12 digits; empty: one will be made. management: the organization's management account, when the credentials
    are its; empty otherwise. stacks: in the order in which they are made. foreign: what an adopted account holds.
    unread: of that, what could not be looked at, and why. notes: what is done otherwise than one might think.
    by_hand: what no template can do, as commands. Problems block `bootstrap`.
    """

    client: str
    account: str
    region: str
    management: str
    stacks: tuple[AccountStack, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def changes(self) -> tuple[AccountStack, ...]:
        """The stacks that are made or changed."""
        return tuple(each for each in self.stacks if each.action is not None)


@dataclass(frozen=True, slots=True)
class AccountReport:
    """`anden account bootstrap`. account: 12 digits, empty when it failed before there was one. done: stacks that stand
    as they should now. state: where the client's state lies from now on. problem: what stopped it."""

    plan: AccountPlan
    account: str
    done: tuple[str, ...]
    state: str = ""
    problem: Problem | None = None
