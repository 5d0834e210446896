"""The stacks of an environment, sharded by lifecycle, in the order in which they are made. Pure.

account            one for a client's account (`account`): state, keys, roles, budget
key                the KMS key, which outlives the environment
address-ZONE       a fixed address, which outlives it as well
network            VPC, subnets, NAT on those addresses, endpoints, VPN, DNS firewall
firewall           security groups; firewall-2, … for more services
rules              what they allow; rules-2, …
data               topic of alarms, registry, secrets' place, backups (recovery: their copies' vault)
edge               REST API, WAF, VPC link, internal balancer, ECS cluster, namespace
service-NAME       one for each service, so that one failure takes nobody along
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from anden.engines.aws.render import (
    addresses,
    backup,
    balancer,
    cluster,
    dashboard,
    gateway,
    groups,
    incoming,
    keys,
    naming,
    network,
    records,
    registry,
    rules,
    service,
    topic,
    waf,
)
from anden.engines.aws.render.entrance import Entrance, entrance
from anden.engines.aws.render.mesh import mesh
from anden.engines.aws.render.patched import overriding
from anden.engines.aws.render.template import Part, Stack, assemble
from anden.engines.aws.render.terrain import terrain
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.mark import Marks
from anden.model.plan import Caveat
from anden.model.problem import Problems
from anden.model.topology import Topology
from anden.planning.blueprint import NO_MARKS
from anden.planning.configuration import configure

WHAT = {
    naming.NETWORK: "network", naming.FIREWALL: "security groups", naming.RULES: "firewall rules",
    naming.DATA: "registry, alarms and backups", naming.EDGE: "entrance and cluster",
    naming.RECOVERY: "copies of backups", naming.SERVICE: "one service",
    naming.KEYS: "key, which outlives it", naming.ADDRESS: "fixed address, which outlives it",
}  # fmt: skip
NO_GENERATIONS: Mapping[str, int] = MappingProxyType({})


def environment(
    blueprint: Blueprint, caveats: Sequence[Caveat], keeping: Blueprint | None = None,
    generations: Mapping[str, int] = NO_GENERATIONS, marks: Marks = NO_MARKS,
) -> tuple[Stack, ...]:  # fmt: skip
    """Every stack of the environment, all at once. See `stream`."""
    return tuple(stream(blueprint, caveats, keeping, generations, marks))


def stream(
    blueprint: Blueprint, caveats: Sequence[Caveat], keeping: Blueprint | None = None,
    generations: Mapping[str, int] = NO_GENERATIONS, marks: Marks = NO_MARKS,
) -> Iterator[Stack]:  # fmt: skip
    """Every stack of the environment, each after those that it uses, made when it is asked for: whoever wants their
    texts only need not have all of them in memory. keeping: the blueprint that a change replaces: the firewall is then
    the union that suits both, as on the twin (planning.configuration). generations: how often each service was
    restarted. marks: where overrides were written. Raises Problems after the last one: a backup plan that would select
    nothing, an override that cannot be done or may not be."""
    configuration = configure(blueprint, keeping, caveats)
    stacks = _backed_up(_environment(blueprint, configuration, keeping, generations))
    return overriding(stacks, blueprint.overrides, marks)


def _backed_up(stacks: Iterable[Stack]) -> Iterator[Stack]:
    """The same stacks; raises Problems after the last one when a backup plan among them would select nothing."""
    concerned = []
    for stack in stacks:
        if backup.concerns(stack):
            concerned.append(stack)
        yield stack
    problems = backup.unselected(concerned)
    if problems:
        raise Problems(problems)


def _environment(
    blueprint: Blueprint, configuration: Configuration, keeping: Blueprint | None, generations: Mapping[str, int]
) -> Iterator[Stack]:
    yield key_stack(blueprint.topology)
    land = terrain(blueprint, keeping)
    for zone in addresses.zones(land):
        family = naming.address_family(zone)
        yield _stack(blueprint, family, naming.ADDRESS, addresses.part(land, zone), lasting=True)
    yield _stack(blueprint, naming.NETWORK, naming.NETWORK, *network.parts(blueprint, keeping), lasting=True)
    for which in groups.shards(configuration):
        part = groups.part(blueprint, configuration, which)
        yield _stack(blueprint, naming.firewall_family(which), naming.FIREWALL, part)
    for which in rules.shards(configuration):
        part = rules.part(blueprint, configuration, which, keeping)
        yield _stack(blueprint, naming.rules_family(which), naming.RULES, part)
    yield from _data(blueprint)
    doors = entrance(blueprint.topology)
    parts = [cluster.part(blueprint), dashboard.part(blueprint, doors), incoming.balancers(blueprint, land)]
    if doors.doors:
        parts += [balancer.part(blueprint), gateway.part(blueprint, doors), waf.part(blueprint, doors)]
    yield _stack(blueprint, naming.EDGE, naming.EDGE, *parts)
    yield from _services(
        blueprint, doors, [naming.rules_family(which) for which in rules.shards(configuration)], generations
    )


def _data(blueprint: Blueprint) -> Iterator[Stack]:
    parts = [topic.part(blueprint), records.part(blueprint), registry.part(blueprint)]
    after: tuple[str, ...] = ()
    if backup.wanted(blueprint.topology):
        copies, region = backup.recovery(blueprint), blueprint.topology.recovery
        yield _stack(blueprint, naming.RECOVERY, naming.RECOVERY, copies, lasting=True, region=region)
        parts.append(backup.part(blueprint))
        after = (naming.RECOVERY,)
    yield _stack(blueprint, naming.DATA, naming.DATA, *parts, lasting=True, after=after)


def _services(
    blueprint: Blueprint, doors: Entrance, rules_families: Sequence[str], generations: Mapping[str, int]
) -> Iterator[Stack]:
    """A stack for each service, callees before their callers, and after the rules by which they will be called."""
    calls = mesh(blueprint.topology)
    placements = {placement.service: placement for placement in blueprint.placements}
    for each in sorted(blueprint.topology.services, key=lambda one: (calls.rank[one.name], one.name)):
        parts = service.parts(
            blueprint, each, placements[each.name], doors.doors.get(each.name), calls, generations.get(each.name, 0)
        )
        after = [naming.service_family(callee) for callee in calls.before(each.name)]
        family = naming.service_family(each.name)
        yield _stack(blueprint, family, naming.SERVICE, *parts, after=(*rules_families, *after))


def key_stack(topology: Topology) -> Stack:
    """The first of them, which needs no blueprint: the first secret asks for it before there is one."""
    return _of(topology, naming.KEYS, naming.KEYS, keys.part(topology), lasting=True)


def _stack(
    blueprint: Blueprint, family: str, kind: str, *parts: Part, lasting: bool = False, after: Sequence[str] = (),
    region: str | None = None,
) -> Stack:  # fmt: skip
    return _of(blueprint.topology, family, kind, *parts, lasting=lasting, after=after, region=region)


def _of(
    topology: Topology, family: str, kind: str, *parts: Part, lasting: bool = False, after: Sequence[str] = (),
    region: str | None = None,
) -> Stack:  # fmt: skip
    return assemble(
        name=naming.stack_name(topology, family), family=family, region=region or topology.region or "", parts=parts,
        description=f"anden: {topology.client}/{topology.environment}: {WHAT[kind]}", space=naming.space(topology),
        lasting=lasting, after=after,
    )  # fmt: skip
