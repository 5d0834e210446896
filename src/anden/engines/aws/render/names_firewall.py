"""The firewall for names: which the VPC's resolver answers. All others do not exist (NXDOMAIN), in every environment.

It is what a destination by host name rests on: security groups match no names, so its port is open to every address,
and an address that somebody knows by heart is not stopped here. Names of AWS in the region are answered, for tasks
fetch images, secrets and roles there. When the firewall itself fails, the resolver answers nothing: that is AWS's
default for a VPC (Route 53 developer guide, "DNS Firewall VPC configuration"), and CloudFormation has no word for it.
"""

from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, sub, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import VPC_ID

LONGEST_NAME = 64
"""Characters of the name of a list or a group of rules (Route 53 API, "CreateFirewallDomainList")."""
AWS_FIRST, DECLARED, REST = 100, 200, 1000
"""Priorities of the rules: the lowest number is looked at first."""
ASSOCIATION = 200
"""Priority among the groups of rules of a VPC, 101 to 9,899; room before it for an organization's own."""


def part(terrain: Terrain) -> Part:
    """Lists of names, the rules, and their association with the VPC."""
    name = terrain.name[: LONGEST_NAME - len("-declared")]
    lists: dict[str, tuple[str, list[Json]]] = {
        "NamesOfAws": ("aws", [sub("*.${AWS::Region}.${AWS::URLSuffix}")]),
        "NamesAll": ("all", ["*"]),
    }
    rules: list[Json] = [_allow(AWS_FIRST, "NamesOfAws")]
    if terrain.hosts:
        lists["NamesDeclared"] = ("declared", list(terrain.hosts))
        rules.append(_allow(DECLARED, "NamesDeclared"))
    rules.append(
        {
            "Priority": REST,
            "Action": "BLOCK",
            "BlockResponse": "NXDOMAIN",
            "FirewallDomainListId": att("NamesAll", "Id"),
        }
    )
    resources: dict[str, Resource] = {
        logical_id: resource(
            "AWS::Route53Resolver::FirewallDomainList", Name=f"{name}-{which}", Domains=domains,
            Tags=tags(Name=f"{terrain.name}-{which}"),
        )
        for logical_id, (which, domains) in lists.items()
    }  # fmt: skip
    resources["NamesRules"] = resource(
        "AWS::Route53Resolver::FirewallRuleGroup", Name=f"{name}-names", FirewallRules=rules,
        Tags=tags(Name=f"{terrain.name}-names"),
    )  # fmt: skip
    resources["NamesFirewall"] = resource(
        "AWS::Route53Resolver::FirewallRuleGroupAssociation", Name=f"{name}-names", VpcId=ref(VPC_ID),
        FirewallRuleGroupId=att("NamesRules", "Id"), Priority=ASSOCIATION, Tags=tags(Name=f"{terrain.name}-names"),
    )  # fmt: skip
    return Part(resources)


def _allow(priority: int, names: str) -> Json:
    """A declared name may be an alias of one that nobody declared: the chain of aliases is trusted, or a change at the
    other side (a content network, say) would cut it off."""
    return {
        "Priority": priority, "Action": "ALLOW", "FirewallDomainListId": att(names, "Id"),
        "FirewallDomainRedirectionAction": "TRUST_REDIRECTION_DOMAIN",
    }  # fmt: skip
