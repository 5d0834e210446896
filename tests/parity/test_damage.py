"""Planted damage in the rendered templates: each must be noticed, or the proof proves nothing."""

import copy
import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from tests.parity.answer import Ground
from tests.parity.cases import REGION, Templates, rendered
from tests.parity.judged import differences
from tests.unit.planning.topologies import destination, service, topology

from anden.model.ids import ServiceName
from anden.model.topology import Egress, Incoming, Issuer, Link, Range, Route, Strategy

BANK = topology(
    service(
        "accounts", reaches=("ledger", "core-api", "exchange", "feed"),
        route=Route("/accounts", auth="customers", rewrite="/v2"),
    ),
    service("ledger", 9000, reaches=("queue",), instances=Range(2, 4)),
    service("queue", 5672),
    service("web", reaches=("accounts",), route=Route("/"), strategy=Strategy.BLUE_GREEN),
    destinations=(
        destination("core-api", "10.20.4.17/32", 8443, link="core"),
        destination("exchange", "api.exchange.example"),
        destination("feed", "198.51.100.0/24", 8443),
        destination("mail", "mail.example", 587),
    ),
    links=(
        Link(
            "core", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), ("one", "two"),
            IPv4Network("100.64.10.0/26"),
            incoming=(Incoming(ServiceName("queue"), (IPv4Network("10.20.4.0/24"),), 8443),),
        ),
    ),
    auth=(Issuer("customers", "https://id.bank.example", "bank"),),
    zones=2,
    egress=Egress.PER_ZONE,
    region=REGION,
    domain="api.bank.example",
)  # fmt: skip
BLUEPRINT, CAVEATS, WHOLE = rendered(BANK)
Damage = Callable[[Templates], None]
DAMAGES: dict[str, Damage] = {}


def damage(done: Damage) -> Damage:
    DAMAGES[done.__name__.replace("_", " ")] = done
    return done


