"""Typed names. Each is text at run time; the types keep a service's name from standing where a zone's belongs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

ServiceName = NewType("ServiceName", str)
"""As in the manifest: `accounts`."""

DestinationName = NewType("DestinationName", str)
"""A named place outside the environment: `exchange`, `core-api`."""

ZoneName = NewType("ZoneName", str)
"""One letter, in order: `a`, `b`, `c`, `d`. The aws engine maps it to a zone of the region."""

InstanceId = NewType("InstanceId", str)
"""`SERVICE-ORDINAL`, ordinal from 1: `accounts-1`. Stable over restarts and replacements: it names the slot."""

Digest = NewType("Digest", str)
"""`sha256:` and 64 hexadecimal digits."""


class EngineName(StrEnum):
    """The three engines of the design."""

    LOCAL = "local"
    AWS = "aws"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentKey:
    """The identity of an environment on an engine. At most one blueprint is the target of a key."""

    client: str
    environment: str
    engine: EngineName

    def __str__(self) -> str:
        """As people see it: `banco-andino/production, twin`."""
        return f"{self.client}/{self.environment}, {ENGINE_LABEL[self.engine]}"


ENGINE_LABEL = {EngineName.LOCAL: "twin", EngineName.AWS: "aws", EngineName.SIMULATED: "simulated"}
"""What people see for an engine."""


def instance_id(service: str, ordinal: int) -> InstanceId:
    """`instance_id("accounts", 1)` is `accounts-1`."""
    return InstanceId(f"{service}-{ordinal}")


def short(digest: str) -> str:
    """The four digits by which people name a blueprint: `b7e1`."""
    return digest.removeprefix("sha256:")[:4]
