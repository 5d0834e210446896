"""Ways through AWS read from the golden templates: equal to the declared matrix, and blocked by what is taken away."""

import json
from functools import cache
from pathlib import Path

import pytest

from anden.engines.aws.caveats import caveats
from anden.engines.aws.explain import explain
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.reach import Path as Way
from anden.planning.reachability import matrix, path

HERE = Path(__file__).parent
CASES = ("client/production", "client/certification", "two-regions/production", "example/production", "vpn/staging")


@cache
def case(name: str) -> tuple[Blueprint, dict[str, str]]:
    folder = HERE / name
    blueprint = codec.from_json(Blueprint, (folder / "blueprint.json").read_text())
    return blueprint, {file.name: file.read_text() for file in (folder / "aws").glob("*.json")}


def asked(name: str, caller: str, callee: str, files: dict[str, str] | None = None) -> Way:
    blueprint, own = case(name)
    answer = path(blueprint, caller, callee, None, {}, caveats(blueprint.topology))
    return explain(own if files is None else files, blueprint, answer, {})


def without(name: str, which: str, kind: str, words: str) -> dict[str, str]:
    """The files without the resources of that kind that say these words."""
    files = dict(case(name)[1])
    document = json.loads(files[which])
    kept = {
        key: one
        for key, one in document["Resources"].items()
        if one["Type"] != kind or words not in f"{key} {json.dumps(one)}"
    }
    assert len(kept) < len(document["Resources"])
    files[which] = json.dumps({**document, "Resources": kept})
    return files


@pytest.mark.parametrize("name", CASES)
def test_the_templates_say_what_was_declared(name: str) -> None:
    blueprint, files = case(name)
    said = caveats(blueprint.topology)
    some = 0
    for computed in matrix(blueprint, {}, said):
        answer = explain(files, blueprint, computed, {})
        if computed.open:
            assert answer.open, answer
            assert all(hop.passes for hop in answer.hops)
            some += 1
        elif answer.open:
            # What a name costs: its port is open to every address, so another destination on it is too.
            assert "host name's port is open" in answer.reason
            caller = blueprint.topology.service(computed.caller)
            assert caller is not None
            hosts = [blueprint.topology.destination(each) for each in caller.reaches]
            assert any(place is not None and place.host and place.port == computed.port for place in hosts)
        else:
            assert not answer.hops[-1].passes or answer == computed
    assert some


@pytest.mark.parametrize(
    ("callee", "which", "kind", "words", "stop"),
    [
        ("ledger", "rules.json", "AWS::EC2::SecurityGroupEgress", "to ledger", "security group"),
        ("ledger", "rules.json", "AWS::EC2::SecurityGroupIngress", "from accounts", "security group"),
        ("ledger", "network.json", "AWS::EC2::NetworkAclEntry", "PrivateAclIn", "network ACL"),
        ("exchange", "network.json", "AWS::EC2::Route", "PrivateATo00", "route"),
        ("exchange", "network.json", "AWS::Route53Resolver::FirewallDomainList", "declared", "name"),
        ("exchange", "network.json", "AWS::EC2::NetworkAclEntry", "PrivateAclOut", "network ACL"),
        ("core-api", "rules.json", "AWS::EC2::SecurityGroupEgress", "to core-api", "security group"),
        ("core-api", "network.json", "AWS::EC2::Route", "LinkCoreOut", "route"),
    ],
)
def test_what_is_taken_away_stops_it(callee: str, which: str, kind: str, words: str, stop: str) -> None:
    name = "client/production"
    assert asked(name, "accounts", callee).open
    broken = asked(name, "accounts", callee, without(name, which, kind, words))
    assert (broken.open, broken.hops[-1].kind, broken.hops[-1].passes) == (False, stop, False)
    assert broken.fix


def test_a_way_over_a_link_names_each_thing_on_it() -> None:
    answer = asked("client/production", "accounts", "core-api")
    assert [hop.kind for hop in answer.hops] == [
        "task", "security group", "network ACL", "route", "nat", "route", "tunnel", "destination",
    ]  # fmt: skip
    assert "100.64.10.0/28" in answer.hops[4].rule


@pytest.mark.parametrize(
    ("which", "kind", "words", "stop"),
    [
        ("network.json", "AWS::EC2::VPNConnectionRoute", "10.20.0.0/16", "tunnel"),
        ("network.json", "AWS::EC2::NetworkAclEntry", "10.20.4.0/24", "network ACL"),
        ("rules.json", "AWS::EC2::SecurityGroupIngress", "10.20.4.0/24", "security group"),
        ("edge.json", "AWS::ElasticLoadBalancingV2::LoadBalancer", "100.64.10.6", "balancer"),
        ("service-notices.json", "AWS::ElasticLoadBalancingV2::Listener", "8443", "balancer"),
        ("rules.json", "AWS::EC2::SecurityGroupEgress", "to notices", "security group"),
        ("rules.json", "AWS::EC2::SecurityGroupIngress", "from link core", "security group"),
        ("network.json", "AWS::EC2::NetworkAclEntry", "PrivateAclIn31889", "network ACL"),
    ],
)
def test_what_is_taken_away_stops_what_comes_in_over_a_link(which: str, kind: str, words: str, stop: str) -> None:
    name = "vpn/staging"
    assert asked(name, "link:core", "notices").open
    broken = asked(name, "link:core", "notices", without(name, which, kind, words))
    assert (broken.open, broken.hops[-1].kind, broken.hops[-1].passes) == (False, stop, False)


def test_a_way_in_over_a_link_names_each_thing_on_it() -> None:
    answer = asked("vpn/staging", "link:core", "notices")
    assert [hop.kind for hop in answer.hops] == [
        "tunnel", "network ACL", "security group", "balancer", "security group", "security group", "network ACL",
        "network ACL", "task",
    ]  # fmt: skip
    assert "100.64.10.6:8443" in answer.hops[3].what