def all_of(templates: Templates, kind: str, **wanted: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every resource of a type with these properties: the resources that it is among, and its name."""
    for template in templates.values():
        for name, each in list(template["Resources"].items()):
            properties = each.get("Properties", {})
            if each["Type"] == kind and all(properties.get(key) == value for key, value in wanted.items()):
                yield template["Resources"], name


def first(templates: Templates, kind: str, **wanted: Any) -> dict[str, Any]:
    """The properties of the first one."""
    resources, name = next(all_of(templates, kind, **wanted))
    properties: dict[str, Any] = resources[name]["Properties"]
    return properties


def gone(templates: Templates, kind: str, **wanted: Any) -> None:
    """Take the first one away."""
    resources, name = next(all_of(templates, kind, **wanted))
    del resources[name]


def stack(templates: Templates, family: str) -> dict[str, Any]:
    """A stack's resources."""
    (found,) = (each for name, each in templates.items() if name.endswith(f"-{family}"))
    resources: dict[str, Any] = found["Resources"]
    return resources


INGRESS, EGRESS = "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"
ENTRY, ROUTE = "AWS::EC2::NetworkAclEntry", "AWS::EC2::Route"


@damage
def a_rule_to_enter_is_gone(templates: Templates) -> None:
    gone(templates, INGRESS, FromPort=9000)


@damage
def a_rule_to_leave_is_gone(templates: Templates) -> None:
    gone(templates, EGRESS, FromPort=5672)


@damage
def a_rule_is_for_another_port(templates: Templates) -> None:
    first(templates, INGRESS, FromPort=9000)["ToPort"] = 9001


@damage
def everybody_may_enter_a_service(templates: Templates) -> None:
    rule = first(templates, INGRESS, FromPort=9000)
    rule["CidrIp"] = "0.0.0.0/0"
    del rule["SourceSecurityGroupId"]


@damage
def a_service_may_leave_to_everywhere(templates: Templates) -> None:
    first(templates, EGRESS, CidrIp="198.51.100.0/24")["CidrIp"] = "0.0.0.0/0"


@damage
def a_group_lost_the_rule_that_lets_nothing_out(templates: Templates) -> None:
    resources = stack(templates, "firewall")
    group = next(each for name, each in resources.items() if "Queue" in name and each["Type"].endswith("SecurityGroup"))
    del group["Properties"]["SecurityGroupEgress"]


@damage
def a_rule_written_into_a_group_lets_the_network_in(templates: Templates) -> None:
    resources = stack(templates, "firewall")
    group = next(each for name, each in resources.items() if "Queue" in name and each["Type"].endswith("SecurityGroup"))
    group["Properties"]["SecurityGroupIngress"] = [{"IpProtocol": "-1", "CidrIp": str(BLUEPRINT.layout.network)}]


@damage
def a_service_has_the_group_of_another(templates: Templates) -> None:
    network = stack(templates, "service-queue")["Service"]["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    template = next(each for name, each in templates.items() if name.endswith("-service-queue"))
    parameter = template["Parameters"][network["SecurityGroups"][0]["Ref"]]
    parameter["Default"] = parameter["Default"].replace("group-of-queue", "group-of-ledger")


@damage
def tasks_are_in_the_data_subnets(templates: Templates) -> None:
    template = next(each for name, each in templates.items() if name.endswith("-service-accounts"))
    for parameter in template["Parameters"].values():
        if "/network/private-" in parameter["Default"]:
            parameter["Default"] = parameter["Default"].replace("/private-", "/data-")


@damage
def tasks_have_public_addresses(templates: Templates) -> None:
    network = stack(templates, "service-queue")["Service"]["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    network["AssignPublicIp"] = "ENABLED"


@damage
def a_zone_has_no_way_out(templates: Templates) -> None:
    gone(templates, ROUTE, DestinationCidrBlock="0.0.0.0/0", RouteTableId={"Ref": "RoutesPrivateB"})


@damage
def the_nat_gateways_subnets_lost_their_way(templates: Templates) -> None:
    for resources, name in list(all_of(templates, ROUTE, DestinationCidrBlock="0.0.0.0/0")):
        if "GatewayId" in resources[name]["Properties"]:
            del resources[name]


@damage
def both_zones_leave_from_one_address(templates: Templates) -> None:
    nats = [
        resources[name]["Properties"]
        for resources, name in all_of(templates, "AWS::EC2::NatGateway")
        if "AllocationId" in resources[name]["Properties"]
    ]
    nats[1]["AllocationId"] = nats[0]["AllocationId"]


@damage
def private_subnets_lead_straight_to_the_internet(templates: Templates) -> None:
    gateway = next(
        resources[name]["Properties"]["GatewayId"]
        for resources, name in all_of(templates, ROUTE, DestinationCidrBlock="0.0.0.0/0")
        if "GatewayId" in resources[name]["Properties"]
    )
    route = first(templates, ROUTE, DestinationCidrBlock="0.0.0.0/0", RouteTableId={"Ref": "RoutesPrivateA"})
    del route["NatGatewayId"]
    route["GatewayId"] = gateway


@damage
def a_link_carries_another_network(templates: Templates) -> None:
    first(templates, "AWS::EC2::VPNConnectionRoute")["DestinationCidrBlock"] = "10.21.0.0/16"


@damage
def a_link_has_no_peer(templates: Templates) -> None:
    del first(templates, "AWS::EC2::VPNConnection")["CustomerGatewayId"]


@damage
def the_vpn_gateway_is_not_attached(templates: Templates) -> None:
    for resources, name in list(all_of(templates, "AWS::EC2::VPCGatewayAttachment")):
        if "VpnGatewayId" in resources[name]["Properties"]:
            del resources[name]


@damage
def the_data_centre_sees_the_tasks_own_addresses(templates: Templates) -> None:
    for resources, name in list(all_of(templates, ROUTE, DestinationCidrBlock="10.20.0.0/16")):
        properties = resources[name]["Properties"]
        if "NatGatewayId" in properties:
            del properties["NatGatewayId"]
            properties["GatewayId"] = {"Ref": "VpnGateway"}


@damage
def the_data_centre_is_sought_on_the_internet(templates: Templates) -> None:
    for resources, name in list(all_of(templates, ROUTE, DestinationCidrBlock="10.20.0.0/16")):
        if resources[name]["Properties"]["RouteTableId"] == {"Ref": "RoutesPrivateA"}:
            del resources[name]


@damage
def an_acl_lets_no_answers_in(templates: Templates) -> None:
    for resources, name in list(all_of(templates, ENTRY, Egress=False, NetworkAclId={"Ref": "PrivateAcl"})):
        if resources[name]["Properties"].get("PortRange") == {"From": 1024, "To": 65535}:
            del resources[name]


@damage
def an_acl_knows_half_of_the_ports_of_answers(templates: Templates) -> None:
    for resources, name in all_of(templates, ENTRY, Egress=False, NetworkAclId={"Ref": "PublicAcl"}):
        if resources[name]["Properties"].get("PortRange") == {"From": 1024, "To": 65535}:
            resources[name]["Properties"]["PortRange"] = {"From": 32768, "To": 61000}


@damage
def an_acl_lets_the_wrong_port_through(templates: Templates) -> None:
    for resources, name in all_of(templates, ENTRY, Egress=True, NetworkAclId={"Ref": "PublicAcl"}):
        if resources[name]["Properties"].get("PortRange") == {"From": 443, "To": 443}:
            resources[name]["Properties"]["PortRange"] = {"From": 80, "To": 80}


@damage
def an_acl_refuses_before_it_lets_through(templates: Templates) -> None:
    stack(templates, "network")["Refused"] = {
        "Type": ENTRY,
        "Properties": {
            "NetworkAclId": {"Ref": "PrivateAcl"}, "Egress": False, "RuleNumber": 1, "Protocol": -1,
            "RuleAction": "deny", "CidrBlock": str(BLUEPRINT.layout.zones[1].private),
        },
    }  # fmt: skip


@damage
def a_declared_name_does_not_resolve(templates: Templates) -> None:
    for resources, name in all_of(templates, "AWS::Route53Resolver::FirewallDomainList"):
        domains = resources[name]["Properties"]["Domains"]
        if "api.exchange.example" in domains:
            domains[:] = ["api.exchange.invalid"]


@damage
def a_service_is_known_by_another_name(templates: Templates) -> None:
    connect = stack(templates, "service-ledger")["Service"]["Properties"]["ServiceConnectConfiguration"]
    connect["Services"][0]["ClientAliases"][0]["DnsName"] = "general-ledger"


@damage
def a_service_is_known_on_another_port(templates: Templates) -> None:
    connect = stack(templates, "service-ledger")["Service"]["Properties"]["ServiceConnectConfiguration"]
    connect["Services"][0]["ClientAliases"][0]["Port"] = 80


@damage
def a_caller_is_not_in_the_namespace(templates: Templates) -> None:
    stack(templates, "service-accounts")["Service"]["Properties"]["ServiceConnectConfiguration"]["Enabled"] = False


@damage
def a_task_listens_elsewhere(templates: Templates) -> None:
    task = stack(templates, "service-ledger")["Task"]["Properties"]
    task["ContainerDefinitions"][0]["PortMappings"][0]["ContainerPort"] = 9001


@damage
def the_host_of_a_rule_is_dropped(templates: Templates) -> None:
    rule = stack(templates, "service-accounts")["Rule"]["Properties"]
    rule["Conditions"] = [each for each in rule["Conditions"] if each["Field"] != "host-header"]


@damage
def a_rule_takes_every_path(templates: Templates) -> None:
    rule = stack(templates, "service-accounts")["Rule"]["Properties"]
    for each in rule["Conditions"]:
        if each["Field"] == "path-pattern":
            each["PathPatternConfig"]["Values"] = ["/*"]


@damage
def a_path_is_not_rewritten(templates: Templates) -> None:
    rules = [
        resources[name]["Properties"]
        for resources, name in all_of(templates, "AWS::ElasticLoadBalancingV2::ListenerRule")
    ]
    rewrites = [each["Transforms"][0]["UrlRewriteConfig"]["Rewrites"] for each in rules if each.get("Transforms")]
    (ours,) = (each for each in rewrites if each[0]["Replace"].startswith("/v2"))
    plain = next(each for each in rewrites if each[0]["Replace"] == "/$2")
    ours[:] = copy.deepcopy(plain)


@damage
def a_shorter_path_comes_first(templates: Templates) -> None:
    stack(templates, "service-web")["Rule"]["Properties"]["Priority"] = 1


@damage
def targets_are_swapped(templates: Templates) -> None:
    ours, theirs = (stack(templates, f"service-{name}")["Rule"]["Properties"] for name in ("accounts", "web"))
    ours["Conditions"], theirs["Conditions"] = theirs["Conditions"], ours["Conditions"]


@damage
def one_of_two_target_groups_is_nobodys(templates: Templates) -> None:
    balanced = stack(templates, "service-web")["Service"]["Properties"]["LoadBalancers"][0]
    del balanced["AdvancedConfiguration"]


@damage
def tokens_are_not_asked_for(templates: Templates) -> None:
    rule = stack(templates, "service-accounts")["Rule"]["Properties"]
    rule["Actions"] = [each for each in rule["Actions"] if each["Type"] == "forward"]


@damage
def the_balancer_answers_by_itself(templates: Templates) -> None:
    listener = first(templates, "AWS::ElasticLoadBalancingV2::Listener")
    target = {"Type": "forward", "TargetGroupArn": {"Ref": "Stray"}}
    listener["DefaultActions"] = [target]
    stack(templates, "edge")["Stray"] = {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {}}
    balanced = stack(templates, "service-queue")["Service"]["Properties"]
    name = next(name for name in templates if name.endswith("-edge"))
    templates[name]["Resources"]["PublishStray"] = {
        "Type": "AWS::SSM::Parameter", "Properties": {"Name": "/stray", "Value": {"Ref": "Stray"}},
    }  # fmt: skip
    queue = next(each for name, each in templates.items() if name.endswith("-service-queue"))
    queue["Parameters"]["Stray"] = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/stray"}
    stray = {"ContainerName": "queue", "ContainerPort": 5672, "TargetGroupArn": {"Ref": "Stray"}}
    balanced["LoadBalancers"].append(stray)
    resources = stack(templates, "rules")
    there = {"IpProtocol": "tcp", "FromPort": 5672, "ToPort": 5672}
    balancer = next(
        each["Properties"]["GroupId"]
        for each in resources.values()
        if "to accounts" in str(each["Properties"].get("Description"))
        and each["Type"] == EGRESS
        and "Balancer" in str(each["Properties"]["GroupId"])
    )
    group = first(templates, INGRESS, FromPort=5672)["GroupId"]
    resources["StrayOut"] = {
        "Type": EGRESS,
        "Properties": {"GroupId": balancer, "DestinationSecurityGroupId": group, **there},
    }
    resources["StrayIn"] = {
        "Type": INGRESS,
        "Properties": {"GroupId": group, "SourceSecurityGroupId": balancer, **there},
    }


@damage
def the_balancer_faces_the_internet(templates: Templates) -> None:
    first(templates, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] = "internet-facing"


@damage
def the_gateway_may_not_open_the_balancer(templates: Templates) -> None:
    resources = stack(templates, "rules")
    for name, each in list(resources.items()):
        if each["Type"] == INGRESS and each["Properties"].get("Description") == "from the gateway":
            del resources[name]


@damage
def the_gateway_passes_to_nowhere(templates: Templates) -> None:
    for resources, name in all_of(templates, "AWS::ApiGateway::Method"):
        integration = resources[name]["Properties"]["Integration"]
        if "accounts" in str(integration["Uri"]):
            integration["Uri"] = integration["Uri"].replace("/accounts", "/account")


@damage
def the_gateway_answers_at_a_name_that_aws_gave_it(templates: Templates) -> None:
    first(templates, "AWS::ApiGateway::RestApi")["DisableExecuteApiEndpoint"] = False


@damage
def a_value_is_published_from_elsewhere(templates: Templates) -> None:
    resources = stack(templates, "network")
    published = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::SSM::Parameter"]
    private = next(each for each in published if each["Name"].endswith("/private-a"))
    public = next(name for name in resources if name == "PublicA")
    private["Value"] = {"Ref": public}


def test_the_whole_has_no_difference() -> None:
    assert differences(Ground(WHOLE), BLUEPRINT, CAVEATS) == []


@pytest.mark.parametrize("what", DAMAGES)
def test_each_damage_is_noticed(what: str) -> None:
    templates = copy.deepcopy(WHOLE)
    DAMAGES[what](templates)
    assert json.dumps(templates) != json.dumps(WHOLE), "nothing was damaged"
    assert differences(Ground(templates), BLUEPRINT, CAVEATS) != []
