"""What one side of a link sees of a rehearsal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """Connections from `source` to `to` (`ADDRESS:PORT`): how often, first and last in Unix seconds."""

    source: str
    to: str
    times: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class TunnelSight:
    """since: when it became so, in Unix seconds; 0: it never was up."""

    number: int
    up: bool
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Sight:
    """at, since: Unix seconds, of this look and of its beginning. heard: the other machine is there. asked: who asked,
    where somebody answers. into, out: bytes that came from the other machine and went to it."""

    at: float
    since: float
    heard: bool
    tunnels: tuple[TunnelSight, ...]
    asked: tuple[Asked, ...] = ()
    into: int = 0
    out: int = 0
