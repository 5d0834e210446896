"""How the internal balancer reaches a service: a target group that ECS fills, and the rule that leads to it.

A rule takes one path, at the declared host or else at the environment's domain: a request for any other host finds no
rule and gets 404, however it is addressed. Where the route asks for a token, the balancer verifies it first.
"""

import json
import math
import re

from anden.engines.aws.render.balancer import fixed
from anden.engines.aws.render.entrance import STAGE, Door
from anden.engines.aws.render.naming import LISTENER, VPC, place
from anden.engines.aws.render.template import Json, Part, Resource, ref, resource, tags
from anden.model.blueprint import Blueprint
from anden.model.topology import Issuer, Service, Strategy

LONGEST_DRAIN_S = 300
"""The longest that a leaving task may finish what is in flight: the balancer's default too (Elastic Load Balancing
user guide, "Edit target group attributes": deregistration delay)."""
CHECK_EVERY_S, CHECK_WAIT_S, HEALTHY_AFTER, UNHEALTHY_AFTER = 10, 5, 2, 3
"""Between two health checks, for an answer, and how many in a row are needed (its "Health checks for Application Load
Balancer target groups": 5 to 300 s, 2 to 120 s, 2 to 10)."""
ANSWERS = "200-399"
"""What a healthy service answers at its health path."""
ANY_ANSWER = "200-499"
"""What a service answers that declares no path: an ALB cannot only connect, so any answer below 500 will do."""
KEYS_PATH = "/.well-known/jwks.json"
"""Where an issuer publishes its keys."""
BLUE, GREEN = "Target", "OtherTarget"
"""The target groups, by logical name. The second one is there where versions take over side by side."""


def groups(service: Service) -> tuple[str, ...]:
    """The logical names of the service's target groups."""
    return (BLUE,) if service.strategy is Strategy.ROLLING else (BLUE, GREEN)


def part(blueprint: Blueprint, door: Door, number: int) -> Part:
    """Target groups and rule; a closed door has the rule alone. number: the placement's."""
    resources: dict[str, Resource] = {}
    if not door.closed:
        for name in groups(door.service):
            resources[name] = _group(blueprint, door)
    resources["Rule"] = resource(
        "AWS::ElasticLoadBalancingV2::ListenerRule", ListenerArn=LISTENER, Priority=door.priority(number),
        Conditions=_conditions(door), Actions=_actions(door),
        Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [_rewritten(door)]}}],
    )  # fmt: skip
    return Part(resources)


def _rewritten(door: Door) -> Json:
    """Without the stage's name, and with what stands in the path's place. The pattern is matched with the query behind
    the path, and knows no lookahead (Elastic Load Balancing user guide, "Transforms for listener rules")."""
    rewrite = door.service.route.rewrite if door.service.route is not None else None
    if rewrite is None:
        return {"Regex": f"^/{STAGE}(/|$)(.*)$", "Replace": "/$2"}
    becomes, path = rewrite.rstrip("/"), re.escape(door.path)
    if becomes and path:
        return {"Regex": f"^(/{STAGE}|){path}([/?].*|)$", "Replace": f"{becomes}$2"}
    return {"Regex": f"^(/{STAGE}|){path}/?(.*)$", "Replace": f"{becomes}/$2"}


def _group(blueprint: Blueprint, door: Door) -> Resource:
    service = door.service
    health = service.health.path
    return resource(
        "AWS::ElasticLoadBalancingV2::TargetGroup", VpcId=VPC, TargetType="ip", Protocol="HTTP",
        ProtocolVersion="HTTP1", Port=service.port, HealthCheckProtocol="HTTP",
        HealthCheckPath=health or door.path or "/",
        Matcher={"HttpCode": ANSWERS if health else ANY_ANSWER}, HealthCheckIntervalSeconds=CHECK_EVERY_S,
        HealthCheckTimeoutSeconds=CHECK_WAIT_S, HealthyThresholdCount=HEALTHY_AFTER,
        UnhealthyThresholdCount=UNHEALTHY_AFTER,
        TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(drain_s(service))}],
        Tags=tags(Name=f"{place(blueprint.topology)}-{service.name}"),
    )  # fmt: skip


def drain_s(service: Service) -> int:
    """How long what is in flight may take when a task goes."""
    return min(math.ceil(service.timeout_s), LONGEST_DRAIN_S)


def _conditions(door: Door) -> list[Json]:
    """Five values at most, two of them with wildcards (its "Quotas": 5 and 5 a rule)."""
    with_stage = f"/{STAGE}{door.path}"
    paths = [door.path, f"{door.path}/*", with_stage, f"{with_stage}/*"] if door.path else ["/*"]
    found: list[Json] = [{"Field": "path-pattern", "PathPatternConfig": {"Values": paths}}]
    if door.hosts:
        found.append({"Field": "host-header", "HostHeaderConfig": {"Values": list(door.hosts)}})
    return found


def _actions(door: Door) -> list[Json]:
    if door.closed:
        return [fixed("503", json.dumps({"error": door.closed}))]
    weights = [{"TargetGroupArn": ref(name), "Weight": int(name == BLUE)} for name in groups(door.service)]
    forward: dict[str, Json] = {"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}
    return [forward] if door.issuer is None else [{**_verify(door, door.issuer), "Order": 1}, {**forward, "Order": 2}]


def _verify(door: Door, issuer: Issuer) -> dict[str, Json]:
    """Signature, issuer and time are always verified; audience and scope because they are asked for."""
    claims: list[Json] = [{"Name": "aud", "Format": "single-string", "Values": [issuer.audience]}]
    scopes = door.service.route.scopes if door.service.route is not None else ()
    if scopes:
        claims.append({"Name": "scope", "Format": "space-separated-values", "Values": list(scopes)})
    return {
        "Type": "jwt-validation",
        "JwtValidationConfig": {
            "Issuer": issuer.issuer, "JwksEndpoint": issuer.issuer.rstrip("/") + KEYS_PATH,
            "AdditionalClaims": claims,
        },
    }  # fmt: skip
