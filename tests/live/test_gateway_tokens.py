"""Tokens at the gateway of a real cell, from the manifest on; keys and tokens are made here."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests import issuer, tokens
from tests.issuer import LoopbackIssuer
from tests.live.conftest import Anden

GATEWAY = "127.0.0.1:8098"
MANIFEST = """\
anden: 1
client: tokens
auth:
  customers: { issuer: https://id.bank.example, audience: bank, keys: keys/customers.json }
  staff: { issuer: STAFF, audience: bank }
services:
  web: { build: app, port: 8080, route: { path: /, auth: customers, scopes: [accounts:read] } }
  open: { build: app, port: 8080, route: /open }
  staff: { build: app, port: 8080, route: { path: /staff, auth: staff } }
"""
APP = """\
import http.server, os, signal
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["ANDEN_INSTANCE"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process hears only what it asks for
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
"""
FIRST, SECOND = tokens.rsa_signer("first"), tokens.ec_signer("second")


@dataclass
class Bank:
    anden: Anden
    folder: Path
    staff: LoopbackIssuer

    def __call__(self, *words: str) -> str:
        return self.anden("-C", str(self.folder), *words)

    def keys(self, *signers: tokens.Signer) -> None:
        (self.folder / "keys" / "customers.json").write_text(json.dumps({"keys": [each.jwk() for each in signers]}))


def ask(path: str, token: str | None = None) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(f"http://{GATEWAY}{path}", headers=headers), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def claims(**changed: Any) -> dict[str, Any]:
    return {
        "iss": "https://id.bank.example", "aud": "bank", "exp": int(time.time()) + 300, "scope": "accounts:read",
    } | changed  # fmt: skip


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackIssuer]:
    """An issuer on this machine, which publishes nothing yet."""
    with issuer.serving(tmp_path_factory.mktemp("issuer")) as found:
        yield found


@pytest.fixture(scope="module")
def bank(anden: Anden, staff: LoopbackIssuer) -> Iterator[Bank]:
    anden.more["SSL_CERT_FILE"] = str(staff.authority)
    folder = anden.state / "manifest"
    for name in ("app", "keys"):
        (folder / name).mkdir(parents=True)
    (folder / "anden.yaml").write_text(MANIFEST.replace("STAFF", staff.url))
    (folder / "app" / "app.py").write_text(APP)
    (folder / "app" / "Containerfile").write_text(
        'ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "-u", "/app.py"]\n'
    )
    made = Bank(anden, folder, staff)
    made.keys(FIRST)
    made("up", "--gateway", GATEWAY, "--yes")
    yield made
    made("down", "--yes")


def test_only_a_token_of_the_issuer_passes(bank: Bank) -> None:
    assert ask("/", FIRST.token(claims()))[1].startswith("web-")
    assert ask("/open")[1].startswith("open-")
    assert ask("/")[0] == 401
    assert ask("/", FIRST.token(claims(exp=int(time.time()) - 1)))[0] == 401
    assert ask("/", FIRST.token(claims(aud="bakery")))[0] == 401
    assert ask("/", SECOND.token(claims()))[0] == 401
    assert ask("/", tokens.signed_part({"alg": "none", "kid": "first"}, claims()) + ".")[0] == 401
    assert ask("/", FIRST.token(claims(scope="accounts")))[0] == 403


def test_an_issuer_that_has_given_no_keys_lets_nobody_pass(bank: Bank) -> None:
    status, text = ask("/staff", FIRST.token(claims(iss=bank.staff.url)))
    assert (status, json.loads(text)["status"]) == (503, 503)
    assert "≠ local: route staff" in bank("plan")


def test_who_asked_for_what_is_written_down(bank: Bank) -> None:
    token = FIRST.token(claims(sub="ana"))
    assert ask("/mine?pin=hunter2", token)[0] == 200
    assert ask("/nowhere-to-go?pin=hunter2")[0] == 401
    deadline = time.monotonic() + 5
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline and len(found) < 2:
        rows = [json.loads(line) for line in bank("logs", "gateway", "--json").splitlines()]
        requests = [json.loads(row["text"]) for row in rows]
        found = [one for one in requests if one["path"] in ("/mine", "/nowhere-to-go")]
    passed, refused = found
    assert (passed["status"], passed["service"], passed["subject"]) == (200, "web", "ana")
    assert passed["instance"].startswith("web-")
    assert (refused["status"], refused["subject"]) == (401, "-")
    written = bank("logs", "gateway")
    assert "hunter2" not in written
    assert token not in written
    assert "/nowhere-to-go" not in bank("logs")  # all are the services' lines


def test_keys_change_by_up_and_nothing_restarts(bank: Bank) -> None:
    """The domain comes with them, for the next test."""
    before = ask("/", FIRST.token(claims()))[1]
    bank.keys(SECOND)
    bank.staff.publishes(FIRST)
    (bank.folder / "anden.yaml").write_text(f"{MANIFEST.replace('STAFF', bank.staff.url)}domain: api.bank.example\n")
    assert "~ auth" in bank("plan")
    bank("up", "--yes")
    assert ask("/", FIRST.token(claims()))[0] == 401
    assert ask("/", SECOND.token(claims())) == (200, before)


def strangers(bank: Bank) -> set[str]:
    """Issuers of whom a token came by an unknown key, as the control plane sees it."""
    traffic = json.loads(bank("status", "--json"))["traffic"]
    return {issuer for each in traffic.values() for issuer in each["strangers"]}


def test_keys_are_fetched_from_the_issuer_and_stay_while_it_is_down(bank: Bank) -> None:
    first, second = (each.token(claims(iss=bank.staff.url)) for each in (FIRST, SECOND))
    status, instance = ask("/staff", first)
    assert bank.staff.url not in strangers(bank)
    assert (status, ask("/staff", second)[0]) == (200, 401)
    deadline = time.monotonic() + 10
    while bank.staff.url not in strangers(bank):  # so the issuer would be asked sooner
        assert time.monotonic() < deadline, "a token came by a key that nobody knows"
    bank.staff.publishes(SECOND)
    bank("up", "--yes")
    assert ask("/staff", first)[0] == 401
    assert ask("/staff", second) == (200, instance), "and nothing restarts"
    bank.staff.pages.clear()
    told = bank.anden.try_("-C", str(bank.folder), "up", "--yes")
    assert (told.returncode, "no newer keys can be fetched" in told.stdout + told.stderr) == (0, True)
    assert ask("/staff", second)[0] == 200


def handshake(bank: Bank, port: int) -> tuple[dict[str, Any], bytes]:
    """The certificate that is shown to who trusts the client's authority, and the answer to `GET /open`."""
    context = ssl.create_default_context(cafile=bank.anden.state / "tokens" / "authority" / "authority.crt")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="api.bank.example") as secure,
    ):
        secure.sendall(b"GET /open HTTP/1.1\r\nHost: api.bank.example\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := secure.recv(65536):
            answer += part
        return dict(secure.getpeercert() or {}), answer


def test_a_domain_brings_tls_to_what_runs_and_it_is_renewed(bank: Bank) -> None:
    status = json.loads(bank("status", "--json"))
    host, port = status["gateway_tls"].split(":")
    assert status["https"] == f"https://api.bank.example:{port}"
    assert host == "127.0.0.1"
    assert f"tls     {status['https']} at {status['gateway_tls']}" in bank("status")
    first, answer = handshake(bank, int(port))
    assert answer.partition(b" ")[2].startswith(b"200 ")
    assert answer.endswith(ask("/open")[1].encode())

    # Its time comes: the next tick sees to it, and nobody has to ask.
    (record,) = (bank.anden.state / "tokens" / "cells").glob("*/keeper.json")
    keeper = json.loads(record.read_text())["pid"]
    init = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0]
    run = Path(f"/proc/{init}/root/run/anden/certificates")
    held = json.loads((run / "current.json").read_text())
    (run / "current.json").write_text(json.dumps({**held, "renew_at": 0.0}))
    deadline = time.monotonic() + 20
    while (now := handshake(bank, int(port))[0])["serialNumber"] == first["serialNumber"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert now["subjectAltName"] == first["subjectAltName"] == (("DNS", "api.bank.example"),)

    client = bank.anden.state / "tokens"
    keys = {file for file in client.rglob("*") if file.is_file() and b"PRIVATE KEY" in file.read_bytes()}
    assert keys == {client / "authority" / "authority.key"}

    (bank.folder / "anden.yaml").write_text(MANIFEST.replace("STAFF", bank.staff.url))
    bank("up", "--yes")
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", int(port))) != 0
    assert json.loads(bank("status", "--json"))["gateway_tls"] is None
    assert list(run.glob("*.pem")) == []
