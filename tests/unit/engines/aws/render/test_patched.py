"""Overrides on stacks: what they change, and what they may not."""

import json
from typing import Any

import pytest
from tests.unit.engines.aws.made import blueprint, service, stack

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import stacks
from anden.engines.aws.render.patched import overridden
from anden.engines.aws.render.template import Published, Stack, att, ref, tags
from anden.model.mark import Mark
from anden.model.override import Operation, Override
from anden.model.problem import Problem, Problems

VPC = Published("network", "vpc", "AWS::EC2::VPC::Id")
NETWORK = stack("network", {"Vpc": ("AWS::EC2::VPC", {"EnableDnsSupport": True})}, vpc=ref("Vpc"))
EDGE = stack("edge", {
    "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {
        "Scheme": "internal", "SecurityGroups": [ref("Group")], "Tags": tags(**{"anden:client": "banco", "Name": "x"}),
    }),
    "Group": ("AWS::EC2::SecurityGroup", {"VpcId": VPC, "SecurityGroupEgress": [{"CidrIp": "127.0.0.1/32"}]}),
    "Rule": ("AWS::EC2::SecurityGroupIngress", {"GroupId": att("Group", "GroupId"), "FromPort": 80}),
})  # fmt: skip
EDGE.template["Resources"]["Balancer"]["DeletionPolicy"] = "Retain"
GIVEN = (NETWORK, EDGE)


def op(op: str, path: str, *value: Any, origin: str | None = None) -> Operation:
    return Operation(op, path, json.dumps(value[0]) if value else None, origin)


def done(family: str, *operations: Operation) -> Any:
    made = overridden(GIVEN, [Override(family, operations)])
    return next(each.template for each in made if each.family == family)["Resources"]


def refused(family: str, *operations: Operation) -> tuple[Problem, ...]:
    marks = {f"overrides/{family}/{n}": Mark("overrides/it.yaml", 10 + n) for n in range(len(operations))}
    with pytest.raises(Problems) as found:
        overridden(GIVEN, [Override(family, operations)], marks)
    assert all("(overrides/it.yaml:1" in each.where and each.why and each.fix for each in found.value.problems)
    return found.value.problems


def test_no_overrides_are_the_very_same_stacks() -> None:
    assert overridden(GIVEN, []) == GIVEN
    assert overridden(GIVEN, [])[0] is GIVEN[0]


def test_operations_are_done_in_order_and_only_on_their_stack() -> None:
    before = EDGE.text
    made = done(
        "edge",
        op("test", "/Resources/Balancer/Properties/Scheme", "internal"),
        op("replace", "/Resources/Balancer/Properties/Scheme", "x"),
        op("test", "/Resources/Balancer/Properties/Scheme", "x"),
        op("copy", "/Resources/Balancer/Properties/Again", origin="/Resources/Balancer/Properties/Scheme"),
        op("add", "/Resources/More", {"Type": "AWS::SNS::Topic"}),
    )
    assert (made["Balancer"]["Properties"]["Again"], made["More"]["Type"]) == ("x", "AWS::SNS::Topic")
    assert EDGE.text == before
    assert overridden(GIVEN, [Override("edge", (op("add", "/Resources/More", {"Type": "A::B"}),))])[0] is NETWORK


def test_all_problems_at_once_each_with_its_line() -> None:
    found = refused(
        "edge",
        op("replace", "/Resources/Balancr/Properties/Scheme", "x"),
        op("add", "/Resources/Fine", {"Type": "A::B"}),
        op("remove", "/Resources/Balancer/Properties/Nothing"),
        op("test", "/Resources/Balancer/Properties/Scheme", "internet-facing"),
        op("replace", "/Resources/Rule/Properties/FromPort", 22),
    )
    assert [each.what for each in found] == [
        "replace cannot be done here", "remove cannot be done here", "it is not what the override expects",
        "it changes the firewall (Rule)",
    ]  # fmt: skip
    assert [each.where.rpartition(":")[2] for each in found] == ["10)", "12)", "13)", "14)"]
    assert "Balancr" in found[0].why


def test_a_stack_that_is_not_there() -> None:
    with pytest.raises(Problems, match="Did you mean network") as found:
        overridden(GIVEN, [Override("netwrok", (op("remove", "/Resources/Vpc"),))])
    assert found.value.problems[0].why == "network, edge"


