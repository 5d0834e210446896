"""What routes limit, beside tokens: rates, sizes, pages of other origins; and what a rewritten path becomes. As rules
of HAProxy (2.6), pure text.

A request is given the mark of the route that it takes, by the conditions and in the order of `use_backend`; all that
follows asks for the mark. What is refused for its rate or size is refused before a token is verified, which costs more.

Two processes count apart: who keeps to a rate is never refused for it, who asks twice as often always is.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus

from anden.engines.local.render import traces
from anden.model.configuration import GatewayRoute
from anden.model.ids import ServiceName
from anden.model.topology import Cors, Rate

MOST_COUNTED = 50_000
"""Clients' addresses that a rate is counted for, at once and for each window; then the one that was silent for longest
is forgotten. About 150 bytes each, where they are used."""
KEY_LETTERS = 64
"""Of what is counted: an address and a mark."""
BODYLESS = "GET HEAD OPTIONS"
"""Methods that may leave the length of a body out by HTTP/2, for they seldom have one."""
OPEN = "open"
_MARK = "txn.anden_route"
_ORIGIN, _CORS, _CREDENTIALS = "txn.anden_origin", "txn.anden_cors", "txn.anden_credentials"
_EACH, _ALL = "each", "all"
_Quote = Callable[[str], str]


def marks(routes: Sequence[GatewayRoute]) -> dict[GatewayRoute, str]:
    """Of those that limit or rewrite anything, in their order."""
    asking = [route for route in routes if not route.refused and any(_asked(route))]
    return {route: f"route-{number}" for number, route in enumerate(asking, start=1)}


def tables(routes: Sequence[GatewayRoute]) -> Iterator[list[str]]:
    """The counters, a block for each kind and window."""
    found = {(kind, rate.window_s) for route in marks(routes) for kind, rate in _rates(route)}
    for kind, window_s in sorted(found):
        counted = MOST_COUNTED if kind == _EACH else len(routes)
        yield [
            f"backend {_table(kind, window_s)}",
            f"stick-table type string len {KEY_LETTERS} size {counted} expire {2 * window_s}s "
            f"store http_req_rate({window_s}s)",
        ]


def rules(
    routes: Sequence[GatewayRoute], conditions: Callable[[GatewayRoute, str], list[str]], quote: _Quote
) -> Iterator[str]:
    """Of the gateway's frontend, before tokens are looked at; none where no route limits anything. routes, conditions:
    as guards.rules has them."""
    marked = marks(routes)
    if not marked:
        return
    first = f" !{{ var({_MARK}) -m found }}"
    for route in routes:
        name = marked.get(route, OPEN)
        yield from (f"http-request set-var({_MARK}) str({name}) if {when}" for when in conditions(route, first))
    for route, mark in marked.items():
        mine = _mine(mark)
        for place, (kind, rate) in enumerate(_rates(route)):
            yield from _counted(kind, rate, place, mine, quote)
        if route.body_bytes is not None:
            yield from _sized(route.body_bytes, mine, quote)
        if route.cors is not None:
            yield from _asking(route.cors, mine, quote)
    if any(route.cors for route in marked):
        answered, known = f"{{ var({_CORS}) -m found }}", f"{{ var({_ORIGIN}) -m found }}"
        yield f"http-response del-header access-control-allow- -m beg if {answered}"
        yield f"http-after-response add-header vary origin if {answered}"
        yield f"http-after-response set-header access-control-allow-origin %[var({_ORIGIN})] if {known}"
        with_cookies = f"if {{ var({_CREDENTIALS}) -m found }}"
        yield f"http-after-response set-header access-control-allow-credentials true {with_cookies}"


def rewrites(routes: Sequence[GatewayRoute], service: ServiceName, quote: _Quote) -> Iterator[str]:
    """Of the service's backend: there the route is chosen already, and who calls it by name has no mark."""
    for route, mark in marks(routes).items():
        if route.service == service and route.rewrite is not None:
            was, becomes = route.path.rstrip("/"), route.rewrite.rstrip("/")
            rest, kept = ("(/.*)?$", "\\1") if becomes else ("/?(.*)$", "/\\1")
            pattern = f"^{re.escape(was)}{rest}" if was else "^(/.*)$"
            to = becomes + (kept if was else "\\1")
            yield f"http-request replace-path {quote(pattern)} {quote(to.replace('%', '%%'))} if {_mine(mark)}"


