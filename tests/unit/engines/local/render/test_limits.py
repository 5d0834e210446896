"""Rates, sizes, origins and rewritten paths at the gateway: a real HAProxy with the rendered configuration, on
loopback."""

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from tests import gateway_process
from tests.unit.engines.local.render.sample import SMALLEST, golden

from anden.engines.local.render import haproxy
from anden.engines.local.render.haproxy import Server
from anden.model.configuration import Backend, Configuration, GatewayRoute, Guard
from anden.model.ids import InstanceId, ServiceName
from anden.model.topology import Cors, Rate, VerifyingKey

WEB = ServiceName("web")
APP, OTHER = "https://app.bank.example", "https://other.example"
KEY = VerifyingKey("1", "RS256", "a PEM")


def configuration() -> Configuration:
    cors = Cors((APP, "http://localhost:3000"), ("GET", "PUT"), ("authorization", "content-type"), True, 60.0)
    guard = Guard("https://id.bank.example", "bank", ())
    return replace(
        SMALLEST,
        routes=(
            GatewayRoute("/", WEB),
            GatewayRoute("/all", WEB, rate=Rate(5, 60)),
            GatewayRoute("/any", WEB, cors=Cors(("*",))),
            GatewayRoute("/body", WEB, body_bytes=1000),
            GatewayRoute("/cors", WEB, cors=cors, guard=guard),
            GatewayRoute("/each", WEB, rate=Rate(1000, 60), rate_each=Rate(3, 60)),
            GatewayRoute("/each/free", WEB),
            GatewayRoute("/old", WEB, rewrite="/new/(1)"),
            GatewayRoute("/old/b", WEB, rewrite="/"),
            GatewayRoute("/x", WEB, "api.bank.example", rewrite="/each"),
        ),
    )


def test_golden() -> None:
    golden("limits.haproxy.cfg", haproxy.config(configuration()))


class _Service(http.server.BaseHTTPRequestHandler):
    """Says which path it was asked for."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "https://the-services-own.example")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A check that only connects, and hangs up."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gateway_process.Running]:
    service = _Server(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    backend = Backend(WEB, 1, (), service.server_port)
    server = Server(InstanceId("web-a"), WEB, IPv4Address("127.0.0.1"), service.server_port)
    wanted = replace(configuration(), backends=(backend,))
    try:
        with gateway_process.running(tmp_path_factory.mktemp("limits"), wanted, [server]) as found:
            while ask(found, "/")[0] != 200:
                pass
            yield found
    finally:
        service.shutdown()
        service.server_close()


def ask(
    gateway: gateway_process.Running, path: str, method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    """A name in `headers` has underscores for dashes."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    try:
        with suppress(BrokenPipeError):  # a refusal may be there before all of the body is
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_of_one_client_so_many_and_no_more(gateway: gateway_process.Running) -> None:
    found = [ask(gateway, f"/each/{number}") for number in range(6)]
    assert [status for status, _, _ in found] == [200] * 3 + [429] * 3
    _, headers, text = found[-1]
    assert headers["Retry-After"] == "60"
    said = json.loads(text)
    assert (said["status"], said["detail"]) == (429, "more than 3/min requests of one client: ask again later")
    assert len(said["trace"]) == 32
    assert {ask(gateway, "/each/free/x")[0] for _ in range(10)} == {200}  # another route
    assert {ask(gateway, "/eachother")[0] for _ in range(10)} == {200}


def test_of_all_so_many_and_no_more(gateway: gateway_process.Running) -> None:
    assert [ask(gateway, "/all")[0] for number in range(7)] == [200] * 5 + [429] * 2


def test_a_body_is_as_large_as_it_may_be(gateway: gateway_process.Running) -> None:
    assert ask(gateway, "/body", "POST", b"x" * 1000)[0] == 200
    assert ask(gateway, "/body")[0] == 200
    status, _, text = ask(gateway, "/body", "POST", b"x" * 1001)
    assert (status, json.loads(text)["detail"]) == (413, "a body has 1,000 bytes at most here")
    assert ask(gateway, "/body", "POST", iter([b"x"]))[0] == 411  # chunked
    assert ask(gateway, "/other", "POST", b"x" * 5000)[0] == 200


def test_a_large_body_is_refused_before_it_is_sent(gateway: gateway_process.Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.putrequest("POST", "/body")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


REWRITTEN = {
    "/old": "/new/(1)", "/old/": "/new/(1)/", "/old/a/b?q=/old": "/new/(1)/a/b?q=/old", "/older": "/older",
    "/old/b": "/", "/old/b/": "/", "/old/b/c": "/c", "/old/bc": "/new/(1)/bc",
}  # fmt: skip


@pytest.mark.parametrize("path", REWRITTEN)
def test_a_path_is_rewritten_where_it_is_a_prefix(gateway: gateway_process.Running, path: str) -> None:
    assert ask(gateway, path)[2] == REWRITTEN[path]


def test_a_rewritten_path_takes_its_own_route_still(gateway: gateway_process.Running) -> None:
    """Not that of the path that it becomes, with that one's limits; and the log has what was asked for."""
    found = {ask(gateway, "/x/rewritten", Host="api.bank.example")[2] for _ in range(5)}
    assert found == {"/each/rewritten"}
    assert gateway.line(path="/x/rewritten")["status"] == 200


PREFLIGHT = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "authorization"}


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_preflight_is_answered_without_a_token(gateway: gateway_process.Running, origin: str) -> None:
    status, headers, _ = ask(gateway, "/cors/x", "OPTIONS", Origin=origin, **PREFLIGHT)
    assert status == 204
    assert {name.lower(): value for name, value in headers.items() if name.lower() != "content-length"} == {
        "access-control-allow-methods": "GET, PUT", "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "60", "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true", "vary": "origin",
    }  # fmt: skip


@pytest.mark.parametrize("origin", [OTHER, "null", f"{APP}.evil.example", APP.upper(), f"{APP}:8443", f"{APP}, {APP}"])
def test_a_page_of_another_origin_is_refused(gateway: gateway_process.Running, origin: str) -> None:
    status, headers, _ = ask(gateway, "/cors/x", "OPTIONS", Origin=origin, **PREFLIGHT)
    assert (status, headers["Access-Control-Allow-Origin"]) == (403, None)


def test_an_answer_says_who_may_read_it(gateway: gateway_process.Running) -> None:
    """The gateway's own too: a page must be able to read that its token has expired."""
    status, headers, _ = ask(gateway, "/cors/x", Origin=APP)
    assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (401, APP, "origin")
    assert ask(gateway, "/cors/x", Origin=OTHER)[1]["Access-Control-Allow-Origin"] is None
    status, headers, _ = ask(gateway, "/any", Origin=OTHER)
    assert (status, headers.get_all("Access-Control-Allow-Origin")) == (200, ["*"])
    assert headers["Access-Control-Allow-Credentials"] is None
    assert ask(gateway, "/any")[1]["Access-Control-Allow-Origin"] is None


def test_without_cors_the_service_answers_for_itself(gateway: gateway_process.Running) -> None:
    status, headers, _ = ask(gateway, "/", "OPTIONS", Origin=OTHER, **PREFLIGHT)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://the-services-own.example")
