"""CloudFormation's events of a stack: what happened since, what failed first, and what was retained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from anden.engines.aws.errors import explained

MOST_READ = 2000
"""Events looked at: a stack has 500 resources at most, and each tells of itself about three times an operation."""
NOISE = ("resource creation cancelled", "resource update cancelled", "resource deletion cancelled",
         "the following resource(s) failed")  # fmt: skip
"""Reasons that only repeat that something else failed."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. resource: the logical name; kind: the resource's type; physical: its id in its own service."""

    id: str
    resource: str
    kind: str
    status: str
    said: str
    physical: str
    whole: bool
    """It is of the stack itself."""

    @property
    def worth_telling(self) -> bool:
        """A resource came, changed, went or failed; not that it began to."""
        return not self.whole and not self.status.endswith("IN_PROGRESS")

    @property
    def sign(self) -> str:
        """As people see it."""
        return "✗" if self.status.endswith("FAILED") else "✓"


@dataclass(frozen=True, slots=True)
class Cause:
    """What failed first, and what AWS said of it."""

    resource: str = ""
    kind: str = ""
    said: str = "nothing"


def after(client: Any, id: str, last: str) -> tuple[Happening, ...]:
    """Events later than the one named, oldest first; empty `last`: all."""
    found: list[Happening] = []
    for each in _newest_first(client, id):
        if each.id == last:
            break
        found.append(each)
    return tuple(reversed(found))


def latest(client: Any, id: str) -> str:
    """The newest event's id; empty: there is none, or no such stack."""
    return next((each.id for each in _newest_first(client, id)), "")


def cause(client: Any, id: str, since: str = "") -> Cause:
    """The first failure of the last operation, or of everything after an event."""
    happened = after(client, id, since)
    if not since:
        begun = [number for number, each in enumerate(happened) if each.whole and each.status in BEGINNINGS]
        happened = happened[begun[-1] :] if begun else happened
    return _first(happened)


def hindrance(client: Any, id: str) -> Cause:
    """The first failure of the latest way back of an update: what could not be put back, and not what the update had
    failed at."""
    happened = after(client, id, "")
    begun = [number for number, each in enumerate(happened) if each.whole and each.status in GOING_BACK]
    return _first(happened[begun[-1] :]) if begun else Cause()


def _first(happened: Sequence[Happening]) -> Cause:
    failed = [each for each in happened if each.status.endswith("FAILED") and each.said]
    telling = [each for each in failed if not each.said.lower().startswith(NOISE)]
    for each in [*(each for each in telling if not each.whole), *telling, *failed]:
        return Cause("" if each.whole else each.resource, each.kind, each.said.rstrip("."))
    return Cause()


GOING_BACK = frozenset({"UPDATE_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS"})
BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})


def retained(client: Any, id: str, since: str) -> tuple[str, ...]:
    """What a deletion has left: `AddressA (AWS::EC2::EIP) 203.0.113.7`."""
    return tuple(
        f"{each.resource} ({each.kind}) {each.physical}"
        for each in after(client, id, since)
        if each.status == "DELETE_SKIPPED"
    )


def _newest_first(client: Any, id: str) -> Iterator[Happening]:
    read = 0
    with explained(f"stack {id}"):
        try:
            for page in client.get_paginator("describe_stack_events").paginate(StackName=id):
                for each in page["StackEvents"]:
                    yield _happening(each)
                    read += 1
                    if read >= MOST_READ:
                        return
        except client.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise


def _happening(event: dict[str, Any]) -> Happening:
    physical = event.get("PhysicalResourceId", "")
    return Happening(
        event["EventId"], event["LogicalResourceId"], event["ResourceType"], event["ResourceStatus"],
        event.get("ResourceStatusReason", ""), physical, physical == event["StackId"],
    )  # fmt: skip
