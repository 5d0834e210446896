"""The engines under the contract: simulated always; local when this machine can run cells (root, Linux, its tools)."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.subject import EXITING, FLAKY, GOOD, STUBBORN, UNHEALTHY, Environment, Subject
from tests.contract.talk import LocalTalk, SimulatedTalk

from anden.engines.simulated import SimulatedEngine, VirtualClock
from anden.engines.simulated.behaviour import Behaviour
from anden.model.ids import Digest
from anden.model.manners import TWIN, Manners
from anden.model.topology import ImageSource, Topology
from anden.store import open_store

IMAGES = Path(os.environ.get("ANDEN_TEST_IMAGES", "/var/tmp/anden-test-images"))
"""Shared with tests/live: images are content-addressed, and the first build takes a minute."""
SERVER = """
import http.server, os, signal, sys, time
kind = sys.argv[1]
print("started", flush=True)
print("a word on stderr", file=sys.stderr, flush=True)
if kind == "exiting":
    time.sleep(0.1)
    sys.exit(3)
# The first process of a pid namespace hears only the signals that it asks for.
signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "stubborn" else lambda *_: os._exit(0))
dropped = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if kind == "flaky" and self.path != "/health" and not dropped:
            dropped.append(self.path)
            self.close_connection = True
            return
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path.removeprefix("/slow/")))
        self.send_response(500 if kind == "unhealthy" else 200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\\n")
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
CONTAINERFILE = 'ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "/app.py", "good"]\n'


def lacking() -> str:
    """Why this machine runs no cells; empty when it does."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "cells need root on Linux: try sudo ./test"
    from anden.engines.local import tools

    missing = [str(tool) for tool in tools.missing()]
    return f"cells need {', '.join(missing)}" if missing else ""


def _simulated() -> Iterator[Subject]:
    behaviours = {
        GOOD: Behaviour(start_s=0.2, lines=("started", "a word on stderr")),
        UNHEALTHY: Behaviour(start_s=0.2, healthy=False, answer="HTTP 500"),
        EXITING: Behaviour(exits_after_s=0.1, code=3),
        FLAKY: Behaviour(start_s=0.2, drops=1),
        STUBBORN: Behaviour(start_s=0.2, stops_s=3600.0),
    }
    engine = SimulatedEngine(VirtualClock(1_700_000_000.0), behaviours=behaviours)
    with tempfile.TemporaryDirectory(prefix="anden-c-") as folder:
        store = open_store(Path(folder) / "anden.db")
        yield Subject(engine, "contract", Digest("sha256:" + "0" * 64), SimulatedTalk(engine), store.secrets)
        store.close()


def _local() -> Iterator[Subject]:
    from anden.app import SystemClock
    from anden.engines.local.engine import LocalEngine
    from anden.engines.local.images import LocalImages

    folder = Path(tempfile.mkdtemp(prefix="anden-c-"))
    try:
        (folder / "app").mkdir()
        (folder / "app" / "app.py").write_text(SERVER)
        (folder / "app" / "Containerfile").write_text(CONTAINERFILE)
        clock = SystemClock()
        images = LocalImages(IMAGES, clock)
        found = dict(
            item for item in images.resolve(folder, {"app": ImageSource(build="app")}) if isinstance(item, tuple)
        )
        store = open_store(folder / "anden.db")
        engine = LocalEngine(folder / "state", IMAGES, clock, store.secrets)
        yield Subject(engine, "contract", found["app"].digest, LocalTalk(engine), store.secrets)
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=["simulated", pytest.param("local", marks=pytest.mark.live)])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """One engine for the session; tests use environments of their own."""
    if request.param == "simulated":
        yield from _simulated()
        return
    if why := lacking():
        pytest.skip(f"the contract of the local engine was NOT tested: {why}")
    yield from _local()


Make = Callable[..., Environment]


@pytest.fixture
def make(subject: Subject) -> Iterator[Make]:
    """Make environments; at the end they are removed, whatever happened."""
    made: list[Environment] = []

    def one(topology: Callable[[str], Topology] | None = None, manners: Manners = TWIN) -> Environment:
        made.append(subject.environment(topology, manners))
        return made[-1]

    try:
        yield one
    finally:
        for environment in made:
            environment.remove()
