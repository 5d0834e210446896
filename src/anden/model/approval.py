"""A plan as it was approved: what `up` may then do, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anden.model.ids import Digest


@dataclass(frozen=True, slots=True)
class Effect:
    """What applying a template would do to one resource. action: the engine's word (`Add`, `Modify`, `Remove`,
    `Import`). replacement: `True`, `False`, `Conditional` or empty. why: the properties and what changes them."""

    action: str
    resource: str
    kind: str
    replacement: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change of one stack that lies ready. template: the digest of what it makes. id: the engine's, by which exactly
    this one is executed."""

    stack: str
    family: str
    region: str
    template: Digest
    id: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What is approved: the blueprint, and the prepared changes. later: families to the digests of their templates, of
    stacks that use what the prepared ones make, so that their changes can only be prepared after those."""

    client: str
    environment: str
    engine: str
    blueprint: Digest
    prepared: tuple[Prepared, ...] = ()
    later: Mapping[str, Digest] = field(default_factory=dict)
