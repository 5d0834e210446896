"""Needs against quotas: what will hold and what will not, before anything is created. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from anden.engines.aws import contradictions
from anden.engines.aws.caveats import EDGE_ZONES
from anden.engines.aws.cost import WHOLE
from anden.engines.aws.needs import needs
from anden.engines.aws.render.entrance import NUMBERS, entrance
from anden.engines.aws.render.template import Stack
from anden.engines.aws.tables import Quota, Quotas
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, ServiceName
from anden.model.preflight import AccountFacts, Basis, Need, PreflightReport, QuotaCheck, Verdict
from anden.model.problem import Problem
from anden.planning.addressing import edges, usable

NOT_ASKED = {"account": "it was not asked"}
"""In `unread`, when nothing was asked of AWS."""


def preflight(
    blueprint: Blueprint, stacks: Sequence[Stack], quotas: Quotas, facts: AccountFacts | None
) -> PreflightReport:
    """The whole of it. facts: what the account said; None: it was not asked, and documented defaults count."""
    topology = blueprint.topology
    own = _subnets(blueprint)
    checks = tuple(
        check(need, quotas.quotas[need.quota], facts, own.get(need.quota)) for need in needs(blueprint, stacks)
    )
    return PreflightReport(
        client=topology.client,
        environment=topology.environment,
        engine=EngineName.AWS.value,
        region=topology.region or "",
        account=facts.account if facts else topology.account or "",
        read_at=facts.at if facts else None,
        checks=checks,
        problems=(*_zones(blueprint, quotas, facts), *_numbers(blueprint), *contradictions.found(stacks)),
        unread={**(facts.unread if facts else NOT_ASKED), **_unrendered(stacks)},
        defaults_of=quotas.date.isoformat(),
    )


def _unrendered(stacks: Sequence[Stack]) -> Mapping[str, str]:
    missing = sorted(WHOLE - {stack.family for stack in stacks})
    return {"stacks": f"not rendered, so not counted: {', '.join(missing)}"} if missing else {}


def check(need: Need, quota: Quota, facts: AccountFacts | None, own: int | None = None) -> QuotaCheck:
    """One need against its quota. own: a bound that the environment's network sets itself, instead of AWS."""
    if own is not None:
        allowed, basis = float(own), Basis.NETWORK
    elif facts is not None and need.quota in facts.quotas:
        allowed, basis = facts.quotas[need.quota], Basis.ACCOUNT
    else:
        allowed, basis = quota.default, Basis.DEFAULT
    used = facts.used.get(need.quota) if facts is not None else None
    return QuotaCheck(
        need=need,
        name=quota.name,
        scope=quota.scope,
        allowed=allowed,
        basis=basis,
        used=used,
        raisable=quota.raisable,
        request=f"{quota.service}/{quota.code}" if quota.raisable and quota.code else "",
        source=quota.source,
        verdict=_verdict(need, allowed - (used or 0)),
    )


def _verdict(need: Need, free: float) -> Verdict:
    if need.base > free:
        return Verdict.SHORT
    if need.max > free:
        return Verdict.SHORT_AT_MAX
    return Verdict.DEPLOY_SHORT if need.deploying > free else Verdict.HOLDS


def _subnets(blueprint: Blueprint) -> Mapping[str, int]:
    """How many addresses the smallest subnet of each layer has left beside AWS's own five."""
    zones = blueprint.layout.zones

    def least(subnets: Sequence[IPv4Network]) -> int:
        return min(len(usable(subnet)) for subnet in subnets)

    return {
        "private-addresses": least([zone.private for zone in zones]),
        "data-addresses": least([zone.data for zone in zones]),
        "edge-addresses": least(edges(blueprint.layout.network)),
    }


def _numbers(blueprint: Blueprint) -> Iterator[Problem]:
    """A listener rule's priority is computed from the service's number, of which there are so many."""
    numbers = {placement.service: placement.number for placement in blueprint.placements}
    for name in entrance(blueprint.topology).doors:
        number = numbers[ServiceName(name)]
        if number > NUMBERS:
            yield Problem(
                f"services/{name}/route",
                f"{name} is number {number} of the environment, and a routed service's is {NUMBERS} at most",
                "an ALB orders its rules by 50,000 priorities, and each length of path has its share of them",
                "Give the route to a service that was there earlier, or divide the environment.",
            )


def _zones(blueprint: Blueprint, quotas: Quotas, facts: AccountFacts | None) -> Iterator[Problem]:
    """The region must offer the zones that subnets are made in, under the names that they are made with."""
    region = blueprint.topology.region
    wanted = max(len(blueprint.layout.zones), EDGE_ZONES)
    if region is None:
        return
    if facts is not None and facts.zones:
        offered, why = len(facts.zones), f"the account has {', '.join(facts.zones)}"
    elif region in quotas.zones:
        offered, why = quotas.zones[region], f"documented at {quotas.zones_source}"
    else:
        return
    if wanted > offered:
        what = f"{region} offers {offered} zones, {wanted} are needed"
        yield Problem("zones", what, why, f"Use {offered} zones or fewer, or another region.")
