"""The steady load: all of it, at its rate, from the intended send time."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench.load import Offered, offer

HOLD_S = 0.3


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    held = False

    def do_GET(self) -> None:
        if self.path == "/stall" and not Answering.held:
            Answering.held = True
            time.sleep(HOLD_S)
        status = 500 if self.path == "/wrong" else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Answering.held = False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_all_of_it_is_sent_and_answered(port: int) -> None:
    offered = offer("127.0.0.1", port, "/", 100, 0.5)
    assert (len(offered.seconds), offered.failed) == (50, 0)


def test_another_status_is_a_failure(port: int) -> None:
    assert offer("127.0.0.1", port, "/wrong", 50, 0.2) == Offered((), 10)


def test_one_that_stalls_is_seen_and_the_others_go_on(port: int) -> None:
    offered = offer("127.0.0.1", port, "/stall", 50, 0.4)
    assert offered.failed == 0
    assert max(offered.seconds) >= HOLD_S


def test_percentiles() -> None:
    offered = Offered(tuple(number / 100 for number in range(100)), 0)
    assert offered.percentile(99) == 0.99
    assert offered.percentile(50) == 0.5
    with pytest.raises(ValueError, match="nothing was answered"):
        Offered((), 3).percentile(99)
