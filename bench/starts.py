"""One instance: from asking for it to its first healthy answer through the balancer."""

from collections.abc import Iterator
from time import monotonic

from anden.app import SystemClock
from anden.engines.local.images import LocalImages
from anden.model.instance import Instance
from anden.model.plan import StartInstance, StopInstance
from anden.model.topology import Health, ImageSource, Route, Service, Size
from anden.planning.configuration import configure
from bench import answer, world
from bench.bare import bare
from bench.figure import Budget, Figure, Row, Run, alternate

PATH = "/health"
SMALL, LARGE = Size(), Size(1000, 2048)
STOP_S = 2.0
PEER = (
    "`crun run` of the same bundle (config.json, overlay and network namespace made before the clock starts), asked "
    "directly; ours is from the request to the supervisor to the first 200 through the gateway, and makes all of these"
)
ROWS = (
    Row("starts/small", "An instance of 0.25 CPU: start to first healthy answer", "ms", Budget(most=1.3), PEER),
    Row("starts/large", "An instance of 1 CPU: start to first healthy answer", "ms", Budget(most=1.3), PEER),
)


def service(name: str = "web", **fields: object) -> Service:
    """The example's ledger, routed: a Python server with a health path of its own."""
    has = {"port": 8080, "route": Route("/"), "health": Health(PATH)}
    return Service(name=name, source=ImageSource(build="."), **{**has, **fields})  # type: ignore[arg-type]


def measure(run: Run) -> Iterator[Figure]:
    """Both rows, each in a cell of its own."""
    image = world.image(run.images, world.BANK / "ledger")
    for row, size in zip(ROWS, (SMALL, LARGE), strict=True):
        with world.cell(run.folder, run.images, row.key.partition("/")[2]) as cell:
            blueprint = cell.blueprint(image, service(size=size))
            cell.configure(blueprint)
            (instance,) = world.instances(blueprint, "web")
            cached = LocalImages(run.images, SystemClock())
            with bare(configure(blueprint, None, ()), run.images, cached, [instance]) as peer:

                def ours(cell: world.Cell = cell, instance: Instance = instance) -> float:
                    began = monotonic()
                    cell.do(StartInstance(instance))
                    took = answer.first("127.0.0.1", cell.port, PATH) - began
                    cell.until_serving(1)
                    cell.do(StopInstance(instance.id, 0.0, STOP_S))
                    return took * 1000

                ours()  # caches are warm for both
                peer.start([instance])
                mine, theirs = alternate(run.rounds, ours, lambda: peer.start([instance]) * 1000)  # noqa: B023
        yield Figure(row, mine, theirs)
