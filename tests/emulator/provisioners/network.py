"""EC2's resource types that the emulator's CloudFormation lacks, made by the emulator's own EC2: what a stack makes is
seen by the EC2 API, and what it names must exist."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners as stacks

from . import tunnels
from .recorded import Attributes, Handlers, Made, changing
from .schema import Schemas, replacing

Properties = dict[str, Any]


def _call(action: Callable[[dict[str, list[str]]], tuple[int, Any, bytes]], **words: Any) -> str:
    """The XML that the action answers. Raises ValueError with what EC2 said."""
    parameters = {key.replace("__", "."): [_text(value)] for key, value in words.items() if value is not None}
    status, _, body = action(parameters)
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        code, said = _inside("Code", text), _inside("Message", text)
        raise ValueError(f"{said} (Service: Ec2, Status Code: {status}, Error Code: {code})")
    return text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _inside(tag: str, text: str) -> str:
    found = re.search(f"<{tag}>([^<]*)</{tag}>", text)
    return found.group(1).strip() if found else ""


def _exists(store: Mapping[str, Any], its_id: str | None, what: str) -> None:
    if its_id is not None and its_id not in store:
        raise ValueError(f"The {what} '{its_id}' does not exist (Service: Ec2, Status Code: 400)")


def provisioners(schemas: Schemas) -> Handlers:
    """For every type of this module. Addresses have their stack's tags, as CloudFormation gives them."""
    stacks._STACK_TAG_PROPERTY["AWS::EC2::EIP"] = ("Tags", "list")
    made: Handlers = {}
    for kind, (create, delete) in _TYPES.items():
        fixed = _fixed(replacing(schemas.of(f"AWS::EC2::{kind}")))
        made[f"AWS::EC2::{kind}"] = changing(create, delete, fixed, _CHANGES.get(kind))
    return made


