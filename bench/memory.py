"""How much memory the control plane and the supervisor take, and how soon 50 instances serve."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

from anden.app import SystemClock
from anden.engines.local.images import LocalImages
from anden.model.image import Image
from anden.model.plan import StartInstance
from anden.model.topology import Health, Range, Service
from anden.planning.configuration import configure
from bench import answering, starts, world
from bench.bare import bare
from bench.figure import Budget, Figure, Row, Run, Unmeasured
from bench.up import Up

INSTANCES = 50
AT_ONCE = 4
MOST_ROUNDS = 3
"""Fifty Python servers cost a processor several seconds to start, whoever starts them."""
SETTLE_S = 6.0
"""Longer than control's longest pause between two looks (5 s)."""
PEER = (
    f"the same {INSTANCES} with bare `crun run`, {AT_ONCE} at a time as the cell does it, until each answers; their "
    "bundles and network namespaces are made before the clock starts"
)  # fmt: skip
COSTS_NOTHING = (
    f"the same {INSTANCES} with bare `crun run` as above. The program is HAProxy answering by itself: it starts in a "
    "few milliseconds, so what is left is what starting takes, and not Python's own"
)
ROWS = (
    Row("memory/fifty", f"{INSTANCES} Python servers: all healthy", "s", Budget(most=5, ratio=False), PEER),
    Row(
        "memory/light",
        f"{INSTANCES} small servers: all healthy",
        "s",
        Budget(most=5, ratio=False),
        COSTS_NOTHING,
    ),
    Row("memory/supervisor", f"Supervisor of {INSTANCES} instances: resident", "MB", Budget(most=80, ratio=False)),
    Row("memory/control", "Control plane, idle, the example running: resident", "MB", Budget(most=120, ratio=False)),
)


def measure(run: Run) -> Iterator[Figure]:
    """All four. Each round is a cell of its own."""
    python = world.image(run.images, world.BANK / "ledger")
    folder = run.folder / "light"
    folder.mkdir()
    light = answering.image(run.images, folder)
    supervisors: list[float] = []
    for row, image, service in (
        (ROWS[0], python, starts.service()),
        (ROWS[1], light, starts.service(health=Health("/"))),
    ):
        ours, theirs = [], []
        for _ in range(min(run.rounds, MOST_ROUNDS)):
            our, their, resident_mb = _fifty(run, image, service)
            ours.append(our)
            theirs.append(their)
            supervisors.append(resident_mb)
        yield Figure(row, tuple(ours), tuple(theirs))
    yield Figure(ROWS[2], tuple(supervisors))
    yield Figure(ROWS[3], (_control(run),))


def _fifty(run: Run, image: Image, service: Service) -> tuple[float, float, float]:
    """Seconds until all of them serve, here and with the peer; and the supervisor's memory then."""
    cached = LocalImages(run.images, SystemClock())
    with world.cell(run.folder, run.images, "fifty") as cell:
        blueprint = cell.blueprint(image, replace(service, instances=Range(INSTANCES, INSTANCES)))
        wanted = world.instances(blueprint, "web")
        cell.configure(blueprint)
        began = monotonic()
        cell.do(*map(StartInstance, wanted))
        cell.until_serving(INSTANCES)
        took = monotonic() - began
        time.sleep(1.0)
        takes = resident(cell.supervisor())
    with bare(configure(blueprint, None, ()), run.images, cached, wanted) as peer:
        return took, peer.start(wanted, AT_ONCE), takes


def _control(run: Run) -> float:
    up = Up(run.folder / "idle", run.images, world.BANK)
    with contextlib.ExitStack() as stack:
        stack.callback(up.end)
        up.start()
        time.sleep(SETTLE_S)
        pid = up.control()
        if pid is None:
            raise Unmeasured("the control plane has ended")
        return resident(pid)


def resident(pid: int) -> float:
    """A process's resident memory in MB (10^6 bytes). Raises OSError when it has ended."""
    rows = [row.split() for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS:")]
    return int(rows[0][1]) * 1024 / 1e6
