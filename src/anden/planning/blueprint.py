"""A topology with everything placed."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from anden.model.blueprint import Blueprint, Facts
from anden.model.image import Image
from anden.model.mark import Mark, Marks
from anden.model.override import Override
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology
from anden.planning.addressing import allocate, layout
from anden.planning.placement import place
from anden.planning.places import where

NO_MARKS: Mapping[str, Mark] = MappingProxyType({})


def draft(
    topology: Topology,
    images: Mapping[str, Image],
    facts: Facts,
    parent: Blueprint | None,
    marks: Marks = NO_MARKS,
    overrides: tuple[Override, ...] = (),
) -> Blueprint:
    """The blueprint of `topology`, keeping what `parent` has where it has it.

    images: service name to its resolved image; those of other services are left out. overrides: what people change of
    what is rendered. The same topology, images and overrides as the parent's give the parent again (with these facts),
    and never a blueprint that is its own parent.
    Raises Problems: a service without an image, a network that cannot be laid out or is too small.
    """
    missing = [service.name for service in topology.services if service.name not in images]
    if missing:
        raise Problems(
            Problem(
                where(marks, f"services/{name}/image"),
                f"the image of {name} is not resolved",
                "a blueprint names every image by its digest",
                "Check that the image exists, or that its build succeeds.",
            )
            for name in missing
        )
    network = allocate(topology, parent.layout.network if parent else None, marks)
    plan = layout(network, topology.zones)
    drafted = Blueprint(
        topology=topology,
        layout=plan,
        placements=place(topology, plan, parent, marks),
        images={service.name: images[service.name] for service in topology.services},
        facts=facts,
        overrides=overrides,
    )
    if parent is None:
        return drafted
    was = parent.digest
    return replace(drafted, parent=parent.parent if drafted.digest == was else was)
