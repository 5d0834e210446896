"""Issuers asked for their public keys, over https: OpenID Connect Discovery 1.0, then the set that it names.

The only place that does so. It is this machine that asks, for a cell has no network of the machine's. What comes back
is a stranger's word until it is checked: it is bounded, no redirect is followed, and nothing of it is repeated but an
address of printable letters.
"""

import contextlib
import http.client
import json
import logging
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from anden.manifest import jwks
from anden.manifest.faults import Wrong
from anden.model.issuer import Answer
from anden.model.problem import Problem
from anden.model.topology import VerifyingKey

LIMIT_S = 5.0
"""For both documents of an issuer together."""
MOST_BYTES = jwks.MOST_BYTES
"""Of a document; what is larger is none."""
DISCOVERY = "/.well-known/openid-configuration"
_ADDRESS = re.compile(r"https://[!-~]{1,1000}")
_OK = 200
REACH = "Look from this machine whether it answers; `keys: FILE` takes its keys from a file."
MEND = "Its operator has to mend it; until then `keys: FILE` takes keys from a file."

log = logging.getLogger("anden.issuers")


class HttpsIssuers:
    """See model.ports.Issuers.

    trust: whose certificates are believed; None: the system's. limit_s: see LIMIT_S.
    """

    def __init__(self, trust: ssl.SSLContext | None = None, limit_s: float = LIMIT_S) -> None:
        self._trust, self._limit_s = trust, limit_s

    def fetch(self, issuers: Sequence[str]) -> Mapping[str, Answer]:
        """A thread for each of them (a manifest has 100 at most). Who does not answer in time is cut off."""
        if not issuers:
            return {}
        if self._trust is None:
            self._trust = ssl.create_default_context()
        deadline = time.monotonic() + self._limit_s
        asked = {issuer: _Asked(issuer, self._trust, deadline) for issuer in issuers}
        for each in asked.values():
            each.start()
        for each in asked.values():
            each.join(max(deadline - time.monotonic(), 0.0))
        return {issuer: each.answer or self._slow(each) for issuer, each in asked.items()}

    def _slow(self, asked: "_Asked") -> Problem:
        asked.cut_off()
        return Problem(asked.at, f"no whole answer within {self._limit_s:g} s", "", REACH)

    def jitter(self) -> float:
        """See model.ports.Issuers."""
        return random.random()  # noqa: S311 - nothing is secret about when somebody is asked

    def beside(self, work: Callable[[], None]) -> None:
        """In a thread of its own, which ends with the process."""
        threading.Thread(target=_said, args=(work,), name="issuers", daemon=True).start()


def _said(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        log.exception("issuers could not be asked")


class _Refused(Exception):  # noqa: N818 - the answer is refused, and this is why
    def __init__(self, what: str, why: str, fix: str = MEND) -> None:
        self.what, self.why, self.fix = what, why, fix


class _Asked(threading.Thread):
    """One issuer, asked. answer: when it has come. at: the address that is being asked."""

    def __init__(self, issuer: str, trust: ssl.SSLContext, deadline: float) -> None:
        super().__init__(name="issuer", daemon=True)
        self._issuer, self._trust, self._deadline = issuer, trust, deadline
        self._connection: http.client.HTTPSConnection | None = None
        self._lock = threading.Lock()
        self._over = False
        self.at = issuer.rstrip("/") + DISCOVERY
        self.answer: Answer | None = None

    def run(self) -> None:
        try:
            self.answer = self._keys()
        except _Refused as refused:
            self.answer = Problem(self.at, refused.what, refused.why, refused.fix)
        except ssl.SSLCertVerificationError as error:
            what, why = "its certificate is not believed", error.verify_message or "it cannot be verified"
            self.answer = Problem(self.at, what, why, "See whose certificate it is, and whom this machine trusts.")
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            self.answer = Problem(self.at, "it does not answer", str(why), REACH)
        except Exception:
            log.exception("what %s answers cannot be read", self.at)
            self.answer = Problem(self.at, "what it answers cannot be read", "the log says why", MEND)

    def cut_off(self) -> None:
        """Wait for it no more: whatever its thread reads ends now."""
        with self._lock:
            self._over, connection = True, self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _keys(self) -> tuple[VerifyingKey, ...]:
        said = _document(self._get(self.at))
        if said.get("issuer") != self._issuer:
            why = "`issuer` in it is not, letter by letter, what the manifest says"
            raise _Refused("it speaks of another issuer", why, "Write the issuer in the manifest as it names itself.")
        place = said.get("jwks_uri")
        if not isinstance(place, str) or not _ADDRESS.fullmatch(place):
            raise _Refused("its `jwks_uri` is no address that is asked", "keys are taken over https only")
        self.at = place
        text = self._get(place)
        try:
            return jwks.verifying(text)
        except Wrong as wrong:
            raise _Refused(f"what it publishes {wrong.what}", wrong.why or "") from None

    def _get(self, url: str) -> str:
        """The text of a document. Raises _Refused, OSError, HTTPException, ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.fragment:
            raise _Refused("it is no address that is asked", "keys are taken over https only, and without a name in it")
        left = max(self._deadline - time.monotonic(), 0.001)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=left, context=self._trust)
        with self._lock:
            if self._over:
                raise TimeoutError
            self._connection = connection
        try:
            where = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            asks = {"Accept": "application/json", "User-Agent": "anden", "Connection": "close"}
            connection.request("GET", where, headers=asks)
            answer = connection.getresponse()
            if answer.status != _OK:
                moved = "; it sends elsewhere, and that is not followed" if 300 <= answer.status < 400 else ""
                raise _Refused(f"it answers {answer.status}", f"200 is asked for{moved}")
            body = answer.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                raise _Refused(f"its answer is larger than {MOST_BYTES >> 10} KB", "no such document is")
            return body.decode()
        except UnicodeDecodeError:
            raise _Refused("its answer is no text", "documents of an issuer are JSON") from None
        finally:
            connection.close()


def _document(text: str) -> dict[str, object]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _Refused("its answer is not JSON", "an issuer describes itself in a JSON document")
    return said
