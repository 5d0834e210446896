"""The simulated gateway shows no token."""

from dataclasses import replace

from tests.unit.engines.local.render.sample import SMALLEST

from anden.engines.simulated.gateway import NO_TOKEN, UNAVAILABLE, answered
from anden.engines.simulated.world import World
from anden.model.configuration import Guard


def test_a_guarded_route_lets_nobody_pass_and_a_closed_one_stays_closed() -> None:
    (open_,) = SMALLEST.routes
    guarded = replace(open_, guard=Guard("https://id.example", "bank", ()))
    expected = {open_: UNAVAILABLE, guarded: NO_TOKEN, replace(guarded, refused="closed"): UNAVAILABLE}
    for route, status in expected.items():
        assert answered(World(replace(SMALLEST, routes=(route,)), "127.0.0.1:8080"), "/") == status
