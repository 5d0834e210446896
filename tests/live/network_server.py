"""A small HTTP server for tests: `python -m tests.live.network_server PORT NAME [health=STATUS] [delay=SECONDS]`.

It answers every GET with its name and the caller's address, and counts POSTs in the answer. SIGTERM: it closes its
listening socket, finishes what it has and ends.
"""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, NAME = int(sys.argv[1]), sys.argv[2]
OPTIONS = dict(word.split("=", 1) for word in sys.argv[3:])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/health"):
            self.answer(int(OPTIONS.get("health", "200")) if self.path == OPTIONS.get("path", "/health") else 404)
            return
        time.sleep(float(OPTIONS.get("delay", "0")))
        self.answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer(200)

    def answer(self, status: int) -> None:
        body = (
            b"x" * int(OPTIONS.get("padding", "0"))
            + f"{NAME} {self.client_address[0]} {self.path} {self.headers.get('X-Forwarded-For', '-')}\n".encode()
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


server = Server(("0.0.0.0", PORT), Handler)  # noqa: S104 - in a network of its own


def stop(*_: object) -> None:
    threading.Timer(0.3, os._exit, (0,)).start()


signal.signal(signal.SIGTERM, stop)
server.serve_forever()
