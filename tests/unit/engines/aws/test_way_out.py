"""Which route something takes."""

import pytest

from anden.engines.aws.way_out import route

ROUTES = [
    {"DestinationCidrBlock": "172.30.0.0/16", "GatewayId": "local", "State": "active"},
    {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"},
    {"DestinationCidrBlock": "10.20.0.0/16", "NatGatewayId": "nat-2", "State": "active"},
    {"DestinationCidrBlock": "10.20.4.0/24", "NatGatewayId": "nat-3", "State": "blackhole"},
    {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active"},
]


@pytest.mark.parametrize(
    ("host", "number"), [("10.20.4.17", 2), ("203.0.113.5", 1), ("172.30.1.4", 0), ("api.exchange.example", 1)]
)
def test_the_longest_prefix_that_is_active_is_taken(host: str, number: int) -> None:
    assert route(ROUTES, host) == ROUTES[number]


def test_where_no_route_leads_there_is_none() -> None:
    assert route(ROUTES[:1], "203.0.113.5") is None
