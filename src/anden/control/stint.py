"""How long control has really been at a change.

By the clock that only goes on, and from when this process first saw the change in its state: a wall clock that is set
back would make a bound endless, one that is set ahead would give up a good version, and a control plane that was away
for an hour has not tried for an hour.
"""

from dataclasses import dataclass, field

from anden.model.change import Change, ChangeState
from anden.model.ids import EnvironmentKey
from anden.model.ports import Clock


@dataclass(frozen=True, slots=True)
class Stint:
    """began: when the change came into its state, Unix seconds as the wall clock has them now. worked_s: how long
    control has been at it since. fresh: it is seen in this state for the first time."""

    began: float
    worked_s: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class _First:
    """When a change was first seen in its state: by the steady clock, and how long it had been in it by then."""

    change: int
    state: ChangeState
    at: float
    before_s: float


@dataclass
class Stints:
    """The present change of each environment. Call it with one environment's changes from one thread at a time."""

    clock: Clock
    _first: dict[EnvironmentKey, _First] = field(default_factory=dict)

    def of(self, change: Change) -> Stint:
        """How long it has been going on, by now."""
        now, steady = self.clock.now(), self.clock.monotonic()
        first = self._first.get(change.key)
        fresh = first is None or (first.change, first.state) != (change.id, change.state)
        if first is None or fresh:
            first = _First(change.id, change.state, steady, max(now - change.updated_at, 0.0))
            self._first[change.key] = first
        worked_s = steady - first.at
        return Stint(now - worked_s - first.before_s, worked_s, fresh)
