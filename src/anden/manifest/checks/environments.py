"""What an environment asks of itself and of its services, and production of both."""

from anden.manifest.faults import Faults
from anden.manifest.node import Table
from anden.manifest.view import View, instances
from anden.manifest.wording import listed
from anden.model.topology import Egress, Range

LEAST_PRODUCTION_ZONES = 2
LEAST_PRODUCTION_BASE = 2
MOST_BESIDE_PRODUCTION = 2
"""Environments that are not production."""


def has_services(view: View, faults: Faults) -> None:
    """An environment without a service is none."""
    if view.said.absent("services") or ("services" in view.said.values and not view.said.get("services")):
        written = view.node.entries.get("services") if isinstance(view.node, Table) else None
        faults.add(
            written or view.at("services"),
            f"{view.name} has no service",
            "an environment is the services that run in it",
            "Remove the line: null takes all services away."
            if written is not None and written.null
            else "Add one: `services: { web: { image: web:1.0.0, port: 8080 } }`.",
        )


def production(view: View, faults: Faults) -> None:
    """Production outlives a zone and an instance."""
    if not view.production:
        return
    zones = view.said.get("zones", 1)
    if "zones" not in view.said.broken and zones < LEAST_PRODUCTION_ZONES:
        faults.add(
            view.at("zones"),
            f"{view.name} has {zones} zone",
            f"production has {LEAST_PRODUCTION_ZONES} or more, so that one may fail",
            f"Set `zones: {LEAST_PRODUCTION_ZONES}` or more.",
        )
    for name, service in view.services.items():
        span = instances(service)
        if span is not None and span.base < LEAST_PRODUCTION_BASE:
            faults.add(
                service.at("instances"),
                f"{name} has a base of {span.base} in {view.name}",
                f"production has {LEAST_PRODUCTION_BASE} or more, so that one may fail",
                f"Set `instances: {Range(LEAST_PRODUCTION_BASE, span.max)}`."
                if span.max > LEAST_PRODUCTION_BASE
                else f"Set `instances: {LEAST_PRODUCTION_BASE}`.",
            )


def recovers_elsewhere(view: View, faults: Faults) -> None:
    """A region does not recover itself."""
    region = view.said.get("region")
    if region is not None and region == view.said.get("recovery"):
        faults.add(
            view.at("recovery"),
            f"{region} is the region itself",
            "backups are copied to another region, to survive the loss of this one",
            "Choose another region, or remove recovery.",
        )


def may_leave(view: View, faults: Faults) -> None:
    """`egress: none` and a destination in the internet contradict each other. An absent egress is only warned of, by
    planning: it is what most start with, and nothing leaves."""
    if view.said.get("egress") is not Egress.NONE:
        return
    outside = {name for name, place in view.destinations.items() if place.absent("link")}
    for name, service in view.services.items():
        for reached in service.get("reaches", ()):
            if reached in outside and reached not in view.services:
                faults.add(
                    view.at("egress"),
                    f"nothing leaves {view.name}, and {name} reaches {reached}",
                    f"{reached} lies behind no link, so it is reached through the internet",
                    "Set egress to one or per-zone, or take it out of reaches.",
                )


def few_beside_production(views: tuple[View, ...], faults: Faults) -> None:
    """At most two environments that are not production."""
    beside = [view for view in views if not view.production and "production" not in view.said.broken]
    for view in beside[MOST_BESIDE_PRODUCTION:]:
        faults.add(
            view.node,
            f"{view.name} is one environment too many",
            f"at most {MOST_BESIDE_PRODUCTION} are not production, and there are "
            f"{listed(other.name for other in beside[:MOST_BESIDE_PRODUCTION])} already",
            "Remove one, or set `production: true` where it is.",
        )


CHECKS = (has_services, production, recovers_elsewhere, may_leave)
