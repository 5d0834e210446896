"""The firewall for names: what is declared resolves, what AWS needs resolves, nothing else does."""

from dataclasses import replace
from typing import Any

from tests.unit.engines.aws.render.networks import BANK, Network, network
from tests.unit.planning.topologies import destination, service, topology

from anden.model.topology import Egress

AWS = {"Fn::Sub": "*.${AWS::Region}.${AWS::URLSuffix}"}


def rules(found: Network) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Action, names and rule, in the order in which they are looked at."""
    lists = found.of("Route53Resolver::FirewallDomainList")
    (group,) = found.of("Route53Resolver::FirewallRuleGroup").values()
    ordered = sorted(group["FirewallRules"], key=lambda rule: int(rule["Priority"]))
    return [(rule["Action"], lists[rule["FirewallDomainListId"]["Fn::GetAtt"][0]]["Domains"], rule) for rule in ordered]


def answers(found: Network) -> list[tuple[str, list[Any]]]:
    return [(action, names) for action, names, _ in rules(found)]


def test_declared_names_resolve_and_the_rest_do_not_exist() -> None:
    assert answers(network(BANK)) == [("ALLOW", [AWS]), ("ALLOW", ["api.exchange.example"]), ("BLOCK", ["*"])]
    assert rules(network(BANK))[-1][2]["BlockResponse"] == "NXDOMAIN"


def test_without_a_name_the_default_stands() -> None:
    assert answers(network(topology(service("web"), region="us-east-1"))) == [("ALLOW", [AWS]), ("BLOCK", ["*"])]


def test_a_name_that_nobody_reaches_or_that_nothing_leaves_to_is_not_answered() -> None:
    idle = replace(BANK, services=tuple(replace(each, reaches=()) for each in BANK.services))
    shut = replace(BANK, egress=Egress.NONE)
    for of in (idle, shut):
        assert answers(network(of)) == [("ALLOW", [AWS]), ("BLOCK", ["*"])]


def test_an_alias_of_a_declared_name_is_followed() -> None:
    assert {
        rule["FirewallDomainRedirectionAction"] for action, _, rule in rules(network(BANK)) if action == "ALLOW"
    } == {"TRUST_REDIRECTION_DOMAIN"}


def test_it_stands_before_the_vpc() -> None:
    (association,) = network(BANK).of("Route53Resolver::FirewallRuleGroupAssociation").values()
    assert association["VpcId"] == {"Ref": "Vpc"}
    assert 100 < association["Priority"] < 9900


def test_a_name_that_the_old_blueprint_reaches_is_answered_until_it_is_gone() -> None:
    other = replace(
        BANK,
        destinations=(*BANK.destinations[:1], destination("exchange", "new.exchange.example"), BANK.destinations[2]),
    )
    assert answers(network(other, BANK))[1] == ("ALLOW", ["api.exchange.example", "new.exchange.example"])
    assert answers(network(other))[1] == ("ALLOW", ["new.exchange.example"])


def test_the_longest_names_fit() -> None:
    found = network(replace(BANK, client="c" * 40, environment="e" * 40))
    for kind in ("FirewallDomainList", "FirewallRuleGroup", "FirewallRuleGroupAssociation"):
        assert all(len(each["Name"]) <= 64 for each in found.of(f"Route53Resolver::{kind}").values())
