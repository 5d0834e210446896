"""What becomes of a change where an engine makes stacks. A stack that is settled has what it started healthy: that is
how CloudFormation ends an operation on an ECS service, whose circuit breaker ends a version that does not become so.
"""

from collections.abc import Iterator, Sequence

from anden.model.change import Judgement, Verdict
from anden.model.observation import Observation
from anden.model.plan import Plan
from anden.model.stack import StackSeen
from anden.planning.ordering import depth
from anden.planning.stacks import StackRollout, Tried

STACK_S = 1800.0
"""Allowed for one stack. A NAT gateway or a VPN connection takes minutes, a service as long as its tasks take to start
and to drain; CloudFormation itself gives up on a service after three hours (ECS developer guide, "Deploy Amazon ECS
services using CloudFormation"), which nobody waits for."""
STAGES = 2
"""Each stack is applied twice at most: wide, then narrow."""
MOST_EVIDENCE = 8
"""Lines of what an engine said of one stack."""


def judge_stacks(
    rollout: StackRollout, observation: Observation, worked_s: float, tried: Tried, *, mend: bool = False
) -> Judgement:
    """The verdict on a change whose target is `rollout`'s (which keeps nothing of what it replaces).

    tried: family to the template that this change has tried last. worked_s: how long control has been at it.
    VERIFIED: every stack is settled at the target's own, and nothing else is there. FAILED: a stack failed with a
    template of this target that was tried, one of the target's is stuck, or it takes longer than `stacks_bound_s`.
    """
    failed = rollout.refused(observation, tried)
    stuck = [one for one in rollout.stuck(observation) if one not in failed]
    if failed:
        return Judgement(Verdict.FAILED, _reason(failed, "failed"), tuple(_evidence([*failed, *stuck])))
    if stuck:
        return Judgement(Verdict.FAILED, _reason(stuck, "is stuck"), tuple(_evidence(stuck)))
    plan = rollout.plan(observation, tried, mend=mend)
    if plan.settled:
        return Judgement(Verdict.VERIFIED)
    bound = stacks_bound_s(rollout)
    if worked_s > bound:
        return Judgement(Verdict.FAILED, _gave_up(bound, plan))
    return Judgement(Verdict.CONTINUE)


def stacks_bound_s(rollout: StackRollout) -> float:
    """Seconds after which a change is given up, whatever it waits for: stacks that do not use each other go at once."""
    return STACK_S * STAGES * max(depth(rollout.wide), 1)


def _reason(ones: Sequence[StackSeen], what: str) -> str:
    first, more = ones[0], len(ones) - 1
    cause = next(iter(first.why.splitlines()), "")
    return f"{first.family} {what}" + (f": {cause}" if cause else "") + (f", and {more} more" if more else "")


def _evidence(ones: Sequence[StackSeen]) -> Iterator[str]:
    for one in ones:
        for line in one.why.splitlines()[:MOST_EVIDENCE]:
            yield f"{one.name}: {line}"


def _gave_up(bound: float, plan: Plan) -> str:
    for_what = "; ".join(f"{wait.address} waits {wait.reason}" for wait in plan.waits[:1])
    return f"gave up after {bound:.0f} s" + (f" ({for_what})" if for_what else "")
