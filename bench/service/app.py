"""A small service for what is measured under load: answers at once, says its version, ends when it is told to."""

import http.server
import os
import signal

VERSION = "1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{os.environ['ANDEN_INSTANCE']} {VERSION}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing is said of single requests."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(("", int(os.environ["PORT"])), Handler).serve_forever()
