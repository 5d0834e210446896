"""What manifests mean."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from tests.unit.manifest.manifests import GOLDEN, VALID, read, said

from anden.manifest import client_name
from anden.model.problem import Problems
from anden.model.topology import (
    Destination,
    Egress,
    Health,
    ImageSource,
    Issuer,
    Latency,
    Link,
    Protocol,
    Range,
    Route,
    Scale,
    ScaleMetric,
    Service,
    Size,
    Slo,
    Strategy,
)


def service(fields: str) -> Service:
    found = read(f"anden: 1\nservices:\n  web: {{ image: web:1.0.0, {fields} }}\n").topologies["dev"].service("web")
    assert found is not None
    return found


def test_the_smallest_useful_one() -> None:
    manifest = read((GOLDEN / "small" / "anden.yaml").read_text(), client="My Shop")
    assert (manifest.client, manifest.environments) == ("my-shop", ("dev",))
    topology = manifest.topologies["dev"]
    assert topology.services == (
        Service(name="api", source=ImageSource(build="api"), port=8080),  # type: ignore[arg-type]
        Service(
            name="web",  # type: ignore[arg-type]
            source=ImageSource(build="."),
            port=8080,
            route=Route("/"),
            health=Health("/"),
            reaches=("api",),
        ),
    )
    assert (topology.zones, topology.egress, topology.production) == (1, Egress.NONE, False)


def test_a_clients() -> None:
    manifest = read((GOLDEN / "client" / "anden.yaml").read_text())
    assert manifest.client == "banco-andino"
    assert manifest.environments == ("certification", "production")
    assert manifest.default_environment() == "certification"
    production = manifest.topologies["production"]
    accounts = production.service("accounts")
    assert accounts == Service(
        name="accounts",  # type: ignore[arg-type]
        source=ImageSource("accounts:1.4.2"),
        port=8080,
        instances=Range(2, 8),
        size=Size(1000, 2048),
        scale=Scale(ScaleMetric.REQUESTS, 50),
        route=Route("/accounts", auth="customers"),
        health=Health("/health"),
        reaches=("ledger", "core-api", "exchange"),
        env={"LOG_LEVEL": "info"},
        secrets={"CORE_TOKEN": "core-token"},
        slo=Slo(99.9, Latency(99, 300)),
    )
    assert production.links == (
        Link(
            "core",
            IPv4Address("203.0.113.10"),
            (IPv4Network("10.20.0.0/16"),),
            ("vpn-1", "vpn-2"),
            IPv4Network("100.64.10.0/26"),
        ),
    )
    assert production.destinations == (
        Destination("core-api", 8443, network=IPv4Network("10.20.4.17/32"), link="core"),  # type: ignore[arg-type]
        Destination("exchange", 443, host="api.exchange.example"),  # type: ignore[arg-type]
    )
    assert production.auth == (Issuer("customers", "https://id.banco.example", "bank"),)
    assert (production.production, production.zones, production.egress) == (True, 3, Egress.PER_ZONE)
    assert (production.network, production.account) == (IPv4Network("172.30.0.0/16"), "111122223333")
    assert (production.region, production.recovery, production.domain) == (
        "us-east-1",
        "us-west-2",
        "api.banco.example",
    )
    assert production.agreed == 99.9
    certification = manifest.topologies["certification"]
    assert certification.service("accounts").instances == Range(1, 2)  # type: ignore[union-attr]
    assert certification.service("ledger") == production.service("ledger")
    assert certification.links[0].peer == IPv4Address("203.0.113.20")


def test_marks_are_the_effective_places() -> None:
    manifest = read((GOLDEN / "client" / "anden.yaml").read_text())
    lines = (GOLDEN / "client" / "anden.yaml").read_text().splitlines()

    def line(environment: str, path: str) -> str:
        return lines[manifest.marks[environment][path].line - 1].strip()

    assert line("production", "services/accounts/instances").startswith("instances: 2..8")
    assert line("certification", "services/accounts/instances").startswith("services: { accounts:")
    assert line("production", "environments/production/links/core").startswith("core:")
    assert line("production", "services/accounts/reaches/exchange").startswith("reaches:")
    assert line("production", "destinations/exchange").startswith("destinations:")
    assert "environments/production/zones" not in manifest.marks["certification"]
    assert str(manifest.marks["production"]["client"]) == "anden.yaml:2"


def test_the_mark_of_what_an_override_removes_is_the_override() -> None:
    text = "anden: 1\nenvironments:\n  dev:\n    services:\n      web:\n        route: null\n      api: null\n"
    text += "services:\n  web: { image: w:1, port: 80, route: { path: /w } }\n  api: { image: a:1 }\n"
    manifest = read(text)
    assert manifest.topologies["dev"].service("web").route is None  # type: ignore[union-attr]
    assert manifest.topologies["dev"].service("api") is None
    assert manifest.marks["dev"]["services/web/route"].line == 6
    assert manifest.marks["dev"]["services/api"].line == 7
    assert "services/web/route/path" not in manifest.marks["dev"]


def test_the_default_environment() -> None:
    head = "anden: 1\nzones: 2\nservices: { web: { image: web:1, instances: 2 } }\n"
    assert read(head + "environments: { a: { production: true } }").default_environment() == "a"
    both = read(head + "environments: { a: { production: true }, b: {}, c: {} }")
    assert both.default_environment() == "b"
    with pytest.raises(Problems, match="Name one: -e a"):
        read(head + "production: true\nenvironments: { a: {}, b: {} }").default_environment()


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ("instances: 2", "instances", Range(2, 2)),
        ("instances: 2..8", "instances", Range(2, 8)),
        ("instances: 0..8", "instances", Range(0, 8)),
        ("instances: { base: 2, max: 8 }", "instances", Range(2, 8)),
        ("instances: { base: 2 }", "instances", Range(2, 2)),
        ("size: { cpu: 0.5, memory: 2 GB }", "size", Size(500, 2048)),
        ("size: { cpu: .25, memory: 512MB }", "size", Size(250, 512)),
        ("size: { cpu: 2 }", "size", Size(2000, 4096)),
        ("size: { memory: 3 GiB }", "size", Size(500, 3072)),
        ("size: { memory: 0.5 GB }", "size", Size(250, 512)),
        ("instances: 1..4, scale: 60% cpu", "scale", Scale(ScaleMetric.CPU, 60)),
        ("instances: 1..4, scale: { cpu: 60% }", "scale", Scale(ScaleMetric.CPU, 60)),
        ("instances: 1..4, scale: { requests: 50 }, port: 80", "scale", Scale(ScaleMetric.REQUESTS, 50)),
        ("port: 80, route: /a/", "route", Route("/a")),
        ("port: 80, route: { path: /, host: a.example }", "route", Route("/", "a.example")),
        ("port: 80, route: /a", "health", Health("/a")),
        ("port: 80, route: /a, health: tcp", "health", Health()),
        ("port: 80, health: /up?full=1", "health", Health("/up?full=1")),
        ("port: 80", "health", Health()),
        ("timeout: 2 m", "timeout_s", 120),
        ("timeout: 30", "timeout_s", 30),
        ("stop: 1500 ms, start: 0", "stop_s", 1.5),
        ("reaches: web, port: 80", "reaches", ("web",)),
        ("command: python -m web 'a b'", "command", ("python", "-m", "web", "a b")),
        ("command: [python, -m, web]", "command", ("python", "-m", "web")),
        ("user: 1000:1000", "user", "1000:1000"),
        ("user: nobody", "user", "nobody"),
        ("writable: []", "writable", ()),
        ("writable: [/cache/, /tmp]", "writable", ("/cache", "/tmp")),
        ("deploy: blue-green", "strategy", Strategy.BLUE_GREEN),
        ("port: 80, protocol: http2", "protocol", Protocol.HTTP2),
        ("slo: { latency: { percent: 99%, under: 1 s } }", "slo", Slo(None, Latency(99, 1000))),
        ("env: { A: yes, B: 08, C: 1.50, D: '', E: null-ish, F: 0x1F }", "env",
         {"A": "yes", "B": "08", "C": "1.50", "D": "", "E": "null-ish", "F": "0x1F"}),
        ("env: { TOKEN_URL: 'https://id.example', TOKEN_TTL: 300, PASSWORD: '' }", "env",
         {"TOKEN_URL": "https://id.example", "TOKEN_TTL": "300", "PASSWORD": ""}),
    ],
)  # fmt: skip
def test_forms(fields: str, field: str, value: object) -> None:
    assert getattr(service(fields), field) == value


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("192.0.2.1:443", Destination("there", 443, network=IPv4Network("192.0.2.1/32"))),  # type: ignore[arg-type]
        ("192.0.2.0/24:443", Destination("there", 443, network=IPv4Network("192.0.2.0/24"))),  # type: ignore[arg-type]
        ("0.0.0.0/0:443", Destination("there", 443, network=IPv4Network("0.0.0.0/0"))),  # type: ignore[arg-type]
        ("{ to: a.example:80, protocol: http }",
         Destination("there", 80, host="a.example", protocol=Protocol.HTTP)),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_destinations(to: str, expected: Destination) -> None:
    text = f"anden: 1\nservices: {{ web: {{ image: web:1 }} }}\ndestinations: {{ there: {to} }}\n"
    assert read(text).topologies["dev"].destinations == (expected,)


def test_an_environment_may_add_a_whole_service_and_narrow_one() -> None:
    text = """
