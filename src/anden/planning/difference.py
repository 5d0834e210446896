"""What changes from one blueprint to another, for people: one line for each thing, with the manifest's line behind it.

Complete: blueprints with different digests always have a difference. Every field of the topology is walked, those
without words of their own too, so that a new field cannot be forgotten. Values of `env` are never shown.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from anden.model import override, secret
from anden.model.blueprint import Blueprint
from anden.model.ids import short
from anden.model.image import Image
from anden.model.mark import Mark, Marks, find
from anden.model.plan import Action, Difference
from anden.model.topology import (
    Cors,
    Destination,
    Health,
    Incoming,
    Issuer,
    Latency,
    Link,
    Route,
    Scale,
    ScaleMetric,
    Service,
    Size,
    Slo,
    Topology,
    VerifyingKey,
)
from anden.planning.places import mark_of

ARROW = " → "
ABSENT = "none"

WORD = {"source": "image", "strategy": "deploy", "timeout_s": "timeout", "stop_s": "stop", "start_s": "start"}
"""Field of a service to the manifest's key, where they differ."""
REPLACES = frozenset(
    {
        *("source", "port", "protocol", "size", "health", "env", "secrets", "command", "user"),
        *("timeout_s", "stop_s", "start_s", "writable"),
    }
)
"""Fields of a service that are in every instance's specification: changing one replaces the instances."""


def differences(before: Blueprint | None, after: Blueprint, marks: Marks) -> tuple[Difference, ...]:
    """Every difference, sorted as people read: environment, services, paths, destinations, links, issuers.

    before None: everything is new. Parent and facts are no part of a blueprint's meaning and are not compared.
    """
    found = tuple(_all(before, after, marks))
    if found or before is None or before.digest == after.digest:
        return found
    return (Difference(Action.UPDATE, "blueprint", short(before.digest) + ARROW + short(after.digest)),)


