"""Refused attempts by the names that people know, and what would let them through. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address

from anden.model.blueprint import Blueprint
from anden.model.mark import Marks
from anden.model.refused import Attempt, Refused
from anden.model.topology import Link
from anden.planning.links import dialled
from anden.planning.places import at, mark_of

MOST_ROWS = 200
"""Rows of an answer; those tried last come first. Whoever is behind a link crowds out no service."""


def named(
    blueprint: Blueprint, marks: Marks, attempts: Sequence[Attempt], since: float | None = None, *, placed: bool = True
) -> tuple[Refused, ...]:
    """One row for each service and what it tried to open, those tried last first. placed: instances have the addresses
    that the blueprint gives them; where an engine chooses them itself, it names services itself."""
    inside = {
        address: str(placement.service)
        for placement in blueprint.placements
        for address in (placement.address, *(slot.address for slot in placement.slots))
        if address is not None and placed
    }
    rows: dict[tuple[str, str, int | None, str], Refused] = {}
    for one in attempts:
        if since is not None and one.last < since:
            continue
        row = _row(blueprint, marks, inside, one)
        key = (row.service, row.to, row.port, row.why)
        known = rows.get(key)
        rows[key] = row if known is None else _joined(known, row)
    ordered = sorted(rows.values(), key=lambda row: (-row.last, row.service, row.to, row.port or 0))
    kept = set(sorted(ordered, key=lambda row: row.outside)[:MOST_ROWS])
    return tuple(row for row in ordered if row in kept)


def _joined(one: Refused, other: Refused) -> Refused:
    first, last = min(one.first, other.first), max(one.last, other.last)
    return replace(one, count=one.count + other.count, first=first, last=last)


def _row(blueprint: Blueprint, marks: Marks, inside: dict[IPv4Address, str], one: Attempt) -> Refused:
    topology = blueprint.topology
    link = next((each for each in topology.links if each.caller == one.service), None)
    if link is not None:
        return _over_link(blueprint, marks, link, one)
    caller = topology.service(one.service)
    reaches = caller.reaches if caller is not None else ()
    to, port, declared = one.to, one.port, False
    if one.port is None:
        place = next((p for p in topology.destinations if (p.host or "").lower() == one.to and p.link is None), None)
        to, port = (str(place.name), place.port) if place is not None else (one.to, None)
    elif (address := _address(one.to)) is not None:
        at_it = [place for place in topology.destinations if place.network is not None and address in place.network]
        at_it.sort(key=lambda place: place.name not in reaches)  # a declared one before another of the same network
        to = inside.get(address) or next((str(place.name) for place in at_it), one.to)
    why = one.why or "not declared"
    known = topology.service(to) or topology.destination(to)
    if known is not None and to in reaches:
        declared = True
        why = one.why if one.port is None else f"only port {known.port} is declared"
    if caller is None:
        fix = "no service of the manifest is called so: it, or the task that had this address, is gone"
        return Refused(one.service, to, port, one.transport, one.count, one.first, one.last, why, fix, declared)
    fix = _fix(marks, one.service, to, port, declared=declared, known=known is not None, question=one.port is None)
    if one.why.startswith("leads to"):
        fix = "no name outside may lead there: ask whoever looks after it"
    return Refused(
        one.service, to, port, one.transport, one.count, one.first, one.last, why, fix, declared
    )  # fmt: skip


def _over_link(blueprint: Blueprint, marks: Marks, link: Link, one: Attempt) -> Refused:
    """What began on the other side of a link."""
    topology = blueprint.topology
    field = f"links.{link.name}.incoming"
    zones = [zone.name for zone in blueprint.layout.zones]
    here = _address(one.to) in dialled(link, zones).values()
    entry = next((each for each in link.incoming if here and each.port == one.port), None)
    place = mark_of(topology, marks, field.replace(".", "/") + (f"/{entry.service}" if entry else ""))
    at_ = f" ({place})" if place else ""
    if entry is None:
        to, why = one.to, f"{one.why}: nothing is let in there"
        fix = f"add a service to {field} of {topology.environment}{at_}, or ask them why it is tried"
    else:
        to, why = str(entry.service), f"{one.why}, which may not"
        fix = f"add it to `from` in {field}.{entry.service} of {topology.environment}{at_}, or ask them why it is tried"
    return Refused(
        one.service, to, one.port, one.transport, one.count, one.first, one.last, why, fix, entry is not None
    )  # fmt: skip


def _fix(marks: Marks, service: str, to: str, port: int | None, *, declared: bool, known: bool, question: bool) -> str:
    place = at(marks, f"services/{service}/reaches")
    if declared:
        return f"use the declared port{at(marks, f'services/{service}/reaches/{to}')}" if not question else ""
    if known:
        return f"add {to} to services.{service}.reaches{place}, or find out why {service} tries"
    what = to if port is None else f"{to}:{port}"
    return f"declare a destination {what} and add it to services.{service}.reaches{place}, or find out why it is tried"


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def recent(rows: Iterable[Refused], now: float, within_s: float) -> tuple[Refused, ...]:
    """Those tried within so many seconds."""
    return tuple(row for row in rows if now - row.last <= within_s)
