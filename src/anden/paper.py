"""What can be said of a manifest on paper: nothing runs, and nothing is looked at but, where asked, an account.

Apart from `app`, which hands it to the command line. What is slow to import is imported where it is used.
"""

# ruff: noqa: PLC0415

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from anden.model.blueprint import Blueprint
    from anden.model.cost import Assumed, CostReport
    from anden.model.mark import Marks
    from anden.model.override import Override
    from anden.model.preflight import PreflightReport
    from anden.model.topology import Topology

ANY_DIGEST = "sha256:" + "0" * 64
"""For a draft whose images nobody looks at."""


def described(topology: "Topology", marks: "Marks", overrides: "tuple[Override, ...]" = ()) -> "Blueprint":
    """What the manifest says, placed, with images that nobody looks at. Raises Problems."""
    from anden.model.blueprint import Facts
    from anden.model.ids import Digest
    from anden.model.image import Image
    from anden.planning import blueprint

    images: dict[str, Image] = {each.name: Image(str(each.source), Digest(ANY_DIGEST)) for each in topology.services}
    return blueprint.draft(topology, images, Facts(), None, marks, overrides)


@dataclass(frozen=True, slots=True)
class Checked:
    """`anden check`. services: how many there are, over all environments. Problems block `up`, warnings do not."""

    client: str
    environments: tuple[str, ...]
    services: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(text: str, folder: Path, file: str, overrides: Mapping[str, str] | None = None) -> Checked:
    """Everything that can be said of a manifest without looking at what runs: its own problems, or else what a draft
    of each environment shows, and folders to build that cannot be. overrides: files beside it, name to text."""
    from anden import manifest
    from anden.beside import Beside
    from anden.planning import lint

    try:
        read = manifest.read(text, file, client=manifest.client_name(folder.name), keys=Beside(folder).text)
    except Problems as found:
        return Checked(manifest.client_name(folder.name), (), 0, found.problems)
    problems: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    services = set()
    for name in read.environments:
        topology, marks = read.topologies[name], read.marks[name]
        services |= {each.name for each in topology.services}
        try:
            linted = lint.lint(described(topology, marks), marks)
        except Problems as refused:
            problems |= dict.fromkeys(refused.problems)
        else:
            problems |= dict.fromkeys(linted.problems)
            warnings |= dict.fromkeys(linted.warnings)
        problems |= dict.fromkeys(_unbuildable(topology, marks, folder))
        warnings |= dict.fromkeys(_refused_by_aws(topology, marks))
        if overrides:
            problems |= dict.fromkeys(unpatchable(topology, marks, read.environments, overrides))
    return Checked(read.client, tuple(read.environments), len(services), tuple(problems), tuple(warnings))


def _unbuildable(topology: "Topology", marks: "Marks", folder: Path) -> Iterator[Problem]:
    from anden.engines.local.images import context
    from anden.planning.places import where

    for service in topology.services:
        if service.source.build is not None:
            try:
                context.find(folder / service.source.build, where(marks, f"services/{service.name}/build"))
            except Problems as found:
                yield from found.problems


def _refused_by_aws(topology: "Topology", marks: "Marks") -> Iterator[Problem]:
    """What AWS would refuse of an environment that names a region; on the twin it works, so `check` only warns."""
    if topology.region is None:
        return
    from anden.engines.aws import foresight

    try:
        drafted = described(topology, marks)
    except Problems:
        return  # said already
    yield from foresight.refused(drafted, marks)


def unpatchable(
    topology: "Topology", marks: "Marks", environments: Sequence[str], files: Mapping[str, str]
) -> Iterator[Problem]:
    """What is wrong with overrides, for one environment."""
    from anden.engines.aws.foresight import checked
    from anden.manifest import patches

    try:
        patched = patches.read(files, topology.environment, environments)
        if topology.region is not None:
            checked(described(topology, marks, patched.overrides), patched.marks)
    except Problems as found:
        yield from found.problems


class Written(Protocol):
    """What is written of one environment, and where."""

    @property
    def topology(self) -> "Topology":
        """What the manifest means."""

    @property
    def marks(self) -> "Marks":
        """Where it says so."""

    @property
    def overrides(self) -> "tuple[Override, ...]":
        """What is changed of what is rendered."""


def cost(of: Written, assumed: "Assumed") -> "CostReport":
    """A month's estimate on AWS, from the manifest alone. Raises Problems."""
    from anden.engines.aws import estimate_of

    drafted = described(of.topology, of.marks, of.overrides)
    return estimate_of(drafted, assumed, datetime.now(UTC).date(), of.marks)


def preflight(of: Written, *, ask: bool) -> "PreflightReport":
    """What will not hold on AWS. ask: read the account that the ordinary credentials lead to; else, and where it cannot
    be read, documented defaults count. Raises Problems."""
    from anden.engines.aws import preflight_of, tables

    drafted, region = described(of.topology, of.marks, of.overrides), of.topology.region
    facts = None
    if ask and region is not None:
        from anden.engines.aws import account_facts

        facts = account_facts.read(account_facts.clients(region), of.topology, tables.quotas(), time.time())
    return preflight_of(drafted, facts, of.marks)
