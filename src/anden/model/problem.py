"""What is wrong, said so that a person can mend it: where, what, why and the fix."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    where: the path and place, as `services/accounts/port (anden.yaml:31)`, or the object (`port 127.0.0.1:8080`).
    what:  the fact, a short sentence without a full stop: `80800 is not a port`.
    why:   the rule or cause behind it: `ports run from 1 to 65535`.
    fix:   what to do: `Did you mean 8080?`. May be empty only when nobody can do anything.
    """

    where: str
    what: str
    why: str = ""
    fix: str = ""

    def __str__(self) -> str:
        said = f"{self.where}: {self.what}"
        if self.why:
            said += f"; {self.why}"
        if not said.endswith("."):  # another problem, told whole, may be the cause
            said += "."
        return f"{said} {self.fix}" if self.fix else said


class Problems(Exception):  # noqa: N818 - a house word, and it is plural on purpose
    """Raised with every problem that was found, never only the first: `except Problems as found: found.problems`."""

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not self.problems:
            raise ValueError("Problems needs at least one Problem")
        super().__init__("\n".join(str(problem) for problem in self.problems))
