"""Adds to the emulator's CloudFormation the resource types that it lacks, and a check of every type's properties.

Runs inside the emulator's process, under its own Python: nothing here may import anden, or anything but `ministack`.
"""

from collections.abc import Callable
from typing import Any

from . import network, organizations, recorded
from .schema import Schemas

Handlers = dict[str, dict[str, Any]]

ALARM = "AWS::CloudWatch::Alarm"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
PROTECTED = {"Key": "deletion_protection.enabled", "Value": "true"}


def install(handlers: Handlers, schemas: Schemas) -> None:
    """Add ours to the emulator's `handlers` (never in the place of one of its own), and make all of them check."""
    for kind, made in {
        **recorded.provisioners(schemas),
        **network.provisioners(schemas),
        **organizations.provisioners(schemas),
    }.items():
        handlers.setdefault(kind, made)
    handlers[ALARM] = _either(handlers[ALARM], recorded.keeping(ALARM, "", schemas))
    handlers[BALANCER] = _protected(handlers[BALANCER])
    for kind, its in handlers.items():
        if kind in schemas:
            handlers[kind] = _checked(kind, its, schemas)


def _protected(its: dict[str, Any]) -> dict[str, Any]:
    """The emulator's balancers, which are not deleted while they are protected (ELB API, "DeleteLoadBalancer")."""
    from ministack.services import alb

    def delete(arn: str, properties: dict[str, Any]) -> None:
        if PROTECTED in alb._lb_attrs.get(arn, ()):
            raise ValueError(f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
        its["delete"](arn, properties)

    return {**its, "delete": delete}


def _either(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The emulator's alarms; ours, which are only kept, for those of metric math, which it does not know."""

    def of(properties: dict[str, Any]) -> dict[str, Any]:
        return ours if "Metrics" in properties else theirs

    return {
        "create": lambda logical, properties, stack: of(properties)["create"](logical, properties, stack),
        "update": lambda name, old, new, stack, logical: of(new)["update"](name, old, new, stack, logical),
        "update_with_logical_id": True,
        "delete": lambda name, properties: of(properties)["delete"](name, properties),
    }


def _checked(kind: str, its: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    """The same handlers, which refuse what the type's schema does not allow."""

    def create(logical: str, properties: dict[str, Any], *rest: Any) -> Any:
        schemas.refuse(kind, logical, properties)
        return its["create"](logical, properties, *rest)

    def update(id: str, old: dict[str, Any], new: dict[str, Any], stack: str, *logical: str) -> Any:
        schemas.refuse(kind, logical[0] if logical else id, new)
        change: Callable[..., Any] = its["update"]
        return change(id, old, new, stack, *logical)

    return {**its, "create": create, **({"update": update} if "update" in its else {})}
