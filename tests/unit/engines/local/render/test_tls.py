"""TLS at the gateway: a real HAProxy with the rendered configuration and a certificate of the twin's own authority."""

import http.client
import http.server
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests import gateway_process, h2
from tests.unit.engines.local.render.sample import BANK, SMALLEST, golden

from anden.engines.local import authority
from anden.engines.local.render import haproxy
from anden.engines.local.render.haproxy import Server
from anden.model.configuration import Backend, GatewayRoute, Guard
from anden.model.ids import InstanceId, ServiceName
from anden.model.topology import Protocol

DOMAIN, HOSTS = "api.bank.example", ("api.bank.example", "partners.bank.example")
WEB, LEDGER = ServiceName("web"), ServiceName("ledger")
ASK_S = 5.0


class _Service(http.server.BaseHTTPRequestHandler):
    """Says by which scheme it was asked, as the gateway tells it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = ",".join(self.headers.get_all("X-Forwarded-Proto", [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Threads(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A check that only connects, and hangs up."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gateway_process.Running]:
    folder = tmp_path_factory.mktemp("tls")
    signed = authority.sign(folder / "authority", "bank", HOSTS, time.time())
    assert signed is not None
    file = folder / "gateway.pem"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as opened:
        opened.write(signed.pem)
    service = _Threads(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    with h2.serving(lambda body: (b"<" + body + b">", [("grpc-status", "0")])) as port:
        wanted = replace(
            SMALLEST,
            backends=(
                Backend(LEDGER, 2, (), port, Protocol.HTTP2),
                Backend(WEB, 1, (), service.server_port),
            ),
            routes=(
                GatewayRoute("/", WEB),
                GatewayRoute("/bank.Ledger", LEDGER),
                GatewayRoute("/guarded", WEB, guard=Guard("https://id.bank.example", "bank", ())),
                GatewayRoute("/small", WEB, body_bytes=3),
            ),
            tls=HOSTS,
        )
        here = IPv4Address("127.0.0.1")
        servers = [
            Server(InstanceId("web-1"), WEB, here, service.server_port),
            Server(InstanceId("ledger-1"), LEDGER, here, port, None, Protocol.HTTP2),
        ]
        try:
            with gateway_process.running(folder, wanted, servers, certificate=file) as found:
                yield found
        finally:
            service.shutdown()
            service.server_close()


def trusting(gateway: gateway_process.Running, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=gateway.folder / "authority" / authority.PUBLIC)
    context.set_alpn_protocols(list(protocols or ("http/1.1",)))
    return context


def opened(gateway: gateway_process.Running, context: ssl.SSLContext, host: str = DOMAIN) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", gateway.tls), timeout=ASK_S)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def asked(
    gateway: gateway_process.Running, path: str, *, secure: bool, method: str = "GET", body: bytes | None = None,
    host: str = DOMAIN,
) -> tuple[int, str]:  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=ASK_S)
    if secure:
        connection.sock = opened(gateway, trusting(gateway), host)
    try:
        connection.request(method, path, body, {"Host": host, "X-Forwarded-Proto": "spoofed"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_golden() -> None:
    golden("tls.haproxy.cfg", haproxy.config(replace(SMALLEST, tls=HOSTS)))


def test_without_a_certificate_or_a_domain_nothing_changes() -> None:
    assert haproxy.config(replace(BANK, tls=HOSTS), certificate=None) == haproxy.config(BANK)


def test_who_trusts_the_authority_gets_through(gateway: gateway_process.Running) -> None:
    for host in HOSTS:
        assert asked(gateway, "/a", secure=True, host=host) == (200, "https")
    assert asked(gateway, "/a", secure=False) == (200, "http")


def test_who_does_not_trust_it_is_refused(gateway: gateway_process.Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self-signed"):
        opened(gateway, ssl.create_default_context())
    line = gateway.line(end="tls")
    assert (line["client"], line["status"], line["service"], line["path"]) == ("127.0.0.1", 0, "anden", "-")


@pytest.mark.parametrize("host", ["other.bank.example", "bank.example", "127.0.0.1"])
def test_another_name_is_refused_by_the_client(gateway: gateway_process.Running, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        opened(gateway, trusting(gateway), host)


def test_nothing_older_than_1_2(gateway: gateway_process.Running) -> None:
    old = trusting(gateway)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        opened(gateway, old)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        new = trusting(gateway)
        new.minimum_version = new.maximum_version = version
        with opened(gateway, new) as connection:
            assert connection.version() == version.name.replace("v1_", "v1.")


def test_by_http2_and_to_a_service_of_grpc(gateway: gateway_process.Running) -> None:
    """A call as gRPC makes it: a POST by HTTP/2 with a body, answered with one and with trailers."""
    call = [
        (":method", "POST"), (":scheme", "https"), (":path", "/bank.Ledger/Book"), (":authority", DOMAIN),
        ("content-type", "application/grpc"), ("te", "trailers"),
    ]  # fmt: skip
    with opened(gateway, trusting(gateway, "h2", "http/1.1")) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        head, body, trailers = h2.ask(connection, call, b"seven")
    assert head.startswith(h2.OK)
    assert body == b"<seven>"
    assert b"grpc-status" in trailers
    line = gateway.line(path="/bank.Ledger/Book")
    assert (line["status"], line["service"], line["host"]) == (200, "ledger", DOMAIN)


def test_by_http2_to_a_service_of_http1(gateway: gateway_process.Running) -> None:
    call = [(":method", "GET"), (":scheme", "https"), (":path", "/by-h2"), (":authority", DOMAIN)]
    with opened(gateway, trusting(gateway, "h2")) as connection:
        head, body, _ = h2.ask(connection, call)
    assert (head[:1], body) == (h2.OK, b"https")


def test_routes_tokens_limits_and_log_are_the_same(gateway: gateway_process.Running) -> None:
    for path, method, body, status in (
        ("/guarded/x", "GET", None, 401), ("/small/x", "PUT", b"four", 413), ("/plain", "GET", None, 200),
    ):  # fmt: skip
        for secure in (False, True):
            own = f"{path}-{secure}"
            assert asked(gateway, own, secure=secure, method=method, body=body)[0] == status
            assert gateway.line(path=own)["status"] == status


def test_plain_words_at_the_port_with_tls_reach_nobody(gateway: gateway_process.Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.tls), timeout=ASK_S) as connection:
        connection.sendall(b"GET /unseen HTTP/1.1\r\nHost: a\r\n\r\n")
        with suppress(ConnectionError):
            assert not connection.recv(4096).startswith(b"HTTP/1.1 2")
    assert asked(gateway, "/seen", secure=True)[0] == 200
    gateway.line(path="/seen")
    assert [one for one in gateway.lines() if one["path"] == "/unseen"] == []


def test_the_key_is_in_no_text(gateway: gateway_process.Running) -> None:
    """Neither key is in anything that was rendered or logged."""
    keys = {_key(gateway.folder / "gateway.pem"), _key(gateway.folder / "authority" / authority.KEPT)}
    assert len(keys) == 2
    holders = {
        str(file.relative_to(gateway.folder))
        for file in gateway.folder.rglob("*")
        if file.is_file() and any(key in file.read_text(errors="replace") for key in (*keys, "PRIVATE KEY"))
    }
    assert holders == {"gateway.pem", f"authority/{authority.KEPT}"}


def _key(file: Path) -> str:
    return file.read_text().partition("PRIVATE KEY-----\n")[2].partition("\n")[0]
