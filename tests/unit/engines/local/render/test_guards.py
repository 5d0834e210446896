"""Tokens at the gateway: a real HAProxy with the rendered configuration, on loopback."""

import http.client
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests import gateway_process, tokens
from tests.unit.engines.local.render.sample import SMALLEST, golden

from anden.engines.local.cell import haproxy_socket
from anden.engines.local.render import guards, haproxy
from anden.engines.local.render.haproxy import Server
from anden.model.configuration import Backend, Configuration, GatewayRoute, Guard
from anden.model.ids import InstanceId, ServiceName
from anden.model.topology import VerifyingKey

READY_S = 5.0
SLOW_S = 2.0
"""How long the service thinks about /slow, which the gateway gives a quarter of a second."""
ISSUER, AUDIENCE, SCOPE = "https://id.bank.example", "bank", "payments:write"
RSA, EC = tokens.rsa_signer("2026-11"), tokens.ec_signer("-i")  # an id that HAProxy could take for a flag
BRACE = tokens.ec_signer("}")  # that would end a condition


def configuration(*keys: VerifyingKey) -> Configuration:
    """/open asks for nothing, /mine for a token, /pay for a scope too, /closed answers nobody."""
    service = ServiceName("web")
    guard = Guard(ISSUER, AUDIENCE, keys)
    return replace(
        SMALLEST,
        routes=(
            GatewayRoute("/closed", service, refused="closed: the keys of customers are not fetched yet", guard=guard),
            GatewayRoute("/mine", service, guard=guard),
            GatewayRoute("/mine/open", service),
            GatewayRoute("/open", service),
            GatewayRoute("/pay", service, "api.bank.example", guard=replace(guard, scopes=("accounts", SCOPE))),
            GatewayRoute("/pay", service, guard=replace(guard, scopes=(SCOPE,))),
        ),
    )


def test_golden() -> None:
    keys = VerifyingKey("2026-11", "RS256", "a PEM"), VerifyingKey("-i'm", "ES256", "another PEM")
    golden("guarded.haproxy.cfg", haproxy.config(configuration(*keys)))


def test_without_a_guard_there_are_no_rules_and_no_files() -> None:
    assert "anden_guard" not in haproxy.config(SMALLEST)
    assert haproxy.key_files(SMALLEST) == {}


def test_a_key_that_changes_is_another_file() -> None:
    """So the structure changes, and processes that hold the old key are replaced."""
    one = configuration(VerifyingKey("1", "RS256", "a PEM"))
    other = configuration(VerifyingKey("1", "RS256", "another PEM"))
    assert haproxy.config(one) != haproxy.config(other)
    assert set(haproxy.key_files(one).values()) == {"a PEM"}
    assert not set(haproxy.key_files(one)) & set(haproxy.key_files(other))


@dataclass(frozen=True)
class Answer:
    status: int
    type: str
    challenge: str
    body: str


@dataclass(frozen=True)
class Gateway:
    port: int
    folder: Path
    process: gateway_process.Running

    def ask(self, path: str, *authorization: str, host: str = "127.0.0.1") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", host)
            for value in authorization:
                connection.putheader("Authorization", value)
            connection.endheaders()
            answer = connection.getresponse()
            headers = answer.headers
            return Answer(
                answer.status, headers.get("Content-Type", ""), headers.get("WWW-Authenticate", ""),
                answer.read().decode(),
            )  # fmt: skip
        finally:
            connection.close()


