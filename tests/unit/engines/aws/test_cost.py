"""The estimate: each line checked by hand for a small case, and what is not known is said."""

from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.aws.made import blueprint, service, stack

from anden.engines.aws import cost, tables
from anden.engines.aws.foresight import estimate_of
from anden.engines.aws.render.template import Stack
from anden.model.cost import Assumed, CostLine, CostReport
from anden.model.problem import Problems
from anden.model.topology import Link

TODAY = date(2025, 7, 1)
EVERYTHING = [
    stack("key", {"Key": ("AWS::KMS::Key", {})}), stack("address-a", {"Address": ("AWS::EC2::EIP", {})}),
    stack("network", {
        "Nat": ("AWS::EC2::NatGateway", {"SubnetId": {"Ref": "PublicA"}}),
        "SeenAs": ("AWS::EC2::NatGateway", {"ConnectivityType": "private"}),
        "Logs": ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}),
        "Images": ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}),
        "Link": ("AWS::EC2::VPNConnection", {}),
        "Names": ("AWS::Route53Resolver::FirewallDomainList", {"Domains": ["a.example", "b.example"]}),
    }),
    stack("firewall", {}), stack("rules", {}),
    stack("data", {
        "Images": ("AWS::ECR::Repository", {}), "Plan": ("AWS::Backup::BackupPlan", {}),
    }),
    stack("edge", {
        "Api": ("AWS::ApiGateway::RestApi", {}), "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {}),
        "Acl": ("AWS::WAFv2::WebACL", {"Rules": [{}, {}, {}]}),
    }),
    stack("service-web", {"High": ("AWS::CloudWatch::Alarm", {}), "All": ("AWS::CloudWatch::Dashboard", {})}),
]  # fmt: skip
ASSUMED = Assumed(requests=2, answer_kb=5, logs_gb=3, nat_gb=7, image_gb=4, backup_gb=6)


def made(*stacks: Stack, assumed: Assumed = ASSUMED, **fields: object) -> CostReport:
    given = blueprint(service(span="2..4", cpu=500, memory=1024, secrets={"A": "one", "B": "one"}), **fields)
    return cost.estimate(given, stacks, tables.prices(), assumed, TODAY)


def lines(report: CostReport) -> dict[tuple[str, str], CostLine]:
    """By family and unit; data transfer has two of one unit, and is left out."""
    several = [line for line in report.lines if line.family != "Data transfer"]
    found = {(line.family, line.unit): line for line in several}
    assert len(found) == len(several)
    return found


def test_every_line_of_a_small_case() -> None:
    link = Link("core", IPv4Address("203.0.113.1"), (), ("k1", "k2"))
    found = lines(made(*EVERYTHING, links=(link,), recovery="us-west-2"))
    by_hand = {
        ("Fargate compute", "vCPU-hour"): (2 * 0.5 * 730, 4 * 0.5 * 730, 0.04048),
        ("Fargate compute", "GB-hour"): (2 * 730, 4 * 730, 0.004445),
        ("NAT gateways", "gateway-hour"): (2 * 730, 2 * 730, 0.045),
        ("NAT gateways", "GB"): (7, 7, 0.045),
        ("Addresses", "address-hour"): (730, 730, 0.005),
        ("VPC endpoints", "endpoint-zone-hour"): (4 * 730, 4 * 730, 0.01),
        ("VPC endpoints", "GB"): (6, 12, 0.01),
        ("VPN connections", "connection-hour"): (730, 730, 0.05),
        ("DNS firewall", "domain-month"): (2, 2, 0.0005),
        ("Load balancer", "balancer-hour"): (730, 730, 0.0225),
        ("Load balancer", "LCU-hour"): (10, 10, 0.008),
        ("API gateway requests", "million requests"): (2, 2, 3.5),
        ("WAF", "ACL-month"): (1, 1, 5),
        ("WAF", "rule-month"): (3, 3, 1),
        ("WAF", "million requests"): (2, 2, 0.6),
        ("Logs", "GB"): (6, 12, 0.5),
        ("Logs", "GB-month"): (6, 12, 0.03),
        ("KMS", "key-month"): (1, 1, 1),
        ("Secrets Manager", "secret-month"): (3, 3, 0.4),
        ("ECR storage", "GB-month"): (4, 4, 0.1),
        ("CloudWatch alarms", "alarm-month"): (1, 1, 0.1),
        ("CloudWatch alarms", "dashboard-month"): (1, 1, 3),
        ("Backups", "GB-month"): (12, 12, 0.05),
    }
    transfer = [
        (line.at_base, line.at_max, line.price) for line in made(*EVERYTHING).lines if line.family == "Data transfer"
    ]
    assert transfer == [(10, 10, 0.09), (7, 7, 0.09)]
    assert {key: (line.at_base, line.at_max, line.price) for key, line in found.items()} == by_hand


