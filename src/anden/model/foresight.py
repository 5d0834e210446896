"""What an engine says of a blueprint before anything is done about it: what will not hold, and what it will cost."""

from dataclasses import dataclass

from anden.model.cost import CostChange
from anden.model.preflight import QuotaCheck
from anden.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Foresight:
    """shortfalls: quotas that do not hold; those that are guessed by documented defaults block nothing.
    problems: what blocks. cost: None where nothing is paid for, or no price is known."""

    shortfalls: tuple[QuotaCheck, ...] = ()
    problems: tuple[Problem, ...] = ()
    cost: CostChange | None = None
