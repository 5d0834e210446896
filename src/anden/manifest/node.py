"""What a manifest says, as a tree of values that know where they were written. Text stays text: `on` is `on`, and
`08` is `08`; what it means is the business of the shape that reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SEGMENT = re.compile(r"[\w.@%+-]{1,64}")
LONGEST_SEGMENT = 40
"""Characters of a strange key that a path shows."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `plain`: written without quotes, so that `null` may mean nothing. `line` counts from 1."""

    text: str
    line: int
    path: str
    plain: bool = True

    @property
    def null(self) -> bool:
        """Whether it says nothing: `null`, `~`, or no value at all."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Listing:
    """Values in order."""

    items: tuple["Node", ...]
    line: int
    path: str
    null = False


@dataclass(frozen=True, slots=True)
class Table:
    """Values by key, in the order of the file. The line of an entry is its key's.

    doubles: entries whose key stood there already; they count for nothing but their own faults.
    """

    entries: Mapping[str, "Node"]
    line: int
    path: str
    doubles: tuple[tuple[str, "Node"], ...] = field(default=())
    null = False


Node = Scalar | Listing | Table


def kind(node: Node) -> str:
    """What it is, with its article, as messages say it."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    return "nothing" if node.null else "a single value"


def join(path: str, key: str) -> str:
    """The path of `key` below `path`; a strange key is shortened and quoted, so that a path stays one word of text."""
    if not (key.isidentifier() and len(key) <= LONGEST_SEGMENT) and not _SEGMENT.fullmatch(key):
        shortened = key if len(key) <= LONGEST_SEGMENT else key[:LONGEST_SEGMENT] + "…"
        key = repr(shortened)
    return f"{path}/{key}" if path else key