def test_families_and_totals_are_sums_of_the_lines() -> None:
    report = made(*EVERYTHING)
    assert report.base == pytest.approx(sum(line.at_base * (line.price or 0) for line in report.lines))
    assert report.max == pytest.approx(sum(each.max for each in report.families))
    waf = next(each for each in report.families if each.family == "WAF")
    assert waf.what == "1 ACL, 3 rules, 2 million requests"
    assert waf.base == pytest.approx(9.2)


def test_what_goes_on_while_it_is_down() -> None:
    assert made(*EVERYTHING).kept == pytest.approx(730 * 0.005 + 1)
    assert made(*EVERYTHING[1:]).kept == pytest.approx(730 * 0.005)
    assert made(*EVERYTHING[2:]).kept == 0


def test_what_is_not_there_costs_nothing_and_has_no_line() -> None:
    assert {line.family for line in made().lines} == {"Fargate compute", "Logs", "Secrets Manager"}


def test_stacks_that_are_not_there_are_said() -> None:
    assert "stacks that are not rendered: data, edge, firewall, key, network, rules" in made().left_out
    assert not any("not rendered" in each for each in made(*EVERYTHING).left_out)


def test_insights_that_are_on_are_said_to_be_left_out() -> None:
    def left_out(value: str) -> bool:
        settings = [{"Name": "containerInsights", "Value": value}]
        report = made(*EVERYTHING, stack("more", {"Cluster": ("AWS::ECS::Cluster", {"ClusterSettings": settings})}))
        return any("Container Insights" in each for each in report.left_out)

    assert left_out("enabled")
    assert left_out("enhanced")
    assert not left_out("disabled")


def test_a_figure_that_is_not_known_adds_nothing_and_is_said() -> None:
    report = made(*EVERYTHING, region="sa-east-1")
    api = next(line for line in report.lines if line.family == "API gateway requests")
    assert (api.price, api.base) == (None, 0)
    assert any(
        "no price for in sa-east-1" in each and "API gateway requests (million requests)" in each
        for each in report.left_out
    )
    assert (
        next(each.what for each in report.families if each.family == "API gateway requests") == "2 million (no price)"
    )


@pytest.mark.parametrize(("region", "what"), [(None, "says no region"), ("xx-nowhere-1", "no prices for xx-nowhere-1")])
def test_without_prices_there_is_no_estimate(region: str | None, what: str) -> None:
    with pytest.raises(Problems, match=what) as found:
        made(region=region)
    assert "us-east-1" in str(found.value)


def test_the_table_says_how_old_it_is() -> None:
    assert (made().prices_of, made().age_days) == ("2025-06-01", 30)


def test_every_figure_has_a_page_and_every_region_only_figures_that_are_known() -> None:
    table = tables.prices()
    assert {"us-east-1", "us-west-2", "sa-east-1", "eu-west-1"} <= table.regions.keys()
    assert all(each.source.startswith("https://aws.amazon.com/") for each in table.figures.values())
    for region, known in table.regions.items():
        assert known.keys() <= table.figures.keys(), region
        assert all(price > 0 for price in known.values()), region
    assert table.regions["us-east-1"].keys() == table.figures.keys()


def test_assumptions_are_said_with_their_flags() -> None:
    said = {each.flag: each.text for each in made(assumed=replace(ASSUMED, logs_gb=0.25)).assumptions}
    assert said["--logs-gb"] == "0.25 GB of logs of one instance, kept for a month"
    assert len(said) == 6


@given(st.integers(1, 6), st.integers(0, 6), st.sampled_from([(250, 512), (1000, 2048), (4000, 8192)]))
def test_max_is_never_below_base_and_a_service_more_never_cheaper(base: int, more: int, size: tuple[int, int]) -> None:
    one = service("web", f"{base}..{base + more}", *size)
    two = service("api", f"1..{base}")
    small = estimate_of(blueprint(one), ASSUMED, TODAY)
    large = estimate_of(blueprint(one, two), ASSUMED, TODAY)
    assert small.base <= small.max
    assert small.base < large.base
    assert small.max < large.max
