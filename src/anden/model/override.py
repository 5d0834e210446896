"""Changes that a person makes to what an engine renders, where a manifest has no word for it: JSON Patch (RFC 6902)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a patch. op: `add`, `remove`, `replace`, `move`, `copy` or `test`. path: a JSON pointer into the
    stack's template. value: canonical JSON text, for add, replace and test. origin: `from`, for move and copy."""

    op: str
    path: str
    value: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """All operations on one stack, in order. stack: its family, `network` or `service-accounts`.

    Which files they come from is no part of it: a file that is renamed must not change a digest.
    """

    stack: str
    operations: tuple[Operation, ...]


def mark_of(stack: str, index: int) -> str:
    """The path under which marks know where an operation was written."""
    return f"overrides/{stack}/{index}"
