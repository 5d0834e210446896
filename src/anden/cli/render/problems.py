"""Problems, one a line: where, what, why, fix."""

from collections.abc import Sequence

from anden.cli.render.paint import Paint, clean
from anden.model.problem import Problem


def line(problem: Problem, paint: Paint) -> str:
    """`services/accounts/port (anden.yaml:31): 80800 is not a port; ports run from 1 to 65535. Did you mean 8080?`"""
    said = paint.strong(clean(problem.where)) + ": " + paint.bad(clean(problem.what))
    if problem.why:
        said += "; " + clean(problem.why)
    said += "."
    return f"{said} {paint.link(clean(problem.fix))}" if problem.fix else said


def lines(problems: Sequence[Problem], paint: Paint) -> list[str]:
    """All of them, in their order."""
    return [line(problem, paint) for problem in problems]
