"""As much of HTTP/2 (RFC 9113) as a test needs to be a client or a server: one stream at a time, no Huffman, no
indexing. A gRPC service speaks it so, with trailers behind its body."""

import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PADDED, PRIORITY = 8, 32
NO_TABLE = struct.pack(">HI", 1, 0)
"""SETTINGS_HEADER_TABLE_SIZE 0: whoever answers may not index, so that nothing has to be remembered."""
OK = b"\x88"
"""`:status: 200` of the static table, as an indexed field."""
TABLE_GONE = b"\x20"
"""What says in a block that the table has size 0 now."""
Connection = socket.socket | ssl.SSLSocket
Fields = list[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def block(fields: Fields) -> bytes:
    """Literal fields without indexing; names and values of at most 126 bytes."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in fields
    )


def frames(connection: Connection) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload, until the connection ends."""
    while head := _exactly(connection, 9):
        size = int.from_bytes(head[:3], "big")
        payload = _exactly(connection, size)
        kind, flags = head[3], head[4]
        stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        if kind == HEADERS:
            if flags & PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            payload = payload[5:] if flags & PRIORITY else payload
        yield kind, flags, stream, payload


def _exactly(connection: Connection, size: int) -> bytes:
    got = b""
    while len(got) < size:
        part = connection.recv(size - len(got))
        if not part:
            return b""
        got += part
    return got


def ask(connection: Connection, fields: Fields, body: bytes = b"") -> tuple[bytes, bytes, bytes]:
    """The block of the answer's headers, its body, and the block of its trailers."""
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0, NO_TABLE))
    connection.sendall(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, block(fields)))
    if body:
        connection.sendall(frame(DATA, END_STREAM, 1, body))
    blocks: list[bytes] = []
    got = b""
    for kind, flags, stream, payload in frames(connection):
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0))
        elif kind == HEADERS:
            blocks.append(payload)
        elif kind == DATA:
            got += payload
        elif kind in (RESET, GOAWAY):
            raise ConnectionError(f"refused: frame {kind}, {payload!r}")
        if stream == 1 and flags & END_STREAM and kind in (HEADERS, DATA):
            return blocks[0].removeprefix(TABLE_GONE), got, blocks[1] if len(blocks) > 1 else b""
    raise ConnectionError("the connection ended")


@contextmanager
def serving(answer: Callable[[bytes], tuple[bytes, Fields]]) -> Iterator[int]:
    """A server of HTTP/2 without TLS on a port of 127.0.0.1: what `answer` makes of a body, with those trailers."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if _exactly(self.request, len(PREFACE)) != PREFACE:
                return
            self.request.sendall(frame(SETTINGS, 0, 0, NO_TABLE))
            bodies: dict[int, bytes] = {}
            for kind, flags, stream, payload in frames(self.request):
                if kind == SETTINGS and not flags & ACK:
                    self.request.sendall(frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    self.request.sendall(frame(PING, ACK, 0, payload))
                elif kind == DATA:
                    bodies[stream] = bodies.get(stream, b"") + payload
                if kind in (HEADERS, DATA) and flags & END_STREAM:
                    said, trailers = answer(bodies.pop(stream, b""))
                    head = OK + block([("content-type", "application/grpc")])
                    self.request.sendall(
                        frame(HEADERS, END_HEADERS, stream, head)
                        + frame(DATA, 0, stream, said)
                        + frame(HEADERS, END_HEADERS | END_STREAM, stream, block(trailers))
                    )

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

        def handle_error(self, request: object, client_address: object) -> None:
            """A check that only connects, and hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
