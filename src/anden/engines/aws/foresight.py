"""What can be said of a blueprint before AWS is asked: what it will cost, and what will not hold."""

from datetime import date

from anden.engines.aws import cost, tables
from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import stacks
from anden.model.blueprint import Blueprint
from anden.model.cost import Assumed, CostReport


def estimate_of(blueprint: Blueprint, assumed: Assumed, today: date) -> CostReport:
    """A month's estimate. Raises Problems."""
    made = stacks.environment(blueprint, caveats(blueprint.topology))
    return cost.estimate(blueprint, made, tables.prices(), assumed, today)
