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
_TRACE = "txn.anden_trace"


def rules(quote: Callable[[str], str]) -> Iterator[str]:
    """First of the `http-request` rules: what follows may name the trace."""
    valid = f"{{ req.fhdr_cnt(traceparent) eq 1 }} {{ req.fhdr(traceparent) -m reg -- {quote(PARENT)} }}"
    began = f"{{ var({_TRACE}) -m found }}"
    yield f"http-request set-var({_TRACE}) req.fhdr(traceparent),field(2,-) if {valid}"
    yield f"http-request del-header tracestate unless {began}"
    yield f"http-request set-var(txn.anden_span) uuid(),regsub(-,,g),bytes(0,16) unless {began}"
    yield f"http-request set-var(txn.anden_began) uuid(),regsub(-,,g) unless {began}"
    # Sampled: services that record what their caller records would otherwise record nothing.
    parent = "00-%[var(txn.anden_began)]-%[var(txn.anden_span)]-01"
    yield f"http-request set-header traceparent {parent} unless {began}"
    yield f"http-request set-var({_TRACE}) var(txn.anden_began) unless {began}"


def errors(quote: Callable[[str], str]) -> Iterator[str]:
    """What stands for HAProxy's own pages in the gateway's frontend."""
    for status, detail in OWN.items():
        yield f"http-error {content(status, detail, quote)}"


def content(status: HTTPStatus, detail: str, quote: Callable[[str], str]) -> str:
    """A problem with its trace, as `http-error` and `http-request return` take it."""
    said = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, "trace": "\0"}
    text = json.dumps(said).replace("%", "%%").replace("\\u0000", ID)
    return f"status {status.value} content-type {PROBLEM} lf-string {quote(text)}"