def _fixed(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda properties: {name: properties[name] for name in names if name in properties}


def _address(logical: str, its: Properties, stack: str) -> Made:
    said = _call(ec2._allocate_address, Domain=its.get("Domain", "vpc"))
    address, its_id = _inside("publicIp", said), _inside("allocationId", said)
    ec2._tags[its_id] = its.get("Tags", [])
    return address, {"AllocationId": its_id, "PublicIp": address}


def _release(its_id: str, its: Properties) -> None:
    for allocation, each in list(ec2._addresses.items()):
        if each["PublicIp"] == its_id:
            if any(
                nat["AllocationId"] == allocation and nat["State"] != "deleted" for nat in ec2._nat_gateways.values()
            ):
                raise ValueError(f"Address {its_id} is in use (Service: Ec2, Status Code: 400, Error Code: InUse)")
            _call(ec2._release_address, AllocationId=allocation)


def _nat(logical: str, its: Properties, stack: str) -> Made:
    _exists(ec2._subnets, its.get("SubnetId"), "subnet ID")
    _exists(ec2._addresses, its.get("AllocationId"), "allocation ID")
    if its.get("ConnectivityType", "public") == "public" and "AllocationId" not in its:
        raise ValueError("The parameter AllocationId must be specified (Service: Ec2, Status Code: 400)")
    said = _call(
        ec2._create_nat_gateway, SubnetId=its.get("SubnetId"), AllocationId=its.get("AllocationId"),
        ConnectivityType=its.get("ConnectivityType"),
    )  # fmt: skip
    its_id = _inside("natGatewayId", said)
    return its_id, {"NatGatewayId": its_id}


def _rule(outward: bool) -> Callable[[str, Properties, str], Made]:
    def create(logical: str, its: Properties, stack: str) -> Made:
        _exists(ec2._security_groups, its.get("GroupId"), "security group")
        action = ec2._authorize_sg_egress if outward else ec2._authorize_sg_ingress
        said = _call(action, GroupId=its["GroupId"], **_permission(its, outward))
        its_id = _inside("securityGroupRuleId", said) or f"sgr-{logical}"
        return its_id, {"Id": its_id}

    return create


def _unrule(outward: bool) -> Callable[[str, Properties], None]:
    def delete(its_id: str, its: Properties) -> None:
        if its.get("GroupId") in ec2._security_groups:
            action = ec2._revoke_sg_egress if outward else ec2._revoke_sg_ingress
            _call(action, GroupId=its["GroupId"], **_permission(its, outward))

    return delete


def _permission(its: Properties, outward: bool) -> dict[str, Any]:
    other = its.get("DestinationSecurityGroupId" if outward else "SourceSecurityGroupId")
    _exists(ec2._security_groups, other, "security group")
    words = {
        "IpProtocol": its["IpProtocol"], "FromPort": its.get("FromPort"), "ToPort": its.get("ToPort"),
        "IpRanges__1__CidrIp": its.get("CidrIp"), "Groups__1__GroupId": other,
    }  # fmt: skip
    return {f"IpPermissions__1__{key}": value for key, value in words.items()}


def _customer(logical: str, its: Properties, stack: str) -> Made:
    said = _call(
        ec2._create_customer_gateway, BgpAsn=its.get("BgpAsn"), IpAddress=its.get("IpAddress"), Type=its["Type"]
    )
    its_id = _inside("customerGatewayId", said)
    return its_id, {"CustomerGatewayId": its_id}


def _gateway(logical: str, its: Properties, stack: str) -> Made:
    said = _call(ec2._create_vpn_gateway, Type=its["Type"], AmazonSideAsn=its.get("AmazonSideAsn"))
    its_id = _inside("vpnGatewayId", said)
    return its_id, {"VPNGatewayId": its_id}


def _connection(logical: str, its: Properties, stack: str) -> Made:
    _exists(ec2._customer_gateways, its["CustomerGatewayId"], "customerGateway ID")
    _exists(ec2._vpn_gateways, its.get("VpnGatewayId"), "vpnGateway ID")
    said = _call(
        ec2._create_vpn_connection, Type=its["Type"], CustomerGatewayId=its["CustomerGatewayId"],
        VpnGatewayId=its.get("VpnGatewayId"), Options__StaticRoutesOnly=its.get("StaticRoutesOnly"),
    )  # fmt: skip
    its_id = _inside("vpnConnectionId", said)
    tunnels.remember(its_id, its)
    return its_id, {"VpnConnectionId": its_id}


def _connection_route(logical: str, its: Properties, stack: str) -> Made:
    _call(
        ec2._create_vpn_connection_route, VpnConnectionId=its["VpnConnectionId"],
        DestinationCidrBlock=its["DestinationCidrBlock"],
    )  # fmt: skip
    return f"{its['DestinationCidrBlock']}|{its['VpnConnectionId']}", {}


def _propagation(logical: str, its: Properties, stack: str) -> Made:
    _exists(ec2._vpn_gateways, its["VpnGatewayId"], "vpnGateway ID")
    for table in its["RouteTableIds"]:
        _call(ec2._enable_vgw_route_propagation, RouteTableId=table, GatewayId=its["VpnGatewayId"])
    return f"{its['VpnGatewayId']}-{logical}", {"Id": f"{its['VpnGatewayId']}-{logical}"}


def _no_propagation(its_id: str, its: Properties) -> None:
    for table in its["RouteTableIds"]:
        if table in ec2._route_tables:
            _call(ec2._disable_vgw_route_propagation, RouteTableId=table, GatewayId=its["VpnGatewayId"])


def _acl(logical: str, its: Properties, stack: str) -> Made:
    _exists(ec2._vpcs, its["VpcId"], "vpc ID")
    its_id = _inside("networkAclId", _call(ec2._create_network_acl, VpcId=its["VpcId"]))
    return its_id, {"Id": its_id}


def _entry(logical: str, its: Properties, stack: str) -> Made:
    if _has_entry(its):
        raise ValueError(
            f"The network acl entry identified by {its['RuleNumber']} already exists."
            " (Service: Ec2, Status Code: 400, Error Code: NetworkAclEntryAlreadyExists)"
        )
    _call(ec2._create_network_acl_entry, **_entry_words(its))
    its_id = f"{its['NetworkAclId']}-{its['RuleNumber']}-{_text(its.get('Egress', False))}"
    return its_id, {"Id": its_id}


def _has_entry(its: Properties) -> bool:
    acl = ec2._network_acls.get(its["NetworkAclId"], {"Entries": []})
    wanted = (int(its["RuleNumber"]), _text(its.get("Egress", False)) == "true")
    return any((each["RuleNumber"], each["Egress"]) == wanted for each in acl["Entries"])


def _entry_words(its: Properties) -> dict[str, Any]:
    names = ("NetworkAclId", "RuleNumber", "Protocol", "RuleAction", "CidrBlock", "Ipv6CidrBlock")
    return {**{name: its.get(name) for name in names}, "Egress": its.get("Egress", False)}


def _no_entry(its_id: str, its: Properties) -> None:
    if its["NetworkAclId"] in ec2._network_acls:
        _call(ec2._delete_network_acl_entry, **_entry_words(its))


def _change_entry(its_id: str, old: Properties, new: Properties) -> None:
    _call(ec2._replace_network_acl_entry, **_entry_words(new))


def _acl_association(logical: str, its: Properties, stack: str) -> Made:
    _exists(ec2._network_acls, its["NetworkAclId"], "network ACL")
    _exists(ec2._subnets, its["SubnetId"], "subnet ID")
    its_id = f"aclassoc-{its['SubnetId'].removeprefix('subnet-')}"
    for acl in ec2._network_acls.values():
        acl["Associations"] = [each for each in acl["Associations"] if each["SubnetId"] != its["SubnetId"]]
    ec2._network_acls[its["NetworkAclId"]]["Associations"].append(
        {"NetworkAclAssociationId": its_id, "SubnetId": its["SubnetId"]}
    )
    return its_id, {"AssociationId": its_id}


def _no_acl_association(its_id: str, its: Properties) -> None:
    for acl in ec2._network_acls.values():
        acl["Associations"] = [each for each in acl["Associations"] if each["NetworkAclAssociationId"] != its_id]


def _ends(action: str, word: str) -> Callable[[str, Properties], None]:
    """Its end, by the EC2 action that takes the id as `word`; what is gone already is no fault."""

    def delete(its_id: str, its: Properties) -> None:
        try:
            _call(getattr(ec2, action), **{word: its_id})
        except ValueError as error:
            if "NotFound" not in str(error):
                raise

    return delete


def _no_connection_route(its_id: str, its: Properties) -> None:
    if its["VpnConnectionId"] in ec2._vpn_connections:
        _call(
            ec2._delete_vpn_connection_route, VpnConnectionId=its["VpnConnectionId"],
            DestinationCidrBlock=its["DestinationCidrBlock"],
        )  # fmt: skip


def _in_place(its_id: str, old: Properties, new: Properties) -> None:
    """Tags, and what the emulator's EC2 does not keep."""


Create = Callable[[str, Properties, str], tuple[str, Attributes]]
Delete = Callable[[str, Properties], None]
_TYPES: Mapping[str, tuple[Create, Delete]] = {
    "EIP": (_address, _release),
    "NatGateway": (_nat, _ends("_delete_nat_gateway", "NatGatewayId")),
    "SecurityGroupIngress": (_rule(False), _unrule(False)),
    "SecurityGroupEgress": (_rule(True), _unrule(True)),
    "CustomerGateway": (_customer, _ends("_delete_customer_gateway", "CustomerGatewayId")),
    "VPNGateway": (_gateway, _ends("_delete_vpn_gateway", "VpnGatewayId")),
    "VPNConnection": (_connection, _ends("_delete_vpn_connection", "VpnConnectionId")),
    "VPNConnectionRoute": (_connection_route, _no_connection_route),
    "VPNGatewayRoutePropagation": (_propagation, _no_propagation),
    "NetworkAcl": (_acl, _ends("_delete_network_acl", "NetworkAclId")),
    "NetworkAclEntry": (_entry, _no_entry),
    "SubnetNetworkAclAssociation": (_acl_association, _no_acl_association),
}
_CHANGES: Mapping[str, Callable[[str, Properties, Properties], None]] = {"NetworkAclEntry": _change_entry}
