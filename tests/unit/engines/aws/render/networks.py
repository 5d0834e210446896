"""A rendered network as AWS would judge it: which way a packet takes, and whether network ACLs let it pass.

Read from the template alone; shares nothing with what rendered it.
"""

import json
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from tests.unit.planning.topologies import destination, drafted, service, topology

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render.stacks import environment
from anden.engines.aws.render.template import Stack
from anden.model.blueprint import Blueprint
from anden.model.topology import Egress, Link, Route, Topology

LOCAL = "local"
EPHEMERAL = (1024, 32768, 65535)
TCP, ICMP = 6, 1
CORE = Link("core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("vpn-1", "vpn-2"))
SEEN = replace(CORE, seen_as=IPv4Network("100.64.10.0/26"))
BRANCH = Link(
    "branch", IPv4Address("203.0.113.30"), (IPv4Network("10.40.0.0/16"), IPv4Network("10.41.8.0/24")), ("b-1", "b-2")
)
BANK = topology(
    service("accounts", reaches=("ledger", "exchange", "core-api", "mail"), route=Route("/accounts")),
    service("ledger", 9090),
    destinations=(
        destination("core-api", "10.20.4.17/32", 8443, link="core"),
        destination("exchange", "api.exchange.example"),
        destination("mail", "198.51.100.0/28", 25),
    ),
    links=(CORE,), egress=Egress.PER_ZONE, zones=3, region="us-east-1", network=IPv4Network("172.30.0.0/16"),
)  # fmt: skip
"""Everything in one: it calls inside, to an address and to a name outside, and through a link."""


def stack(of: Topology | Blueprint, keeping: Topology | Blueprint | None = None) -> Stack:
    """The network's stack."""
    target = of if isinstance(of, Blueprint) else drafted(of)
    before = drafted(keeping, target) if isinstance(keeping, Topology) else keeping
    return next(each for each in environment(target, caveats(target.topology), before) if each.family == "network")


@dataclass(frozen=True)
class Network:
    """The resources of a network's stack, as they would be read back from JSON."""

    resources: dict[str, Any]

    def of(self, kind: str) -> dict[str, Any]:
        """Logical name to properties of every resource of `AWS::<kind>`."""
        return {
            name: each["Properties"] for name, each in self.resources.items() if each["Type"] == f"AWS::{kind}"
        }  # fmt: skip

    def published(self) -> dict[str, Any]:
        """Key to value of what the stack publishes."""
        return {each["Name"].split("/network/")[1]: each["Value"] for each in self.of("SSM::Parameter").values()}

    def blocks(self) -> list[IPv4Network]:
        """The VPC's address blocks."""
        (vpc,) = self.of("EC2::VPC").values()
        return [IPv4Network(each["CidrBlock"]) for each in (vpc, *self.of("EC2::VPCCidrBlock").values())]

    def subnets(self, prefix: str = "") -> dict[str, IPv4Network]:
        """Logical name to range, of subnets whose names begin so."""
        found = self.of("EC2::Subnet")
        return {name: IPv4Network(each["CidrBlock"]) for name, each in found.items() if name.startswith(prefix)}

    def way(self, subnet: str, address: str) -> Any:
        """What the subnet's route table does with a packet to `address`: LOCAL, the target's name, or None."""
        tables = [a for a in self.of("EC2::SubnetRouteTableAssociation").values() if a["SubnetId"] == {"Ref": subnet}]
        (table,) = [each["RouteTableId"] for each in tables]
        to = IPv4Address(address)
        found: list[tuple[int, Any]] = [(block.prefixlen, LOCAL) for block in self.blocks() if to in block]
        for route in self.of("EC2::Route").values():
            network = IPv4Network(route["DestinationCidrBlock"])
            if route["RouteTableId"] == table and to in network:
                target = route.get("NatGatewayId") or route.get("GatewayId")
                found.append((network.prefixlen, target["Ref"]))
        return max(found, key=lambda each: each[0])[1] if found else None

    def rules(self, subnet: str, outward: bool) -> list[dict[str, Any]]:
        """The ACL's rules of one direction around a subnet, in the order in which they are looked at."""
        around = [a for a in self.of("EC2::SubnetNetworkAclAssociation").values() if a["SubnetId"] == {"Ref": subnet}]
        (acl,) = [each["NetworkAclId"] for each in around]
        found = [e for e in self.of("EC2::NetworkAclEntry").values() if e["NetworkAclId"] == acl]
        return sorted((e for e in found if e["Egress"] is outward), key=lambda each: int(each["RuleNumber"]))

    def passes(self, subnet: str, outward: bool, address: str, port: int, protocol: int = TCP) -> bool:
        """Whether the subnet's ACL lets a packet to (outward) or from `address` pass. port: the packet's destination
        port; of ICMP, type 3 code `port`."""
        other = IPv4Address(address)
        for rule in self.rules(subnet, outward):
            if other not in IPv4Network(rule["CidrBlock"]) or rule["Protocol"] not in (protocol, -1):
                continue
            if rule["Protocol"] == TCP and not rule["PortRange"]["From"] <= port <= rule["PortRange"]["To"]:
                continue
            if rule["Protocol"] == ICMP and (rule["Icmp"]["Type"], rule["Icmp"]["Code"]) != (3, port):
                continue
            return bool(rule["RuleAction"] == "allow")
        return False

    def talks(self, caller: str, callee: str, port: int) -> bool:
        """Whether a connection between two subnets passes, with its answers to whichever port it came from."""
        return self.host(callee) != self.host(caller) and all(
            self.crosses(caller, callee, port) and self.crosses(callee, caller, answer) for answer in EPHEMERAL
        )

    def crosses(self, source: str, target: str, port: int) -> bool:
        """Whether one packet passes from subnet to subnet; within one, no ACL looks at it."""
        there, here = self.host(target), self.host(source)
        return source == target or (self.passes(source, True, there, port) and self.passes(target, False, here, port))

    def reaches(self, subnet: str, address: str, port: int) -> bool:
        """Whether a connection passes from a private subnet to an address outside, by the way that its routes say,
        through a NAT gateway's subnet where there is one, with its answers."""
        target = self.way(subnet, address)
        if target is None or target == LOCAL:
            return False
        leaves = [subnet]
        if target in self.of("EC2::NatGateway"):
            nat = self.of("EC2::NatGateway")[target]["SubnetId"]["Ref"]
            task = self.host(subnet)
            if not self.passes(nat, False, task, port) or self.way(nat, address) in (None, LOCAL):
                return False
            if not all(self.passes(nat, True, task, answer) for answer in EPHEMERAL):
                return False
            leaves.append(nat)
        return all(
            self.passes(each, True, address, port) and all(self.passes(each, False, address, e) for e in EPHEMERAL)
            for each in leaves
        )

    def host(self, subnet: str) -> str:
        """An address in the subnet."""
        return str(self.subnets()[subnet].network_address + 10)


def network(of: Topology | Blueprint, keeping: Topology | Blueprint | None = None) -> Network:
    """The network of a topology, from the text of its template."""
    return Network(json.loads(stack(of, keeping).text)["Resources"])
