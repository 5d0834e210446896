"""What stacks hold, and that one thing is one thing from whichever stack it is named."""

from tests.unit.engines.aws.made import stack

from anden.engines.aws import inventory
from anden.engines.aws.render.template import Published, att, ref

GROUP = Published("firewall", "group-of-web", "AWS::EC2::SecurityGroup::Id")


def test_a_reference_through_a_parameter_is_what_was_published() -> None:
    firewall = stack(
        "firewall", {"GroupOfWeb": ("AWS::EC2::SecurityGroup", {})}, group_of_web=att("GroupOfWeb", "GroupId")
    )
    rule = ("AWS::EC2::SecurityGroupIngress", {"GroupId": GROUP})
    own = ("AWS::EC2::SecurityGroupIngress", {"GroupId": att("GroupOfWeb", "GroupId")})
    rules = stack("rules", {"One": rule, "Two": rule})
    holds = inventory.take([firewall, rules, stack("rules-2", {"Three": rule})])
    assert holds.by("AWS::EC2::SecurityGroupIngress", "GroupId") == {"firewall/GroupOfWeb": 3}
    inside = inventory.take([stack("firewall", {"GroupOfWeb": ("AWS::EC2::SecurityGroup", {}), "Rule": own})])
    assert inside.by("AWS::EC2::SecurityGroupIngress", "GroupId") == {"firewall/GroupOfWeb": 1}


def test_what_nobody_publishes_is_known_by_its_own_name() -> None:
    holds = inventory.take([stack("rules", {"One": ("AWS::EC2::SecurityGroupIngress", {"GroupId": GROUP})})])
    assert holds.by("AWS::EC2::SecurityGroupIngress", "GroupId") == {"rules/FirewallGroupOfWeb": 1}


def test_things_of_two_stacks_with_one_name_are_two() -> None:
    table = {"Table": ("AWS::EC2::RouteTable", {}), "Out": ("AWS::EC2::Route", {"RouteTableId": ref("Table")})}
    holds = inventory.take([stack("network", table), stack("other", table)])
    assert holds.by("AWS::EC2::Route", "RouteTableId") == {"network/Table": 1, "other/Table": 1}
    assert holds.count("AWS::EC2::Route") == 2


def test_a_property_within_a_property() -> None:
    item = inventory.take([stack("edge", {"One": ("X::Y", {"a": {"b": [1]}})})]).of("X::Y")[0]
    assert item.get("a", "b") == [1]
    assert item.get("a", "b", "c") is None
    assert item.get("z") is None
