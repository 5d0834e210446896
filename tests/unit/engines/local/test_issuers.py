"""Issuers asked over real https, in order and out of it: what is no set of public keys never becomes one."""

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import issuer, tokens
from tests.issuer import DISCOVERY, KEYS, Handler, LoopbackIssuer

from anden.engines.local.issuers import MOST_BYTES, HttpsIssuers
from anden.model.problem import Problem

FIRST, SECOND = tokens.ec_signer("first"), tokens.rsa_signer("second")
PATIENCE_S = 1.5
LONG_S = 3.0


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackIssuer]:
    with issuer.serving(tmp_path_factory.mktemp("issuer")) as found:
        yield found


@pytest.fixture
def theirs(listening: LoopbackIssuer) -> LoopbackIssuer:
    listening.pages.clear()
    listening.asked.clear()
    listening.publishes(FIRST)
    return listening


def refused(theirs: LoopbackIssuer, limit_s: float = LONG_S) -> Problem:
    answer = HttpsIssuers(theirs.trust, limit_s).fetch([theirs.url])[theirs.url]
    assert isinstance(answer, Problem), answer
    assert answer.fix
    return answer


def test_its_keys_and_those_that_it_rotates_to(theirs: LoopbackIssuer) -> None:
    asking = HttpsIssuers(theirs.trust)
    assert asking.fetch([theirs.url]) == {theirs.url: (FIRST.public,)}
    assert theirs.asked == [DISCOVERY, KEYS]
    theirs.publishes(FIRST, SECOND)
    assert asking.fetch([theirs.url]) == {theirs.url: (FIRST.public, SECOND.public)}
    theirs.publishes(SECOND)
    assert asking.fetch([theirs.url]) == {theirs.url: (SECOND.public,)}
    assert asking.fetch([]) == {}


def test_a_last_slash_is_the_issuer_s_and_not_the_address_s(theirs: LoopbackIssuer) -> None:
    theirs.pages[DISCOVERY] = {"issuer": theirs.url + "/", "jwks_uri": theirs.url + KEYS}
    named = theirs.url + "/"
    assert HttpsIssuers(theirs.trust).fetch([named]) == {named: (FIRST.public,)}
    assert refused(theirs).what == "it speaks of another issuer"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"issuer": "https://id.other.example"}, "it speaks of another issuer"),
        ({"issuer": None}, "it speaks of another issuer"),
        ({"jwks_uri": None}, "its `jwks_uri` is no address"),
        ({"jwks_uri": "http://127.0.0.1/keys"}, "its `jwks_uri` is no address"),
        ({"jwks_uri": "file:///etc/passwd"}, "its `jwks_uri` is no address"),
        ({"jwks_uri": "https://a/\r\nX: y"}, "its `jwks_uri` is no address"),
        ({"jwks_uri": "https://" + "a" * 2000}, "its `jwks_uri` is no address"),
        ({"jwks_uri": "https://ana:secret@127.0.0.1/keys"}, "it is no address that is asked"),
        ({"jwks_uri": "https://127.0.0.1:99999/keys"}, "it does not answer"),
        ({"jwks_uri": "https://[::1/keys"}, "it does not answer"),
    ],
)
def test_what_it_says_of_itself_is_checked(theirs: LoopbackIssuer, said: dict[str, Any], what: str) -> None:
    theirs.pages[DISCOVERY] = {"issuer": theirs.url, "jwks_uri": theirs.url + KEYS, **said}
    assert refused(theirs).what.startswith(what)
    assert theirs.asked == [DISCOVERY]


@pytest.mark.parametrize("page", [DISCOVERY, KEYS])
@pytest.mark.parametrize(
    "nonsense", [b"", b"<html>", b"\xff\xfe", b"[]", b"null", b"[" * 60_000, b'{"keys": 1}', b'{"keys": ["a"]}']
)
def test_nonsense(theirs: LoopbackIssuer, page: str, nonsense: bytes) -> None:
    theirs.pages[page] = nonsense
    assert refused(theirs).where == theirs.url + page


def test_what_is_too_large_is_not_read_to_its_end(theirs: LoopbackIssuer) -> None:
    theirs.pages[KEYS] = b'{"keys": []}' + b" " * MOST_BYTES
    assert "larger than 64 KB" in refused(theirs).what
    sent: list[int] = []

    def endless(to: Handler) -> None:
        to.send_response(200)
        to.end_headers()
        try:
            while len(sent) < 10_000:
                to.wfile.write(b" " * 4096)
                sent.append(4096)
        except OSError:
            pass

    theirs.pages[KEYS] = endless
    assert "larger than 64 KB" in refused(theirs).what
    assert len(sent) < 10_000


