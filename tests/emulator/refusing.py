"""A way to the emulator on which some calls are refused: what AWS says to whoever asks too often, or has signed in too
long ago; or on which an answer is lost, though what was asked is done. Loopback, one thread a connection, ended with
the `with`."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

LIMIT_S = 30
LOST = "lost"
"""Instead of a code: the call is passed on, and the connection ends before its answer."""
PASSED_ON = ("content-type", "authorization", "x-amz-target", "x-amz-date", "accept")


@dataclass
class Refusing:
    """url: instead of the emulator's. left: for each call (`DescribeStacks`), what its next answers are instead.
    asked: the calls that came, in order."""

    url: str
    left: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def refuse(self, call: str, codes: Sequence[str]) -> None:
        """These, one for each time that it is asked."""
        self.left[call] = list(codes)


@contextmanager
def refusing(emulator: str) -> Iterator[Refusing]:
    """The way to the emulator of that URL."""
    its = Refusing("")

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            named = self.headers.get("x-amz-target", "").rpartition(".")[2]
            call = named or parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
            its.asked.append(call)
            instead = its.left[call].pop(0) if its.left.get(call) else ""
            if instead not in ("", LOST):
                self._answer(400, _refusal(instead), "text/xml")
                return
            words = {name: value for name in PASSED_ON if (value := self.headers.get(name))}
            asked = urllib.request.Request(emulator + self.path, body, words)  # noqa: S310 - loopback
            try:
                with urllib.request.urlopen(asked, timeout=LIMIT_S) as got:  # noqa: S310 - loopback
                    if instead == LOST:
                        self.close_connection = True
                        return
                    self._answer(got.status, got.read(), got.headers.get("content-type", ""))
            except urllib.error.HTTPError as got:
                self._answer(got.code, got.read(), got.headers.get("content-type", ""))

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    its.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield its
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _refusal(code: str) -> bytes:
    said = {"Throttling": "Rate exceeded", "ExpiredToken": "The security token included in the request is expired"}
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{said.get(code, code)}</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    ).encode()
