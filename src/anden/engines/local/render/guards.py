"""The guards of the gateway's routes, as rules of HAProxy (2.6): who shows no token of the route's issuer gets no
further. Pure text.

A request is first given the guard of the route that it takes; what follows asks for every claim positively, so a claim
that cannot be read is a refusal. Four things of HAProxy 2.6 decide how it is written:

    jwt_verify      with the algorithm that the token itself names it takes `none`, and HS256 with the key's *path* as
                    secret: so it is only ever given the algorithm of the key, and asked for exactly 1
    strings         `-m str` stops at a NUL that JSON may hold: so lengths are compared too
    bearer          `http_auth_bearer` takes `B` for `Bearer`: so the line's beginning is compared
    lists           a query for a list gives nothing: so its first places are asked, one by one

A signature is verified once: what passed is remembered for its guard by the digest of the whole token, and asked for
nothing but its end the next time. All else that was asked cannot become untrue while the process has these keys.

A token that is refused, and says that it is of the route's issuer by a key that nobody has, is a sign that the issuer
has newer keys. That it came is remembered for a while, by the issuer and nothing of the token: who fetches keys looks
there.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus

from anden.engines.local.render import access_log, traces
from anden.model.configuration import GatewayRoute, Guard
from anden.model.topology import VerifyingKey

AUDIENCES = 8
"""Of a token whose `aud` is a list: only its first so many are looked at, each costs a query."""
SCOPES = 16
"""The same for scopes in a list; in one text (RFC 8693) there may be any number."""
MOST_BYTES = 16 * 1024
"""Of a token; a line of headers is never longer."""
SKEW_S = 5
"""How far an issuer's clock may be ahead of ours: a token of just now is not refused as one of the future."""
KEYS = "/run/anden/keys"
OPEN = "open"
_GUARD = "txn.anden_guard"
_TOKEN = "txn.anden_token"  # noqa: S105 - a variable's name
_BRACE = r"\A\}\z"
_SCOPES = ("scope", "scp")
"""Claims that hold scopes: OAuth's own, and the one that Okta and Entra ID write."""
_PAST = ("nbf", "iat")
"""Times that must not be to come, where a token has them."""
_GUARDED = f"{{ var({_GUARD}) -m beg guard- }}"
_KEY, _KNOWN = "txn.anden_key", "txn.anden_known"
_FRESH = "{ var(txn.anden_fresh) -m found }"
"""The token passed none of the last minutes, or another guard: everything is asked of it."""
TOKENS = "anden:tokens"
MOST_KNOWN = 20_000
"""Tokens that passed, by the digest of the whole token and the guard; about 150 bytes each, in each process."""
KNOWN_S = 600
"""After which a token is verified anew."""
STRANGERS = "anden:strangers"
STRANGERS_S = 30
"""How long it is remembered that a token by an unknown key came."""
LONGEST_KID = 128
_KID = f"{{ var(txn.anden_kid) -m len 1:{LONGEST_KID} }} {{ var(txn.anden_kid) -m reg -- \\A[!-~]+\\z }}"
_ALGORITHMS = "{ var(txn.anden_alg) -m str RS256 ES256 }"


def guards(routes: Iterable[GatewayRoute]) -> dict[Guard, str]:
    """Every guard that a route has, once, and what it is called in the rules."""
    found: dict[Guard, str] = {}
    for route in routes:
        if route.guard is not None and not route.refused:
            found.setdefault(route.guard, f"guard-{len(found) + 1}")
    return found


def files(routes: Iterable[GatewayRoute]) -> Mapping[str, str]:
    """The public keys, file name to PEM. A name says what is in it: a process that runs never finds another key."""
    return {_file(key): key.pem for guard in guards(routes) for key in guard.keys}


def rules(
    routes: Sequence[GatewayRoute],
    conditions: Callable[[GatewayRoute, str], list[str]],
    quote: Callable[[str], str],
    folder: str,
) -> Iterator[str]:
    """The `http-request` rules of the gateway's frontend; none where no route has a guard.

    routes: in the order in which they are matched. conditions: when a route is taken, one for each rule; its second
    argument is what must hold as well. folder: where `files` lie.
    """
    named = guards(routes)
    if not named:
        return
    first = f" !{{ var({_GUARD}) -m found }}"
    for route in routes:
        name = OPEN if route.guard is None or route.refused else named[route.guard]
        yield from (f"http-request set-var({_GUARD}) str({name}) if {when}" for when in conditions(route, first))
    yield from _claims(any(guard.scopes for guard in named))
    for guard, name in named.items():
        yield from _guard(guard, name, quote, folder)
    # Who got here was refused by no guard.
    yield f"http-request track-sc2 var({_KEY}) table {TOKENS} if {_FRESH}"
    yield f"http-request sc-set-gpt0(2) 1 if {_FRESH}"
    yield access_log.subject(_TOKEN, _GUARDED)


