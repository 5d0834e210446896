"""What the side that joins by an invitation sees."""

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
class JoinedTunnel:
    """since: when it became so, in Unix seconds; 0: it never was up."""

    number: int
    up: bool
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Joined:
    """at, since: Unix seconds, of this look and of its beginning. heard: the other machine is there. into, out: bytes
    that came from it and went to it."""

    at: float
    since: float
    heard: bool
    tunnels: tuple[JoinedTunnel, ...]
    asked: tuple[Asked, ...] = ()
    into: int = 0
    out: int = 0