class _Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(SLOW_S)
        if self.path == "/open/garbage":
            self.wfile.write(b"garbage\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        for name in ("traceparent", "tracestate"):
            for value in self.headers.get_all(name, ()):
                self.send_header(f"Seen-{name}", value)
        self.end_headers()
        self.wfile.write(b"in")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    backend = Backend(ServiceName("web"), 1, (), service.server_port)
    guarded = configuration(RSA.public, EC.public, BRACE.public)
    slow = replace(backend, service=ServiceName("slow"), timeout_s=0.25)
    empty = replace(backend, service=ServiceName("empty"))
    more = tuple(GatewayRoute(f"/{each.service}", each.service) for each in (slow, empty))
    wanted = replace(guarded, routes=(*guarded.routes, *more), backends=(backend, slow, empty))
    server = Server(InstanceId("web-a"), ServiceName("web"), IPv4Address("127.0.0.1"), service.server_port)
    other = replace(server, id=InstanceId("slow-a"), service=slow.service)
    try:
        with gateway_process.running(folder, wanted, [server, other]) as process:
            found = Gateway(process.port, folder, process)
            deadline = time.monotonic() + READY_S
            while found.ask("/open").status != 200 and time.monotonic() < deadline:
                time.sleep(0.02)
            yield found
    finally:
        service.shutdown()
        service.server_close()


def claims(**changed: Any) -> dict[str, Any]:
    """Good ones, with changes; None: without."""
    now = int(time.time())
    full = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "iat": now, "exp": now + 300} | changed
    return {name: value for name, value in full.items() if value is not None}


def later(seconds: int) -> int:
    return int(time.time()) + seconds


def bearer(token: str) -> str:
    return f"Bearer {token}"


