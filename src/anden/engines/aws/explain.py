"""A way through an environment on AWS, hop by hop, read from the rendered templates: group, ACL, route, gateway, name.

It knows nothing of how the templates are made: it takes their resources as CloudFormation would, and says of each hop
which resource lets the packet through. Where the templates say otherwise than the declared matrix (a host name opens
its port to every address, for groups match no names), the answer is the templates'.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from anden.engines.aws.render import naming
from anden.model.blueprint import Blueprint
from anden.model.mark import Marks
from anden.model.reach import Hop, Path
from anden.model.topology import Destination, Link
from anden.planning.links import dialled
from anden.planning.places import at

ANYWHERE = IPv4Network("0.0.0.0/0")
SOMEWHERE = IPv4Address("203.0.113.1")
"""Stands for an address that a name leads to."""
TCP = ("6", "tcp", "-1")
NAMES = "DNS Firewall"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


@dataclass(frozen=True, slots=True)
class _Resource:
    stack: str
    id: str
    kind: str
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.id} in {self.stack}"


class _Templates:
    def __init__(self, files: Mapping[str, str]) -> None:
        self._documents = {
            name.removesuffix(".json"): data
            for name, text in files.items()
            if name.endswith(".json") and "Resources" in (data := json.loads(text))
        }
        self.resources = [
            _Resource(stack, name, about["Type"], about.get("Properties", {}))
            for stack, data in self._documents.items()
            for name, about in data["Resources"].items()
        ]

    def of(self, kind: str) -> Iterator[_Resource]:
        return (one for one in self.resources if one.kind == kind)

    def named(self, stack: str, value: Any) -> str:
        """What a reference stands for: a resource's id, or, of a parameter, the last part of the name of the SSM
        parameter that it is read from; a text as it is."""
        if not isinstance(value, Mapping):
            return str(value)
        ref = value.get("Ref") or next(iter(value.get("Fn::GetAtt", ("",))))
        default = self._documents[stack].get("Parameters", {}).get(ref, {}).get("Default", "")
        return str(default).rpartition("/")[2] or str(ref)

    def ref(self, one: _Resource, field: str) -> str:
        return self.named(one.stack, one.properties.get(field, ""))


def explain(files: Mapping[str, str], blueprint: Blueprint, path: Path, marks: Marks) -> Path:
    """The path in AWS's words. Paths that begin neither at a service nor behind a link are returned as they are."""
    topology = blueprint.topology
    link = next((each for each in topology.links if each.caller == path.caller), None)
    if topology.service(path.caller) is None and link is None:
        return path
    templates = _Templates(files)
    service, place = topology.service(path.callee), topology.destination(path.callee)
    if link is not None:
        if service is None or service.port is None or not link.incoming:
            return path
        hops = _from_link(templates, blueprint, path, link, service.port)
    elif service is not None and service.port is not None:
        hops = _inside(templates, blueprint, path, marks)
    elif place is not None:
        hops = _outside(templates, blueprint, path, place, marks)
    else:
        return path
    way: list[Hop] = []
    for hop in hops:
        way.append(hop)
        if not hop.passes:
            break
    passes = all(hop.passes for hop in way)
    if passes and not path.open:
        why = (
            "not declared, and open all the same: security groups match no names, so a host name's port is open to all"
        )
        return replace(path, open=True, hops=tuple(way), reason=why, fix="")
    if not passes and path.open:
        return replace(path, open=False, hops=tuple(way), reason=way[-1].rule, fix="`anden plan --on aws` says more")
    return replace(path, hops=tuple(way))


