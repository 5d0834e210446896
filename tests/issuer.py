"""An issuer as it is on the network: https on loopback, under an authority made at test time."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.tokens import Signer

DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


class Handler(BaseHTTPRequestHandler):
    """Answers as the issuer's `pages` say: a path to a value (JSON), to bytes, or to what writes an answer itself."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.issuer.asked.append(self.path)
        page = self.server.issuer.pages.get(self.path)
        if callable(page):
            page(self)
            return
        body = b"" if page is None else page if isinstance(page, bytes) else json.dumps(page).encode()
        self.answer(404 if page is None else 200, body)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked is in `asked`."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: "LoopbackIssuer"

    def handle_error(self, *_: object) -> None:
        """A caller that goes away in the middle is what some tests are about."""


Page = Any | Callable[[Handler], None]


@dataclass
class LoopbackIssuer:
    """url: its address. trust: for who believes its certificate; authority: the same as a file."""

    url: str
    trust: ssl.SSLContext
    authority: Path
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publishes(self, *signers: Signer) -> None:
        """What an issuer in order answers."""
        self.pages[DISCOVERY] = {"issuer": self.url, "jwks_uri": self.url + KEYS}
        self.pages[KEYS] = {"keys": [each.jwk() for each in signers]}


@contextmanager
def serving(folder: Path, days: int = 1) -> Iterator[LoopbackIssuer]:
    """One that listens until the end of the block; its files lie in `folder`. days: how long its certificate is good
    from now on; with a negative number it has expired."""
    authority, both = _certificates(folder, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trust = ssl.create_default_context(cafile=str(authority))
    server.issuer = LoopbackIssuer(f"https://127.0.0.1:{server.server_address[1]}", trust, authority)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        server.server_close()


def _certificates(folder: Path, days: int) -> tuple[Path, Path]:
    """An authority's certificate; a server's, with its key."""
    now, day = datetime.now(UTC), timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("authority of a test", "issuer")]
    texts = []
    ends = now + day, now + days * day
    for own, name, ca, end in zip(keys, names, (True, False), ends, strict=True):
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(own.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - 9 * day).not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
            .sign(keys[0], hashes.SHA256())
        )  # fmt: skip
        texts.append(made.public_bytes(Encoding.PEM))
    authority, both = folder / "authority.pem", folder / "issuer.pem"
    authority.write_bytes(texts[0])
    both.touch(mode=0o600)
    both.write_bytes(texts[1] + keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return authority, both
