"""What of a rollout can be prepared before it begins, and whether an approval is of what is asked for. Pure."""

from collections.abc import Sequence

from anden.model.approval import SavedPlan
from anden.model.ids import Digest, EnvironmentKey, short
from anden.model.plan import ApplyStack, DeleteStack, Step
from anden.model.problem import Problem
from anden.planning.ordering import chain


def preparable(steps: Sequence[Step]) -> tuple[tuple[ApplyStack, ...], dict[str, Digest]]:
    """The first change of each stack that uses nothing which changes before it; and of the others the family and the
    digest of its template. steps: the whole rollout, in order."""
    first: dict[str, ApplyStack] = {}
    later: dict[str, Digest] = {}
    touched: set[str] = set()
    after = {step.effect.stack.family: step.effect.stack.after for step in steps if isinstance(step.effect, ApplyStack)}
    for step in steps:
        effect = step.effect
        if isinstance(effect, ApplyStack) and effect.stack.family not in touched:
            family = effect.stack.family
            if chain(family, after) - {family} & touched:
                later[family] = effect.stack.digest
            else:
                first[family] = effect
            touched.add(family)
        elif isinstance(effect, DeleteStack):
            touched.add(effect.family)
    return tuple(first.values()), later


def mismatch(saved: SavedPlan, key: EnvironmentKey, blueprint: Digest) -> Problem | None:
    """Why what was approved is not what is asked for; None: it is."""
    its = f"{saved.client}/{saved.environment}, {saved.engine}"
    if (saved.client, saved.environment, saved.engine) != (key.client, key.environment, key.engine.value):
        why = "a plan is approved for one environment on one engine"
        return Problem("the approved plan", f"it is of {its}", why, f"Save one of {key}: `anden plan --save FILE`.")
    if saved.blueprint != blueprint:
        what = f"it is of blueprint {short(saved.blueprint)}, and the manifest gives {short(blueprint)} now"
        why = "the manifest, an image, or what runs there has changed since it was approved"
        return Problem("the approved plan", what, why, "Plan again, and have it approved.")
    return None