def _inside(templates: _Templates, blueprint: Blueprint, path: Path, marks: Marks) -> Iterator[Hop]:
    caller, callee = naming.group_key(path.caller), naming.group_key(path.callee)
    here, there = _address(blueprint, path.caller), _address(blueprint, path.callee)
    yield _task(templates, blueprint, path.caller)
    out = next(
        (
            one for one in templates.of("AWS::EC2::SecurityGroupEgress")
            if templates.ref(one, "GroupId") == caller and templates.ref(one, "DestinationSecurityGroupId") == callee
            and _port(one, path.port)
        ), None,
    )  # fmt: skip
    yield _group(path, out, f"{caller} → {callee}:{path.port}", "no egress rule leads there", marks)
    if here is not None and there is not None:
        yield _acl(templates, here, there, path.port, egress=True)
        yield _acl(templates, there, here, path.port, egress=False)
    into = next(
        (
            one for one in templates.of("AWS::EC2::SecurityGroupIngress")
            if templates.ref(one, "GroupId") == callee and templates.ref(one, "SourceSecurityGroupId") == caller
            and _port(one, path.port)
        ), None,
    )  # fmt: skip
    yield _group(path, into, f"{callee} ← {caller}:{path.port}", "no ingress rule lets it in", marks)
    yield Hop("name", f"{path.callee}:{path.port}", "Service Connect, task to task", True)
    yield _task(templates, blueprint, path.callee)


def _from_link(
    templates: _Templates, blueprint: Blueprint, path: Path, link: Link, port: int
) -> Iterator[Hop]:  # fmt: skip
    """From somebody behind a link, at the address that is dialled in the first zone, through the link's balancer."""
    entry = next((one for one in link.incoming if one.service == path.callee), link.incoming[0])
    source = entry.sources[0]
    address = next(iter(dialled(link, [zone.name for zone in blueprint.layout.zones]).values()))
    yield _carried(templates, link, source)
    yield _acl(templates, address, source.network_address, path.port, egress=False)
    door = next(
        (
            one for one in templates.of(BALANCER)
            if str(address) in [each.get("PrivateIPv4Address") for each in one.properties.get("SubnetMappings", ())]
        ), None,
    )  # fmt: skip
    if door is None:
        yield Hop("balancer", str(address), "nobody is there", False)
        return
    ours, theirs = naming.link_group_key(link.name), naming.group_key(path.callee)
    rule = next(
        (
            one for one in templates.of("AWS::EC2::SecurityGroupIngress")
            if templates.ref(one, "GroupId") == ours and _port(one, path.port)
            and "CidrIp" in one.properties and source.subnet_of(IPv4Network(one.properties["CidrIp"]))
        ), None,
    )  # fmt: skip
    what = f"{ours} ← {source}:{path.port}"
    yield Hop("security group", what, str(rule or "no ingress rule lets it in"), rule is not None)
    listener = next(
        (
            one for one in templates.of("AWS::ElasticLoadBalancingV2::Listener")
            if templates.ref(one, "LoadBalancerArn") == naming.link_balancer_key(link.name)
            and one.properties["Port"] == path.port and one.stack == naming.service_family(path.callee)
        ), None,
    )  # fmt: skip
    at_ = f"{door.id} at {address}:{path.port}"
    yield Hop("balancer", at_, str(listener or f"no listener of {path.callee}"), listener is not None)
    for kind, own, other in (
        ("Egress", ("GroupId", ours), ("DestinationSecurityGroupId", theirs)),
        ("Ingress", ("SourceSecurityGroupId", ours), ("GroupId", theirs)),
    ):
        found = next(
            (
                one for one in templates.of(f"AWS::EC2::SecurityGroup{kind}")
                if templates.ref(one, own[0]) == own[1] and templates.ref(one, other[0]) == other[1]
                and _port(one, port)
            ), None,
        )  # fmt: skip
        said = str(found or f"no {kind.lower()} rule")
        yield Hop("security group", f"{ours} → {theirs}:{port}", said, found is not None)
    there = _address(blueprint, path.callee)
    if there is not None:
        yield _acl(templates, address, there, port, egress=True)
        yield _acl(templates, there, address, port, egress=False)
    yield _task(templates, blueprint, path.callee)


