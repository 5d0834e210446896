"""What an environment needs of a cloud account, against what the account gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anden.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Need:
    """How much an environment needs of one quota.

    quota: its key. base: with every service at its base. max: at the end of every range. deploying: at max, while every
    service is deployed at once. of: the one that needs most, where the quota is for each of several (`zone a`); empty
    where it is for a whole region or account.
    """

    quota: str
    base: float
    max: float
    deploying: float
    of: str = ""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What an account and a region said. at: when, Unix seconds.

    quotas: key to the value that counts there. used: key to how much others than this environment use. zones: names of
    those that the region offers the account; empty: not known. unread: what could not be read, and what AWS said.
    """

    account: str
    region: str
    at: float
    quotas: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


class Verdict(StrEnum):
    """Whether a quota holds."""

    HOLDS = "holds"
    DEPLOY_SHORT = "short while deploying"
    """It holds at max, and not while every service is deployed at max."""
    SHORT_AT_MAX = "short at max"
    SHORT = "short"
    """Not even the base fits."""


class Basis(StrEnum):
    """Where the number comes from that a need is held against."""

    ACCOUNT = "account"
    """The account said so."""
    DEFAULT = "default"
    """AWS's documented default: the account may have more, or, when it is new, less."""
    NETWORK = "network"
    """The environment's own network."""


@dataclass(frozen=True, slots=True)
class QuotaCheck:
    """One row: a need against its quota.

    allowed: how much there is, and basis: who says so. used: by others, None: not known
    and taken as nothing. request: `SERVICE/CODE` to raise it by; empty: not by that way. source: the quota's page.
    """

    need: Need
    name: str
    scope: str
    allowed: float
    basis: Basis
    used: float | None
    raisable: bool
    request: str
    source: str
    verdict: Verdict

    @property
    def holds(self) -> bool:
        """Whether nothing is short."""
        return self.verdict is Verdict.HOLDS

    @property
    def guessed(self) -> bool:
        """Whether the account may allow something else than is held against here."""
        return self.basis is Basis.DEFAULT and self.raisable


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """`anden preflight`. account: what the manifest or AWS says; empty: neither. read_at: when the account was read,
    Unix seconds; None: it was not, and `unread` says why. problems: what no quota can mend."""

    client: str
    environment: str
    engine: str
    region: str
    account: str
    read_at: float | None
    checks: tuple[QuotaCheck, ...]
    problems: tuple[Problem, ...]
    unread: Mapping[str, str]
    defaults_of: str
    """The date of the table of documented quotas."""

    @property
    def shortfalls(self) -> tuple[QuotaCheck, ...]:
        """What will not hold."""
        return tuple(check for check in self.checks if not check.holds)

    @property
    def holds(self) -> bool:
        """Whether everything will."""
        return not self.shortfalls and not self.problems