def _all(before: Blueprint | None, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    old = before.topology if before else None
    new = after.topology
    if before is None or old is None:
        yield _new_environment(after, marks)
    else:
        yield from _environment(before, after, marks)
    yield from _services(before, after, marks)
    yield from _secrets(before, after, marks)
    yield from _paths(old, new, marks)
    yield from _named("destination", old.destinations if old else (), new.destinations, new, marks)
    yield from _named("link", old.links if old else (), new.links, new, marks)
    yield from _incoming(old, new, marks)
    yield from _named("auth", old.auth if old else (), new.auth, new, marks)
    yield from _overrides(before, after, marks)


def _secrets(before: Blueprint | None, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    """Other versions of secrets, for each that uses them: `secret core-token v1 → v2`. What uses one only now says so
    elsewhere."""
    was = before.secrets if before else {}
    users = after.topology.secret_users()
    for name, version in after.secrets.items():
        if not (old := was.get(name)) or old == version:
            continue
        text = f"secret {name} {secret.shown(old)}{ARROW}{secret.shown(version)}"
        for user in users.get(name, (name,)):
            link, _, tunnel = user.removeprefix("link ").partition(", ")
            if tunnel:
                mark = mark_of(after.topology, marks, f"links/{link}/secret")
                yield Difference(Action.UPDATE, f"link {link}", f"{tunnel} {text}", mark)
            else:
                yield Difference(Action.UPDATE, user, text, find(marks, f"services/{user}/secrets"))


def _overrides(before: Blueprint | None, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    """Operations that are new, then those that are gone; always at least one where they are not the same."""
    old = {each.stack: each.operations for each in before.overrides} if before else {}
    new = {each.stack: each.operations for each in after.overrides}
    for stack in sorted(old.keys() | new.keys()):
        was, is_ = old.get(stack, ()), new.get(stack, ())
        for index, each in enumerate(is_):
            if each not in was:
                mark = find(marks, override.mark_of(stack, index))
                yield Difference(Action.UPDATE, "override", f"{stack} {each.op} {each.path}", mark)
        for each in was:
            if each not in is_:
                yield Difference(Action.DELETE, "override", f"{stack} {each.op} {each.path}")
        if was != is_ and set(was) == set(is_):
            yield Difference(Action.UPDATE, "override", f"{stack}: the same operations, in another order or number")


def _new_environment(after: Blueprint, marks: Marks) -> Difference:
    topology = after.topology
    zones = f"{topology.zones} zone" + ("" if topology.zones == 1 else "s")
    text = f"{after.layout.network}, {zones}, egress {topology.egress}"
    return Difference(Action.CREATE, "network", text, mark_of(topology, marks, "network"))


# The environment's own fields.

_APART = frozenset({"services", "destinations", "links", "auth", "network", "zones"})
"""Fields of a topology that have lines of their own kind."""


def _environment(before: Blueprint, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    old, new = before.topology, after.topology
    for field in fields(Topology):
        was, is_ = getattr(old, field.name), getattr(new, field.name)
        if field.name not in _APART and was != is_:
            yield _update(field.name, _arrow(was, is_), mark_of(new, marks, field.name))
    yield from _network(before, after, marks)
    if old.zones != new.zones:
        note = _moved(before, after)
        yield _update("zones", _arrow(old.zones, new.zones), mark_of(new, marks, "zones"), note)


def _network(before: Blueprint, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    was, is_ = before.layout, after.layout
    mark = mark_of(after.topology, marks, "network")
    if was.network != is_.network:
        yield _update("network", _arrow(was.network, is_.network), mark, "replaces everything")
        return
    if before.topology.network != after.topology.network:
        declared = "declared" if after.topology.network is not None else "no longer declared"
        yield _update("network", f"{is_.network} {declared}", mark, "nothing moves")
    common = {zone.name for zone in was.zones} & {zone.name for zone in is_.zones}
    moved = [str(name) for name in sorted(common) if was.zone(name) != is_.zone(name)]
    added = {zone.name for zone in was.zones} ^ {zone.name for zone in is_.zones}
    if added and before.topology.zones == after.topology.zones:
        moved += sorted(added)
    for field in ("resolver", "names", "balancer"):
        if getattr(was, field) != getattr(is_, field):
            moved.append(field)
    if moved or (was.zones != is_.zones and not added):
        yield _update("network", "laid out anew: " + (", ".join(moved) or "order of zones"), mark)


def _moved(before: Blueprint, after: Blueprint) -> str:
    """How many places that both have change their zone or address."""
    both = moved = 0
    olds = {placement.service: placement for placement in before.placements}
    for placement in after.placements:
        old = olds.get(placement.service)
        for was, is_ in zip(old.slots if old else (), placement.slots, strict=False):
            both += 1
            moved += was != is_
    return f"moves {moved} of {both} places"


# Services.


def _services(before: Blueprint | None, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    olds = {service.name: service for service in before.topology.services} if before else {}
    news = {service.name: service for service in after.topology.services}
    images = before.images if before else {}
    for name in sorted({*olds, *news}):
        mark = find(marks, f"services/{name}")
        if name not in olds:
            yield Difference(Action.CREATE, name, _summary(news[name], after.images.get(name)), mark)
        elif name not in news:
            yield Difference(Action.DELETE, name, _summary(olds[name], images.get(name)))
        else:
            yield from _service(olds[name], news[name], images.get(name), after.images.get(name), marks)
    if before and before.layout.network == after.layout.network and before.topology.zones == after.topology.zones:
        yield from _placements(before, after, marks)


def _summary(service: Service, image: Image | None) -> str:
    return f"{image.version if image else service.source}, {service.instances} instances"


def _service(
    old: Service, new: Service, was_image: Image | None, is_image: Image | None, marks: Marks
) -> Iterator[Difference]:
    kept = f"never below {min(old.instances.base, new.instances.base)}" if old.instances.base else ""
    for field in fields(Service):
        name = field.name
        was, is_ = getattr(old, name), getattr(new, name)
        note = kept if name in REPLACES else ""
        if name == "source":
            if was != is_ or was_image != is_image:
                text = _image(old, new, was_image, is_image)
                key = "build" if new.source.build is not None else "image"
                mark = find(marks, f"services/{new.name}/{key}")
                yield _update(new.name, text, mark, note if was_image != is_image else "the same bytes")
        elif was == is_:
            continue
        elif name == "reaches":
            if set(was) == set(is_):
                mark = find(marks, f"services/{new.name}/reaches")
                yield _update(new.name, "reaches in another order", mark, "nothing moves")
        else:
            word = WORD.get(name, name)
            text = _SAYS[name](was, is_) if name in _SAYS else f"{word} {_arrow(was, is_)}"
            yield _update(new.name, text, find(marks, f"services/{new.name}/{word}"), note)


def _image(old: Service, new: Service, was: Image | None, is_: Image | None) -> str:
    if was is None or is_ is None or was == is_:
        return f"image {old.source}{ARROW}{new.source}"
    if was.version != is_.version:
        return was.version + ARROW + is_.version
    if was.digest != is_.digest:
        return f"{is_.version} rebuilt: {_digits(was)}{ARROW}{_digits(is_)}"
    return f"{is_.version}: what the image says of itself"


def _digits(image: Image) -> str:
    return image.digest.removeprefix("sha256:")[:8]


def _placements(before: Blueprint, after: Blueprint, marks: Marks) -> Iterator[Difference]:
    """Differences that the topology does not explain: they come from what each blueprint's parents had."""
    olds = {placement.service: placement for placement in before.placements}
    for new in after.placements:
        old = olds.get(new.service)
        if old is None or old == new:
            continue
        mark = find(marks, f"services/{new.service}")
        if old.number != new.number:
            yield _update(new.service, f"packet mark {_arrow(old.number, new.number)}", mark)
        if old.address != new.address and None not in (old.address, new.address):
            yield _update(new.service, f"internal address {_arrow(old.address, new.address)}", mark)
        moved = sum(was != is_ for was, is_ in zip(old.slots, new.slots, strict=False))
        if moved:
            yield _update(new.service, f"moves {moved} of {min(len(old.slots), len(new.slots))} places", mark)


def _paths(old: Topology | None, new: Topology, marks: Marks) -> Iterator[Difference]:
    was = {(service.name, name) for service in old.services for name in service.reaches} if old else set()
    is_ = {(service.name, name) for service in new.services for name in service.reaches}
    for caller, callee in sorted(is_ - was):
        mark = find(marks, f"services/{caller}/reaches/{callee}")
        yield Difference(Action.CREATE, "path", f"{caller} → {callee}", mark)
    for caller, callee in sorted(was - is_):
        yield Difference(Action.DELETE, "path", f"{caller} → {callee}", marks.get(f"services/{caller}/reaches"))


def _incoming(old: Topology | None, new: Topology, marks: Marks) -> Iterator[Difference]:
    """What may begin on the other side of a link: a line for each service."""
    was, is_ = (
        {(link.name, str(one.service)): one for link in each.links for one in link.incoming} if each else {}
        for each in (old, new)
    )
    for link, service in sorted({*was, *is_}):
        before, after = was.get((link, service)), is_.get((link, service))
        mark = mark_of(new, marks, f"links/{link}/incoming/{service}")
        if before is None and after is not None:
            yield Difference(Action.CREATE, "incoming", f"{link} → {service}: {_from(after)}", mark)
        elif after is None and before is not None:
            yield Difference(Action.DELETE, "incoming", f"{link} → {service}: {_from(before)}")
        elif before is not None and after is not None and before != after:
            yield _update("incoming", f"{link} → {service}: {_from(before)}{ARROW}{_from(after)}", mark)


def _from(one: Incoming) -> str:
    return f"from {_said(one.sources)} at port {one.port}"


# Destinations, links, issuers: things with a name.

_Named = Destination | Link | Issuer
_FOLDER = {"destination": "destinations", "link": "links", "auth": "auth"}


def _named(
    subject: str, old: Iterable[_Named], new: Iterable[_Named], topology: Topology, marks: Marks
) -> Iterator[Difference]:
    olds: dict[str, _Named] = {str(one.name): one for one in old}
    news: dict[str, _Named] = {str(one.name): one for one in new}
    for name in sorted({*olds, *news}):
        mark = mark_of(topology, marks, f"{_FOLDER[subject]}/{name}")
        if name not in olds:
            yield Difference(Action.CREATE, subject, f"{name} {_about(news[name])}", mark)
        elif name not in news:
            yield Difference(Action.DELETE, subject, f"{name} {_about(olds[name])}")
        elif (text := _inner(olds[name], news[name])) != "":
            yield _update(subject, f"{name} {text}", mark)


def _about(thing: _Named) -> str:
    match thing:
        case Destination():
            return thing.to + (f" by link {thing.link}" if thing.link else "")
        case Link():
            spoken = "" if thing.bgp is None else f", BGP with AS {thing.bgp}"
            return f"to {thing.peer}, {_said(thing.networks)}{spoken}" + ", by certificate" * (
                thing.certificate is not None
            )
        case Issuer():
            return thing.issuer


def _inner(old: _Named, new: _Named) -> str:
    if isinstance(old, Destination) and isinstance(new, Destination) and old.to != new.to:
        return _arrow(old.to, new.to) + (f" by link {new.link}" if new.link else "")
    return ", ".join(
        f"{field.name.replace('_', '-')} {_arrow(getattr(old, field.name), getattr(new, field.name))}"
        for field in fields(new)
        if field.name != "incoming" and getattr(old, field.name) != getattr(new, field.name)
    )


# Values in words.


def _update(subject: str, text: str, mark: Mark | None = None, note: str = "") -> Difference:
    return Difference(Action.UPDATE, subject, text, mark, note)


def _arrow(was: object, is_: object) -> str:
    return _said(was) + ARROW + _said(is_)


def _said(value: object) -> str:  # noqa: PLR0911 - one line for each kind of value
    match value:
        case None | () | "":
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case Size():
            memory = value.memory_mib
            return f"{value.cpu_milli / 1000:g} CPU, " + (f"{memory / 1024:g} GB" if memory >= 1024 else f"{memory} MB")
        case Scale():
            return f"{value.value:g}" + (" requests" if value.metric is ScaleMetric.REQUESTS else "% cpu")
        case Route():
            return _route(value)
        case VerifyingKey():
            return f"{value.id} ({hashlib.sha256(value.pem.encode()).hexdigest()[:8]})"
        case Health():
            return f"GET {value.path}" if value.path is not None else "TCP"
        case Latency():
            return f"{value.percent:g}% < {value.under_ms:g} ms"
        case Slo():
            availability = f"{value.availability:g}%" if value.availability is not None else ""
            return ", ".join(part for part in (availability, _said(value.latency) if value.latency else "") if part)
        case tuple():
            return " ".join(_said(one) for one in value)
        case _:
            return str(value)


def _route(route: Route) -> str:
    return (
        f"{route.host or ''}{route.path}"
        + (f" for {route.auth}" if route.auth else "")
        + (f" with {' '.join(route.scopes)}" if route.scopes else "")
        + (f" as {route.rewrite}" if route.rewrite else "")
        + (f", {route.body_bytes:,} bytes" if route.body_bytes is not None else "")
        + (f", {route.rate} in all" if route.rate else "")
        + (f", {route.rate_each} each" if route.rate_each else "")
        + (f", cors {_cors(route.cors)}" if route.cors else "")
    )


def _cors(cors: Cors) -> str:
    cookies = " with cookies" if cors.credentials else ""
    return f"{' '.join((*cors.origins, *cors.methods, *cors.headers))}{cookies} for {cors.age_s:g} s"


def _seconds(word: str) -> Callable[[Any, Any], str]:
    return lambda was, is_: f"{word} {was:g} s{ARROW}{is_:g} s"


def _keys(word: str) -> Callable[[Any, Any], str]:
    """Names only: values of variables are for the instance, not for a terminal or a log."""

    def say(was: Mapping[str, str], is_: Mapping[str, str]) -> str:
        said = (
            (sorted(is_.keys() - was.keys()), "added"),
            (sorted(name for name in is_.keys() & was.keys() if is_[name] != was[name]), "changed"),
            (sorted(was.keys() - is_.keys()), "removed"),
        )
        return f"{word} " + ", ".join(f"{' '.join(names)} {what}" for names, what in said if names)

    return say


_SAYS: dict[str, Callable[[Any, Any], str]] = {
    "instances": lambda was, is_: f"{was}{ARROW}{is_} instances",
    "size": _arrow,
    "env": _keys("env"),
    "secrets": _keys("secrets"),
    "timeout_s": _seconds("timeout"),
    "stop_s": _seconds("stop"),
    "start_s": _seconds("start"),
}
"""Fields of a service that are said in words of their own."""
