"""Security groups, as AWS applies them: nothing enters that no rule lets in; everything leaves where no rule for
leaving is written with the group, else what a rule lets out. They know connections: answers need no rule."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from tests.parity.symbols import Id, World, of

GROUP = "AWS::EC2::SecurityGroup"
ANY_PORT = (0, 65535)
EVERYWHERE = IPv4Network("0.0.0.0/0")


class Rule(NamedTuple):
    """TCP to or from `peer` on the ports `first` to `last`. peer None: something that no address is known of."""

    peer: Id | IPv4Network | None
    first: int
    last: int

    def covers(self, groups: Collection[Id], address: IPv4Address, port: int) -> bool:
        """Whether it is about whoever has these groups and this address, on that port."""
        if not self.first <= port <= self.last:
            return False
        return address in self.peer if isinstance(self.peer, IPv4Network) else self.peer in groups


class Groups:
    """All security groups."""

    def __init__(self, world: World) -> None:
        self.enters: dict[Id, list[Rule]] = {}
        self.leaves: dict[Id, list[Rule]] = {}
        for group, properties in world.items(GROUP):
            self.enters[group] = _rules(properties.get("SecurityGroupIngress"))
            own = properties.get("SecurityGroupEgress")
            self.leaves[group] = [Rule(EVERYWHERE, *ANY_PORT)] if own is None else _rules(own)
        for _, properties in world.items("AWS::EC2::SecurityGroupIngress"):
            self._add(self.enters, properties)
        for _, properties in world.items("AWS::EC2::SecurityGroupEgress"):
            self._add(self.leaves, properties)

    def _add(self, rules: dict[Id, list[Rule]], properties: Any) -> None:
        group = of(properties["GroupId"])
        if group is not None:
            rules.setdefault(group, []).extend(_rules([properties]))

    def lets_out(self, own: Collection[Id], peers: Collection[Id], address: IPv4Address, port: int) -> bool:
        """Whether somebody in the groups `own` may open that address, which has the groups `peers`."""
        return any(rule.covers(peers, address, port) for group in own for rule in self.leaves.get(group, ()))

    def lets_in(self, own: Collection[Id], peers: Collection[Id], address: IPv4Address, port: int) -> bool:
        """Whether somebody in the groups `own` may be opened by that address, which has the groups `peers`."""
        return any(rule.covers(peers, address, port) for group in own for rule in self.enters.get(group, ()))


def _rules(listed: Any) -> list[Rule]:
    return [rule for each in listed or () if (rule := _rule(each)) is not None]


def _rule(properties: Any) -> Rule | None:
    """None: it is about another protocol than TCP."""
    protocol = str(properties["IpProtocol"])
    if protocol not in {"-1", "tcp", "6"}:
        return None
    first, last = ANY_PORT if protocol == "-1" else (int(properties["FromPort"]), int(properties["ToPort"]))
    if "CidrIp" in properties:
        return Rule(IPv4Network(properties["CidrIp"]), first, last)
    for name in ("SourceSecurityGroupId", "DestinationSecurityGroupId"):
        if name in properties:
            return Rule(of(properties[name]), first, last)
    return Rule(None, first, last)
