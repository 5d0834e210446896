"""Setting up a client's account in the cloud, for the command line; boto3 is imported when AWS is asked.

Apart from `app`, which hands it to the command line.
"""

# ruff: noqa: PLC0415

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from anden.engines.aws.bootstrap import Bootstrap
    from anden.model.account import AccountPlan, AccountReport
    from anden.model.event import Event
    from anden.model.topology import Topology


class Account:
    """One client's account, planned and set up with the same look at it."""

    def __init__(self, its: "Bootstrap") -> None:
        self._its = its

    def plan(self, *, keep: bool = False) -> "AccountPlan":
        """What would be done; keep: for `run`. Raises Problems."""
        return self._its.plan(time.time(), keep=keep)

    def run(self, plan: "AccountPlan") -> "Iterator[Event | AccountReport]":
        """Do it; the report comes last."""
        return self._its.run(plan)


@contextmanager
def account(
    topology: "Topology", others: "Sequence[Topology]", engine: EngineName, values: Mapping[str, str],
    log_account: str = "", access_role: str = "",
) -> Iterator[Account]:  # fmt: skip
    """The account that the client's environments live in, with the ordinary credentials. values: template parameter to
    value. Raises Problems."""
    if engine is EngineName.SIMULATED:
        raise Problems(Problem(f"--on {engine}", "has no accounts", "it runs in memory", "Leave out --on."))
    from anden.engines.aws.bootstrap import bootstrap
    from anden.engines.aws.founding import Wishes
    from anden.engines.aws.session import Session

    wishes = Wishes(values, log_account, access_role) if access_role else Wishes(values, log_account)
    yield Account(bootstrap(Session(), topology, others, wishes))