FIREWALL, MEMBERS = "it changes the firewall", "it changes who is in a security group"
PUBLISHED, TAGS, KEPT = (
    "it changes what stacks say to each other",
    "it changes anden's own tags",
    "it gives up what is kept",
)


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        (op("remove", "/Resources/Group/Properties/SecurityGroupEgress"), FIREWALL),
        (op("remove", "/Resources/Rule"), FIREWALL),
        (op("add", "/Resources/Open", {"Type": "AWS::EC2::SecurityGroupIngress"}), FIREWALL),
        (op("replace", "/Resources/Group/Type", "AWS::SNS::Topic"), FIREWALL),
        (op("replace", "/Resources/Balancer/Type", "AWS::EC2::SecurityGroup"), FIREWALL),
        (op("move", "/Resources/Elsewhere", origin="/Resources/Rule"), FIREWALL),
        (op("add", "/Resources/Balancer/Properties/SecurityGroups/-", "sg-1"), MEMBERS),
        (op("remove", "/Resources/Balancer/Properties/SecurityGroups"), MEMBERS),
        (op("add", "/Resources/Own", {"Type": "A::B", "Properties": {"SecurityGroupIds": ["sg-1"]}}), MEMBERS),
        (op("copy", "/Resources/Own", origin="/Resources/Balancer"), MEMBERS),
        (op("remove", "/Resources/Balancer/Properties/Tags/0"), TAGS),
        (op("replace", "/Resources/Balancer/Properties/Tags/0/Value", "other"), TAGS),
        (op("replace", "/Resources/Balancer/Properties/Tags/1/Key", "anden:x"), TAGS),
        (op("remove", "/Resources/Balancer/DeletionPolicy"), KEPT),
        (op("replace", "/Resources/Balancer/DeletionPolicy", "Delete"), KEPT),
        (op("remove", "/Resources/Balancer"), KEPT),
    ],
)  # fmt: skip
def test_what_may_not_be_overridden(operation: Operation, what: str) -> None:
    (problem,) = refused("edge", operation)
    assert problem.what.startswith(what)


@pytest.mark.parametrize(
    "operation",
    [op("remove", "/Resources/PublishVpc"), op("replace", "/Resources/PublishVpc/Properties/Value", "vpc-1")],
)
def test_what_is_published_may_not_either(operation: Operation) -> None:
    (problem,) = refused("network", operation)
    assert problem.what.startswith(PUBLISHED)


@pytest.mark.parametrize(
    "operation",
    [
        op("remove", "/Parameters/NetworkVpc"), op("replace", "/Resources", {}), op("replace", "/Description", "x"),
        op("copy", "/Resources/X", origin="/Parameters/NetworkVpc"), op("add", "/Transform", "x"),
    ],
)  # fmt: skip
def test_only_parts_of_a_template_that_are_somebodys_are_reached_into(operation: Operation) -> None:
    (problem,) = refused("edge", operation)
    assert problem.what.endswith("may not be overridden")


def test_a_resource_stays_a_resource() -> None:
    (problem,) = refused("network", op("remove", "/Resources/Vpc/Type"))
    assert problem.what == "it leaves Vpc no resource"
    (problem,) = refused("network", op("add", "/Resources/Odd", "text"))
    assert problem.what == "it leaves Odd no resource"


def test_what_is_free_to_change() -> None:
    made = done(
        "edge", op("add", "/Resources/Balancer/Properties/Tags/-", {"Key": "cost", "Value": "1"}),
        op("replace", "/Resources/Balancer/Properties/Tags/1/Value", "y"),
        op("replace", "/Resources/Balancer/DeletionPolicy", "RetainExceptOnCreate"),
    )  # fmt: skip
    assert [each["Key"] for each in made["Balancer"]["Properties"]["Tags"]] == ["anden:client", "Name", "cost"]


def of(overrides: tuple[Override, ...]) -> tuple[Stack, ...]:
    from dataclasses import replace

    given = replace(blueprint(service("web")), overrides=overrides)
    return stacks.environment(given, caveats(given.topology))


def test_the_stacks_of_an_environment_have_its_overrides_in_them() -> None:
    more = of((Override("rules", (op("add", "/Resources/Topic", {"Type": "AWS::SNS::Topic"}),)),))
    plain = of(())
    assert [each.family for each in more] == [each.family for each in plain]
    changed = [each.family for each, was in zip(more, plain, strict=True) if each.text != was.text]
    assert changed == ["rules"]
    with pytest.raises(Problems, match="it changes the firewall"):
        of((Override("firewall", (op("remove", "/Resources/GroupOfWeb/Properties/SecurityGroupEgress"),)),))
