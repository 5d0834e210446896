"""The API over a real socket: a real control on the simulated engine, whose time passes slowly enough to be caught."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.engine import SimulatedEngine
from anden.engines.simulated.images import SimulatedImages
from anden.model.ids import EngineName
from anden.store import open_store
from anden.web import server
from anden.web.api.http import application
from anden.web.api.table import Desk
from anden.web.client import SocketApi
from anden.web.files import Files
from anden.web.server import Activity, serve, token

MANIFEST = """anden: 1
client: shop
services:
  web: { image: IMAGE, port: 8080, route: /, instances: 1..3 }
"""
START_LIMIT_S = 10.0


class SlowClock(VirtualClock):
    """Virtual time, but every second of it takes a few real milliseconds."""

    REAL_PER_SECOND = 0.02

    def reach(self, at: float) -> None:
        time.sleep(max(0.0, at - self.now()) * self.REAL_PER_SECOND)
        super().reach(at)


@dataclass
class Served:
    """A server in a thread. keep False: it is not needed any more, and ends when it is idle."""

    files: Files
    control: Control
    activity: Activity
    keep: bool = True
    port: int | None = None
    thread: threading.Thread | None = None
    apis: list[SocketApi] = field(default_factory=list)

    def api(self) -> SocketApi:
        """A caller of its own."""
        self.apis.append(SocketApi(self.files.socket, "shop", self.files.log))
        return self.apis[-1]

    @property
    def token(self) -> str:
        return token(self.files)

    def tcp(self, path: str = "/v1/version", **headers: str) -> httpx.Response:
        """A request over TCP with these headers and no others of ours."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=named)


def at(image: str = "web:1.0.0", **changed: Any) -> dict[str, Any]:
    """Where: the shop's only environment, with its manifest."""
    fields = {
        "client": "shop", "environment": "dev", "engine": "simulated", "folder": "/nowhere/shop",
        "manifest": MANIFEST.replace("IMAGE", image), "file": "anden.yaml",
    }  # fmt: skip
    return fields | changed


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(server, "IDLE_S", 0.2)
    monkeypatch.setattr(server, "LOOK_S", 0.05)
    files = Files(tmp_path / "shop")
    files.prepare()
    store, clock = open_store(":memory:"), SlowClock(time.time())
    control = Control(SimulatedEngine(clock), SimulatedImages(), store, clock, InlineRunner())
    activity = Activity()
    desk = Desk("shop", EngineName.SIMULATED, control, "code")
    here = Served(files, control, activity, port=free_port())
    app = application(desk, activity, documented=True)
    ready = threading.Event()

    def work() -> None:
        serve(files, app, activity, lambda: here.keep, port=here.port, ready=ready.set)

    here.thread = threading.Thread(target=work, daemon=True)
    here.thread.start()
    assert ready.wait(START_LIMIT_S)
    try:
        yield here
    finally:
        here.keep = False
        activity.since -= 60
        for api in here.apis:
            api.close()
        here.thread.join(START_LIMIT_S)
        store.close()
        assert not here.thread.is_alive()
