"""What the stacks of rules let through: amid a change all that either blueprint needs, and no rule twice."""

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from tests.unit.planning.topologies import destination, drafted, service, topologies, topology

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import rules
from anden.model.blueprint import Blueprint
from anden.model.topology import Egress, Topology
from anden.planning.configuration import configure

SIDES = ("GroupId", "SourceSecurityGroupId", "DestinationSecurityGroupId", "CidrIp")


def flows(target: Blueprint, keeping: Blueprint | None = None) -> Counter[str]:
    """Each rule as EC2 compares them: kind, groups, network and ports, without its description."""
    configuration = configure(target, keeping, caveats(target.topology))
    found: Counter[str] = Counter()
    for which in rules.shards(configuration):
        for made in rules.part(target, configuration, which, keeping).resources.values():
            said = {name: value for name, value in made["Properties"].items() if name != "Description"}
            assert len(made["Properties"]["Description"]) <= rules.MOST_DESCRIPTION
            found[json.dumps([made["Type"], said], sort_keys=True, default=dict)] += 1
    return found


@settings(max_examples=20, deadline=None)
@given(topologies(), topologies())
def test_no_flow_is_lost_in_the_middle_of_a_change(old: Topology, new: Topology) -> None:
    before = drafted(old)
    after = drafted(new, before)
    both = flows(after, before)
    assert flows(after).keys() <= both.keys()
    kept = {each.service: each.number for each in after.placements}
    same = {each.service for each in before.placements if kept.get(each.service, each.number) == each.number}
    assert same == {each.service for each in before.placements}, "a draft keeps its parent's numbers"
    free = {each.number for each in before.placements if each.service not in kept} - set(kept.values())
    gone = [each.service for each in before.placements if each.service not in kept and each.number not in free]
    if not gone:  # else one that goes has another's number now, and so another group's stack
        assert flows(before).keys() <= both.keys()


@settings(max_examples=20, deadline=None)
@given(topologies())
def test_no_rule_is_written_twice(one: Topology) -> None:
    assert set(flows(drafted(one)).values()) <= {1}


def test_what_only_the_old_one_reaches_stays_open() -> None:
    mail, core = destination("mail", "mail.example", 25), destination("core", "api.example")
    old = topology(service("web", reaches=("mail",)), destinations=(mail,), egress=Egress.ONE, domain="a.example")
    new = topology(service("web", reaches=("core",)), destinations=(core,), egress=Egress.ONE)
    before = drafted(old)
    both = flows(drafted(new, before), before)
    text = "\n".join(both)
    assert '"FromPort": 25' in text
    assert text.count('"FromPort": 443') == 2 + 2 + 1, "the entrance's old port, the endpoints, and core"
    assert '"FromPort": 80' in text


def test_destinations_on_one_way_are_one_rule() -> None:
    places = (destination("core", "api.example"), destination("exchange", "b.example"))
    one = topology(service("web", reaches=("core", "exchange")), destinations=places, egress=Egress.ONE)
    draft = drafted(one)
    [made] = [
        made
        for made in rules.part(draft, configure(draft, None, ()), 1).resources.values()
        if made["Properties"].get("CidrIp")
    ]
    assert made["Properties"]["Description"] == "to core, exchange"
    renamed = replace(draft, topology=replace(one, destinations=(places[0],)))
    assert flows(renamed).keys() == flows(draft).keys()
