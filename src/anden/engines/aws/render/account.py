"""The account of a client, as its stacks see it: which regions, which environments are productive, whom it trusts.

Names here are fixed, not made by CloudFormation: people type them, and the policies of other stacks name them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from anden.engines.aws.render.naming import ACCOUNT
from anden.engines.aws.render.template import Published
from anden.model.topology import Topology

ACCOUNT_RECOVERY, ACCOUNT_TRAIL = f"{ACCOUNT}-recovery", f"{ACCOUNT}-trail"
"""Families of the account's other stacks. An environment called `account` would have a stack named like the first of
them: planning should refuse that name."""
OWN_FAMILIES = (ACCOUNT, ACCOUNT_RECOVERY, ACCOUNT_TRAIL)

SRE, DEVELOPER, AUDITOR, DEPLOY = "anden-sre", "anden-developer", "anden-auditor", "anden-deploy"
ROLES = (SRE, DEVELOPER, AUDITOR, DEPLOY)
ROLE_TAG = "anden:role"
"""Whoever takes on a role carries this tag with the role's short name (`sre`)."""

KEPT_OF_STACK_NAME = 20
"""Characters of a stack's name that CloudFormation surely keeps in the name of a role, which has 64: of the stack's
name, the logical name and thirteen of its own (CloudFormation user guide, "Name type"). More than the longest of ROLES
has, so that no client's name can make one of them match."""
TRAIL_BUCKET = "anden-trail-${AWS::AccountId}"
"""Where an account that stands alone keeps its trail and its configurations, in `sub`."""

# What the account's stack publishes, under `naming.account_space`.
BUCKET_KEY, STATE_KEY_KEY, NOTICES_KEY = "bucket", "state-key", "notices"


class Present(StrEnum):
    """What an adopted account may have already, of which there can be only one: it is then not made."""

    GITHUB = "github"
    """The OpenID provider of GitHub."""
    TRAIL = "trail"
    """A trail, the organization's for instance."""
    GUARDDUTY = "guardduty"
    CONFIG = "config"
    SCANNING = "scanning"
    """The registry's scanning rules."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What no manifest says. They become defaults of the template's parameters: None makes a parameter that whoever
    deploys must give.

    people: the account that people's identities live in (12 digits); None: the client's own.
    repository: `OWNER/NAME` on GitHub. deploys: the rest of the token's subject that may deploy, exact.
    budget_usd: a month. email: who hears of it. record_bucket: the log account's bucket, where there is one: Config
    delivers there.
    """

    people: str | None = None
    repository: str | None = None
    deploys: str = "environment:production"
    budget_usd: int | None = None
    email: str | None = None
    record_bucket: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A client's account.

    region: where the account's stack is. recovery: the other region, if any environment has one. regions: all that
    may be used, sorted. productive: environments whose tasks only SRE may touch, sorted. account: 12 digits, if known.
    """

    client: str
    region: str
    recovery: str | None
    regions: tuple[str, ...]
    productive: tuple[str, ...]
    account: str | None = None
    settings: Settings = Settings()
    present: frozenset[Present] = field(default_factory=frozenset)

    @property
    def stacks(self) -> str:
        """The names of an environment's stacks begin with it: `anden-banco-andino-`."""
        return f"anden-{self.client}-"

    @property
    def roles(self) -> str:
        """The names of the roles in those stacks begin with it. CloudFormation makes them of the stack's name, of
        which it keeps only the beginning where that is long."""
        return self.stacks[:KEPT_OF_STACK_NAME]


def account_of(
    topology: Topology, others: Sequence[Topology] = (), settings: Settings | None = None,
    present: frozenset[Present] = frozenset(),
) -> Account:  # fmt: skip
    """The account that an environment lives in. others: the client's other environments in it, so that its stacks are
    the same whichever environment asks. Raises ValueError: no region, or the environments name several accounts."""
    everyone = (topology, *others)
    if topology.region is None:
        raise ValueError(f"{topology.client}/{topology.environment} has no region")
    accounts = {each.account for each in everyone if each.account}
    if len(accounts) > 1 or {each.client for each in everyone} != {topology.client}:
        raise ValueError(f"{topology.client}: environments of several accounts or clients")
    regions = {name for each in everyone for name in (each.region, each.recovery) if name}
    recoveries = sorted({each.recovery for each in everyone if each.recovery})
    return Account(
        client=topology.client, region=min(each.region for each in everyone if each.region),
        recovery=topology.recovery or (recoveries[0] if recoveries else None), regions=tuple(sorted(regions)),
        productive=tuple(sorted({each.environment for each in everyone if each.production})),
        account=next(iter(accounts), None), settings=settings or Settings(), present=present,
    )  # fmt: skip


def bucket_name(client: str, account: str) -> str:
    """The state bucket of a client: `anden-banco-andino-111122223333`. At most 59 of the 63 characters of a bucket's
    name, the account in it because names are the whole world's. account: 12 digits, or `${AWS::AccountId}`."""
    return f"anden-{client}-{account}"


def published(key: str, kind: str = "String") -> Published:
    """What another stack of the account uses of its first one."""
    return Published(ACCOUNT, key, kind)