@pytest.mark.parametrize("page", [DISCOVERY, KEYS])
def test_a_redirect_is_not_followed(theirs: LoopbackIssuer, page: str) -> None:
    theirs.pages["/elsewhere"] = theirs.pages[page]
    theirs.pages[page] = lambda to: to.answer(302, Location=theirs.url + "/elsewhere")
    found = refused(theirs)
    assert (found.what, "not followed" in found.why) == ("it answers 302", True)
    assert "/elsewhere" not in theirs.asked


def test_another_status_is_no_answer(theirs: LoopbackIssuer) -> None:
    body = theirs.pages[DISCOVERY]
    theirs.pages[DISCOVERY] = lambda to: to.answer(500, str(body).encode())
    assert refused(theirs).what == "it answers 500"


def test_private_and_weak_keys_are_refused_and_not_repeated(theirs: LoopbackIssuer) -> None:
    theirs.pages[KEYS] = {"keys": [FIRST.jwk(), {**FIRST.jwk(), "kid": "b", "d": "s3cret-number"}]}
    found = refused(theirs)
    assert "holds a private key" in found.what
    assert "s3cret" not in str(found)
    theirs.pages[KEYS] = {"keys": [{"kty": "oct", "kid": "a", "k": "s3cret-number"}]}
    assert "holds a private key" in refused(theirs).what
    weak = tokens.b64((2**1023 + 1).to_bytes(128, "big"))
    theirs.pages[KEYS] = {"keys": [{**SECOND.jwk(), "n": weak}]}
    assert "key 1 has 1024 bits" in refused(theirs).what
    theirs.pages[KEYS] = {"keys": [{**SECOND.jwk(), "alg": "PS512"}]}
    assert "no key that can be used" in refused(theirs).what


def test_who_is_slow_is_cut_off_wherever_it_is_slow(theirs: LoopbackIssuer) -> None:
    ended = threading.Event()

    def dripping(to: Handler) -> None:
        try:
            to.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(1000):
                to.wfile.write(b"X-%d: y\r\n" % number)
                time.sleep(0.02)
        except OSError:
            ended.set()

    theirs.pages[KEYS] = dripping
    found = refused(theirs, PATIENCE_S)
    assert (found.where, found.what) == (theirs.url + KEYS, f"no whole answer within {PATIENCE_S} s")
    assert ended.wait(LONG_S), "nobody reads on"


def test_one_that_is_slow_holds_up_no_other(theirs: LoopbackIssuer, tmp_path: Path) -> None:
    stop = threading.Event()
    with issuer.serving(tmp_path) as slow:
        slow.pages[DISCOVERY] = lambda _: stop.wait(LONG_S)
        theirs.trust.load_verify_locations(slow.authority)
        found = HttpsIssuers(theirs.trust, PATIENCE_S).fetch([slow.url, theirs.url])
        stop.set()
    assert found[theirs.url] == (FIRST.public,)
    assert isinstance(found[slow.url], Problem)


def test_who_is_down_or_whose_certificate_nobody_believes(theirs: LoopbackIssuer, tmp_path: Path) -> None:
    with issuer.serving(tmp_path) as other:
        other.publishes(FIRST)
        assert "certificate" in refused(LoopbackIssuer(other.url, issuer_trust(theirs), other.authority)).what
        assert other.asked == []
    found = refused(LoopbackIssuer(other.url, other.trust, other.authority))
    assert (found.what, found.why) == ("it does not answer", "Connection refused")
    with issuer.serving(tmp_path, days=-1) as late:
        late.publishes(FIRST)
        found = refused(late)
    assert (found.what, found.why) == ("its certificate is not believed", "certificate has expired")


def issuer_trust(of: LoopbackIssuer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(of.authority))


def test_without_tls_nobody_is_asked(theirs: LoopbackIssuer) -> None:
    plain = theirs.url.replace("https", "http")
    answer = HttpsIssuers(theirs.trust).fetch([plain])[plain]
    assert isinstance(answer, Problem)
    assert answer.what == "it is no address that is asked"
    assert theirs.asked == []


def test_work_beside_ends_whatever_it_raises() -> None:
    done = threading.Event()

    def work() -> None:
        done.set()
        raise OSError("no room")

    asking = HttpsIssuers()
    asking.beside(work)
    assert done.wait(LONG_S)
    assert all(0.0 <= asking.jitter() <= 1.0 for _ in range(10))
