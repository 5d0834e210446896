"""Security groups: one for each service, one for the internal balancer, one for the VPC link by which the gateway
comes in, one for the balancer of each link that lets something in. What they allow is `rules`. A group alone allows
nothing, in either direction: CloudFormation would give one without an egress rule its own, which allows everything, so
each has one that allows nothing.
"""

from collections.abc import Iterator

from anden.engines.aws.render.naming import (
    BALANCER_KEY,
    GATEWAY_KEY,
    GROUPS_A_STACK,
    VPC,
    group_key,
    link_group_key,
    place,
)
from anden.engines.aws.render.template import Json, Part, Resource, att, logical, resource, tags
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration

NOTHING: list[Json] = [{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "nothing leaves by default"}]
"""An egress rule that allows nothing: it lets packets to the instance itself leave it, which none does."""


def shards(configuration: Configuration) -> tuple[int, ...]:
    """The numbers of the stacks that hold groups, from 1."""
    return tuple(sorted({1, *(shard(backend.number) for backend in configuration.backends)}))


def shard(number: int) -> int:
    """The stack that holds the group of the service with this number: it never moves to another."""
    return (number - 1) // GROUPS_A_STACK + 1


def part(blueprint: Blueprint, configuration: Configuration, which: int) -> Part:
    """The groups of one shard; the first has the balancer's and the gateway's as well."""
    name = place(blueprint.topology)
    resources: dict[str, Resource] = {}
    publishes: dict[str, Json] = {}
    for key, what in _wanted(configuration, which):
        logical_id = logical(key)
        resources[logical_id] = resource(
            "AWS::EC2::SecurityGroup", GroupDescription=f"{name}: {what}", VpcId=VPC, SecurityGroupEgress=NOTHING,
            Tags=tags(Name=f"{name}-{key.removeprefix('group-of-')}"),
        )  # fmt: skip
        publishes[key] = att(logical_id, "GroupId")
    return Part(resources, publishes)


def _wanted(configuration: Configuration, which: int) -> Iterator[tuple[str, str]]:
    """Key and description."""
    if which == 1:
        yield BALANCER_KEY, "the internal load balancer"
        yield GATEWAY_KEY, "the VPC link of the gateway"
        for link in sorted({allow.link for allow in configuration.allows_in}):
            yield link_group_key(link), f"the balancer of link {link}"
    for backend in configuration.backends:
        if shard(backend.number) == which:
            yield group_key(backend.service), f"service {backend.service}"
