"""The stacks of an environment, sharded by lifecycle, in the order in which they are made. Pure.

account            one for a client's account (`account`): state, keys, roles, budget
network            VPC, subnets, NAT on retained addresses, endpoints, VPN, DNS firewall
firewall           security groups; firewall-2, … for more services
rules              what they allow; rules-2, …
data               keys, topic of alarms, registry, secrets' place, backups (recovery: their copies' vault)
edge               REST API, WAF, VPC link, internal balancer, ECS cluster, namespace
service-NAME       one for each service, so that one failure takes nobody along
"""

from collections.abc import Iterator, Sequence

from anden.engines.aws.render import groups, naming, rules
from anden.engines.aws.render.patched import overridden
from anden.engines.aws.render.template import Part, Stack, assemble
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.mark import Marks
from anden.model.plan import Caveat
from anden.planning.blueprint import NO_MARKS
from anden.planning.configuration import configure

WHAT = {
    naming.NETWORK: "network", naming.FIREWALL: "security groups", naming.RULES: "firewall rules",
    naming.DATA: "keys, registry, alarms and backups", naming.EDGE: "entrance and cluster",
    naming.RECOVERY: "copies of backups",
}  # fmt: skip


def environment(
    blueprint: Blueprint, caveats: Sequence[Caveat], keeping: Blueprint | None = None, marks: Marks = NO_MARKS
) -> tuple[Stack, ...]:
    """Every stack of the environment, each after those that it uses, with the overrides in them. keeping: the blueprint
    that a change replaces: the firewall is then the union that suits both, as on the twin (planning.configuration).
    marks: where overrides were written. Raises Problems: one cannot be done, or may not be."""
    configuration = configure(blueprint, keeping, caveats)
    return overridden(tuple(_environment(blueprint, configuration)), blueprint.overrides, marks)


def _environment(blueprint: Blueprint, configuration: Configuration) -> Iterator[Stack]:
    for which in groups.shards(configuration):
        part = groups.part(blueprint, configuration, which)
        yield _stack(blueprint, naming.firewall_family(which), naming.FIREWALL, part)
    for which in rules.shards(configuration):
        part = rules.part(blueprint, configuration, which)
        yield _stack(blueprint, naming.rules_family(which), naming.RULES, part)


def _stack(blueprint: Blueprint, family: str, kind: str, *parts: Part, lasting: bool = False) -> Stack:
    topology = blueprint.topology
    return assemble(
        name=naming.stack_name(topology, family), family=family, region=topology.region or "", parts=parts,
        description=f"anden: {topology.client}/{topology.environment}: {WHAT[kind]}", space=naming.space(topology),
        lasting=lasting,
    )  # fmt: skip