def _carried(templates: _Templates, link: Link, source: IPv4Network) -> Hop:
    """The connection to the link's peer: a static route of its names the network, or BGP tells AWS of it."""
    peers = {o.id for o in templates.of("AWS::EC2::CustomerGateway") if o.properties["IpAddress"] == str(link.peer)}
    connection = next(
        (o for o in templates.of("AWS::EC2::VPNConnection") if templates.ref(o, "CustomerGatewayId") in peers), None
    )
    if connection is None:
        return Hop("tunnel", "no connection", f"none leads to {link.peer}", False)
    if not connection.properties.get("StaticRoutesOnly"):
        return Hop("tunnel", connection.id, f"{connection}: what its peer announces by BGP", True)
    route = next(
        (
            o for o in templates.of("AWS::EC2::VPNConnectionRoute")
            if templates.ref(o, "VpnConnectionId") == connection.id and source.subnet_of(_leads(o))
        ), None,
    )  # fmt: skip
    return Hop("tunnel", connection.id, str(route or f"no route carries {source}"), route is not None)


def _outside(
    templates: _Templates, blueprint: Blueprint, path: Path, place: Destination, marks: Marks
) -> Iterator[Hop]:
    caller = naming.group_key(path.caller)
    target = place.network or ANYWHERE
    address = SOMEWHERE if place.network is None else place.network.network_address
    here = _address(blueprint, path.caller)
    yield _task(templates, blueprint, path.caller)
    if place.host is not None:
        yield _name(templates, place.host)
    out = next(
        (
            one for one in templates.of("AWS::EC2::SecurityGroupEgress")
            if templates.ref(one, "GroupId") == caller and _port(one, path.port)
            and "CidrIp" in one.properties and target.subnet_of(IPv4Network(one.properties["CidrIp"]))
        ), None,
    )  # fmt: skip
    yield _group(path, out, f"{caller} → {place.to}", "no egress rule leads there", marks)
    if here is None:
        return
    yield _acl(templates, here, address, path.port, egress=True)
    yield from _routes(templates, here, address)
    kind = ", in the client's network" if place.link is not None else ""
    yield Hop("destination", f"{place.name} ({place.to}){kind}", "", True)


def _routes(templates: _Templates, here: IPv4Address, there: IPv4Address) -> Iterator[Hop]:
    """By the most specific route of the subnet's table, through its gateway; a private NAT has a subnet with a table of
    its own, from which it goes on."""
    subnet = _subnet(templates, here)
    for _ in range(2):
        table = next(
            (
                templates.ref(one, "RouteTableId") for one in templates.of("AWS::EC2::SubnetRouteTableAssociation")
                if subnet is not None and templates.ref(one, "SubnetId") == subnet.id
            ), "",
        )  # fmt: skip
        routes = [
            one for one in templates.of("AWS::EC2::Route")
            if templates.ref(one, "RouteTableId") == table and there in _leads(one)
        ]  # fmt: skip
        best = max(routes, key=lambda one: _leads(one).prefixlen, default=None)
        if best is None:
            yield Hop("route", table or "no route table", f"no route to {there}", False)
            return
        network = best.properties["DestinationCidrBlock"]
        gateway = templates.ref(best, "NatGatewayId") or templates.ref(best, "GatewayId")
        yield Hop("route", f"{network} → {gateway}", f"{best.id} of route table {table}", True)
        nat = next((one for one in templates.of("AWS::EC2::NatGateway") if one.id == gateway), None)
        if nat is None:
            yield _beyond(templates, gateway)
            return
        private = nat.properties.get("ConnectivityType") == "private"
        seen = next((one for one in templates.of("AWS::EC2::Subnet") if one.id == templates.ref(nat, "SubnetId")), None)
        if not private:
            yield Hop("nat", nat.id, f"NAT gateway, from the Elastic IP {templates.ref(nat, 'AllocationId')}", True)
            return
        block = seen.properties["CidrBlock"] if seen is not None else "?"
        yield Hop("nat", nat.id, f"private NAT gateway, seen from {block}", True)
        subnet = seen


def _leads(route: _Resource) -> IPv4Network:
    return IPv4Network(route.properties["DestinationCidrBlock"])


