"""Needs against quotas: verdicts, where the number comes from, and what no quota can mend."""

from dataclasses import replace

import pytest
from tests.unit.engines.aws.made import blueprint, service, stack

from anden.engines.aws import tables
from anden.engines.aws.preflight import check, preflight
from anden.model.preflight import AccountFacts, Basis, Need, QuotaCheck, Verdict
from anden.model.topology import Route

TABLE = tables.quotas()
FACTS = AccountFacts("111122223333", "us-east-1", 1_000.0)


def facts(**fields: object) -> AccountFacts:
    return AccountFacts("111122223333", "us-east-1", 1_000.0, **fields)  # type: ignore[arg-type]


def checked(need: Need, given: AccountFacts | None = None) -> QuotaCheck:
    return check(need, TABLE.quotas[need.quota], given)


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ((2, 4, 6), Verdict.HOLDS), ((2, 4, 7), Verdict.DEPLOY_SHORT), ((2, 7, 9), Verdict.SHORT_AT_MAX),
        ((7, 8, 9), Verdict.SHORT),
    ],
)  # fmt: skip
def test_verdicts_at_the_edge_of_a_quota(levels: tuple[int, int, int], verdict: Verdict) -> None:
    assert checked(Need("fargate-vcpu", *levels)).verdict is verdict


def test_the_account_counts_more_than_the_documents() -> None:
    need = Need("fargate-vcpu", 8, 8, 8)
    documented, live = checked(need), checked(need, facts(quotas={"fargate-vcpu": 8.0}))
    assert (documented.allowed, documented.basis, documented.holds) == (6, Basis.DEFAULT, False)
    assert (live.allowed, live.basis, live.holds) == (8, Basis.ACCOUNT, True)
    assert documented.request == "fargate/L-3032A538"


def test_what_others_use_is_not_there_for_us() -> None:
    need = Need("addresses", 3, 3, 3)
    assert checked(need, facts(used={"addresses": 2.0})).holds
    short = checked(need, facts(used={"addresses": 3.0}))
    assert (short.used, short.verdict) == (3, Verdict.SHORT)


def test_what_is_fixed_has_no_request() -> None:
    assert checked(Need("balancer-target-groups", 101, 101, 101)).request == ""
    assert checked(Need("alarms", 6000, 6000, 6000)).request == ""


def test_an_account_that_was_not_asked() -> None:
    report = preflight(blueprint(service(), account="111122223333"), [], TABLE, None)
    assert (report.account, report.read_at) == ("111122223333", None)
    assert report.unread == {
        "account": "it was not asked",
        "stacks": "not rendered, so not counted: data, edge, firewall, key, network, rules",
    }  # fmt: skip
    assert all(each.basis in (Basis.DEFAULT, Basis.NETWORK) for each in report.checks)
    assert report.holds


def test_subnets_bound_tasks_by_themselves() -> None:
    small = blueprint(service("web", "100..100"), network=None)
    row = next(each for each in preflight(small, [], TABLE, FACTS).checks if each.need.quota == "private-addresses")
    # A /16 gives private subnets of a /19: 8,192 addresses, of which AWS takes five.
    assert (row.allowed, row.basis, row.holds) == (8187, Basis.NETWORK, True)


def test_zones_that_the_region_does_not_offer() -> None:
    four = blueprint(service(), zones=4, region="sa-east-1")
    documented = preflight(four, [], TABLE, None).problems
    assert [each.what for each in documented] == ["sa-east-1 offers 3 zones, 4 are needed"]
    live = preflight(four, [], TABLE, facts(zones=("sa-east-1a", "sa-east-1c")))
    assert "the account has sa-east-1a, sa-east-1c" in live.problems[0].why
    # An edge of one zone's environment is in two zones all the same.
    assert not preflight(blueprint(service()), [], TABLE, facts(zones=("us-east-1a", "us-east-1b"))).problems
    assert preflight(blueprint(service()), [], TABLE, facts(zones=("us-east-1a",))).problems


def test_shortfalls_and_contradictions_both_keep_it_from_holding() -> None:
    big = preflight(blueprint(service("web", "1..8", cpu=1000)), [], TABLE, None)
    assert [each.name for each in big.shortfalls] == ["Fargate vCPU"]
    assert not big.holds
    backwards = ("AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 3, "MaxCapacity": 2})
    wrong = preflight(blueprint(service()), [stack("service-web", {"Range": backwards})], TABLE, None)
    assert not wrong.shortfalls
    assert not wrong.holds


def test_every_quota_has_a_page_and_codes_look_like_codes() -> None:
    for key, quota in TABLE.quotas.items():
        assert quota.source.startswith("https://"), key
        assert bool(quota.service) == bool(quota.code), key
        assert not quota.code or (len(quota.code) == 10 and quota.code.startswith("L-")), key
        assert quota.default > 0 or key.endswith("-addresses"), key


def test_a_route_of_a_number_that_no_priority_is_left_for() -> None:
    def found(number: int, **fields: object) -> list[str]:
        made = blueprint(service("web", **fields))  # type: ignore[arg-type]
        late = replace(made, placements=(replace(made.placements[0], number=number),))
        return [each.what for each in preflight(late, [], TABLE, None).problems]

    route = Route("/")
    assert found(380, route=route) == found(381) == []
    [what] = found(381, route=route)
    assert what == "web is number 381 of the environment, and a routed service's is 380 at most"
