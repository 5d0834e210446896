"""Subnets, routes, network ACLs and the ways out of a VPC, as AWS applies them.

A route table's longest matching prefix wins, and the VPC's own addresses are always local. An ACL's rules are looked at
by number, the first match decides, and what no rule matches is refused; it knows no connections, so that answers have
to be let through too, on every port that a caller may have called from.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from tests.parity.symbols import Id, World, all_of, of

CALLERS_PORTS = (1024, 65535)
"""Ports that callers call from; those of NAT gateways and balancers too."""
TCP, ALL = 6, -1
NAT, LINK = "nat", "link"


class Entry(NamedTuple):
    """A rule of an ACL that TCP can match."""

    number: int
    allows: bool
    network: IPv4Network
    first: int
    last: int


class Out(NamedTuple):
    """A way out. by: `nat` or `link`. stop: the hop that ends it: `acl`, `nat`, `link`; empty when it is open.
    sources: what the other side sees: the allocation of an address, or the network that it is of."""

    by: str
    stop: str = ""
    why: str = ""
    sources: tuple[Id | IPv4Network, ...] = ()


class Network:
    """One VPC and everything in it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.subnets = {what: IPv4Network(each["CidrBlock"]) for what, each in world.items("AWS::EC2::Subnet")}
        self.zones = {what: str(each.get("AvailabilityZone")) for what, each in world.items("AWS::EC2::Subnet")}
        blocks = [
            each["CidrBlock"] for kind in ("AWS::EC2::VPC", "AWS::EC2::VPCCidrBlock") for _, each in world.items(kind)
        ]
        self.inside = tuple(IPv4Network(block) for block in blocks)
        self._tables = self._pairs("AWS::EC2::SubnetRouteTableAssociation", "RouteTableId")
        self._acls = self._pairs("AWS::EC2::SubnetNetworkAclAssociation", "NetworkAclId")
        self._routes = self._all_routes()
        self._entries = self._all_entries()
        self.behind = tuple(
            network for gateway in world.all("AWS::EC2::VPNGateway") for network in self._carried(gateway)
        )
        self._refusals: dict[tuple[Id, Id, int], str] = {}
        self._attached = {
            gateway
            for _, each in world.items("AWS::EC2::VPCGatewayAttachment")
            for name in ("InternetGatewayId", "VpnGatewayId")
            if (gateway := of(each.get(name))) is not None
        }

    def _pairs(self, kind: str, other: str) -> dict[Id, Id]:
        found = {}
        for _, each in self._world.items(kind):
            subnet, one = of(each["SubnetId"]), of(each[other])
            if subnet is not None and one is not None:
                found[subnet] = one
        return found

    def _all_routes(self) -> dict[Id, list[tuple[IPv4Network, Id]]]:
        found: dict[Id, list[tuple[IPv4Network, Id]]] = {}
        for _, each in self._world.items("AWS::EC2::Route"):
            targets = [of(value) for name, value in each.items() if name.endswith("Id") and name != "RouteTableId"]
            table = of(each["RouteTableId"])
            if table is not None and targets and targets[0] is not None:
                found.setdefault(table, []).append((IPv4Network(each["DestinationCidrBlock"]), targets[0]))
        for _, each in self._world.items("AWS::EC2::VPNGatewayRoutePropagation"):
            gateway = of(each["VpnGatewayId"])
            if gateway is not None:
                for table in all_of(each["RouteTableIds"]):
                    found.setdefault(table, []).extend((network, gateway) for network in self._carried(gateway))
        return found

    def _all_entries(self) -> dict[tuple[Id, bool], list[Entry]]:
        found: dict[tuple[Id, bool], list[Entry]] = {}
        for _, each in self._world.items("AWS::EC2::NetworkAclEntry"):
            acl, protocol = of(each["NetworkAclId"]), int(each["Protocol"])
            if acl is None or protocol not in (TCP, ALL):
                continue
            ports: Any = each.get("PortRange") if protocol == TCP else None
            first, last = (int(ports["From"]), int(ports["To"])) if ports else (0, 65535)
            entry = Entry(
                int(each["RuleNumber"]), each["RuleAction"] == "allow", IPv4Network(each["CidrBlock"]), first, last
            )
            found.setdefault((acl, bool(each.get("Egress", False))), []).append(entry)
        return {key: sorted(entries) for key, entries in found.items()}

    # Within the VPC.

    def refused(self, here: Id, there: Id, port: int) -> str:
        """Why ACLs stop a connection from subnet to subnet, on that port; empty when they do not. Within one subnet
        they are not asked."""
        if here == there:
            return ""
        if (here, there, port) not in self._refusals:
            self._refusals[here, there, port] = self._refused(here, there, port)
        return self._refusals[here, there, port]

    def _refused(self, here: Id, there: Id, port: int) -> str:
        ours, theirs = self.subnets[here], self.subnets[there]
        ways = (
            (here, True, theirs, port, port), (there, False, ours, port, port),
            (there, True, ours, *CALLERS_PORTS), (here, False, theirs, *CALLERS_PORTS),
        )  # fmt: skip
        return next((why for way in ways if (why := self._acl(*way))), "")

    def _acl(self, subnet: Id, outward: bool, peer: IPv4Network | IPv4Address, first: int, last: int) -> str:
        """Why the subnet's ACL stops this; empty when it lets all of it through."""
        acl = self._acls.get(subnet)
        if acl is None:
            return ""  # the VPC's own first ACL lets everything through
        entries = self._entries.get((acl, outward), [])
        network = peer if isinstance(peer, IPv4Network) else IPv4Network(peer)
        edges = {edge for each in entries for edge in (each.first - 1, each.first, each.last, each.last + 1)}
        addresses = {network[0], network[-1]} | {
            address for each in entries for address in (each.network[0], each.network[-1]) if address in network
        }
        for port in sorted({first, last} | {edge for edge in edges if first <= edge <= last}):
            for address in sorted(addresses):
                match = next(
                    (each for each in entries if each.first <= port <= each.last and address in each.network), None
                )
                if match is None or not match.allows:
                    return f"{subnet.name}'s ACL {'out' if outward else 'in'} {address}:{port}"
        return ""

    # Out of it.

    def out(self, here: Id, address: IPv4Address, port: int, *, public: bool = False) -> Out:
        """How a packet leaves the VPC from a subnet. public: the caller has a public address of its own."""
        if any(address in block for block in self.inside):
            return Out("", "route", f"{address} is inside")
        target = self._target(here, address)
        if target is None:
            return Out("", "route", f"{here.name} has no route to {address}")
        why = self._acl(here, True, address, port, port) or self._acl(here, False, address, *CALLERS_PORTS)
        if why:
            return Out("", "acl", why)
        kind = self._world.kind(target)
        if kind == "AWS::EC2::NatGateway":
            return self._by_nat(here, target, address, port)
        if kind == "AWS::EC2::VPNGateway":
            return self._by_link(target, address, self.subnets[here])
        if kind == "AWS::EC2::InternetGateway":
            open_ = public and target in self._attached
            return Out(NAT, "" if open_ else "nat", "" if open_ else "no public address to leave from")
        return Out("", "route", f"{kind} is not understood here")

    def enters(self, there: Id, source: IPv4Address, port: int) -> str:
        """Why a packet from behind a VPN, and its answer, do not pass between there and a subnet; empty when they do.
        What comes in needs no route but the VPC's own; its answer goes by the subnet's table."""
        target = self._target(there, source)
        if target is None or self._world.kind(target) != "AWS::EC2::VPNGateway" or target not in self._attached:
            return f"{there.name} has no route back to {source}"
        if not any(source in network for network in self._carried(target)):
            return f"no connection carries {source}"
        return self._acl(there, False, source, port, port) or self._acl(there, True, source, *CALLERS_PORTS)

    def _target(self, subnet: Id, address: IPv4Address) -> Id | None:
        routes = self._routes.get(self._tables[subnet], []) if subnet in self._tables else []
        fitting = [(network.prefixlen, target) for network, target in routes if address in network]
        return max(fitting)[1] if fitting else None

    def _by_nat(self, here: Id, nat: Id, address: IPv4Address, port: int) -> Out:
        properties = self._world.properties(nat)
        there = of(properties["SubnetId"])
        if there is None:
            return Out(NAT, "nat", "a NAT gateway in no subnet")
        ours = self.subnets[here]
        ways = (
            (there, False, ours, port, port), (there, True, address, port, port),
            (there, False, address, *CALLERS_PORTS), (there, True, ours, *CALLERS_PORTS),
        )  # fmt: skip
        for way in ways if here != there else ways[1:3]:
            if why := self._acl(*way):
                return Out(NAT, "acl", why)
        target = self._target(there, address)
        kind = self._world.kind(target) if target is not None else ""
        if properties.get("ConnectivityType", "public") == "private":
            if target is None or kind != "AWS::EC2::VPNGateway":
                return Out(LINK, "link", f"{there.name} has no route to a link for {address}")
            return self._by_link(target, address, self.subnets[there])
        allocation = of(properties.get("AllocationId"))
        if allocation is None:
            return Out(NAT, "nat", "a NAT gateway without an address")
        if target is None or kind != "AWS::EC2::InternetGateway" or target not in self._attached:
            return Out(NAT, "nat", f"{there.name} has no route to the internet for {address}")
        return Out(NAT, sources=(allocation,))

    def _by_link(self, gateway: Id, address: IPv4Address, source: IPv4Network) -> Out:
        if gateway not in self._attached:
            return Out(LINK, "link", "the VPN gateway is not attached")
        if not any(address in network for network in self._carried(gateway)):
            return Out(LINK, "link", f"no connection carries {address}")
        return Out(LINK, sources=(source,))

    def _carried(self, gateway: Id) -> Iterator[IPv4Network]:
        """What the connections of a VPN gateway carry: their static routes, and with BGP anything: what is announced
        there no template knows, so it is taken for everything."""
        connections = {
            what: each
            for what, each in self._world.items("AWS::EC2::VPNConnection")
            if of(each.get("VpnGatewayId")) == gateway and of(each.get("CustomerGatewayId")) is not None
        }
        if any(not each.get("StaticRoutesOnly", False) for each in connections.values()):
            yield IPv4Network("0.0.0.0/0")
        for _, each in self._world.items("AWS::EC2::VPNConnectionRoute"):
            if of(each["VpnConnectionId"]) in connections:
                yield IPv4Network(each["DestinationCidrBlock"])

    # Names.

    def resolves(self, host: str) -> bool:
        """Whether the VPC's resolver answers for a name: the firewall's rules by priority, the first match decides, and
        what none matches is answered."""
        for rule in sorted(self._name_rules(), key=lambda each: each[:2]):
            if any(_named(host, domain) for domain in rule[3]):
                return rule[2]
        return True

    def _name_rules(self) -> Iterator[tuple[int, int, bool, list[str]]]:
        """Priority of the group, priority in it, whether it lets through, and names."""
        for _, association in self._world.items("AWS::Route53Resolver::FirewallRuleGroupAssociation"):
            group = of(association["FirewallRuleGroupId"])
            if group is None:
                continue
            for rule in self._world.properties(group)["FirewallRules"]:
                names = of(rule["FirewallDomainListId"])
                domains = self._world.properties(names)["Domains"] if names is not None else []
                yield int(association["Priority"]), int(rule["Priority"]), rule["Action"] != "BLOCK", domains


def _named(host: str, domain: str) -> bool:
    """Whether a firewall's domain matches: `*` at its beginning is any number of labels."""
    host, domain = host.rstrip(".").lower(), domain.rstrip(".").lower()
    if domain == "*":
        return True
    return host.endswith(domain[1:]) if domain.startswith("*.") else host == domain
