"""The way in: REST API, VPC link, internal balancer, listener rules, target groups.

A REST API takes the most specific resource of its tree, and `{proxy+}` takes what is left of a path. What a private
integration asks the balancer for is its URI, which names host and path; whether the stage's name stands before the
path, AWS's pages disagree, so both are followed. A balancer looks at its rules by priority; all conditions of a rule
must hold; what no rule takes gets the listener's own action (Elastic Load Balancing user guide, "Listener rules").
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.parity.symbols import Id, Unresolved, World, all_of, of

ANY = "ANY"
CHECKS = {"jwt-validation", "authenticate-oidc", "authenticate-cognito"}
"""Actions that come before the one that decides."""


class Passed(NamedTuple):
    """What the gateway asks the balancer for. links, target: the VPC link and the balancer. stop: why it does not."""

    host: str = ""
    path: str = ""
    port: int = 0
    link: Id | None = None
    balancer: Id | None = None
    stop: str = ""


class Taken(NamedTuple):
    """What the balancer does with a request: target groups that it goes to, or a status that it answers by itself.
    checks: what is asked of it first. path: as the service sees it."""

    groups: tuple[Id, ...] = ()
    status: int = 0
    checks: tuple[str, ...] = ()
    path: str = ""


class Rule(NamedTuple):
    """A listener rule. conditions: field to the patterns, one of which must match."""

    priority: int
    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    actions: tuple[Mapping[str, Any], ...]
    transforms: tuple[Mapping[str, Any], ...]


class Entrance:
    """Everything between the internet and the services."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rules: dict[Id, list[Rule]] = {}
        for _, each in world.items("AWS::ElasticLoadBalancingV2::ListenerRule"):
            listener = of(each["ListenerArn"])
            if listener is not None:
                self._rules.setdefault(listener, []).append(_rule(each))
        for rules in self._rules.values():
            rules.sort(key=lambda rule: rule.priority)
            if len({rule.priority for rule in rules}) < len(rules):
                raise Unresolved("two rules of a listener have the same priority")
        self.listeners = {
            (balancer, int(each["Port"])): listener
            for listener, each in world.items("AWS::ElasticLoadBalancingV2::Listener")
            if (balancer := of(each["LoadBalancerArn"])) is not None
            and world.properties(balancer).get("Type") != "network"
        }

    # The REST API.

    def hosts(self) -> tuple[str, ...]:
        """Names at which it answers; `default` for the one that AWS gives it."""
        found = [str(each["DomainName"]) for _, each in self._world.items("AWS::ApiGateway::DomainName")]
        for _, api in self._world.items("AWS::ApiGateway::RestApi"):
            if not api.get("DisableExecuteApiEndpoint", False):
                found.append("default")
        return tuple(found)

    def passed(self, host: str, path: str) -> tuple[Passed, ...]:
        """What becomes of a request from outside, in every way that AWS's pages let one expect."""
        api = self._api(host)
        if api is None:
            return (Passed(stop=f"nothing answers at {host}"),)
        taken = self._resource(api, path)
        if taken is None:
            return (Passed(stop=f"no resource for {path}"),)
        resource, rest = taken
        method = next(
            (each for _, each in self._world.items("AWS::ApiGateway::Method") if self._is_of(each, api, resource)), None
        )
        if method is None:
            return (Passed(stop=f"no method for {path}"),)
        integration = method["Integration"]
        link, balancer = of(integration.get("ConnectionId")), of(integration.get("IntegrationTarget"))
        if integration.get("ConnectionType") != "VPC_LINK" or link is None or balancer is None:
            return (Passed(stop="no private integration"),)
        uri = str(integration["Uri"]).replace("{proxy}", rest)
        found = re.fullmatch(r"(https?)://(<[^>]*>|[^/:]+)(?::(\d+))?(/.*)?", uri)
        if found is None:
            return (Passed(stop=f"{uri} is no address"),)
        scheme, name, port, at = found.groups()
        if integration.get("RequestParameters", {}).get("integration.request.header.Host") == "context.domainName":
            name = host
        number = int(port) if port else {"http": 80, "https": 443}[scheme]
        stages = [
            each["StageName"] for _, each in self._world.items("AWS::ApiGateway::Stage") if of(each["RestApiId"]) == api
        ]
        if not stages:
            return (Passed(stop="the API is not deployed"),)
        paths = [at or "/", *(f"/{stage}{at or '/'}" for stage in stages)]
        return tuple(Passed(name, each, number, link, balancer) for each in paths)

    def _api(self, host: str) -> Id | None:
        for api, each in self._world.items("AWS::ApiGateway::RestApi"):
            if host == "default" and not each.get("DisableExecuteApiEndpoint", False):
                return api
        for _, mapping in self._world.items("AWS::ApiGateway::BasePathMapping"):
            name = of(mapping["DomainName"])
            if name is not None and self._world.properties(name)["DomainName"] == host and not mapping.get("BasePath"):
                return of(mapping["RestApiId"])
        return None

    def _is_of(self, method: Mapping[str, Any], api: Id, resource: Id) -> bool:
        at = of(method["ResourceId"])
        return of(method["RestApiId"]) == api and at == resource and method["HttpMethod"] in (ANY, "GET")

    def _resource(self, api: Id, path: str) -> tuple[Id, str] | None:
        """The resource that takes a path, and what `{proxy}` stands for. The root is the API itself."""
        children: dict[Id, dict[str, Id]] = {}
        for what, each in self._world.items("AWS::ApiGateway::Resource"):
            parent = of(each["ParentId"])
            if of(each["RestApiId"]) == api and parent is not None:
                children.setdefault(parent, {})[each["PathPart"]] = what
        segments = [segment for segment in urlsplit(path).path.split("/") if segment]
        return _down(children, api, segments)

    # The balancer.

    def rules(self, listener: Id) -> tuple[Rule, ...]:
        """A listener's rules, in the order in which they are looked at."""
        return tuple(self._rules.get(listener, ()))

    def taken(self, listener: Id, host: str, path: str) -> Taken:
        """What the balancer does with a request."""
        for rule in self._rules.get(listener, ()):
            if all(_holds(field, patterns, host, path) for field, patterns in rule.conditions):
                return _done(rule.actions, _rewritten(rule.transforms, path))
        return _done(self._world.properties(listener)["DefaultActions"], path)

    def placed(self, what: Id | None) -> tuple[tuple[Id, ...], tuple[Id, ...]]:
        """Groups and subnets of a VPC link or a balancer."""
        if what is None:
            return (), ()
        each = self._world.properties(what)
        groups = each.get("SecurityGroupIds", each.get("SecurityGroups"))
        return all_of(groups), all_of(each.get("SubnetIds", each.get("Subnets")))

    def exposed(self) -> Iterator[str]:
        """Balancers that anybody outside could open by themselves."""
        for what, each in self._world.items("AWS::ElasticLoadBalancingV2::LoadBalancer"):
            if each.get("Scheme") != "internal":
                yield what.name


