"""Requests that try a gateway, from a seed: odd but readable ones in long pipelines, and ones that are built to be
read differently by two readers, each on a connection of its own. And a service that reads strictly, and tells what it
saw."""

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

HIDDEN = b"/hidden"
"""A path that no route names: what is smuggled inside other requests asks for it."""
ROUTED = 0.3
"""The share of readable requests that begin with the path of a route."""
PIPELINE = 150
ANSWER_S = 5.0
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)\r\n")
SEGMENTS = (
    b"accounts", b"accountsx", b"open", b"secure", b"small", b"old", b"pages", b"a", b"..", b".", b"%2e%2e", b"%2f",
    b"%00", b"", b"%zz", b"~", b"+", b"$&'()*,;=:@", b'"', b"<script>", b"\\", b"{}", b"|", b"^", b"`", b"x" * 300,
)  # fmt: skip
HOSTS = (
    b"a", b"api.bank.example", b"API.bank.example", b"api.bank.example:443", b"api.bank.example.", b"127.0.0.1:8080",
    b"[::1]", b"evil.example", b"web", b"anden:nowhere", b"x" * 200,
)  # fmt: skip
HEADERS = (
    b"Authorization: Bearer a.b.c", b"Authorization: Basic eHg6eHg=", b"Authorization: Bearer", b"Cookie: a=b; c=d",
    b"X-Forwarded-For: 10.0.0.1, 127.0.0.1", b"X-Forwarded-Host: hidden.example", b"X-Original-URL: /hidden",
    b"X-Rewrite-URL: /hidden", b"Forwarded: for=127.0.0.1;host=hidden", b"Origin: https://app.bank.example",
    b"Origin: null", b"Access-Control-Request-Method: PUT", b"traceparent: 00-0-0-0", b"traceparent: " + b"f" * 300,
    b"tracestate: a=b", b"Range: bytes=0-0,5-1,-1", b"Accept-Encoding: gzip;q=0", b"X-Empty:", b"X-Tab:\tb\t",
    b"X-Long: " + b"y" * 4000, b"X-High: \xff\xfe", b"Via: 1.1 gateway", b"Max-Forwards: 0", b"Pragma: no-cache",
    b"Proxy-Connection: close", b"X-HTTP-Method-Override: DELETE", b"Content-Type: application/json", b"Te: trailers",
)  # fmt: skip
METHODS = (b"GET", b"GET", b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PROPFIND", b"M-SEARCH")


def readable(chance: random.Random) -> bytes:
    """A request whose end both readers see in the same place."""
    path = b"/" + b"/".join(chance.choice(SEGMENTS) for _ in range(chance.randint(0, 3)))
    if chance.random() < ROUTED:
        path = chance.choice((b"/accounts", b"/accounts/a", b"/open", b"/secure", b"/small", b"/old", b"/pages")) + path
    if chance.random() < 0.4:
        path += b"?" + chance.choice((b"a=b", b"", b"/hidden", b"x=%0d%0aHost:+y", b"?" * 20, b"q=" + b"z" * 500))
    method = chance.choice(METHODS)
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: " + chance.choice(HOSTS)]
    lines += chance.sample(HEADERS, chance.randint(0, 5))
    body = b""
    if method in (b"POST", b"PUT", b"PATCH"):
        body = chance.randbytes(chance.choice((0, 1, 10, 100, 3000)))
        if chance.random() < 0.3:
            lines.append(b"Transfer-Encoding: chunked")
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        else:
            lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _inner() -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % HIDDEN


def _post(*lines: bytes, body: bytes, path: bytes = b"/open") -> bytes:
    return b"\r\n".join((b"POST %s HTTP/1.1" % path, b"Host: a", *lines)) + b"\r\n\r\n" + body


def _lengths(chance: random.Random) -> bytes:
    length = b"%d" % len(_inner())
    first, second = chance.choice(
        ((b"0", length), (length, b"0"), (b"+0", length), (b"-1", length), (b"0x0", length), (b"0,0", length),
         (b"0 ", b" " + length), (b"1e1", b"0"), (b"99999999999999999999", b"0"), (b"", b"0"))
    )  # fmt: skip
    return _post(b"Content-Length: " + first, b"Content-Length: " + second, body=_inner())


def _both(chance: random.Random) -> bytes:
    coding = chance.choice(
        (b"chunked", b"Chunked", b"chunked ", b"\tchunked", b"xchunked", b"identity", b"chunked, identity", b"gzip",
         b"gzip, chunked", b"chunked,chunked", b'"chunked"', b"chunked\x0b", b"", b"chunked;a=b")
    )  # fmt: skip
    name = chance.choice(
        (b"Transfer-Encoding: ", b"Transfer-Encoding : ", b"transfer-encoding:", b"Transfer_Encoding: ",
         b" Transfer-Encoding: ", b"X: y\r\n Transfer-Encoding: ", b"Transfer-Encoding:\r\n ",
         b"X: y\nTransfer-Encoding: ")
    )  # fmt: skip
    body = b"0\r\n\r\n" + _inner()
    length = chance.choice((b"Content-Length: %d" % len(body), b"Content-Length: 4", b"Content-Length: 0", b"X: y"))
    lines = [name + coding, length]
    chance.shuffle(lines)
    return _post(*lines, body=body)


def _chunks(chance: random.Random) -> bytes:
    size = chance.choice(
        (b"0", b"00000000000000000", b"-1", b"+1", b"0x1", b" 1", b"1 ", b"fffffffffffffffff", b"1;a=\r\n", b"g", b"",
         b"1\n", b"1\r", b"5;x=\x00", b"1;" + b"a" * 2000, b"7fffffffffffffff")
    )  # fmt: skip
    return _post(b"Transfer-Encoding: chunked", body=size + b"\r\nA\r\n0\r\n\r\n" + _inner())


def _line(chance: random.Random) -> bytes:
    target = chance.choice(
        (b"http://a/hidden", b"http://hidden/open", b"//hidden/x", b"*", b"hidden", b"/open#x", b"/open\x00/hidden",
         b"/open\x7f", b"/open\xc3\xa9", b"/open /hidden", b"http://a:b@c/open", b"ftp://a/open", b"/o" + b"p" * 30_000)
    )  # fmt: skip
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"", b"X"))
    method = chance.choice(
        (b"GET", b"get", b"G@T", b"CONNECT", b"TRACE", b"PRI", b"GET\t", b" GET", b"\r\n\r\nGET", b"")
    )
    return b"%s %s %s\r\nHost: a\r\n\r\n%s" % (method, target, version, _inner())


