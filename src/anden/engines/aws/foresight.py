"""What can be said of a blueprint before AWS is asked: what it will cost, and what will not hold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from anden.engines.aws import cost, tables
from anden.engines.aws.caveats import caveats
from anden.engines.aws.preflight import preflight
from anden.engines.aws.render import limits, stacks
from anden.engines.aws.render.template import Stack
from anden.model.blueprint import Blueprint
from anden.model.cost import Assumed, CostChange, CostReport
from anden.model.foresight import Foresight
from anden.model.mark import Marks
from anden.model.preflight import AccountFacts, PreflightReport, QuotaCheck
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology
from anden.planning.blueprint import NO_MARKS

FIX = "Have fewer instances, or divide the environment."
FIXES = {"stack-resources": "Have fewer routes (each is four resources) or services, or divide the environment."}
"""What to do about a quota that nobody raises, by quota."""


def estimate_of(blueprint: Blueprint, assumed: Assumed, today: date, marks: Marks = NO_MARKS) -> CostReport:
    """A month's estimate. Raises Problems."""
    return cost.estimate(blueprint, _stacks(blueprint, marks), tables.prices(), assumed, today)


def preflight_of(blueprint: Blueprint, facts: AccountFacts | None, marks: Marks = NO_MARKS) -> PreflightReport:
    """Needs against quotas, and what AWS refuses whatever its quotas; facts None: against the documented quotas.
    Raises Problems: no region is said, or an override cannot be done."""
    _region(blueprint.topology)
    report = preflight(blueprint, _stacks(blueprint, marks), tables.quotas(), facts)
    return replace(report, problems=(*report.problems, *refused(blueprint, marks)))


def foresee(
    blueprint: Blueprint, current: Blueprint | None, marks: Marks, facts: AccountFacts | None, today: date
) -> Foresight:
    """Both, for a plan from `current` to `blueprint`. What cannot be computed is a problem, or left out."""
    if blueprint.topology.region is None:
        return Foresight()
    try:
        report = preflight_of(blueprint, facts, marks)
    except Problems as found:
        return Foresight(problems=found.problems)
    return Foresight(
        shortfalls=report.shortfalls,
        problems=(*report.problems, *_blocking(report.shortfalls)),
        cost=_change(blueprint, current, today),
    )


def checked(blueprint: Blueprint, marks: Marks) -> None:
    """Raises Problems: an override cannot be done, or may not be."""
    _stacks(blueprint, marks)


def refused(blueprint: Blueprint, marks: Marks) -> tuple[Problem, ...]:
    """What AWS refuses of networks and links, whatever its quotas."""
    return limits.problems(blueprint.topology, blueprint.layout.network, marks)


def _stacks(blueprint: Blueprint, marks: Marks) -> Sequence[Stack]:
    return stacks.environment(blueprint, caveats(blueprint.topology), marks=marks)


def _region(topology: Topology) -> None:
    if topology.region is None:
        why = "quotas are a region's"
        raise Problems(Problem("region", "the manifest says no region", why, "Add `region: us-east-1`, or another."))


def _blocking(shortfalls: Sequence[QuotaCheck]) -> tuple[Problem, ...]:
    """Those that are certain. A documented default is a guess at what the account has."""
    return tuple(
        Problem(
            f"quota {each.name}" + (f" ({each.need.of})" if each.need.of else ""),
            f"{each.allowed - (each.used or 0):g} left, {each.need.max:g} needed at max",
            f"{each.need.deploying:g} while everything is deployed at once; see {each.source}",
            f"Ask for more: {each.request}." if each.request else FIXES.get(each.need.quota, FIX),
        )
        for each in shortfalls
        if not each.guessed
    )


def _change(blueprint: Blueprint, current: Blueprint | None, today: date) -> CostChange | None:
    try:
        after = estimate_of(blueprint, Assumed(), today)
        before = estimate_of(current, Assumed(), today) if current is not None else None
    except Problems:
        return None
    if before is None:
        return CostChange(after.currency, after.base, after.max)
    return CostChange(after.currency, after.base, after.max, before.base, before.max)
