"""Payments: from one account to another, checked with accounts and posted in the ledger. Keeps nothing."""

import json
import os
import signal
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import quote, urlsplit

SERVICE = "payments"
ACCOUNTS = os.environ.get("ACCOUNTS_URL", "http://accounts:8080")
LEDGER = os.environ.get("LEDGER_URL", "http://ledger:8080")
CALL_S = 3
IDLE_S = 30  # a kept connection without a request is closed
FINISH_S = 8  # after SIGTERM, for what is in flight
MOST_CONNECTIONS = 100
MOST_BODY_BYTES = 10_000
STOPPING = threading.Event()
IN_FLIGHT = []


class Refused(Exception):  # noqa: N818
    """An answer that is not the one asked for: HTTP status, a word for programs, a sentence for people."""

    def __init__(self, status, error, text):
        super().__init__(text)
        self.status, self.body = status, {"error": error, "text": text}


def trace_of(header):
    """The trace id of a W3C traceparent header; a new one when there is none."""
    parts = (header or "").split("-")
    known = len(parts) == 4 and len(parts[1]) == 32 and set(parts[1]) <= set("0123456789abcdef")
    return parts[1] if known else os.urandom(16).hex()


def log(level, text, **fields):
    who = os.environ.get("ANDEN_INSTANCE", SERVICE)
    line = {"at": round(time.time(), 3), "level": level, "instance": who, "text": text, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    wbufsize = 65536  # head and body leave in one packet
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(GETS)

    def do_POST(self):
        self.answer(POSTS)

    def answer(self, routes):
        IN_FLIGHT.append(self)
        try:
            self.reply(routes, time.monotonic())
            self.wfile.flush()
        finally:
            IN_FLIGHT.remove(self)

    def reply(self, routes, began):
        self.trace = trace_of(self.headers.get("traceparent"))
        try:
            # The body is read first, whatever the answer: what is left of it would be taken for the next request.
            body = self.read() if self.command == "POST" else None
            path = self.path.partition("?")[0].rstrip("/")
            head, _, last = path.rpartition("/")
            found = routes.get(path) or routes.get(head + "/*")
            if found is None:
                raise Refused(404, "not-found", f"{self.command} {path} is nothing here")
            status, value = found(self, body if body is not None else last)
        except Refused as refused:
            status, value = refused.status, refused.body
        except Exception as error:  # a fault of ours must still be an answer, and a line in the log
            status, value = 500, {"error": "fault", "text": "this is our fault, and it is in the log"}
            log("error", repr(error), trace=self.trace)
        data = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if STOPPING.is_set() or self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        if self.path != "/health" or status != 200:
            took = round((time.monotonic() - began) * 1000, 1)
            log("info", f"{self.command} {self.path}", status=status, ms=took, trace=self.trace)

    def read(self):
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= MOST_BODY_BYTES:
            self.close_connection = True
            raise Refused(413, "too-large", f"a body has a Content-Length of at most {MOST_BODY_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(size))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "not-json", "the body is a JSON object")
        return body

    def log_message(self, *_):
        """Requests are logged above, as JSON."""


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    room = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request, client_address):
        while not self.room.acquire(timeout=0.2):  # meanwhile further ones wait in the kernel's queue
            if STOPPING.is_set():
                return self.shutdown_request(request)
        return super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()

    def handle_error(self, request, client_address):
        log("warning", repr(sys.exc_info()[1]))


def health(handler, _):
    """Alive. It asks nobody else: were it to, one slow service would take every other down with it."""
    return 200, {"service": SERVICE, "zone": os.environ.get("ANDEN_ZONE", "")}


def ask(handler, url, method, path, body=None):
    """Call another service, by its internal name, within CALL_S. Gives its JSON; raises Refused with its refusal."""
    where = urlsplit(url)
    headers = {"traceparent": f"00-{handler.trace}-{os.urandom(8).hex()}-01", "Content-Type": "application/json"}
    if key := handler.headers.get("Idempotency-Key"):
        headers["Idempotency-Key"] = key
    connection = HTTPConnection(where.hostname, where.port, timeout=CALL_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        value = json.loads(answer.read())
    except TimeoutError:
        raise Refused(504, "slow", f"{where.hostname} did not answer within {CALL_S} s") from None
    except (OSError, ValueError, HTTPException) as error:
        log("warning", f"{url}{path}: {error!r}", trace=handler.trace)
        raise Refused(502, "away", f"{where.hostname} cannot be reached") from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise Refused(answer.status, value.get("error", "refused"), value.get("text", ""))
    return value


def payments(handler, _):
    return 200, {"payments": ask(handler, LEDGER, "GET", "/transfers")["transfers"]}


def pay(handler, body):
    """`{"from", "to", "cents"}`; an Idempotency-Key makes it safe to send again."""
    for side in ("from", "to"):
        if not isinstance(body.get(side), str) or not body[side]:
            raise Refused(422, side, f"{side} is the id of an account")
        ask(handler, ACCOUNTS, "GET", f"/accounts/{quote(body[side], safe='')}")
    posted = ask(handler, LEDGER, "POST", "/transfers", {name: body.get(name) for name in ("from", "to", "cents")})
    return 201, {"payment": posted}


GETS = {"/health": health, "/payments": payments}
POSTS = {"/payments": pay}


def main():
    server = Server((os.environ.get("HOST", ""), int(os.environ.get("PORT", "8080"))), Handler)

    def stop(*_):
        STOPPING.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log("info", f"{SERVICE} listens on {server.server_address[1]}")
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    deadline = time.monotonic() + FINISH_S
    while IN_FLIGHT and time.monotonic() < deadline:
        time.sleep(0.02)
    log("info", f"{SERVICE} ends", unfinished=len(IN_FLIGHT))


if __name__ == "__main__":
    main()
