"""What AWS would refuse half-way, and what it would not."""

from typing import Any

import pytest
from tests.unit.engines.aws.made import stack

from anden.engines.aws import contradictions

TUNNEL = "VpnTunnelOptionsSpecifications"


def said(kind: str, **properties: Any) -> list[str]:
    balancer = {"Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "application"})}
    found = contradictions.found([stack("edge", balancer), stack("service-web", {"It": (kind, properties)})])
    assert all(each.where.startswith("stack service-web, It") and each.why and each.fix for each in found)
    return [each.what for each in found]


def test_a_range_that_ends_before_it_begins() -> None:
    kind = "AWS::ApplicationAutoScaling::ScalableTarget"
    assert said(kind, MinCapacity=3, MaxCapacity=2) == ["it scales between 3 and 2"]
    assert said(kind, MinCapacity=2, MaxCapacity=2) == []


def test_a_protocol_that_the_balancer_does_not_take() -> None:
    kind = "AWS::ElasticLoadBalancingV2::TargetGroup"
    assert said(kind, Protocol="TCP") == ["its protocol is TCP"]
    assert said(kind, Protocol="HTTP") == []
    alone = contradictions.found([stack("service-web", {"It": (kind, {"Protocol": "TCP"})})])
    assert alone == ()


def test_with_balancers_of_both_types_the_listener_says_whose_a_target_group_is() -> None:
    edge = stack("edge", {
        "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "application"}),
        "OfLink": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "network"}),
    })  # fmt: skip
    kinds = ("TargetGroup", "Listener", "ListenerRule")
    group, listener, rule = (f"AWS::ElasticLoadBalancingV2::{kind}" for kind in kinds)

    def wrong(routed: str, dialled: str) -> list[str]:
        web: dict[str, tuple[str, dict[str, Any]]] = {
            "Routed": (group, {"Protocol": routed}), "Dialled": (group, {"Protocol": dialled}),
            "Rule": (rule, {"Actions": [{"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": {"Ref": "Routed"}}]}}]}),
            "Door": (listener, {"Protocol": "TCP", "DefaultActions": [{"TargetGroupArn": {"Ref": "Dialled"}}]}),
        }  # fmt: skip
        return [each.where for each in contradictions.found([edge, stack("service-web", web)])]

    assert wrong("HTTP", "TCP") == []
    assert wrong("TCP", "TCP") == ["stack service-web, Routed"]
    assert wrong("HTTP", "HTTP") == ["stack service-web, Dialled"]


@pytest.mark.parametrize(
    ("inside", "right"),
    [
        ("169.254.10.0/30", True), ("169.254.5.0/30", False), ("169.254.169.252/30", False), ("169.254.10.0/29", False),
        ("10.0.0.0/30", False), ("169.254.10.1/30", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_the_inside_of_a_tunnel(inside: str, right: bool) -> None:
    found = said("AWS::EC2::VPNConnection", **{TUNNEL: [{"TunnelInsideCidr": inside}, {}]})
    assert found == ([] if right else [f"{inside} cannot be its inside"])
