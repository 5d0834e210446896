"""The environment's stacks as planning compares them: what the renderer gives, as texts. Pure."""

from collections.abc import Mapping

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render.stacks import stream
from anden.model.blueprint import Blueprint
from anden.model.stack import StackWanted


def wanted(blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]) -> tuple[StackWanted, ...]:
    """Each after those that it uses. keeping: the blueprint that a change replaces. generations: service to how often
    it was restarted. Raises Problems for what no template can say."""
    stacks = stream(blueprint, caveats(blueprint.topology), keeping, generations)
    return tuple(
        StackWanted(stack.name, stack.family, stack.region, stack.text, stack.after, stack.lasting) for stack in stacks
    )
