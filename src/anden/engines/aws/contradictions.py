"""What AWS would refuse half-way and neither validator sees: contradictions between or within resources. Pure."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import AddressValueError, IPv4Network

from anden.engines.aws.inventory import Inventory, Item, take
from anden.engines.aws.render.template import Stack
from anden.model.problem import Problem

PROTOCOLS = {
    "application": frozenset({"HTTP", "HTTPS"}),
    "network": frozenset({"TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"}),
}
"""Protocols of target groups by type of balancer (ELB API reference, CreateTargetGroup)."""
LINK_LOCAL = IPv4Network("169.254.0.0/16")
INSIDE_PREFIX = 30
RESERVED_INSIDE = tuple(
    IPv4Network(f"169.254.{rest}/30") for rest in ("0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "169.252")
)
"""Inside addresses of a tunnel that AWS keeps (Site-to-Site VPN user guide, "Tunnel options")."""


def found(stacks: Sequence[Stack]) -> tuple[Problem, ...]:
    """Every contradiction, in the order of the rules."""
    holds = take(stacks)
    return tuple(problem for rule in RULES for problem in rule(holds))


def _at(item: Item) -> str:
    return f"stack {item.family}, {item.name}"


def _scaling(holds: Inventory) -> Iterator[Problem]:
    for item in holds.of("AWS::ApplicationAutoScaling::ScalableTarget"):
        least, most = item.get("MinCapacity"), item.get("MaxCapacity")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            why = "a range begins with its smaller end"
            yield Problem(_at(item), f"it scales between {least} and {most}", why, "Swap them, or correct one.")


def _protocols(holds: Inventory) -> Iterator[Problem]:
    """A target group is of the balancer whose listener, or whose listener's rule, leads to it. Where all balancers of
    an environment are of one type, every group is of that one."""
    kinds = {item.get("Type") or "application" for item in holds.of("AWS::ElasticLoadBalancingV2::LoadBalancer")}
    if not kinds:
        return
    one = next(iter(kinds)) if len(kinds) == 1 else None
    of = dict(_led_to(holds)) if one is None else {}
    for item in holds.of("AWS::ElasticLoadBalancingV2::TargetGroup"):
        kind = one or of.get(f"{item.family}/{item.name}", "")
        protocol = item.get("Protocol")
        if protocol is not None and protocol not in PROTOCOLS.get(kind, frozenset({protocol})):
            why = f"a balancer of type {kind} takes {', '.join(sorted(PROTOCOLS[kind]))}"
            yield Problem(
                _at(item), f"its protocol is {protocol}", why, "Give the service `protocol: http`, or no route."
            )


def _led_to(holds: Inventory) -> Iterator[tuple[str, str]]:
    """Target group and type of balancer. Only an application's listener has rules, and only a network's says TCP."""
    for kind, field in (("ListenerRule", "Actions"), ("Listener", "DefaultActions")):
        for item in holds.of(f"AWS::ElasticLoadBalancingV2::{kind}"):
            network = kind == "Listener" and item.get("Protocol") in PROTOCOLS["network"]
            for action in item.get(field) or ():
                forwards = (action.get("ForwardConfig") or {}).get("TargetGroups") or [action]
                for each in forwards:
                    if "TargetGroupArn" in each:
                        yield holds.thing(item.family, each["TargetGroupArn"]), "network" if network else "application"


def _inside(holds: Inventory) -> Iterator[Problem]:
    for item in holds.of("AWS::EC2::VPNConnection"):
        for number, tunnel in enumerate(item.get("VpnTunnelOptionsSpecifications") or (), 1):
            written = tunnel.get("TunnelInsideCidr")
            if written is None:
                continue
            where, fix = f"{_at(item)}, tunnel {number}", "Leave it out: AWS then chooses one."
            network = _network(written)
            if network is None or network.prefixlen != INSIDE_PREFIX or not network.subnet_of(LINK_LOCAL):
                why = f"the inside of a tunnel is a /{INSIDE_PREFIX} of {LINK_LOCAL}"
                yield Problem(where, f"{written} cannot be its inside", why, fix)
            elif network in RESERVED_INSIDE:
                yield Problem(where, f"{written} cannot be its inside", "AWS keeps it for itself", fix)


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text)
    except (AddressValueError, ValueError):
        return None


RULES: tuple[Callable[[Inventory], Iterator[Problem]], ...] = (_scaling, _protocols, _inside)