def strangers(table: str, routes: Iterable[GatewayRoute]) -> tuple[str, ...]:
    """The issuers of whom a token by an unknown key came lately. table: what HAProxy shows of STRANGERS."""
    came = set(re.findall(r"\bkey=([0-9a-f]+)\b", table))
    return tuple(sorted({guard.issuer for guard in guards(routes) if _brief(guard.issuer) in came}))


def table(routes: Sequence[GatewayRoute]) -> Iterator[list[str]]:
    """The tokens that passed, and the issuers of strange ones, where any route has a guard."""
    if named := guards(routes):
        yield [
            f"backend {TOKENS}",
            f"stick-table type binary len 32 size {MOST_KNOWN} expire {KNOWN_S}s store gpt0",
        ]
        yield [
            f"backend {STRANGERS}",
            f"stick-table type string len 32 size {len(named)} expire {STRANGERS_S}s store gpt0",
        ]


def answer(status: HTTPStatus, detail: str, quote: Callable[[str], str], challenge: str = "") -> str:
    """An `http-request return` of a problem (RFC 9457), without its condition. It says nothing of why, but for what
    the caller can put right."""
    header = f" hdr WWW-Authenticate {quote(challenge.replace('%', '%%'))}" if challenge else ""
    return f"http-request return {traces.content(status, detail, quote)}{header}"


def _claims(scoped: bool) -> Iterator[str]:
    """Reading the token. In rules, not conditions: there its queries cannot be quoted. scoped: scopes as well."""
    many = answer(HTTPStatus.BAD_REQUEST, "send one Authorization header", _plain, 'Bearer error="invalid_request"')
    none = answer(HTTPStatus.UNAUTHORIZED, "this path asks for a token", _plain, "Bearer")
    yield f"{many} if {_GUARDED} {{ req.fhdr_cnt(authorization) gt 1 }}"
    yield f"http-request set-var({_TOKEN}) http_auth_bearer if {_GUARDED}"
    yield f"{none} if {_GUARDED} !{{ req.fhdr(authorization) -m beg -i -- 'Bearer ' }}"
    yield f"{none} if {_GUARDED} !{{ var({_TOKEN}) -m len 1:{MOST_BYTES} }}"
    yield f"http-request set-var(txn.anden_now) date() if {_GUARDED}"
    yield f"http-request set-var({_KEY}) var({_TOKEN}),concat(-,{_GUARD}),sha2(256) if {_GUARDED}"
    yield f"http-request set-var({_KNOWN}) var({_KEY}),table_gpt0({TOKENS}) if {_GUARDED}"
    yield f"http-request set-var(txn.anden_fresh) str(yes) if {_GUARDED} !{{ var({_KNOWN}) -m int 1 }}"
    yield f"http-request set-var(txn.anden_soon) date({SKEW_S}) if {_FRESH}"
    for name, query in {"kid": "$.kid", "alg": "$.alg", "crit": "$.crit[0]"}.items():
        yield _read(name, f"jwt_header_query('{query}')", _FRESH)
    for name, query in {"iss": "$.iss", **{_said(time): f"$.{time}" for time in _PAST}}.items():
        yield _read(name, f"jwt_payload_query('{query}')", _FRESH)
    yield _read("exp", "jwt_payload_query('$.exp','int')", _GUARDED)
    for name in _PAST:
        yield _read(name, f"jwt_payload_query('$.{name}','int')", _FRESH)
    for claim, places in {"aud": AUDIENCES, **(dict.fromkeys(_SCOPES, SCOPES) if scoped else {})}.items():
        yield _read(claim, f"jwt_payload_query('$.{claim}')", _FRESH)
        for place in range(places):
            listed = f"{_FRESH} !{{ var({_variable(claim)}) -m found }}"
            yield _read(_at(claim, place), f"jwt_payload_query('$.{claim}[{place}]')", listed)


def _read(name: str, converter: str, when: str) -> str:
    return f"http-request set-var({_variable(name)}) var({_TOKEN}),{converter} if {when}"