anden: 1
environments:
  dev: { services: { web: { instances: 1 }, probe: { image: probe:1, reaches: [web] } } }
  test:
services: { web: { image: web:1, port: 80, instances: 1..4, scale: 50 requests } }
"""
    manifest = read(text)
    assert [str(each.name) for each in manifest.topologies["dev"].services] == ["probe", "web"]
    assert [str(each.name) for each in manifest.topologies["test"].services] == ["web"]


def test_a_service_may_call_itself_when_it_says_so() -> None:
    assert service("port: 80, reaches: [web]").reaches == ("web",)


def test_an_absent_egress_is_no_contradiction() -> None:
    """Nothing leaves by default; only who writes `none` beside a destination contradicts himself."""
    head = "anden: 1\ndestinations: { there: 192.0.2.1:443 }\nservices: { web: { image: w:1, reaches: [there] } }\n"
    assert read(head).topologies["dev"].egress is Egress.NONE
    assert "nothing leaves dev" in said(head + "egress: none\n")[0]


@pytest.mark.parametrize("zones", [1, 2, 3, 4])
def test_seen_as_has_room_for_each_zone(zones: int) -> None:
    for prefix in range(24, 31):
        text = f"""
anden: 1
services: {{ web: {{ image: w:1 }} }}
environments:
  dev:
    zones: {zones}
    links: {{ core: {{ peer: 203.0.113.1, networks: 10.0.0.0/8, secret: [a, b], seen-as: 100.64.0.0/{prefix} }} }}
"""
        assert (not said(text)) == (2 ** (32 - prefix) >= 16 * zones), (zones, prefix)


def test_client_names() -> None:
    assert client_name("Banco Ñandú, S.A.") == "banco-nandu-s-a"
    assert client_name("2048") == "client-2048"
    assert client_name("~/") == "client"
    assert len(client_name("x" * 300)) == 40


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.parent.name)
def test_goldens_have_no_problem(path: Path) -> None:
    assert not said(path.read_text())
