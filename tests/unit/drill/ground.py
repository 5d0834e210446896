"""A drill's ground in virtual time that begins at the same moment each time, and the bank's shape on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anden.app import Session, Virtual
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.drill import course, routes
from anden.drill.ground import Ground, virtual
from anden.drill.picture import Picture
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model import codec
from anden.model.drill import Drill, DrillReport
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.report import StatusReport
from anden.store import open_store
from anden.web.api.table import Desk
from anden.web.caller import InProcess

START = 1_795_662_000.0
"""2026-11-26 03:00:00 UTC."""
KEY = EnvironmentKey("bank", "production", EngineName.SIMULATED)
MANIFEST = """anden: 1
client: bank
environments:
  production: { production: true, zones: 3 }
services:
  accounts: { image: accounts:1.4.2, port: 8080, route: /accounts, instances: 2..4, reaches: [ledger] }
  payments: { image: payments:2.0.0, port: 8080, route: /payments, instances: 2..4, reaches: [ledger] }
  ledger: { image: ledger:3.1.0, port: 8080, instances: 2..4 }
"""


class Place:
    """An environment on the simulated engine. connect(): a session; another one after the control plane fell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.engine = SimulatedEngine(self.clock)
        self.at = {
            "client": "bank", "environment": "production", "engine": "simulated", "folder": str(folder),
            "manifest": MANIFEST,
        }  # fmt: skip
        self.sessions: list[Session] = []
        session = self.connect()
        ends = list(session.stream("POST", "/v1/up", {"at": self.at}))
        assert ends[-1]["outcome"] == "done", ends
        self.clock.reach(START + 60)

    def connect(self) -> Session:
        made = Virtual(self.engine, self.clock)
        store = open_store(self.folder / "anden.db")
        control = made.control = Control(
            self.engine, SimulatedImages(), store, self.clock, InlineRunner(), fall=made.fall
        )
        api = InProcess(Desk("bank", EngineName.SIMULATED, control), "ana", store.close)
        self.sessions.append(Session(api, now=self.clock.now, virtual=made))
        return self.sessions[-1]

    def status(self) -> StatusReport:
        data: Any = self.sessions[-1].request("POST", "/v1/status", {"at": self.at})
        return codec.from_data(StatusReport, data)

    def ground(self, drill: Drill) -> Ground:
        return virtual(KEY, self.at, self.sessions[-1], self.connect, routes.services(self.status(), drill.urls))

    def drill(self, drill: Drill, told: Callable[[Picture], None] = lambda _: None) -> DrillReport:
        return course.run(KEY, drill, self.ground(drill), told)

    @property
    def urls(self) -> tuple[str, ...]:
        return routes.urls(self.status(), ())

    def close(self) -> None:
        for session in self.sessions:
            session.close()
