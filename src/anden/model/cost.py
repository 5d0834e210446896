"""What an environment would cost in a month, by family, from a table of prices. An estimate, and never an invoice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class CostLine:
    """One thing that is paid for. family: what people group it under. what: how the quantity came about.

    Quantities in `unit`, `at_base` when every service runs its base, `at_max` at the end of every range. price: of one
    unit, in the report's currency; None: the table has none for this region, and the line adds nothing.
    source: the page that the price is from.
    """

    family: str
    what: str
    unit: str
    at_base: float
    at_max: float
    price: float | None
    source: str

    @property
    def base(self) -> float:
        """Money a month at base."""
        return 0.0 if self.price is None else self.at_base * self.price

    @property
    def max(self) -> float:
        """Money a month at max."""
        return 0.0 if self.price is None else self.at_max * self.price


@dataclass(frozen=True, slots=True)
class Assumption:
    """What nobody can read from a manifest. flag: the option that sets it. text: what it means, with its value."""

    flag: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class FamilyCost:
    """The lines of one family, added up."""

    family: str
    base: float
    max: float
    what: str


@dataclass(frozen=True, slots=True)
class CostReport:
    """`anden cost`. base and max: money a month. left_out: what is not in it, in words. prices_of: the date of the
    table, `2025-06-01`; age_days: how old it was when this was computed. hours: of a month. kept: what of it, in money
    a month, goes on while the environment is down, until it is released."""

    client: str
    environment: str
    engine: str
    region: str
    currency: str
    base: float
    max: float
    families: tuple[FamilyCost, ...]
    lines: tuple[CostLine, ...]
    assumptions: tuple[Assumption, ...]
    left_out: tuple[str, ...]
    prices_of: str
    age_days: int
    hours: float
    kept: float = 0.0


@dataclass(frozen=True, slots=True)
class CostChange:
    """What a plan changes of it, in money a month; `was_…` None: nothing was there before."""

    currency: str
    base: float
    max: float
    was_base: float | None = None
    was_max: float | None = None


def _assumed(default: float, help: str, text: str) -> float:
    """A field of Assumed. help: of its option. text: it in words, with `{}` for the value."""
    made: float = field(default=default, metadata={"help": help, "text": text})
    return made


@dataclass(frozen=True, slots=True)
class Assumed:
    """What cannot be read from a manifest. Per month; the same at base and at max, but for what is for an instance."""

    requests: float = _assumed(1.0, "Millions of requests at the gateway.", "{} million requests at the gateway")
    answer_kb: float = _assumed(10.0, "KB of an answer, which leaves to the internet.", "{} KB an answer")
    logs_gb: float = _assumed(1.0, "GB of logs of one instance.", "{} GB of logs of one instance, kept for a month")
    nat_gb: float = _assumed(
        10.0, "GB that all instances exchange with destinations outside.", "{} GB to and from destinations outside"
    )
    image_gb: float = _assumed(
        1.0, "GB of images kept for a service, all versions together.", "{} GB of images kept for a service"
    )
    backup_gb: float = _assumed(0.0, "GB in the vault, and as many in the recovery region.", "{} GB of backups")

    def said(self) -> Iterator[Assumption]:
        """Each with its flag and in words."""
        for each in fields(self):
            value = getattr(self, each.name)
            yield Assumption(flag(each.name), value, each.metadata["text"].format(f"{value:g}"))


def flag(name: str) -> str:
    """The option that sets an assumption: `--logs-gb`."""
    return "--" + name.replace("_", "-")


def helps() -> Mapping[str, tuple[float, str]]:
    """Assumption to its default and what its option says."""
    default = Assumed()
    return {each.name: (getattr(default, each.name), each.metadata["help"]) for each in fields(default)}
