"""When each request is due. Nothing that happens to a request moves another one's time."""

from dataclasses import dataclass

FASTEST = 20_000.0
"""Requests a second; one process could not keep up with more anyway."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """rate: requests a second, above 0. for_s: seconds. Raises ValueError outside of their bounds."""

    rate: float
    for_s: float

    def __post_init__(self) -> None:
        if not 0 < self.rate <= FASTEST or not self.for_s > 0:
            raise ValueError(f"{self.rate:g} a second for {self.for_s:g} s is no load")

    @property
    def count(self) -> int:
        """How many requests there are: exactly rate times for_s, what is left of the last one cut off."""
        return int(self.rate * self.for_s + 1e-9)

    def due_s(self, number: int) -> float:
        """When request `number`, from 0, is to be sent: seconds since the beginning."""
        return number / self.rate
