"""Who may change an environment now: decisions about the lock, without IO, the clock an argument.

Clocks of two machines differ, so the lock is politeness, not safety: it keeps two operators from working at once as
long as their clocks agree within SKEW_S. What keeps a slow one from overwriting is the generation (engines.aws.state).
"""

from dataclasses import dataclass, replace

SKEW_S = 30.0
"""How far the clocks of two machines may be apart: one waits this much longer, the other stops as much earlier."""
LASTS_S = 300.0
"""How long a lock lasts unless renewed: longer than an interrupted network usually is."""
FREE = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """holder: an id of one attempt, never used twice; empty: nobody. who: the operator, as people know them. purpose:
    what for. until: Unix seconds by the holder's clock. generation: counts up with each holder, and never goes back."""

    holder: str
    who: str
    purpose: str
    until: float
    generation: int


def held(lock: Lock | None, now: float) -> bool:
    """Whether somebody must be waited for."""
    return lock is not None and lock.holder != FREE and now < lock.until + SKEW_S


def taken(before: Lock | None, holder: str, who: str, purpose: str, now: float, lasts_s: float) -> Lock:
    """The lock in the hands of a new holder."""
    return Lock(holder, who, purpose, now + lasts_s, before.generation + 1 if before else 1)


def renewed(lock: Lock, now: float, lasts_s: float) -> Lock:
    """The same holder for longer; never for less."""
    return replace(lock, until=max(lock.until, now + lasts_s))


def released(lock: Lock) -> Lock:
    """Nobody's, its generation kept."""
    return replace(lock, holder=FREE, purpose="", until=0.0)


def sure(lock: Lock, now: float) -> bool:
    """Whether the holder may still act: before anybody else could think that it ended."""
    return now < lock.until - SKEW_S
