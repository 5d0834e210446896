"""From a topology to the blueprint that could replace what runs now."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from anden.model.blueprint import Blueprint, Facts, Placement, Slot
from anden.model.ids import ServiceName, ZoneName
from anden.model.image import Image
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.override import Override
from anden.model.topology import Topology
from anden.planning.blueprint import draft

HELD = "(held)"
"""The service that holds addresses which are still in use; no service can have this name."""


def after(
    current: Blueprint | None,
    replaced: Blueprint | None,
    seen: Observation | None,
    topology: Topology,
    images: Mapping[str, Image],
    facts: Facts,
    marks: Marks,
    overrides: tuple[Override, ...] | None = None,
) -> Blueprint:
    """The blueprint of `topology` that keeps the addresses of `current`, the target until now, and takes none that
    somebody else has: neither what `current` is on its way to replace, nor what is really there.
    overrides None: those of `current`.

    Raises Problems, as planning.blueprint.draft.
    """
    base = current or replaced
    if overrides is None:
        overrides = current.overrides if current is not None else ()
    if base is None:
        return draft(topology, images, facts, None, marks, overrides)
    held = tuple(_held(base, replaced, seen))
    drafted = draft(topology, images, facts, replace(base, placements=(*base.placements, *held)), marks, overrides)
    return replace(drafted, parent=base.parent if drafted.digest == base.digest else base.digest)


def _held(base: Blueprint, replaced: Blueprint | None, seen: Observation | None) -> Iterator[Placement]:
    known = {placement.service for placement in base.placements}
    taken = {slot.address for placement in base.placements for slot in placement.slots}
    names = {placement.address for placement in base.placements}
    numbers = {placement.number for placement in base.placements}
    slots: list[tuple[ZoneName, IPv4Address]] = []
    for placement in replaced.placements if replaced else ():
        if placement.service not in known and placement.number not in numbers:
            # A service that comes back gets its own places back.
            yield placement
            taken |= {slot.address for slot in placement.slots}
            numbers.add(placement.number)
            continue
        slots += [(slot.zone, slot.address) for slot in placement.slots]
        if placement.address not in names and placement.address is not None:
            names.add(placement.address)
            slots.append((ZoneName(""), placement.address))
    slots += [(one.zone, one.address) for one in (seen.instances if seen and seen.present else ())]
    rest = dict.fromkeys((zone, address) for zone, address in slots if address not in taken)
    if rest:
        held = tuple(Slot(ordinal, zone, address) for ordinal, (zone, address) in enumerate(rest, 1))
        yield Placement(ServiceName(HELD), max(numbers, default=0) + 1, None, held)
