"""The stacks of a client's account, made once before its environments and whenever what they stand on changes.

    anden-CLIENT-account           state, its key, roles, boundary, budget, registry and gateway settings
    anden-CLIENT-account-recovery  in the recovery region: how the copies of images are kept
    anden-CLIENT-account-trail     how an account that stands alone is watched

The first template fits CloudFormation's inline limit, for before it there is no bucket to bring a larger one by.
What it publishes lies under `naming.account_space`: `account/bucket`, `account/state-key`, `account/notices`.
"""

from collections.abc import Iterator, Sequence

from anden.engines.aws.render import (
    access,
    boundary,
    budget,
    delivery,
    gateway_logs,
    registry_settings,
    state_bucket,
    trail,
)
from anden.engines.aws.render.account import (
    ACCOUNT_RECOVERY,
    ACCOUNT_TRAIL,
    Account,
    Present,
    Settings,
    account_of,
)
from anden.engines.aws.render.naming import ACCOUNT, account_space
from anden.engines.aws.render.template import Part, Stack, assemble
from anden.model.topology import Topology

WHAT = {
    ACCOUNT: "account: state, roles and budget", ACCOUNT_RECOVERY: "copies of images",
    ACCOUNT_TRAIL: "how the account is watched",
}  # fmt: skip


def account(
    topology: Topology, others: Sequence[Topology] = (), settings: Settings | None = None,
    present: frozenset[Present] = frozenset(),
) -> tuple[Stack, ...]:  # fmt: skip
    """The stacks of the account that an environment lives in, in the order in which they are made. Pure.

    others: the client's other environments in the same account; without them, the stacks would change with who asks.
    present: what an adopted account has already. Raises ValueError: see `account_of`.
    """
    return tuple(_stacks(topology, account_of(topology, others, settings, present)))


def _stacks(topology: Topology, its: Account) -> Iterator[Stack]:
    space = account_space(topology)

    def stack(family: str, region: str, *parts: Part, lasting: bool = False) -> Stack:
        return assemble(
            name=f"{its.stacks}{family}", family=family, region=region, space=space, parts=parts, lasting=lasting,
            description=f"anden: {its.client}: {WHAT[family]}", after=() if family == ACCOUNT else (ACCOUNT,),
        )  # fmt: skip

    yield stack(
        ACCOUNT, its.region, state_bucket.part(its), boundary.part(its), access.part(its), delivery.part(its),
        budget.part(its), registry_settings.part(its), gateway_logs.part(), lasting=True,
    )  # fmt: skip
    if its.recovery and its.recovery != its.region:
        yield stack(ACCOUNT_RECOVERY, its.recovery, registry_settings.copies(its))
    yield stack(ACCOUNT_TRAIL, its.region, trail.part(its), lasting=True)
