"""Trace context (W3C) at the gateway, and the answers that the gateway gives itself, as problems (RFC 9457) that name
their trace, as rules of HAProxy (2.6). Pure text.

A valid `traceparent` is passed on as it came. Otherwise the gateway begins a trace: what was there is replaced, and a
`tracestate` without a parent is taken away, as the recommendation asks.
"""

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus

PROBLEM = "application/problem+json"
ID = "%[var(txn.anden_trace)]"
"""The trace's id, in what HAProxy formats. Empty where a request could not be read."""
PARENT = r"\A(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:(?<!\A00.{53})-.*)?\z"
"""Version 00 is exactly this long; a later version may go on after another dash; ff is none."""
OWN = {
    HTTPStatus.BAD_REQUEST: "the request cannot be read",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not arrive in time",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the gateway could not handle the request",
    HTTPStatus.BAD_GATEWAY: "the service's answer cannot be read",
    HTTPStatus.SERVICE_UNAVAILABLE: "no healthy instance",
    HTTPStatus.GATEWAY_TIMEOUT: "the service did not answer in time",
}
"""What HAProxy answers by itself, without a rule of ours."""
TRACE_LETTERS, SPAN_LETTERS = 32, 16
_TRACE, _BEGAN = "txn.anden_trace", "txn.anden_began"


def rules(quote: Callable[[str], str]) -> Iterator[str]:
    """First of the `http-request` rules: what follows may name the trace."""
    valid = f"{{ req.fhdr_cnt(traceparent) eq 1 }} {{ req.fhdr(traceparent) -m reg -- {quote(PARENT)} }}"
    began = f"{{ var({_BEGAN}) -m found }}"
    yield f"http-request set-var({_TRACE}) req.fhdr(traceparent),field(2,-) if {valid}"
    # One digest holds both ids: two more random texts without their dashes cost twice as much.
    yield f"http-request set-var({_BEGAN}) uuid(),sha2(256),hex,lower unless {{ var({_TRACE}) -m found }}"
    yield f"http-request set-var({_TRACE}) var({_BEGAN}),bytes(0,{TRACE_LETTERS}) if {began}"
    yield f"http-request del-header tracestate if {began}"
    # Sampled: services that record what their caller records would otherwise record nothing.
    parent = f"00-{ID}-%[var({_BEGAN}),bytes({TRACE_LETTERS},{SPAN_LETTERS})]-01"
    yield f"http-request set-header traceparent {parent} if {began}"


def errors(quote: Callable[[str], str]) -> Iterator[str]:
    """What stands for HAProxy's own pages in the gateway's frontend."""
    for status, detail in OWN.items():
        yield f"http-error {content(status, detail, quote)}"


def content(status: HTTPStatus, detail: str, quote: Callable[[str], str]) -> str:
    """A problem with its trace, as `http-error` and `http-request return` take it."""
    said = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, "trace": "\0"}
    text = json.dumps(said).replace("%", "%%").replace("\\u0000", ID)
    return f"status {status.value} content-type {PROBLEM} lf-string {quote(text)}"
