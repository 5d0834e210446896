"""Where in a manifest something was written."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; `line` counts from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


Marks = Mapping[str, Mark]
"""Manifest path to place: `services/accounts/port`, `environments/production/links/core`, `services/web/reaches/api`.

Marks travel beside a topology and never in it: moving a line must not change a digest.
"""


def find(marks: Marks, path: str) -> Mark | None:
    """The place of `path`, or of the nearest parent that has one; None when nothing of it was written."""
    while path:
        if path in marks:
            return marks[path]
        path = path.rpartition("/")[0]
    return None
