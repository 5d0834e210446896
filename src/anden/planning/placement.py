"""Where each instance may stand: slots in zones, with addresses, kept from blueprint to blueprint.

Slots go round the zones one after the other, so every prefix of them is spread with a difference of at most one,
whatever the level. Services start in different zones, so that many services of one instance spread as well.

What the parent has stays where it is, and nothing that the parent holds (addresses, numbers) is handed to another
place: while a change is in flight both are in the configuration, and an address must mean one instance.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from math import ceil

from anden.model.blueprint import Blueprint, Layout, Placement, Slot, Zone
from anden.model.ids import ServiceName, ZoneName
from anden.model.mark import Marks
from anden.model.problem import Problem, Problems
from anden.model.topology import Service, Topology
from anden.planning.addressing import prefix_for, usable
from anden.planning.places import where_of

SURGE_SHARE = 0.25
"""How many instances beyond the maximum may run while a version replaces another, as a share of the maximum."""

_Before = Mapping[ServiceName, Placement]
"""The parent's placements."""
_Seat = tuple[int, Zone, IPv4Address | None]
"""A slot before it has its address: ordinal, zone, and the address that it keeps (None: a new one)."""


def surge(service: Service) -> int:
    """How many instances of the service a change may start beyond its level: a quarter of the maximum, at least one."""
    return max(1, ceil(service.instances.max * SURGE_SHARE))


def slot_count(service: Service, zones: int) -> int:
    """How many slots the service has: its maximum and the surge, and with several zones so many that whichever of them
    is lost, the others hold its base and one more, for a version to replace another meanwhile."""
    count = service.instances.max + surge(service)
    while zones > 1 and count - ceil(count / zones) < service.instances.base + 1:
        count += 1
    return count


def place(topology: Topology, layout: Layout, parent: Blueprint | None, marks: Marks) -> tuple[Placement, ...]:
    """A placement for each service, sorted by name. Raises Problems with every subnet that is too small."""
    before = {placement.service: placement for placement in parent.placements} if parent else {}
    services = sorted(topology.services, key=lambda service: service.name)
    starts = _starts(services, layout, before)
    seats = {
        service.name: _seats(service, layout.zones, starts[service.name], before.get(service.name))
        for service in services
    }
    names = {
        service.name: _kept_name(layout, before.get(service.name)) for service in services if service.port is not None
    }
    held = frozenset(_held(before))
    short = [*_short_zones(topology, layout, seats, held, marks), *_short_names(topology, layout, names, held, marks)]
    if short:
        raise Problems(short)
    numbers = _numbers(services, before)
    free_names = _free(layout.names, held)
    free = {zone.name: _free(zone.private, held) for zone in layout.zones}
    return tuple(
        Placement(
            service=service.name,
            number=numbers[service.name],
            address=(names[service.name] or next(free_names)) if service.name in names else None,
            slots=tuple(
                Slot(ordinal, zone.name, kept or next(free[zone.name])) for ordinal, zone, kept in seats[service.name]
            ),
        )
        for service in services
    )


def _starts(services: list[Service], layout: Layout, before: _Before) -> dict[ServiceName, int]:
    """The index of the zone of each service's first slot: the parent's, else the one in which fewest services start."""
    index = {zone.name: position for position, zone in enumerate(layout.zones)}
    starts = {
        service.name: index[kept.slots[0].zone]
        for service in services
        if (kept := before.get(service.name)) and kept.slots and kept.slots[0].zone in index
    }
    count = Counter(dict.fromkeys(index.values(), 0))
    count.update(starts.values())
    for service in services:
        if service.name not in starts:
            emptiest = min(count, key=lambda position: (count[position], position))
            starts[service.name] = emptiest
            count[emptiest] += 1
    return starts


def _seats(service: Service, zones: tuple[Zone, ...], start: int, before: Placement | None) -> tuple[_Seat, ...]:
    seats = []
    for ordinal in range(1, slot_count(service, len(zones)) + 1):
        zone = zones[(start + ordinal - 1) % len(zones)]
        old = before.slots[ordinal - 1] if before and ordinal <= len(before.slots) else None
        stays = old is not None and old.zone == zone.name and int(old.address) in usable(zone.private)
        seats.append((ordinal, zone, old.address if old and stays else None))
    return tuple(seats)


def _kept_name(layout: Layout, before: Placement | None) -> IPv4Address | None:
    if before is None or before.address is None or int(before.address) not in usable(layout.names):
        return None
    return before.address


def _numbers(services: list[Service], before: _Before) -> dict[ServiceName, int]:
    """The parent's numbers, and for new services the smallest that neither has."""
    taken = {placement.number for placement in before.values()}
    free = (number for number in range(1, len(taken) + len(services) + 1) if number not in taken)
    return {service.name: before[service.name].number if service.name in before else next(free) for service in services}


def _held(before: _Before) -> Iterator[int]:
    for placement in before.values():
        if placement.address is not None:
            yield int(placement.address)
        yield from (int(slot.address) for slot in placement.slots)


def _free(subnet: IPv4Network, held: frozenset[int]) -> Iterator[IPv4Address]:
    return (IPv4Address(address) for address in usable(subnet) if address not in held)


def _short_zones(
    topology: Topology,
    layout: Layout,
    seats: Mapping[ServiceName, tuple[_Seat, ...]],
    held: frozenset[int],
    marks: Marks,
) -> Iterator[Problem]:
    wanted: Counter[ZoneName] = Counter()
    kept: Counter[ZoneName] = Counter()
    for service_seats in seats.values():
        for _, zone, address in service_seats:
            wanted[zone.name] += 1
            kept[zone.name] += address is not None
    for zone in layout.zones:
        leaving = sum(address in usable(zone.private) for address in held) - kept[zone.name]
        if wanted[zone.name] + leaving > len(usable(zone.private)):
            yield _too_small(
                where_of(topology, marks, "network"),
                f"the private subnet of zone {zone.name} ({zone.private})",
                zone.private,
                (wanted[zone.name], "addresses are needed (instances.max and surge of every service)"),
                leaving,
            )


def _short_names(
    topology: Topology,
    layout: Layout,
    names: Mapping[ServiceName, IPv4Address | None],
    held: frozenset[int],
    marks: Marks,
) -> Iterator[Problem]:
    block = usable(layout.names)
    leaving = sum(address in block for address in held) - sum(kept is not None for kept in names.values())
    if len(names) + leaving > len(block):
        yield _too_small(
            where_of(topology, marks, "network"),
            f"the block of internal names ({layout.names})",
            layout.names,
            (len(names), "services with a port need an address each"),
            leaving,
        )


def _too_small(where: str, what: str, block: IPv4Network, needed: tuple[int, str], leaving: int) -> Problem:
    """leaving: addresses that the parent holds in the block and that the change gives up."""
    count, need = needed
    holds = len(usable(block))
    why = f"{count:,} {need}, it holds {holds:,}"
    wider = prefix_for(count + leaving)
    fix = f"Use a network of a /{wider}" if wider is not None else "Use more zones"
    if count > holds:
        return Problem(where, f"{what} is too small", why, f"{fix}, or have fewer instances.")
    why += f", of which {leaving:,} stay taken by what this change removes"
    return Problem(
        where, f"{what} is too small for this change", why, f"Remove first and add afterwards, or {fix.lower()}."
    )
