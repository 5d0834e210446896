"""A route's rates and rewriting on AWS: what the wall counts, and what the balancer makes of a path."""

import re
from typing import Any

import pytest

from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import target, waf
from anden.engines.aws.render.entrance import entrance
from anden.model.ids import ServiceName
from anden.model.topology import Cors, ImageSource, Rate, Route, Service, Topology


def service(name: str, route: Route) -> Service:
    return Service(ServiceName(name), ImageSource("x:1"), 8080, route=route)


def topology(*services: Service, domain: str | None = None) -> Topology:
    return Topology("bank", "dev", services, region="us-east-1", domain=domain)


def counted(statement: Any, path: str, host: str = "api.bank.example") -> bool:
    """Whether the wall's statement holds of a request, as WAF's documentation has it."""
    [(kind, said)] = statement.items()
    match kind:
        case "AndStatement":
            return all(counted(each, path, host) for each in said["Statements"])
        case "OrStatement":
            return any(counted(each, path, host) for each in said["Statements"])
        case "NotStatement":
            return not counted(said["Statement"], path, host)
        case "ByteMatchStatement":
            text = path if said["FieldToMatch"] == waf.URI else host.lower()
            wanted = said["SearchString"]
            return bool(text.startswith(wanted) if said["PositionalConstraint"] == "STARTS_WITH" else text == wanted)
    raise AssertionError(kind)


def rule(of: Topology, number: int = 0) -> Any:
    doors = entrance(of)
    return waf._of_route(9, waf.rates(doors)[number], doors)


def scope(made: Any) -> Any:
    return made["Statement"]["RateBasedStatement"]["ScopeDownStatement"]


def test_a_rate_is_counted_by_the_minute_for_each_address_and_for_all() -> None:
    of = topology(service("web", Route("/web", rate=Rate(500, 1), rate_each=Rate(600, 60))))
    each, everybody = rule(of), rule(of, 1)
    limits = [one["Statement"]["RateBasedStatement"] for one in (each, everybody)]
    assert [(one["AggregateKeyType"], one["Limit"], one["EvaluationWindowSec"]) for one in limits] == [
        ("IP", 600, 60), ("CONSTANT", 30_000, 60)
    ]  # fmt: skip
    assert each["Action"] == {"Block": {"CustomResponse": {"ResponseCode": 429}}}


@pytest.mark.parametrize(
    ("path", "whether"),
    [("/a", True), ("/a/x", True), ("/anden/a/x", True), ("/ab", False), ("/a/b", False), ("/a/b/c", False),
     ("/a/bc", True), ("/anden/a/b/c", False), ("/", False)],
)  # fmt: skip
def test_what_a_longer_path_takes_is_not_counted(path: str, whether: bool) -> None:
    of = topology(service("a", Route("/a", rate=Rate(5, 1))), service("b", Route("/a/b")))
    assert counted(scope(rule(of)), path) is whether


def test_where_there_are_several_hosts_each_counts_its_own() -> None:
    others = service("b", Route("/a", "shop.bank.example"))
    of = topology(service("a", Route("/", rate=Rate(5, 1))), others, domain="api.bank.example")
    made = scope(rule(of))
    assert counted(made, "/a", "api.bank.example")
    assert not counted(made, "/a", "shop.bank.example")


REWRITES = {
    ("/old", "/new"): {"/old": "/new", "/old/x?q=/old": "/new/x?q=/old", "/anden/old/x": "/new/x", "/old?q": "/new?q"},
    ("/old", "/"): {"/old": "/", "/old/x": "/x", "/anden/old/x": "/x", "/old?q=1": "/?q=1"},
    ("/", "/v2"): {"/": "/v2/", "/x": "/v2/x", "/anden/x": "/v2/x"},
    ("/a.b", "/c"): {"/a.b/x": "/c/x"},
    ("/a", None): {"/a/x": "/a/x", "/anden/a/x": "/a/x", "/anden": "/"},
}


@pytest.mark.parametrize("pair", REWRITES)
def test_the_balancer_rewrites_as_the_twin_does(pair: tuple[str, str | None]) -> None:
    path, rewrite = pair
    door = entrance(topology(service("web", Route(path, rewrite=rewrite)))).doors["web"]
    said: Any = target._rewritten(door)
    to = re.sub(r"\$(\d)", r"\\\1", said["Replace"])
    assert {asked: re.sub(said["Regex"], to, asked) for asked in REWRITES[pair]} == REWRITES[pair]
    assert "(?" not in said["Regex"]


def test_what_is_otherwise_there_is_said() -> None:
    route = Route("/web", body_bytes=1000, rate_each=Rate(5, 60), cors=Cors(("*",)))
    said = {each.subject: each.text for each in caveats(topology(service("web", route)))}
    assert "10 pass at least" in said["web rate"]
    assert "1,000 bytes" in said["web body"]
    assert "preflight" in said["web cors"]


def test_more_rates_than_a_wall_holds_are_refused() -> None:
    many = [service(f"s{n}", Route(f"/s{n}", rate=Rate(5, 1))) for n in range(waf.MOST_RATES + 1)]
    (found,) = [each for each in caveats(topology(*many)) if each.subject == "rates"]
    assert found.withholds == ("up",)
    assert not [each for each in caveats(topology(*many[1:])) if each.subject == "rates"]
