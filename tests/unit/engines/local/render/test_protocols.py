"""What else passes the gateway: WebSocket, and HTTP/2 in clear text by a client that knows; a real HAProxy on
loopback."""

import base64
import hashlib
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests import gateway_process
from tests.unit.engines.local.render.sample import SMALLEST

from anden.engines.local.render.haproxy import Server
from anden.model.configuration import Backend, GatewayRoute
from anden.model.ids import InstanceId, ServiceName

WEB = ServiceName("web")
ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""As RFC 6455 has it."""
ASK_S = 10


class _Service(http.server.BaseHTTPRequestHandler):
    """Upgrades to a WebSocket that gives back what it gets, as it comes; otherwise says what it was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            key = self.headers["Sec-WebSocket-Key"] + ACCEPT
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header(
                "Sec-WebSocket-Accept",
                base64.b64encode(hashlib.sha1(key.encode()).digest()).decode(),  # noqa: S324
            )
            self.end_headers()
            while data := self.connection.recv(65536):
                self.connection.sendall(data)
            self.close_connection = True
            return
        self._say(b"")

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _say(self, body: bytes) -> None:
        said = f"{self.command} {self.path} {self.request_version} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A check that only connects, and hangs up."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gateway_process.Running]:
    service = _Server(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    server = Server(InstanceId("web-a"), WEB, IPv4Address("127.0.0.1"), service.server_port)
    wanted = replace(
        SMALLEST,
        routes=(GatewayRoute("/", WEB), GatewayRoute("/small", WEB, body_bytes=100)),
        backends=(Backend(WEB, 1, (), service.server_port),),
    )
    try:
        with gateway_process.running(tmp_path_factory.mktemp("protocols"), wanted, [server]) as found:
            yield found
    finally:
        service.shutdown()
        service.server_close()


def test_a_websocket_passes(gateway: gateway_process.Running) -> None:
    key = base64.b64encode(b"0123456789abcdef").decode()
    asked = (
        "GET /chat?token=hunter2 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    frame = b"\x81\x85\x01\x02\x03\x04" + bytes(a ^ b for a, b in zip(b"hello", b"\x01\x02\x03\x04\x01", strict=True))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=ASK_S) as connection:
        connection.sendall(asked.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        assert head.startswith(b"HTTP/1.1 101 ")
        for _ in range(3):
            connection.sendall(frame)
            got = b""
            while len(got) < len(frame):
                got += connection.recv(65536)
            assert got == frame
    line = gateway.line(path="/chat")
    assert (line["status"], line["instance"]) == (101, "web-a")


def curl(gateway: gateway_process.Running, path: str, *options: str, stdin: bytes = b"") -> str:
    """`STATUS VERSION BODY` of a request by HTTP/2 without TLS."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    argv = [program, "-s", "--max-time", str(ASK_S), "--http2-prior-knowledge", "-w", "\n%{http_code} %{http_version}"]
    done = subprocess.run(
        [*argv, *options, f"http://127.0.0.1:{gateway.port}{path}"], input=stdin, capture_output=True, check=False
    )
    body, _, said = done.stdout.decode().rpartition("\n")
    return f"{said} {body}"


def test_http2_without_tls_is_understood(gateway: gateway_process.Running) -> None:
    assert curl(gateway, "/a?b=c") == "200 2 GET /a?b=c HTTP/1.1 0"
    assert gateway.line(path="/a")["status"] == 200


def test_a_limit_holds_for_http2_too(gateway: gateway_process.Running, tmp_path: Path) -> None:
    """Refused while it still sends, a client may see the stream's end and not the answer: so the log is looked at."""
    (tmp_path / "fits").write_bytes(b"x" * 100)
    (tmp_path / "large").write_bytes(b"x" * 101)
    assert curl(gateway, "/small/fits", "--data-binary", f"@{tmp_path / 'fits'}").startswith("200 2 POST")
    refused = {
        413: curl(gateway, "/small/large", "--data-binary", f"@{tmp_path / 'large'}"),
        411: curl(gateway, "/small/unsaid", "-X", "POST", "-T", "-", stdin=b"x" * 5000),
    }
    for status, said in refused.items():
        assert said.startswith((f"{status} 2 ", "000 0 "))
        assert gateway.line(status=status)["instance"] == "-", "nothing of it passed"
