"""What security groups allow, each rule a resource of its own, so that cycles in `reaches` are legal.

    from the configuration  caller's group → callee's group, on the callee's port, both ways of writing it
                            caller's group → a destination's addresses, on its port
    what AWS itself needs   every service → interface endpoints :443 (images, logs, secrets)
    the entrance            VPC link → balancer → services with a route, on their port
    what links let in       the client's networks → the link's balancer → services, on their port

What is left out cannot talk. A name as a destination is open to every address on its port (`Caveat`s say so): which
names resolve at all is the DNS firewall's.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from itertools import chain

from anden.engines.aws.render.naming import (
    BALANCER_GROUP,
    ENDPOINTS_GROUP,
    GATEWAY_GROUP,
    fitting,
    group,
    link_group,
)
from anden.engines.aws.render.template import Json, Part, Published, Resource, apart, resource
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.topology import Egress
from anden.planning import firewall

CALLERS_A_STACK = 40
"""Callers whose rules are in one stack: of 500 resources, twelve for each (CloudFormation user guide, "Quotas")."""
HTTPS, HTTP = 443, 80
ANYWHERE = "0.0.0.0/0"
MOST_DESCRIPTION = 255
"""Characters of a rule's description (EC2 API, "IpRange")."""

_Way = tuple[str, str, int]
"""Caller, network and port."""


def shards(configuration: Configuration) -> tuple[int, ...]:
    """The numbers of the stacks that hold rules, from 1."""
    return tuple(sorted({1, *(shard(backend.number) for backend in configuration.backends)}))


def shard(number: int) -> int:
    """The stack that holds the rules by which the service with this number calls: it never moves to another."""
    return (number - 1) // CALLERS_A_STACK + 1


def entrance_port(blueprint: Blueprint) -> int:
    """Where the internal balancer listens: TLS where there is a domain to have a certificate for."""
    return HTTPS if blueprint.topology.domain else HTTP


def part(blueprint: Blueprint, configuration: Configuration, which: int, keeping: Blueprint | None = None) -> Part:
    """The rules of one shard; the first has the entrance's as well. keeping: the blueprint that a change replaces; what
    its instances may do stays as well, as in `configuration`."""
    both = [blueprint] if keeping is None else [blueprint, keeping]
    return Part(dict(_rules(both, configuration, which)))


def _rules(both: Sequence[Blueprint], configuration: Configuration, which: int) -> Iterator[tuple[str, Resource]]:
    numbers: dict[str, int] = {backend.service: backend.number for backend in configuration.backends}
    of = cache(lambda service: group(service, numbers[service]))
    here = {name for name, number in numbers.items() if shard(number) == which}
    if which == 1:
        for entrance in sorted({entrance_port(each) for each in both}):
            yield from _pair("the gateway", GATEWAY_GROUP, "the balancer", BALANCER_GROUP, entrance)
    ports = {one.service: (one.port, *one.also) for one in configuration.backends if one.service in here}
    # Not the configuration's routes: a path that moves is not there until its new owner is healthy, and the balancer,
    # which must ask that, cannot without a rule.
    routed = {one.name for each in both for one in each.topology.services if one.route is not None}
    for service in sorted(routed & here):
        for port in ports[service]:
            if port is not None:
                yield from _pair("the balancer", BALANCER_GROUP, service, of(service), port)
    yield from _over_links(configuration, which, here, of)
    for caller in sorted(here):
        yield from _pair(caller, of(caller), "AWS endpoints", ENDPOINTS_GROUP, HTTPS)
    for allow in configuration.allows:
        if allow.caller in here:
            yield from _pair(allow.caller, of(allow.caller), allow.callee, of(allow.callee), allow.port)
    for (caller, network, port), destinations in _leaving(both, configuration, here).items():
        yield _leaves(caller, of(caller), sorted(destinations), network, port)