def _down(children: Mapping[Id, Mapping[str, Id]], at: Id, segments: list[str]) -> tuple[Id, str] | None:
    if not segments:
        return at, ""
    below = children.get(at, {})
    if segments[0] in below:
        return _down(children, below[segments[0]], segments[1:])
    for part, resource in below.items():
        if part.startswith("{") and part.endswith("+}"):
            return resource, "/".join(segments)
    return None


def _rule(each: Mapping[str, Any]) -> Rule:
    conditions = []
    for condition in each["Conditions"]:
        configs = [value for name, value in condition.items() if name.endswith("Config")]
        values = condition.get("Values") or (configs[0]["Values"] if configs and "Values" in configs[0] else None)
        if values is None:
            raise Unresolved(f"a condition on {condition['Field']} is not understood here")
        conditions.append((str(condition["Field"]), tuple(str(value) for value in values)))
    actions = sorted(each["Actions"], key=lambda action: int(action.get("Order", 1)))
    return Rule(int(each["Priority"]), tuple(conditions), tuple(actions), tuple(each.get("Transforms", ())))


def _holds(field: str, patterns: tuple[str, ...], host: str, path: str) -> bool:
    if field == "path-pattern":
        return any(_pattern(each).fullmatch(path) for each in patterns)
    if field == "host-header":
        return any(_pattern(each.lower()).fullmatch(host.lower()) for each in patterns)
    raise Unresolved(f"a condition on {field} is not understood here")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """`*` any number of characters, `?` one; brackets mean themselves."""
    return re.compile(translate(text.replace("[", "[[]")))


def _done(actions: Any, path: str) -> Taken:
    checks = tuple(each["Type"] for each in actions if each["Type"] in CHECKS)
    for each in actions:
        if each["Type"] == "fixed-response":
            return Taken(status=int(each["FixedResponseConfig"]["StatusCode"]), checks=checks)
        if each["Type"] == "forward":
            listed = each.get("ForwardConfig", {}).get("TargetGroups", [])
            groups = [of(one["TargetGroupArn"]) for one in listed] or [of(each.get("TargetGroupArn"))]
            return Taken(tuple(group for group in groups if group is not None), checks=checks, path=path)
    raise Unresolved("a rule without an action that decides")


def _rewritten(transforms: tuple[Mapping[str, Any], ...], path: str) -> str:
    for each in transforms:
        if each["Type"] == "url-rewrite":
            for rewrite in each["UrlRewriteConfig"]["Rewrites"]:
                path = re.sub(rewrite["Regex"], re.sub(r"\$(\d)", r"\\\1", rewrite["Replace"]), path, count=1)
    return path
