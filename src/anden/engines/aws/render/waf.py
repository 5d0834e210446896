"""The wall before the gateway: AWS's managed rules against what attacks everybody, and a limit for each address."""

from dataclasses import dataclass

from anden.engines.aws.render.access import WALL_LOG
from anden.engines.aws.render.arns import arn
from anden.engines.aws.render.cluster import LOG_DAYS, LOG_DAYS_PRODUCTION
from anden.engines.aws.render.entrance import STAGE, Door, Entrance
from anden.engines.aws.render.naming import KEY, place
from anden.engines.aws.render.template import Json, Part, att, resource, sub
from anden.model.blueprint import Blueprint
from anden.model.topology import Rate

GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
)
"""In the order in which they are asked: 25, 200, 700 and 200 of the 1,500 capacity units that the price of a web ACL
has in it (WAF developer guide, "AWS Managed Rules rule groups list")."""
COUNTED = {"AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)}
"""Rules that only count: this one would refuse every body of more than 8 KB."""
MOST_FROM_ONE = 2_000
"""Requests of one address in five minutes."""
WINDOW_S = 300
URI: Json = {"UriPath": {}}
HOST: Json = {"SingleHeader": {"Name": "host"}}


LEAST, LEAST_WINDOW_S = 10, 60
"""Of a rate: requests, and the shortest stretch of time that they are counted in (WAF developer guide, "Rate-based
rule high-level settings"). So a rate by the second is upheld as sixty times that by the minute."""
MOST_RATES = 100
"""Rules of routes' own rates: each takes 20 capacity units and more, of 5,000 that a web ACL may have, which would cost
more from 1,500 on (WAF developer guide, "AWS WAF quotas")."""


@dataclass(frozen=True, slots=True)
class RouteRate:
    """What a rule of its own counts: requests that `door` opens for. each: by client's address, or all in one."""

    door: Door
    rate: Rate
    each: bool

    @property
    def limit(self) -> int:
        """Requests in LEAST_WINDOW_S."""
        return max(LEAST, self.rate.count * LEAST_WINDOW_S // self.rate.window_s)


def rates(entrance: Entrance) -> tuple[RouteRate, ...]:
    """Of the doors that are open, by service; a client's own first."""
    found = []
    for _, door in sorted(entrance.doors.items()):
        route = door.service.route
        if door.closed or route is None:
            continue
        for rate, each in ((route.rate_each, True), (route.rate, False)):
            if rate is not None:
                found.append(RouteRate(door, rate, each))
    return tuple(found)


def part(blueprint: Blueprint, entrance: Entrance) -> Part:
    """The web ACL before the stage, and a log of what it refused. In the stack of the gateway."""
    topology = blueprint.topology
    name = place(topology)
    stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Stage}"
    return Part(
        {
            "Wall": resource(
                "AWS::WAFv2::WebACL", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=_seen(name),
                Rules=[
                    *(_managed(number, group) for number, group in enumerate(GROUPS)),
                    _rate(len(GROUPS)),
                    *(
                        _of_route(number, each, entrance)
                        for number, each in enumerate(rates(entrance), start=len(GROUPS) + 1)
                    ),
                ],
            ),
            "WallBeforeStage": resource(
                "AWS::WAFv2::WebACLAssociation", WebACLArn=att("Wall", "Arn"), ResourceArn=sub(stage)
            ),
            "WallLog": resource(
                "AWS::Logs::LogGroup", keep=topology.production, LogGroupName=f"{WALL_LOG}{name}", KmsKeyId=KEY,
                RetentionInDays=LOG_DAYS_PRODUCTION if topology.production else LOG_DAYS,
            ),
            "WallLogging": resource(
                "AWS::WAFv2::LoggingConfiguration", ResourceArn=att("Wall", "Arn"),
                LogDestinationConfigs=[
                    arn("logs", "log-group:${WallLog}")
                ],
                RedactedFields=[{"SingleHeader": {"Name": "authorization"}}, {"SingleHeader": {"Name": "cookie"}}],
                LoggingFilter={
                    "DefaultBehavior": "DROP",
                    "Filters": [
                        {
                            "Behavior": "KEEP", "Requirement": "MEETS_ANY",
                            "Conditions": [
                                {"ActionCondition": {"Action": action}} for action in ("BLOCK", "EXCLUDED_AS_COUNT")
                            ],
                        }
                    ],
                },
            ),
        }
    )  # fmt: skip


def _seen(name: str) -> Json:
    return {"CloudWatchMetricsEnabled": True, "SampledRequestsEnabled": True, "MetricName": name}


def _managed(priority: int, group: str) -> Json:
    statement: dict[str, Json] = {"VendorName": "AWS", "Name": group}
    if group in COUNTED:
        statement["RuleActionOverrides"] = [{"Name": name, "ActionToUse": {"Count": {}}} for name in COUNTED[group]]
    return {
        "Name": group, "Priority": priority, "OverrideAction": {"None": {}}, "VisibilityConfig": _seen(group),
        "Statement": {"ManagedRuleGroupStatement": statement},
    }  # fmt: skip


def _rate(priority: int) -> Json:
    limit = {"Limit": MOST_FROM_ONE, "AggregateKeyType": "IP", "EvaluationWindowSec": WINDOW_S}
    return {
        "Name": "too-many", "Priority": priority, "Action": {"Block": {}}, "VisibilityConfig": _seen("too-many"),
        "Statement": {"RateBasedStatement": limit},
    }  # fmt: skip


def _of_route(priority: int, one: RouteRate, entrance: Entrance) -> Json:
    """429, as on the twin. A longer path that leads elsewhere is not counted."""
    one_host = len(entrance.hosts) < 2
    below = [door for door in entrance.doors.values() if _covers(one.door, door)]
    counted = [
        _within(one.door, one_host),
        *({"NotStatement": {"Statement": _within(door, one_host)}} for door in below),
    ]
    limit: dict[str, Json] = {
        "Limit": one.limit, "EvaluationWindowSec": LEAST_WINDOW_S, "AggregateKeyType": "IP" if one.each else "CONSTANT",
        "ScopeDownStatement": {"AndStatement": {"Statements": counted}} if below else counted[0],
    }  # fmt: skip
    name = f"{one.door.service.name}-{'each' if one.each else 'all'}"
    return {
        "Name": name, "Priority": priority, "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
        "VisibilityConfig": _seen(name), "Statement": {"RateBasedStatement": limit},
    }  # fmt: skip


def _covers(door: Door, other: Door) -> bool:
    """Whether `other` takes requests away that `door` would get: a longer path, at a host that both open for."""
    both = not door.hosts or not other.hosts or bool(set(door.hosts) & set(other.hosts))
    return both and len(other.path) > len(door.path) and other.path.startswith(f"{door.path}/")


def _within(door: Door, one_host: bool) -> Json:
    """The door's path and what is below it, with the stage's name before it or not. one_host: the entrance has no other
    name, so that it need not be asked for."""
    paths = [
        _matches(URI, kind, text)
        for base in (door.path, f"/{STAGE}{door.path}")
        for kind, text in (("EXACTLY", base), ("STARTS_WITH", f"{base}/"))
        if text
    ]
    at_path: Json = {"OrStatement": {"Statements": paths}}
    if one_host or not door.hosts:
        return at_path
    hosts = [_matches(HOST, "EXACTLY", host) for host in door.hosts]
    at_host: Json = {"OrStatement": {"Statements": hosts}} if len(hosts) > 1 else hosts[0]
    return {"AndStatement": {"Statements": [at_path, at_host]}}


def _matches(field: Json, how: str, text: str) -> Json:
    lower = "LOWERCASE" if field is HOST else "NONE"
    return {
        "ByteMatchStatement": {
            "FieldToMatch": field, "PositionalConstraint": how, "SearchString": text,
            "TextTransformations": [{"Priority": 0, "Type": lower}],
        }
    }  # fmt: skip