def _beyond(templates: _Templates, gateway: str) -> Hop:
    vpn = next(
        (o for o in templates.of("AWS::EC2::VPNConnection") if templates.ref(o, "VpnGatewayId") == gateway), None
    )
    if vpn is None:
        return Hop("gateway", gateway, "", True)
    return Hop("tunnel", vpn.id, f"site-to-site VPN at {gateway}: one of its two tunnels", True)


def _name(templates: _Templates, host: str) -> Hop:
    lists = [
        one for one in templates.of("AWS::Route53Resolver::FirewallDomainList")
        if host in [each for each in one.properties.get("Domains", ()) if isinstance(each, str)]
    ]  # fmt: skip
    if lists:
        return Hop("name", host, f"{NAMES}: {lists[0]}, for every task of the environment", True)
    return Hop("name", host, f"{NAMES}: NXDOMAIN, in no list of names that are allowed", False)


def _group(path: Path, rule: _Resource | None, what: str, missing: str, marks: Marks) -> Hop:
    if rule is None:
        return Hop("security group", what, missing, False)
    place = at(marks, f"services/{path.caller}/reaches/{path.callee}")
    return Hop("security group", what, f"{rule}{place}", True)


def _task(templates: _Templates, blueprint: Blueprint, service: str) -> Hop:
    address = _address(blueprint, service)
    subnet = _subnet(templates, address) if address is not None else None
    return Hop("task", f"{service} ({subnet.id} {subnet.properties['CidrBlock']})" if subnet else service, "", True)


def _address(blueprint: Blueprint, service: str) -> IPv4Address | None:
    """One that lies where its tasks run: AWS chooses their addresses."""
    slots = blueprint.placement(service).slots
    return slots[0].address if slots else None


def _subnet(templates: _Templates, address: IPv4Address) -> _Resource | None:
    return next(
        (o for o in templates.of("AWS::EC2::Subnet") if address in IPv4Network(o.properties["CidrBlock"])), None
    )


def _acl(templates: _Templates, here: IPv4Address, there: IPv4Address, port: int, *, egress: bool) -> Hop:
    """The subnet's ACL: the entry with the lowest number that matches decides. Within a subnet none is asked."""
    subnet = _subnet(templates, here)
    what = "out" if egress else "in"
    if subnet is None:
        return Hop("network ACL", what, "no subnet of the environment", False)
    if there in IPv4Network(subnet.properties["CidrBlock"]):
        return Hop("network ACL", f"{subnet.id}, {what}", "not asked within a subnet", True)
    acl = next(
        (
            templates.ref(one, "NetworkAclId") for one in templates.of("AWS::EC2::SubnetNetworkAclAssociation")
            if templates.ref(one, "SubnetId") == subnet.id
        ), "",
    )  # fmt: skip
    entries = [
        one for one in templates.of("AWS::EC2::NetworkAclEntry")
        if templates.ref(one, "NetworkAclId") == acl and bool(one.properties.get("Egress")) == egress
        and there in IPv4Network(one.properties["CidrBlock"]) and _matches(one.properties, port)
    ]  # fmt: skip
    first = min(entries, key=lambda one: int(one.properties["RuleNumber"]), default=None)
    if first is None:
        return Hop("network ACL", f"{acl}, {what}", "no entry matches: refused", False)
    passes = first.properties["RuleAction"] == "allow"
    return Hop("network ACL", f"{acl}, {what}", f"{first.id}: {first.properties['RuleAction']}", passes)


def _matches(entry: Mapping[str, Any], port: int) -> bool:
    if str(entry.get("Protocol")) not in TCP:
        return False
    span = entry.get("PortRange")
    return span is None or int(span["From"]) <= port <= int(span["To"])


def _port(rule: _Resource, port: int) -> bool:
    about = rule.properties
    if str(about.get("IpProtocol")) not in TCP:
        return False
    return "FromPort" not in about or int(about["FromPort"]) <= port <= int(about["ToPort"])
