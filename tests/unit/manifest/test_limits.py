"""What a route's limits mean, from text."""

import pytest

from anden import manifest
from anden.model.problem import Problems
from anden.model.topology import Cors, Rate, Route

MANIFEST = """\
anden: 1
client: bank
services:
  web: {{ image: "web:1", port: 8080, route: {route} }}
"""


def route(text: str) -> Route:
    read = manifest.read(MANIFEST.format(route=text), "anden.yaml", client="bank")
    (service,) = read.topologies["dev"].services
    assert service.route is not None
    return service.route


def fault(text: str) -> str:
    with pytest.raises(Problems) as found:
        manifest.read(MANIFEST.format(route=text), "anden.yaml", client="bank")
    (problem,) = found.value.problems
    return f"{problem.what}; {problem.fix}"


def test_all_of_it() -> None:
    said = "{ path: /a, rewrite: /b, body: 1.5 MB, rate: 500/s, rate-each: 20 / min, cors: https://app.bank.example }"
    assert route(said) == Route(
        "/a", rewrite="/b", body_bytes=1_572_864, rate=Rate(500, 1), rate_each=Rate(20, 60),
        cors=Cors(("https://app.bank.example",)),
    )  # fmt: skip


def test_cors_in_full_is_in_an_order_of_its_own() -> None:
    said = (
        "{ path: /a, cors: { origins: [http://localhost:3000, https://app.bank.example], methods: [PUT, GET],"
        " headers: [X-One, Authorization], credentials: true, age: 1 h } }"
    )
    origins = ("http://localhost:3000", "https://app.bank.example")
    assert route(said).cors == Cors(origins, ("GET", "PUT"), ("authorization", "x-one"), True, 3600.0)


def test_a_path_rewritten_as_itself_is_not_rewritten() -> None:
    assert route("{ path: /a, rewrite: /a/ }") == Route("/a")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{ path: /a, rate: 20 per second }", "Did you mean 20/s?"),
        ("{ path: /a, rate: 0/s }", "Use 1/s to 1000000/s."),
        ("{ path: /a, body: 5M }", "Did you mean 5 MB?"),
        ("{ path: /a, body: 2 GB }", "Use 1 GB or less."),
        ("{ path: /a, cors: app.bank.example }", "Did you mean https://app.bank.example?"),
        ("{ path: /a, cors: https://app.bank.example/page }", "Did you mean https://app.bank.example?"),
        ('{ path: /a, cors: { origins: ["*"], credentials: true } }', "Name the origins, or leave credentials out."),
        ('{ path: /a, cors: { origins: ["*", https://a.bank.example] } }', 'Leave the others out, or "*".'),
        ("{ path: /a, limit: 5/s }", "rate"),
    ],
)
def test_what_is_wrong_is_told(said: str, expected: str) -> None:
    assert expected in fault(said)
