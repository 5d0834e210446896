"""The environment's stacks as planning compares them: what the renderer gives, as texts. Pure."""

from collections.abc import Mapping

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import naming
from anden.engines.aws.render.stacks import stream
from anden.model.blueprint import Blueprint
from anden.model.image import ImageWanted
from anden.model.stack import StackWanted


def wanted(blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]) -> tuple[StackWanted, ...]:
    """Each after those that it uses. keeping: the blueprint that a change replaces. generations: service to how often
    it was restarted. Raises Problems for what no template can say."""
    stacks = stream(blueprint, caveats(blueprint.topology), keeping, generations)
    runs = {naming.service_family(image.service): (image,) for image in images(blueprint)}
    return tuple(
        StackWanted(
            stack.name, stack.family, stack.region, stack.text, stack.after, stack.lasting, runs.get(stack.family, ())
        )
        for stack in stacks
    )  # fmt: skip


def images(blueprint: Blueprint) -> tuple[ImageWanted, ...]:
    """What must lie in the account's registry, by service."""
    topology = blueprint.topology
    return tuple(
        ImageWanted(
            str(each.name), naming.repository(topology, each.name), image.digest, image.name, topology.region or "",
            naming.DATA,
        )
        for each in topology.services
        if (image := blueprint.images.get(each.name)) is not None
    )  # fmt: skip
