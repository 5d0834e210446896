"""What `plan --on aws` says: everything that is otherwise there, and nothing for what is not declared."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from anden.engines.aws import AwsEngine, caveats
from anden.engines.simulated import VirtualClock
from anden.model.ids import DestinationName, EngineName, EnvironmentKey, ServiceName
from anden.model.plan import Caveat
from anden.model.problem import Problems
from anden.model.topology import (
    Destination,
    Egress,
    ImageSource,
    Link,
    Protocol,
    Route,
    Service,
    Strategy,
    Topology,
)

MAIL = Destination(DestinationName("mail"), 25, "mail.example")
SPEAKING = Link("core", IPv4Address("203.0.113.1"), (), ("a", "b"), bgp=65010)
KEY = EnvironmentKey("banco", "dev", EngineName.AWS)


def service(name: str = "web", **fields: object) -> Service:
    given = {"port": 8080, "writable": (), **fields}
    return Service(ServiceName(name), ImageSource("web:1"), **given)  # type: ignore[arg-type]


def said(*services: Service, **fields: object) -> dict[str, Caveat]:
    of = Topology("banco", "dev", services, **{"zones": 2, "region": "us-east-1", **fields})  # type: ignore[arg-type]
    return {caveat.subject: caveat for caveat in caveats(of)}


def test_what_is_true_of_every_environment() -> None:
    assert said(service()).keys() == {"start", "hardening", "env"}
    assert "30-60 s" in said(service())["start"].text
    assert "seccomp" in said(service())["hardening"].text
    assert all(caveat.engine == "aws" for caveat in said(service()).values())


@pytest.mark.parametrize(
    ("subject", "word", "services", "fields"),
    [
        ("zones", "edge subnets in 2 zones", (service(),), {"zones": 1}),
        ("egress", "2 Elastic IPs", (service(),), {"egress": Egress.PER_ZONE}),
        ("egress", "an Elastic IP of", (service(),), {"egress": Egress.ONE}),
        ("api → web", "Service Connect", (service("api", reaches=("web",)), service()), {}),
        ("timeout", "answers after 29 s", (service(route=Route("/")),), {}),
        ("web http2", "HTTP/1.1", (service(protocol=Protocol.HTTP2, route=Route("/")),), {}),
        ("web tcp", "by connection", (service(protocol=Protocol.TCP),), {}),
        ("stop", "web: killed after 120 s", (service(stop_s=300.0),), {}),
        ("mail", "DNS Firewall", (service(),), {"destinations": (MAIL,), "egress": Egress.ONE}),
        ("mail", "an address written in it reaches any host", (service(),),
         {"destinations": (MAIL,), "egress": Egress.ONE}),
        ("slash", "/accounts/ is asked for as /accounts", (service(route=Route("/")),), {}),
        ("mail", "egress is none", (service(),), {"destinations": (MAIL,)}),
        (
            "link core", "after the first apply", (service(),),
            {"links": (Link("core", IPv4Address("203.0.113.1"), (), ("a", "b")),)},
        ),
        ("link core BGP", "takes what is announced", (service(),), {"links": (SPEAKING,)}),
        ("link core, dr apart", "VPN CloudHub", (service(),), {"links": (SPEAKING, replace(SPEAKING, name="dr"))}),
    ],
)  # fmt: skip
def test_each_difference(subject: str, word: str, services: tuple[Service, ...], fields: dict[str, object]) -> None:
    assert word in said(*services, **fields)[subject].text


def test_what_is_closed_there_says_so() -> None:
    tcp = said(service(protocol=Protocol.TCP, route=Route("/")))
    assert tcp["web route"].withholds == ("web",)
    assert said(service(strategy=Strategy.CANARY))["web deploy"].withholds == ("up",)
    assert said(service(strategy=Strategy.CANARY, route=Route("/")))["web deploy"].withholds == ()
    assert said(service(strategy=Strategy.LINEAR))["web deploy"].withholds == ("up",)
    assert said(service(strategy=Strategy.LINEAR, route=Route("/")))["web deploy"].withholds == ()
    assert said(service(secrets={"A": "core-secret"}))["web secret names"].withholds == ("up",)
    assert said(service(), region=None)["region"].withholds == ("up",)
    out = Destination(DestinationName("exchange"), 443, network=IPv4Network("192.0.2.7/32"))
    assert said(service(), destinations=(out,))["exchange"].withholds == ("exchange",)
    assert "exchange" not in said(service(), destinations=(out,), egress=Egress.ONE)


def test_two_links_by_bgp_would_be_joined_and_are_refused() -> None:
    static = replace(SPEAKING, name="cards", bgp=None)
    assert not [each for each in said(service(), links=(SPEAKING, static)).values() if "up" in each.withholds]
    both = said(service(), links=(SPEAKING, replace(SPEAKING, name="dr")))
    assert both["link core, dr apart"].withholds == ("up",)


def test_long_lists_are_cut() -> None:
    names = [f"s{number}" for number in range(9)]
    services = tuple(service(name, reaches=tuple(names)) for name in names)
    subject = next(each for each in said(*services) if "→" in each)
    assert subject.endswith("and 76 more")


def test_what_comes_later_says_so() -> None:
    engine = AwsEngine(VirtualClock(7.0))
    assert engine.name == "aws"
    assert engine.caveats(Topology("banco", "dev", (service(),)))
    with pytest.raises(Problems, match="comes later"):
        engine.restore(KEY)
