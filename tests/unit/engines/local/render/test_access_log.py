"""The access log: a real HAProxy with the rendered configuration, on loopback."""

import json
import socket

import pytest
from tests.unit.engines.local.render.test_guards import ISSUER, RSA, Gateway, bearer, claims, gateway

from anden.engines.local.render import access_log

__all__ = ["gateway"]
FIELDS = {
    "time", "client", "method", "host", "path", "status", "bytes", "ms", "service", "instance", "trace", "subject",
    "end",
}  # fmt: skip
SECRETS = ("hunter2", "tasty", "eyJ")
"""What a query, a cookie and any token of these tests hold."""


def raw(gateway: Gateway, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_line_says_who_asked_for_what_and_who_answered(gateway: Gateway) -> None:
    token = RSA.token(claims(sub="ana maria"))
    gateway.ask("/mine/one?password=hunter2", bearer(token), host="shop.bank.example")
    line = gateway.process.line(path="/mine/one")
    assert line.keys() == FIELDS
    assert {name: line[name] for name in FIELDS - {"time", "bytes", "ms", "trace"}} == {
        "client": "127.0.0.1", "method": "GET", "host": "shop.bank.example", "path": "/mine/one", "status": 200,
        "service": "web", "instance": "web-a", "subject": "ana maria", "end": "--",
    }  # fmt: skip
    assert (line["time"] > 1e9, line["bytes"] > 50, line["ms"] >= 0, len(line["trace"])) == (True, True, True, 32)


def test_nothing_of_a_token_a_cookie_or_a_query_is_written(gateway: Gateway) -> None:
    raw(
        gateway,
        b"GET /open/q?a=hunter2 HTTP/1.1\r\nHost: a\r\nCookie: c=tasty\r\nConnection: close\r\n"
        + f"Authorization: {bearer(RSA.token(claims()))}\r\n\r\n".encode(),
    )
    gateway.process.line(path="/open/q")
    written = (gateway.folder / "access").read_text()
    assert not [secret for secret in SECRETS if secret in written]


def test_a_subject_is_that_of_a_verified_token(gateway: Gateway) -> None:
    gateway.ask("/mine/refused", bearer(RSA.token(claims(exp=1))))
    assert gateway.process.line(path="/mine/refused")["subject"] == "-"
    gateway.ask("/open/any", bearer(RSA.token(claims(iss=ISSUER))))
    assert gateway.process.line(path="/open/any")["subject"] == "-"


@pytest.mark.parametrize("sub", ['"} {"', "\\", "a\nb", "a/b", "ñandú", "x" * 500])
def test_a_subject_cannot_write_into_the_line(gateway: Gateway, sub: str) -> None:
    """HAProxy reads `\\u00f1` of a token as one byte, which is no text, and is left out."""
    path = f"/mine/sub-{len(sub)}-{sum(map(ord, sub))}"
    gateway.ask(path, bearer(RSA.token(claims(sub=sub))))
    subject = gateway.process.line(path=path)["subject"]
    assert subject == sub.encode("ascii", "ignore").decode()[: access_log.SUBJECT_BYTES]


@pytest.mark.parametrize(
    "sent",
    [
        b'GET /open/"},{" HTTP/1.1\r\nHost: "},{"\\\r\nConnection: close\r\n\r\n',
        b"GET /open\\ HTTP/1.1\r\nHost: a\\\r\nConnection: close\r\n\r\n",
        b"GET /" + b'"' * 9000 + b" HTTP/1.1\r\nHost: " + b"\\" * 5000 + b"\r\nConnection: close\r\n\r\n",
        b'G"T / HTTP/1.1\r\nHost: a\r\n\r\n',
        b"\x01\x02\r\n\r\n",
    ],
)
def test_whatever_is_asked_a_line_is_one_document(gateway: Gateway, sent: bytes) -> None:
    before = len(gateway.process.lines())
    raw(gateway, sent)
    gateway.ask("/open/next")
    gateway.process.line(path="/open/next")
    written = (gateway.folder / "access").read_text().splitlines()
    assert len(written) > before
    assert all(json.loads(line).keys() == FIELDS and len(line) < access_log.MOST_BYTES for line in written)


def test_what_the_gateway_answers_itself_is_its_own(gateway: Gateway) -> None:
    gateway.ask("/nothing/there")
    line = gateway.process.line(path="/nothing/there")
    assert (line["status"], line["service"], line["instance"]) == (404, "anden", "-")