GOOD: dict[str, Callable[[], str]] = {
    "RS256": lambda: RSA.token(claims()),
    "ES256": lambda: EC.token(claims()),
    "a brace for an id": lambda: BRACE.token(claims()),
    "its audience in a list": lambda: RSA.token(claims(aud=["other", AUDIENCE])),
    "as the last that is looked at": lambda: RSA.token(claims(aud=["x"] * (guards.AUDIENCES - 1) + [AUDIENCE])),
    "nbf past": lambda: RSA.token(claims(nbf=later(-10))),
    "nbf of a clock that is a little ahead": lambda: RSA.token(claims(nbf=later(2))),
    "a fraction of a second": lambda: RSA.token(claims(exp=time.time() + 300.5)),
    "large": lambda: RSA.token(claims(more="x" * 6000)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token_passes(gateway: Gateway, name: str) -> None:
    assert gateway.ask("/mine/x", bearer(GOOD[name]())).body == "in"


def test_the_word_bearer_may_be_written_small(gateway: Gateway) -> None:
    assert gateway.ask("/mine", f"bearer {RSA.token(claims())}").status == 200


def place(folder: Path) -> Path:
    """Where the gateway has RSA's public key."""
    (name,) = (name for name, pem in haproxy.key_files(configuration(RSA.public)).items() if pem == RSA.public.pem)
    assert (folder / name).is_file()
    return folder / name


def _cut(token: str, part: int, text: str) -> str:
    parts = token.split(".")
    parts[part] = text
    return ".".join(parts)


def _strange() -> tokens.Signer:
    return replace(tokens.rsa_signer("somebody's"), id=RSA.id)


def _none(alg: str, id: str) -> str:
    return tokens.signed_part({"alg": alg, "kid": id}, claims()) + "."


BAD: dict[str, Callable[[Path], str]] = {
    "none": lambda _: _none("none", RSA.id),
    "None": lambda _: _none("None", RSA.id),
    "none with a signature": lambda _: RSA.token(claims(), alg="none"),
    "no algorithm": lambda _: RSA.token(claims(), alg=None),
    "RS256 without a signature": lambda _: _none("RS256", RSA.id),
    "HS256 by the public key": lambda _: tokens.with_secret(RSA.public.pem.encode(), RSA.id, claims()),
    "HS256 by the key's place": lambda folder: tokens.with_secret(str(place(folder)).encode(), RSA.id, claims()),
    "the key of another algorithm": lambda _: RSA.token(claims(), kid=EC.id),
    "that says ES256 and is RS256": lambda _: RSA.token(claims(), kid=EC.id, alg="ES256"),
    "an id with a brace in it": lambda _: BRACE.token(claims(), kid="}x"),
    "unknown key": lambda _: RSA.token(claims(), kid="2025-01"),
    "no key": lambda _: RSA.token(claims(), kid=None),
    "somebody else's signature": lambda _: _strange().token(claims()),
    "changed claims": lambda _: _cut(RSA.token(claims()), 1, tokens.b64(json.dumps(claims(sub="eve")).encode())),
    "expired": lambda _: RSA.token(claims(exp=later(-1))),
    "expired as text": lambda _: RSA.token(claims(exp=str(later(-1)))),
    "no end": lambda _: RSA.token(claims(exp=None)),
    "end null": lambda _: RSA.token(json.dumps({**claims(), "exp": None}).encode()),
    "end true": lambda _: RSA.token(claims(exp=True)),
    "end too large to read": lambda _: RSA.token(claims(exp=10**30)),
    "of the future": lambda _: RSA.token(claims(nbf=later(60))),
    "of a future too far to read": lambda _: RSA.token(claims(nbf=10**30)),
    "issued in the future": lambda _: RSA.token(claims(iat=later(60))),
    "issued at no time": lambda _: RSA.token(claims(iat=10**30)),
    "another audience": lambda _: RSA.token(claims(aud="bakery")),
    "another case": lambda _: RSA.token(claims(aud="Bank")),
    "longer audience": lambda _: RSA.token(claims(aud="bank2")),
    "a NUL in the audience": lambda _: RSA.token(claims(aud="bank\0")),
    "no audience": lambda _: RSA.token(claims(aud=None)),
    "an empty list": lambda _: RSA.token(claims(aud=[])),
    "a list of others": lambda _: RSA.token(claims(aud=["a", "bank b", "bank\0"])),
    "a list that is too long": lambda _: RSA.token(claims(aud=["x"] * guards.AUDIENCES + [AUDIENCE])),
    "audience in a map": lambda _: RSA.token(claims(aud={"bank": "bank"})),
    "another issuer": lambda _: RSA.token(claims(iss=ISSUER + "/")),
    "no issuer": lambda _: RSA.token(claims(iss=None)),
    "an extension that must be understood": lambda _: RSA.token(claims(), crit=["b64"], b64=False),
    "garbage": lambda _: "garbage",
    "dots": lambda _: "..",
    "three words": lambda _: "a.b.c",
    "four parts": lambda _: RSA.token(claims()) + ".x",
    "no JSON": lambda _: RSA.token(b"\xff\xfe{"),
    "claims that are a list": lambda _: RSA.token(b"[1,2]"),
}  # fmt: skip


NO_STRANGER: dict[str, Callable[[Path], str]] = {
    **{name: BAD[name] for name in ("none", "changed claims", "expired", "no key", "the key of another algorithm")},
    "of another issuer": lambda _: RSA.token(claims(iss="https://id.other.example"), kid="2027-01"),
    "without an algorithm that is verified": lambda _: RSA.token(claims(), kid="2027-01", alg="HS256"),
    "an empty id": lambda _: RSA.token(claims(), kid=""),
    "a long id": lambda _: RSA.token(claims(), kid="k" * (guards.LONGEST_KID + 1)),
    "an id that is not letters": lambda _: RSA.token(claims(), kid="2027\n01"),
}  # fmt: skip


def strangers(gateway: Gateway, *before: str) -> tuple[str, ...]:
    """Issuers whose newer keys somebody seems to have."""
    routes = configuration(RSA.public, EC.public, BRACE.public).routes
    said = haproxy_socket.ask(gateway.folder / "s", [*before, f"show table {guards.STRANGERS}"])
    return guards.strangers(said, routes)


def test_a_token_by_a_key_that_nobody_knows_shows_that_the_issuer_may_have_newer_ones(gateway: Gateway) -> None:
    assert strangers(gateway, f"clear table {guards.STRANGERS}") == ()
    assert gateway.ask("/mine", bearer(RSA.token(claims()))).status == 200
    for bad in NO_STRANGER.values():
        assert gateway.ask("/mine", bearer(bad(gateway.folder))).status == 401
        assert strangers(gateway) == ()
    assert gateway.ask("/mine", bearer(RSA.token(claims(), kid="2027-01"))).status == 401
    assert strangers(gateway) == (ISSUER,)
    said = haproxy_socket.ask(gateway.folder / "s", f"show table {guards.STRANGERS}")
    assert "2027" not in said, "nothing of the token is kept"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_and_not_told_why(gateway: Gateway, name: str) -> None:
    answer = gateway.ask("/mine", bearer(BAD[name](gateway.folder)))
    assert (answer.status, answer.type) == (401, "application/problem+json")
    assert answer.challenge == 'Bearer error="invalid_token"'
    said = json.loads(answer.body)
    assert len(said.pop("trace")) == 32
    assert said == {
        "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "the token is not valid here",
    }  # fmt: skip


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bear x", "Bearer\tx"])
def test_without_a_token(gateway: Gateway, header: str | None) -> None:
    answer = gateway.ask("/mine", *([] if header is None else [header]))
    assert (answer.status, answer.challenge) == (401, "Bearer")
    assert json.loads(answer.body)["detail"] == "this path asks for a token"


def test_a_good_token_behind_another_word_is_none(gateway: Gateway) -> None:
    for word in ("Bear", "B", "Basic", "Bearers", "", "x Bearer"):
        assert gateway.ask("/mine", f"{word} {RSA.token(claims())}").status == 401


def test_two_headers_are_refused_in_either_order(gateway: Gateway) -> None:
    good = bearer(RSA.token(claims()))
    for pair in ((good, good), (good, "Bearer x"), ("Bearer x", good), (f"{good}, Bearer x", good)):
        answer = gateway.ask("/mine", *pair)
        assert (answer.status, answer.type) == (400, "application/problem+json")


@pytest.mark.parametrize("path", ["/mine", "/mine/", "/mine/x", "/mine?x=/open", "/mine/../open", "/mine/open2"])
def test_every_path_of_the_route_is_guarded(gateway: Gateway, path: str) -> None:
    assert gateway.ask(path).status == 401


@pytest.mark.parametrize("path", ["/open", "/open/../mine", "/mine/open", "/open?/mine"])
def test_a_route_without_a_guard_asks_nobody(gateway: Gateway, path: str) -> None:
    assert gateway.ask(path).body == "in"
    assert gateway.ask(path, "Bearer x", "Bearer y").body == "in"


@pytest.mark.parametrize("path", ["/minex", "//mine", "/%6dine", "/x/../mine"])
def test_what_no_route_takes_reaches_nobody(gateway: Gateway, path: str) -> None:
    assert gateway.ask(path, bearer(RSA.token(claims()))).status == 404


def test_a_closed_route_stays_closed_to_good_tokens(gateway: Gateway) -> None:
    answer = gateway.ask("/closed", bearer(RSA.token(claims(scope=SCOPE))))
    assert (answer.status, answer.type) == (503, "application/problem+json")


HAS: dict[str, dict[str, Any]] = {
    "alone": {"scope": SCOPE},
    "first": {"scope": f"{SCOPE} x"},
    "last": {"scope": f"x y {SCOPE}"},
    "among": {"scope": f"x {SCOPE} y"},
    "in a list": {"scope": ["x", SCOPE]},
    "as the last that is looked at": {"scope": ["x"] * (guards.SCOPES - 1) + [SCOPE]},
    "as scp": {"scp": f"x {SCOPE}"},
    "as scp in a list": {"scp": [SCOPE, "x"]},
}
HAS_NOT: dict[str, dict[str, Any]] = {
    "none": {},
    "empty": {"scope": ""},
    "longer": {"scope": f"{SCOPE}2"},
    "longer before": {"scope": f"x{SCOPE}"},
    "any letter for a colon": {"scope": "payments.write"},
    "another case": {"scope": SCOPE.upper()},
    "behind another blank": {"scope": f"x\n{SCOPE}\n"},
    "in one place of a list with another": {"scope": [f"x {SCOPE}"]},
    "a NUL": {"scope": [f"{SCOPE}\0"]},
    "a list of others": {"scope": ["a", "b", "c"], "scp": ["a", "b", "c"]},
    "a list that is too long": {"scope": ["x"] * guards.SCOPES + [SCOPE]},
    "a list of lists": {"scope": [[SCOPE]]},
    "in a map": {"scope": {SCOPE: SCOPE}},
}


@pytest.mark.parametrize("name", HAS)
def test_a_token_with_the_scope_passes(gateway: Gateway, name: str) -> None:
    assert gateway.ask("/pay", bearer(RSA.token(claims(**HAS[name])))).body == "in"


@pytest.mark.parametrize("name", HAS_NOT)
def test_a_token_without_the_scope_is_told_so(gateway: Gateway, name: str) -> None:
    answer = gateway.ask("/pay", bearer(RSA.token(claims(**HAS_NOT[name]))))
    assert (answer.status, answer.type) == (403, "application/problem+json")
    assert answer.challenge == f'Bearer error="insufficient_scope", scope="{SCOPE}"'


def test_all_scopes_are_asked_for(gateway: Gateway) -> None:
    """And a route with a host has its own guard."""
    one, both = (bearer(RSA.token(claims(scope=text))) for text in (SCOPE, f"accounts {SCOPE}"))
    assert gateway.ask("/pay", one, host="api.bank.example").status == 403
    assert gateway.ask("/pay", both, host="API.bank.example:443").status == 200
    assert gateway.ask("/pay", one).status == 200


def test_an_invalid_token_is_not_told_of_scopes(gateway: Gateway) -> None:
    assert gateway.ask("/pay", bearer(RSA.token(claims(exp=later(-1), scope=SCOPE)))).status == 401


def test_one_request_leaves_nothing_to_the_next_on_its_connection(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    try:
        seen = []
        for headers in ({"Authorization": bearer(RSA.token(claims()))}, {}, {"Authorization": "Bearer x"}):
            connection.request("GET", "/mine", headers=headers)
            answer = connection.getresponse()
            answer.read()
            seen.append(answer.status)
        assert seen == [200, 401, 401]
    finally:
        connection.close()


def test_a_token_that_passed_passes_again_and_only_where_it_did(gateway: Gateway) -> None:
    """It is not verified twice; what other routes ask of it is asked all the same, and of another token everything."""
    plain, scoped = RSA.token(claims(jti="1")), RSA.token(claims(scope=f"accounts {SCOPE}", jti="2"))
    for _ in range(3):
        assert gateway.ask("/mine", bearer(plain)).status == 200
        assert gateway.ask("/pay", bearer(plain)).status == 403
        assert gateway.ask("/pay", bearer(scoped)).status == 200
        assert gateway.ask("/mine", bearer(scoped)).status == 200
    for other in (
        plain[:-8] + "AAAAAAAA",
        plain + "A",
        plain[:-1],
        scoped.rpartition(".")[0] + "." + plain.split(".")[2],
    ):
        assert [gateway.ask("/mine", bearer(other)).status for _ in range(2)] == [401, 401]
    assert gateway.ask("/mine", bearer(plain)).status == 200


def test_a_token_that_passed_ends_when_it_says(gateway: Gateway) -> None:
    token = RSA.token(claims(exp=later(2)))
    assert gateway.ask("/mine", bearer(token)).status == 200
    patience = later(10)
    while gateway.ask("/mine", bearer(token)).status == 200:
        assert time.time() < patience
        time.sleep(0.1)
    assert gateway.ask("/mine", bearer(token)).status == 401


def test_a_refused_token_is_refused_again(gateway: Gateway) -> None:
    for name, made in BAD.items():
        token = bearer(made(gateway.folder))
        assert {gateway.ask("/mine", token).status for _ in range(3)} == {401}, name
