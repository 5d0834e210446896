"""What begins on the other side of a VPN: at a Network Load Balancer's own addresses, and on to the tasks behind it.

A Network Load Balancer has one address in each of its subnets. With security groups it admits what they let in, without
any everybody. Its listener forwards to one target group; to targets by address it opens a connection of its own, unless
the group preserves the client's address. Without cross-zone balancing an address leads to targets of its own zone only
(Elastic Load Balancing user guide, "Network Load Balancers").
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from tests.parity.groups import Groups, Rule
from tests.parity.network import Network
from tests.parity.services import EcsService
from tests.parity.symbols import Id, World, all_of, of

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


class Door(NamedTuple):
    """A Network Load Balancer. addresses: of each, the subnet that it stands in. listeners: port to target group."""

    of: Id
    groups: tuple[Id, ...]
    addresses: dict[IPv4Address, Id]
    listeners: dict[int, Id | None]
    crosses: bool

    @property
    def name(self) -> str:
        """By what it is dialled at."""
        return f"the balancer at {' and '.join(map(str, sorted(self.addresses)))}"


class Dialled(NamedTuple):
    """Where a connection from behind a VPN ends: at a service, or at the hop that ended it. sees: whom the service
    sees, `the client` or `the balancer`."""

    service: str = ""
    why: str = ""
    sees: str = ""


class Doors:
    """All of them."""

    def __init__(self, world: World, groups: Groups, network: Network, services: dict[str, EcsService]) -> None:
        self._world, self._groups, self._network, self._services = world, groups, network, services
        self.all = tuple(
            self._door(what, each) for what, each in world.items(BALANCER) if each.get("Type") == "network"
        )

    def _door(self, what: Id, each: Any) -> Door:
        addresses = {
            IPv4Address(one["PrivateIPv4Address"]): subnet
            for one in each.get("SubnetMappings", ())
            if (subnet := of(one["SubnetId"])) is not None and "PrivateIPv4Address" in one
        }
        listeners = {
            int(one["Port"]): of(one["DefaultActions"][0].get("TargetGroupArn"))
            for _, one in self._world.items("AWS::ElasticLoadBalancingV2::Listener")
            if of(one["LoadBalancerArn"]) == what and one["Protocol"] == "TCP"
        }
        crosses = _attributes(each, "LoadBalancerAttributes").get("load_balancing.cross_zone.enabled") == "true"
        return Door(what, all_of(each.get("SecurityGroups")), addresses, listeners, crosses)

    def admits(self, door: Door) -> Iterator[Rule]:
        """What its groups let in."""
        for group in door.groups:
            yield from self._groups.enters.get(group, ())

    def dial(self, source: IPv4Address, address: IPv4Address, port: int) -> Dialled:
        """A connection from an address behind a VPN to an address in the VPC."""
        door = next((each for each in self.all if address in each.addresses), None)
        if door is None:
            return Dialled(why=f"nobody is at {address}")
        here = door.addresses[address]
        if address not in self._network.subnets[here]:
            return Dialled(why=f"{address} is not of {here.name}")
        if why := self._network.enters(here, source, port):
            return Dialled(why=why)
        if door.groups and not self._groups.lets_in(door.groups, (), source, port):
            return Dialled(why=f"no group of {door.name} lets {source} in on {port}")
        group = door.listeners.get(port)
        if group is None:
            return Dialled(why=f"{door.name} does not listen on {port}")
        takers = [each for each in self._services.values() if group in each.takes]
        if len(takers) != 1:
            return Dialled(why=f"{len(takers)} services take what comes on {port}")
        attributes = _attributes(self._world.properties(group), "TargetGroupAttributes")
        preserved = attributes.get("preserve_client_ip.enabled") == "true"
        why = self._on(door, takers[0], group)
        return Dialled(why=why) if why else Dialled(takers[0].name, sees="the client" if preserved else "the balancer")

    def _on(self, door: Door, service: EcsService, group: Id) -> str:
        """Why the balancer does not reach the service from each of its addresses; empty when it does."""
        properties = self._world.properties(group)
        port = service.takes[group]
        if properties["Protocol"] != "TCP" or properties["TargetType"] != "ip":
            return f"{group.name} takes {properties['Protocol']} to {properties['TargetType']}"
        if port not in service.ports:
            return f"{service.name} does not listen on {port}"
        for address, here in door.addresses.items():
            near = [each for each in service.subnets if self._network.zones[each] == self._network.zones[here]]
            there = service.subnets if door.crosses else near
            if not there or (not door.crosses and len(near) < len(service.subnets)):
                return f"{address} leads to tasks of its own zone only"
            for subnet in there:
                if why := self._between(door, address, here, subnet, service, port):
                    return why
        return ""

    def _between(
        self, door: Door, seen: IPv4Address, here: Id, subnet: Id, service: EcsService, port: int
    ) -> str:  # fmt: skip
        network = self._network.subnets[subnet]
        for address in (network[0], network[-1]):
            if door.groups and not self._groups.lets_out(door.groups, service.groups, address, port):
                return f"nothing lets {door.name} out to {service.name}:{port}"
        if not self._groups.lets_in(service.groups, door.groups, seen, port):
            return f"nothing lets {door.name} in to {service.name}:{port}"
        return self._network.refused(here, subnet, port)


def _attributes(properties: Mapping[str, Any], name: str) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in properties.get(name, ())}