def _fields(chance: random.Random) -> bytes:
    bad = chance.choice(
        (b"Host: hidden", b"Host:", b"no colon", b": no name", b"X : y", b"X\x00: y", b"X: y\x00z", b"X: y\rz",
         b" X: y",
         b"\tfolded", b"X: y\r\n folded", b"X: " + b"z" * 30_000, b"\xff: y", b"Content-Length: 5\x00",
         b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
         b"Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked", b"Expect: 100-continue", b"Expect: x")
    )  # fmt: skip
    return b"GET /open HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s" % (bad, _inner())


def _noise(chance: random.Random) -> bytes:
    return chance.choice(
        (chance.randbytes(chance.randint(1, 200)), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(30),
         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(60), b"\n\nGET /hidden\n\n",
         b"GET /open HTTP/1.1\nHost: a\n\n",
         b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")
    )  # fmt: skip


ATTACKS: tuple[Callable[[random.Random], bytes], ...] = (_lengths, _both, _chunks, _line, _fields, _noise)


@dataclass
class Service:
    """What one service saw. prefixes: below which its requests must lie; wrong: what must not have come."""

    name: str
    prefixes: tuple[bytes, ...]
    requests: int = 0
    wrong: list[bytes] = field(default_factory=list)


class Strict(asyncio.Protocol):
    """Reads requests as RFC 9112 has them and no other way, and answers each."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Service: %s\r\n\r\nin" % service.name.encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = self._length(head, self._data[end + 4 :])
            if length is None:
                return
            self._data = self._data[end + 4 + length :]
            self._seen(head)
            assert self._transport is not None
            self._transport.write(self._answer)

    def _length(self, head: bytes, rest: bytes) -> int | None:
        """Bytes of the body; None: not all of it is there."""
        lines = head.lower().split(b"\r\n")[1:]
        lengths = [line.partition(b":")[2].strip() for line in lines if line.startswith(b"content-length:")]
        codings = [line.partition(b":")[2].strip() for line in lines if line.startswith(b"transfer-encoding:")]
        if len(lengths) + len(codings) > 1 or any(coding != b"chunked" for coding in codings):
            self._service.wrong.append(head)
            return 0
        if lengths:
            return None if len(rest) < int(lengths[0]) else int(lengths[0])
        if not codings:
            return 0
        at = 0
        while (end := rest.find(b"\r\n", at)) >= 0:
            size = int(rest[at:end].partition(b";")[0], 16)
            at = end + 2 + size + 2
            if len(rest) < at:
                return None
            if size == 0:
                return at
        return None

    def _seen(self, head: bytes) -> None:
        self._service.requests += 1
        parts = head.partition(b"\r\n")[0].split(b" ")
        path = parts[1].partition(b"?")[0] if len(parts) == 3 else b""
        own = any(path == prefix or path.startswith(prefix + b"/") for prefix in self._service.prefixes)
        if not own or path.startswith(HIDDEN) or b"\0" in head or b"\n" in head.replace(b"\r\n", b""):
            self._service.wrong.append(head)


class Answers:
    """The statuses of what a gateway answers, as it comes."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data
        self._at = 0
        while (end := self._data.find(b"\r\n\r\n", self._at)) >= 0:
            length = LENGTH.search(self._data, self._at, end + 2)
            after = end + 4 + (int(length[1]) if length else 0)
            if after > len(self._data):
                return
            status = self._data[self._at + 9 : self._at + 12]
            self._at = after
            if status != b"100":
                self.found.append(status)


async def answers(port: int, data: bytes, expected: int | None = None) -> list[bytes]:
    """The status of each answer to what is sent on one connection, until it is closed or silent. expected: so many, and
    no more is waited for; None: nobody knows, and the client is done when it has asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = Answers()
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(data)
        if expected is None:
            writer.write_eof()
        while expected is None or len(got.found) < expected:
            piece = await asyncio.wait_for(reader.read(2**18), ANSWER_S)
            if not piece:
                break
            got.feed(piece)
    writer.close()
    return got.found


async def attack(port: int, seed: int, readables: int, attacks: int, at_once: int) -> Mapping[str, int]:
    """Send that many of each kind; how often each status was answered."""
    chance = random.Random(seed)  # noqa: S311 - to be had again
    counted: Counter[str] = Counter()
    left = [0, 0]

    async def pipelines() -> None:
        while left[0] < readables:
            wanted = min(PIPELINE, readables - left[0])
            left[0] += wanted
            data = [readable(chance) for _ in range(wanted)]
            while data:  # what was not answered because of the one before it is sent again
                found = await answers(port, b"".join(data), len(data))
                counted.update(status.decode() for status in found)
                data = data[max(len(found), 1) :]
                counted["silent"] += not found

    async def singles() -> None:
        while left[1] < attacks:
            left[1] += 1
            found = await answers(port, chance.choice(ATTACKS)(chance))
            counted.update(status.decode() for status in found)
            counted["refused in silence"] += not found

    await asyncio.gather(*(pipelines() for _ in range(at_once)), *(singles() for _ in range(at_once)))
    return counted
