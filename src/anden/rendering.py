"""What an engine would write or apply for a manifest's environment, computed in this process; nobody is asked.

What is slow to import is imported where it is used, as in `app`, whose part this is.
"""

# ruff: noqa: PLC0415

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anden.machine import root
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from anden.model.blueprint import Blueprint
    from anden.model.mark import Marks
    from anden.model.override import Override
    from anden.model.plan import Caveat
    from anden.model.ports import Clock, Engine
    from anden.model.topology import Topology


@dataclass(frozen=True, slots=True)
class Rendered:
    """`anden render`. files: relative name to text, in the order in which the engine applies them. presumed: services
    whose image is not here, so that its digest in the files is made up."""

    blueprint: "Blueprint"
    files: Mapping[str, str]
    caveats: "tuple[Caveat, ...]"
    warnings: tuple[Problem, ...]
    presumed: tuple[str, ...]


def render(
    topology: "Topology",
    marks: "Marks",
    folder: Path,
    engine: EngineName,
    parent: "Blueprint | None",
    overrides: "tuple[Override, ...]",
    clock: "Clock",
) -> Rendered:
    """What the engine would write or apply for a manifest's environment: computed here, nobody is asked.

    parent: the blueprint that was rendered before; addresses and numbers stay where they are. overrides: what people
    change of the stacks. Raises Problems: what `up` would refuse (but an account's quotas: none is asked), and what
    this engine cannot render.
    """
    from anden.control.refusals import refusals
    from anden.engines.local.images import LocalImages
    from anden.model.blueprint import Facts
    from anden.model.ids import EnvironmentKey
    from anden.planning import blueprint, lint

    if engine is EngineName.AWS and topology.region is None:
        from anden.engines.aws.engine import NO_REGION

        raise Problems(NO_REGION)
    images = LocalImages(root() / "images", clock)
    found = images.presume(folder, {each.name: each.source for each in topology.services})
    renderer = _renderer(engine, clock)
    key = EnvironmentKey(topology.client, topology.environment, engine)
    # Of AWS nothing is asked, and no credentials are looked for: what only an account knows is not known.
    facts = Facts() if engine is EngineName.AWS else renderer.facts(key, topology.zones, topology)
    caveats = renderer.caveats(topology)
    problems = list(refusals(engine, topology, marks, caveats))
    drafted = blueprint.draft(topology, found, facts, parent, marks, overrides)
    linted = lint.lint(drafted, marks)
    problems += linted.problems
    if engine is EngineName.AWS:
        problems += _refused_by_aws(drafted, marks)
    if problems:
        raise Problems(problems)
    presumed = tuple(name for name, image in sorted(found.items()) if images.presumed(image))
    return Rendered(drafted, renderer.render(drafted), caveats, linted.warnings, presumed)


def _refused_by_aws(drafted: "Blueprint", marks: "Marks") -> tuple[Problem, ...]:
    from anden.engines.aws import foresight

    try:
        foresight.checked(drafted, marks)
    except Problems as found:
        return (*found.problems, *foresight.refused(drafted, marks))
    return foresight.refused(drafted, marks)


def _renderer(engine: EngineName, clock: "Clock") -> "Engine":
    if engine is EngineName.AWS:
        from anden.engines.aws.engine import AwsEngine

        return AwsEngine(clock)
    if engine is EngineName.SIMULATED:
        why = "it runs in memory, from the blueprint itself"
        raise Problems(Problem(f"--on {engine}", "writes nothing", why, "Use --on aws or --on local."))
    from anden.engines.local.engine import LocalEngine

    return LocalEngine(root(), root() / "images", clock)