def _asked(route: GatewayRoute) -> tuple[object, ...]:
    return route.rewrite, route.body_bytes is not None, route.rate, route.rate_each, route.cors


def _rates(route: GatewayRoute) -> Iterator[tuple[str, Rate]]:
    """A client's own first: what it is refused for does not count against all."""
    if route.rate_each is not None:
        yield _EACH, route.rate_each
    if route.rate is not None:
        yield _ALL, route.rate


def _table(kind: str, window_s: int) -> str:
    return f"anden:{kind}-{window_s}s"


def _mine(mark: str) -> str:
    return f"{{ var({_MARK}) -m str {mark} }}"


def _counted(kind: str, rate: Rate, place: int, mine: str, quote: _Quote) -> Iterator[str]:
    key = f"src,concat(-,{_MARK})" if kind == _EACH else f"var({_MARK})"
    yield f"http-request track-sc{place} {key} table {_table(kind, rate.window_s)} if {mine}"
    whose = "of one client" if kind == _EACH else "in all"
    said = f"more than {rate} requests {whose}: ask again later"
    refusal = traces.content(HTTPStatus.TOO_MANY_REQUESTS, said, quote)
    over = f"{{ sc{place}_http_req_rate({_table(kind, rate.window_s)}) gt {rate.count} }}"
    yield f"http-request return {refusal} hdr retry-after {rate.window_s} if {mine} {over}"


def _sized(most: int, mine: str, quote: _Quote) -> Iterator[str]:
    """By what the request says of its body, before anything of it is passed on; one that says nothing is not taken, for
    it could only be cut when most of it had passed."""
    unsaid = traces.content(HTTPStatus.LENGTH_REQUIRED, "say how long the body is, by content-length", quote)
    yield f"http-request return {unsaid} if {mine} {{ req.hdr(transfer-encoding) -m found }}"
    # HTTP/2 has no such header, and does not say at the beginning whether a body comes.
    silent = f"{{ req.ver 2.0 }} !{{ req.hdr(content-length) -m found }} !{{ method {BODYLESS} }}"
    yield f"http-request return {unsaid} if {mine} {silent}"
    large = traces.content(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {most:,} bytes at most here", quote)
    yield f"http-request return {large} if {mine} {{ req.body_size gt {most} }}"


def _asking(cors: Cors, mine: str, quote: _Quote) -> Iterator[str]:
    yield f"http-request set-var({_CORS}) str(yes) if {mine}"
    if cors.origins == ("*",):
        yield f"http-request set-var({_ORIGIN}) str(*) if {mine} {{ req.hdr(origin) -m found }}"
    else:
        listed = " ".join(map(quote, cors.origins))
        one = f"{{ req.fhdr_cnt(origin) eq 1 }} {{ req.fhdr(origin) -m str -- {listed} }}"
        yield f"http-request set-var({_ORIGIN}) req.fhdr(origin) if {mine} {one}"
    if cors.credentials:
        yield f"http-request set-var({_CREDENTIALS}) str(yes) if {mine} {{ var({_ORIGIN}) -m found }}"
    # A preflight has no token and no cookie: it is answered here, whatever the route asks for.
    asks = f"{mine} {{ method OPTIONS }} {{ req.hdr(access-control-request-method) -m found }}"
    refusal = traces.content(HTTPStatus.FORBIDDEN, "pages of this origin may not ask here", quote)
    yield f"http-request return {refusal} if {asks} !{{ var({_ORIGIN}) -m found }}"
    said: Mapping[str, str] = {
        "access-control-allow-methods": ", ".join(cors.methods),
        "access-control-allow-headers": ", ".join(cors.headers),
        "access-control-max-age": f"{cors.age_s:.0f}",
    }
    headers = " ".join(f"hdr {name} {quote(value)}" for name, value in said.items() if value)
    yield f"http-request return status 204 {headers} if {asks}"