def _over_links(
    configuration: Configuration, which: int, here: Collection[str], of: Callable[[str], Published]
) -> Iterator[tuple[str, Resource]]:
    """Who may open a link's balancer, one rule for a network and port, whichever service answers there; and the
    balancer's way to the services that are here."""
    if not configuration.allows_in:
        return
    for allow in configuration.allows_in if which == 1 else ():
        network = str(allow.network)
        yield apart("link", allow.link, "from", network, str(allow.port)), resource(
            "AWS::EC2::SecurityGroupIngress", GroupId=link_group(allow.link), CidrIp=network, IpProtocol="tcp",
            FromPort=allow.port, ToPort=allow.port, Description=f"to {allow.service}",
        )  # fmt: skip
    ports = {one.service: sorted({one.port, *one.also}) for one in configuration.backends if one.port is not None}
    for link, service in sorted({(allow.link, allow.service) for allow in configuration.allows_in}):
        for port in ports[service] if service in here else ():
            yield from _pair(f"link {link}", link_group(link), service, of(service), port)


def _leaving(both: Sequence[Blueprint], configuration: Configuration, here: Collection[str]) -> dict[_Way, set[str]]:
    """Every way out of these callers, and the names of the destinations that lie there."""
    leaving: dict[_Way, set[str]] = {}
    # The configuration knows the target's caveats only: a target without egress would close what instances of the other
    # one still use. Of destinations, that is all that the engine's caveats withhold, and `allows_out` looks itself.
    kept = [firewall.allows_out(each.topology, (), configuration.layout.network) for each in both[1:]]
    for out in chain(configuration.allows_out, *kept):
        if out.caller in here:
            leaving.setdefault((out.caller, str(out.network), out.port), set()).add(out.destination)
    for each in both:
        for way, destination in _others(each, here):
            leaving.setdefault(way, set()).add(destination)
    return leaving


def _others(blueprint: Blueprint, here: Collection[str]) -> Iterator[tuple[_Way, str]]:
    """What the configuration's rules leave to the engine, and the destination's name. Destinations behind a link, by
    their address; destinations by host name, which security groups cannot match."""
    topology = blueprint.topology
    places = {str(place.name): place for place in topology.destinations}
    for service in topology.services:
        if service.name not in here:
            continue
        for name in dict.fromkeys(service.reaches):
            found = places.get(name)
            if found is None:
                continue
            if found.link is not None and found.network is not None:
                yield (service.name, str(found.network), found.port), found.name
            elif found.link is None and found.host is not None and topology.egress is not Egress.NONE:
                yield (service.name, ANYWHERE, found.port), found.name


def _pair(caller: str, source: Json, callee: str, target: Json, port: int) -> Iterator[tuple[str, Resource]]:
    """Both halves of a path between two groups: it leaves the one and enters the other."""
    name = apart(caller, "to", callee, str(port))
    there: dict[str, Json] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    # Written out: of what an environment has, most are these.
    yield f"{name}Out", {
        "Type": "AWS::EC2::SecurityGroupEgress",
        "Properties": {
            "GroupId": source, "DestinationSecurityGroupId": target, **there, "Description": f"to {callee}"
        },
    }  # fmt: skip
    yield (
        f"{name}In",
        {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": target,
                "SourceSecurityGroupId": source,
                **there,
                "Description": f"from {caller}",
            },
        },
    )


def _leaves(caller: str, its: Published, destinations: Sequence[str], network: str, port: int) -> tuple[str, Resource]:
    """One rule for a network and port, however many destinations lie there: a group takes no rule twice, and one that
    is named by where it leads stays when a destination gets another name."""
    return apart(caller, "to", network.replace(".", "-"), str(port)), resource(
        "AWS::EC2::SecurityGroupEgress", GroupId=its, CidrIp=network, IpProtocol="tcp",
        FromPort=port, ToPort=port, Description=fitting(f"to {', '.join(destinations)}", MOST_DESCRIPTION),
    )  # fmt: skip
