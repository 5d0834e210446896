"""As test_damage, of what may begin on the other side of a link."""

import copy
from typing import Any

import pytest
from tests.parity.answer import Ground
from tests.parity.judged import differences
from tests.parity.test_damage import (
    BLUEPRINT,
    CAVEATS,
    ENTRY,
    INGRESS,
    ROUTE,
    WHOLE,
    Damage,
    all_of,
    first,
    gone,
    stack,
)

DAMAGES: dict[str, Damage] = {}
Templates = dict[str, dict[str, Any]]
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def damage(done: Damage) -> Damage:
    DAMAGES[done.__name__.replace("_", " ")] = done
    return done


@damage
def one_address_more_may_dial(templates: Templates) -> None:
    first(templates, INGRESS, CidrIp="10.20.4.0/24")["CidrIp"] = "10.20.4.0/23"


@damage
def one_port_more_may_be_dialled(templates: Templates) -> None:
    first(templates, INGRESS, CidrIp="10.20.4.0/24")["ToPort"] = 8444


@damage
def nobody_may_dial(templates: Templates) -> None:
    gone(templates, INGRESS, CidrIp="10.20.4.0/24")


@damage
def the_balancer_has_no_group(templates: Templates) -> None:
    first(templates, BALANCER, Type="network")["SecurityGroups"] = []


@damage
def the_balancer_stands_at_another_address(templates: Templates) -> None:
    first(templates, BALANCER, Type="network")["SubnetMappings"][0]["PrivateIPv4Address"] = "100.64.10.7"


@damage
def the_balancer_stands_in_another_zones_subnet(templates: Templates) -> None:
    mappings = first(templates, BALANCER, Type="network")["SubnetMappings"]
    mappings[0]["SubnetId"], mappings[1]["SubnetId"] = mappings[1]["SubnetId"], mappings[0]["SubnetId"]


@damage
def the_balancer_stays_in_its_zone(templates: Templates) -> None:
    first(templates, BALANCER, Type="network")["LoadBalancerAttributes"] = []


@damage
def a_service_may_be_dialled_that_nobody_declares(templates: Templates) -> None:
    resources = stack(templates, "service-queue")
    listener = next(each for each in resources.values() if each["Type"].endswith("::Listener"))
    resources["Another"] = copy.deepcopy(listener)
    resources["Another"]["Properties"]["Port"] = 9000
    rule = copy.deepcopy(first(templates, INGRESS, CidrIp="10.20.4.0/24"))
    stack(templates, "rules")["AnotherIn"] = {"Type": INGRESS, "Properties": {**rule, "FromPort": 9000, "ToPort": 9000}}


@damage
def a_listener_is_gone(templates: Templates) -> None:
    resources = stack(templates, "service-queue")
    del resources[next(name for name, each in resources.items() if each["Type"].endswith("::Listener"))]


@damage
def ecs_does_not_fill_its_targets(templates: Templates) -> None:
    del stack(templates, "service-queue")["Service"]["Properties"]["LoadBalancers"]


@damage
def a_task_sees_the_clients_address(templates: Templates) -> None:
    group = next(
        each for each in stack(templates, "service-queue").values()
        if each["Type"] == "AWS::ElasticLoadBalancingV2::TargetGroup"
    )  # fmt: skip
    group["Properties"]["TargetGroupAttributes"][0]["Value"] = "true"


@damage
def the_client_may_open_a_task_itself(templates: Templates) -> None:
    rule = copy.deepcopy(first(templates, INGRESS, FromPort=5672))
    del rule["SourceSecurityGroupId"]
    stack(templates, "rules")["Straight"] = {"Type": INGRESS, "Properties": {**rule, "CidrIp": "10.20.4.0/24"}}


@damage
def the_acl_of_the_link_refuses_what_comes_in(templates: Templates) -> None:
    gone(templates, ENTRY, CidrBlock="10.20.4.0/24", Egress=False)


@damage
def the_acl_of_the_tasks_refuses_the_answers(templates: Templates) -> None:
    gone(templates, ENTRY, CidrBlock="100.64.10.0/26", Egress=True)


@damage
def no_answer_finds_its_way_back(templates: Templates) -> None:
    resources, name = next(
        (resources, name) for resources, name in all_of(templates, ROUTE, DestinationCidrBlock="10.20.0.0/16")
        if "GatewayId" in resources[name]["Properties"]
    )  # fmt: skip
    del resources[name]


@pytest.mark.parametrize("what", DAMAGES)
def test_each_damage_is_noticed(what: str) -> None:
    templates = copy.deepcopy(WHOLE)
    DAMAGES[what](templates)
    assert differences(Ground(templates), BLUEPRINT, CAVEATS) != []
