"""Every problem of one manifest, collected while it is read; nothing stops at the first."""

from collections.abc import Collection, Hashable
from typing import Any

from anden.manifest.node import Node
from anden.manifest.wording import near
from anden.model.mark import Mark
from anden.model.problem import Problem, Problems

MOST_PROBLEMS = 500
"""Problems that one reading reports; more help nobody."""
MOST_KEPT = 20 * MOST_PROBLEMS
"""Problems that are kept, to report the first ones of the file."""
MOST_SUGGESTIONS = 50
"""Near names that one reading looks for: each is compared with every known name."""


class Wrong(Exception):  # noqa: N818 - what a parser says of one value; whoever called it makes a Problem of it
    """A value that is not what its place asks for. `what` and `why` None: the shape's own words.

    meant: the value that was likely meant; it is suggested when it is right itself. fix: what to do otherwise.
    """

    def __init__(self, fix: str = "", *, meant: object = None, what: str | None = None, why: str | None = None) -> None:
        super().__init__(what or fix)
        self.fix = fix
        self.meant = str(meant) if meant else ""
        self.what = what
        self.why = why


class Faults:
    """The problems found so far in `file`, each once, with the line by which they are sorted.

    memory: what was read already, by shape and node or text: environments share most nodes, services most values.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.memory: dict[Hashable, Any] = {}
        self._found: dict[Problem, int] = {}
        self._suggestions = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    def place(self, node: Node) -> Mark:
        """Where the node stands."""
        return Mark(self.file, node.line)

    def add(self, node: Node, what: str, why: str, fix: str) -> None:
        """Note a problem at a node; the same one twice is one."""
        where = f"{node.path} ({self.place(node)})" if node.path else str(self.place(node))
        if len(self._found) < MOST_KEPT:
            self._found.setdefault(Problem(where, what, why, fix), node.line)

    def near(self, word: str, known: Collection[str]) -> str | None:
        """As wording.near, until the bound is reached."""
        self._suggestions += 1
        return near(word, known) if self._suggestions <= MOST_SUGGESTIONS else None

    def raise_any(self) -> None:
        """Raise Problems with all of them in the order of the file, if there are any."""
        if not self._found:
            return
        ordered = [problem for problem, _ in sorted(self._found.items(), key=lambda found: found[1])]
        if len(ordered) > MOST_PROBLEMS:
            rest = Problem(
                self.file,
                f"{len(ordered) - MOST_PROBLEMS:,} more problems are left out",
                f"at most {MOST_PROBLEMS} are shown at once",
                "Mend these first, and check again.",
            )
            ordered = [*ordered[:MOST_PROBLEMS], rest]
        raise Problems(ordered)
