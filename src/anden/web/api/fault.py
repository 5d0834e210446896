"""What is wrong, as a response."""

import json

from anden.model import codec
from anden.model.problem import Problem
from anden.web.api.door import Send, answer


def body(*problems: Problem) -> bytes:
    """`{"problems": […]}`."""
    return json.dumps({"problems": [codec.to_data(problem) for problem in problems]}, ensure_ascii=False).encode()


async def respond(send: Send, status: int, *problems: Problem) -> None:
    """A whole response of that status."""
    await answer(send, status, *problems)


def unexpected() -> Problem:
    """For what should not have happened; the traceback is in the daemon's log, and nowhere else."""
    return Problem(
        "the control plane", "failed in a way that it did not expect", "this is a fault of anden, not of yours",
        "What runs goes on running. daemon.log in the state folder says more: report it with its last lines.",
    )  # fmt: skip


def busy(most: int) -> Problem:
    """Too many streams."""
    return Problem("the control plane", f"{most} commands and logs are being followed", "it follows no more at once",
                   "End one of them.")  # fmt: skip
