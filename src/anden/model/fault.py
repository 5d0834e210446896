"""A fault that is put into an environment on purpose, to see what becomes of it: what a drill asks an engine for."""

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What is hit. The control plane is not the engine's: whoever drills it ends it without asking an engine."""

    ZONE = "zone"
    """Everything that stands in a zone, for as long as the fault lasts."""
    INSTANCE = "instance"
    """One instance's process: SIGKILL, once."""
    BALANCER = "balancer"
    """One of the balancer's processes: SIGKILL, once."""
    SUPERVISOR = "supervisor"
    """What looks after the instances: SIGKILL, once."""


class Outage(StrEnum):
    """How a zone fails: nothing passes in or out, or (the silent kind) everything in it stands still as well."""

    CUT = "cut"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Fault:
    """kind, and which one: a zone's name, an instance's id; empty for balancer and supervisor.

    outage: how a zone fails. until: Unix seconds at which an engine ends a zone's fault by itself, whoever has died
    meanwhile: a drill never outlives its bound.
    """

    kind: FaultKind
    name: str = ""
    outage: Outage = Outage.CUT
    until: float = 0.0


LONGEST_S = 3600.0
"""No fault lasts longer, whatever is asked for."""