def _variable(name: str) -> str:
    return f"txn.anden_{name}"


def _guard(guard: Guard, name: str, quote: Callable[[str], str], folder: str) -> Iterator[str]:
    either = f"{{ var({_GUARD}) -m str {name} }}"
    mine = f"{_FRESH} {either}"
    invalid = answer(HTTPStatus.UNAUTHORIZED, "the token is not valid here", quote, 'Bearer error="invalid_token"')
    for key in guard.keys:
        verify = f"jwt_verify('{key.algorithm}','{folder}/{_file(key)}')"
        by = f"{_is('kid', key.id, quote)} {_is('alg', key.algorithm, quote)}"
        yield _read("verified", verify, f"{mine} {by}")
    refused = f"{mine} !{{ var({_variable('verified')}) -m int 1 }}"
    yield from (_mark("kid_known", f"{refused} {_is('kid', key.id, quote)}") for key in guard.keys)
    stranger = f"{refused} !{{ var({_variable('kid_known')}) -m found }} {_is('iss', guard.issuer, quote)}"
    yield f"http-request track-sc2 str({_brief(guard.issuer)}) table {STRANGERS} if {stranger} {_ALGORITHMS} {_KID}"
    yield f"{invalid} if {refused}"
    yield f"{invalid} if {mine} {{ var({_variable('crit')}) -m found }}"
    for held in _both("iss", guard.issuer, quote):
        yield f"{invalid} if {mine} !{held}"
    yield f"{invalid} if {either} !{{ var({_variable('exp')}),sub({_variable('now')}) -m int gt 0 }}"
    for time in _PAST:
        early = f"!{{ var({_variable('soon')}),sub({_variable(time)}) -m int ge 0 }}"
        yield f"{invalid} if {mine} {{ var({_variable(_said(time))}) -m found }} {early}"
    for held in ("aud", *(_at("aud", place) for place in range(AUDIENCES))):
        yield _mark("for_us", f"{mine} {_is(held, guard.audience, quote)}")
    yield f"{invalid} if {mine} !{{ var({_variable('for_us')}) -m found }}"
    if guard.scopes:
        yield from _scopes(guard, mine, quote)


def _scopes(guard: Guard, mine: str, quote: Callable[[str], str]) -> Iterator[str]:
    wanted = " ".join(guard.scopes)
    lacking = answer(
        HTTPStatus.FORBIDDEN, f"the token needs the scopes: {wanted}", quote,
        f'Bearer error="insufficient_scope", scope="{wanted}"',
    )  # fmt: skip
    for number, scope in enumerate(guard.scopes, start=1):
        may = f"may_{number}"
        word = quote(rf"(?:\A| ){re.escape(scope)}(?: |\z)")
        for claim in _SCOPES:
            yield _mark(may, f"{mine} {{ var({_variable(claim)}) -m reg -- {word} }}")
            for place in range(SCOPES):
                yield _mark(may, f"{mine} {_is(_at(claim, place), scope, quote)}")
        yield f"{lacking} if {mine} !{{ var({_variable(may)}) -m found }}"


def _said(time: str) -> str:
    """Whether a time is in the token at all, be it one that can be read or not."""
    return f"{time}_said"


def _at(claim: str, place: int) -> str:
    """What the place of a list is called; no claim that is read is called so."""
    return f"{claim}_at_{place}"


def _mark(to: str, when: str) -> str:
    return f"http-request set-var({_variable(to)}) str(yes) if {when}"


def _is(claim: str, text: str, quote: Callable[[str], str]) -> str:
    return " ".join(_both(claim, text, quote))


def _both(claim: str, text: str, quote: Callable[[str], str]) -> tuple[str, str]:
    """The same letters, and as many."""
    variable = _variable(claim)
    # A word `}` ends the condition, quoted or not: an issuer that calls its key so would have the whole refused.
    same = rf"-m reg -- {quote(_BRACE)}" if text == "}" else f"-m str -- {quote(text)}"
    return f"{{ var({variable}) {same} }}", f"{{ var({variable}) -m len {len(text)} }}"


def _brief(issuer: str) -> str:
    """Of its address, which may hold what would have to be quoted twice."""
    return hashlib.sha256(issuer.encode()).hexdigest()[:16]


def _plain(text: str) -> str:
    return f"'{text}'"


def _file(key: VerifyingKey) -> str:
    return f"{hashlib.sha256(key.pem.encode()).hexdigest()[:32]}.pem"
