"""The network of an environment, put together: everything that lasts longer than its services."""

from anden.engines.aws.render import acl, endpoints, flow_logs, names_firewall, nat, refused, vpc, vpn
from anden.engines.aws.render.rules import entrance_port
from anden.engines.aws.render.template import Part
from anden.engines.aws.render.terrain import terrain
from anden.model.blueprint import Blueprint


def parts(blueprint: Blueprint, keeping: Blueprint | None = None) -> tuple[Part, ...]:
    """The parts of the network's stack. keeping: the blueprint that a change replaces; what it needs stays as well."""
    land = terrain(blueprint, keeping)
    entrances = sorted({entrance_port(each) for each in (blueprint, keeping) if each is not None})
    return (
        vpc.part(blueprint, land),
        nat.part(land),
        endpoints.part(land),
        acl.part(land, entrances),
        flow_logs.part(land, refused.writable()),
        refused.part(blueprint.topology, land),
        vpn.part(blueprint, land),
        names_firewall.part(land),
    )
