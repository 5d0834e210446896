"""Trace context and the gateway's own answers: a real HAProxy with the rendered configuration, on loopback."""

import http.client
import json
import re
import socket

import pytest
from tests.unit.engines.local.render.test_guards import Gateway, gateway

__all__ = ["gateway"]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MADE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
VALID = {
    "plain": f"00-{TRACE}-{SPAN}-00",
    "sampled": f"00-{TRACE}-{SPAN}-01",
    "of a later version": f"01-{TRACE}-{SPAN}-01",
    "of a later version with more": f"cc-{TRACE}-{SPAN}-01-what-the-future-holds",
}
INVALID = {
    "empty": "",
    "garbage": "garbage",
    "no trace": f"00-{'0' * 32}-{SPAN}-01",
    "no parent": f"00-{TRACE}-{'0' * 16}-01",
    "version ff": f"ff-{TRACE}-{SPAN}-01",
    "large letters": f"00-{TRACE.upper()}-{SPAN}-01",
    "version 00 with more": f"00-{TRACE}-{SPAN}-01-more",
    "more without a dash": f"01-{TRACE}-{SPAN}-01more",
    "short": f"00-{TRACE[1:]}-{SPAN}-01",
    "two in a line": f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    "quotes": f'00-{TRACE}-{SPAN}-"',
}


def ask(gateway: Gateway, path: str, *headers: tuple[str, str]) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    try:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("name", VALID)
def test_a_valid_trace_is_passed_on_as_it_came(gateway: Gateway, name: str) -> None:
    _, seen, _ = ask(gateway, "/open", ("traceparent", VALID[name]), ("tracestate", "a=b"), ("tracestate", "c=d"))
    assert seen.get_all("Seen-traceparent") == [VALID[name]]
    assert seen.get_all("Seen-tracestate") == ["a=b", "c=d"]


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_trace_is_replaced(gateway: Gateway, name: str) -> None:
    _, seen, _ = ask(gateway, "/open", ("traceparent", INVALID[name]), ("tracestate", "a=b"))
    (parent,) = seen.get_all("Seen-traceparent") or []
    made = MADE.fullmatch(parent)
    assert made is not None
    assert made[1] != TRACE
    assert seen.get_all("Seen-tracestate") is None


def test_two_traces_are_none(gateway: Gateway) -> None:
    _, seen, _ = ask(gateway, "/open", *[("traceparent", VALID["plain"])] * 2)
    (parent,) = seen.get_all("Seen-traceparent") or []
    assert MADE.fullmatch(parent)
    assert TRACE not in parent


def test_each_request_without_a_trace_begins_one(gateway: Gateway) -> None:
    made = {str(ask(gateway, "/open")[1]["Seen-traceparent"]) for _ in range(20)}
    assert len(made) == 20
    assert all(MADE.fullmatch(each) for each in made)


OWN = {"/nothing": 404, "/mine": 401, "/closed": 503, "/empty": 503, "/open/garbage": 502, "/slow": 504}


@pytest.mark.parametrize("path", OWN)
def test_what_the_gateway_answers_itself_is_a_problem_with_its_trace(gateway: Gateway, path: str) -> None:
    status, headers, body = ask(gateway, path, ("traceparent", VALID["plain"]))
    assert (status, headers["Content-Type"]) == (OWN[path], "application/problem+json")
    said = json.loads(body)
    assert (said["type"], said["status"], said["trace"]) == ("about:blank", OWN[path], TRACE)
    assert len(json.loads(ask(gateway, path)[2])["trace"]) == 32


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", b"\x01\r\n\r\n"])
def test_a_request_that_cannot_be_read_gets_the_page_that_haproxy_has(gateway: Gateway, sent: bytes) -> None:
    """HAProxy 2.6 answers these below any rule or `http-error`, so they are no problems; docs/gateway.md says it."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: text/html" in answer
