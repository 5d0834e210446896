"""Through the balancer, beside a hand-written HAProxy: how many requests a second, and how long they take."""

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from anden.engines.local.render.stations import BALANCER
from anden.model.topology import Health, ImageSource, Range, Route, Service, Size
from bench import answer, answering, world
from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate
from bench.load import MOST_RATE, offer

SERVERS = 2
PATH = "/web/"
SECONDS = 4
CONNECTIONS = 32
WRK_S = 30
END_S = 5
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
WRONG = re.compile(r"(Non-2xx.*|Socket errors.*)")
STATIC = """global
    maxconn 4000
    nbthread 2

defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    option forwardfor

frontend web
    bind {bind}
    use_backend web if {{ path_beg /web/ }}
    default_backend web

backend web
    balance leastconn
    option httpchk GET /
{servers}
"""
PEER = (
    "one HAProxy as somebody would write it by hand for these instances, listening on the machine, one process with "
    "two threads as ours is two processes of one; it sends to the same instances on the same road (the balancer's "
    "network namespace). The instances are HAProxy answering by itself, so that they are not what is measured"
)
BARE = (
    "the same hand-written HAProxy with both servers as plain processes on the machine's loopback: no container, no "
    "firewall, no network namespace between them. The difference to the row above is what the isolation takes"
)
ROWS = (
    Row("balancer/saturated", "Through the balancer, as many requests as it takes", "/s", Budget(least=0.85), PEER),
    Row("balancer/p99", "Through the balancer at half of that: p99", "ms", Budget(most=1.3), PEER),
    Row("balancer/isolation", "Through the balancer, beside everything without isolation", "/s", None, BARE),
)


def measure(run: Run) -> Iterator[Figure]:
    """All three, over one cell."""
    folder = run.folder / "answering"
    folder.mkdir()
    image = answering.image(run.images, folder)
    web = Service(
        name="web",  # type: ignore[arg-type]
        source=ImageSource(build="."),
        port=answering.PORT,
        route=Route("/web"),
        health=Health("/"),
        instances=Range(SERVERS, SERVERS),
        size=Size(2000, 4096),
    )
    with contextlib.ExitStack() as stack:
        cell = stack.enter_context(world.cell(run.folder, run.images, "balancer"))
        blueprint = cell.blueprint(image, web)
        instances = world.instances(blueprint, "web")
        cell.configure(blueprint)
        cell.start(instances)
        places = [f"{one.address}:{answering.PORT}" for one in instances]
        near = stack.enter_context(static(folder / "near.cfg", places, cell.namespace(BALANCER)))
        ports = [stack.enter_context(_server(folder / f"server-{number}.cfg")) for number in range(SERVERS)]
        far = stack.enter_context(static(folder / "far.cfg", [f"127.0.0.1:{port}" for port in ports], None))
        for port in (cell.port, near, far):
            answer.first("127.0.0.1", port, PATH)
        mine, theirs, plain = alternate(
            run.rounds, lambda: _saturate(cell.port), lambda: _saturate(near), lambda: _saturate(far)
        )
        yield Figure(ROWS[0], mine, theirs)
        half = median((*mine, *theirs)) / 2
        rate = min(half, MOST_RATE)
        ours, peers = alternate(run.rounds, lambda: _p99(cell.port, rate), lambda: _p99(near, rate))
        note = f"At {rate:,.0f} requests a second; half of what saturates is {half:,.0f}"
        note += "." if rate == half else ", which the generator cannot offer on time from the same processors."
        yield Figure(ROWS[1], ours, peers, note=note)
        yield Figure(ROWS[2], mine, plain)


def _saturate(port: int) -> float:
    """Requests a second. Raises Unmeasured when one failed, or without wrk."""
    argv = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", f"http://127.0.0.1:{port}{PATH}"]
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=WRK_S, check=False).stdout
    except FileNotFoundError as error:
        raise Unmeasured("wrk is not installed") from error
    found, wrong = RATE.search(said), WRONG.search(said)
    if found is None or wrong is not None:
        raise Unmeasured(f"wrk: {wrong[0] if wrong else said[-200:]}")
    return float(found[1])


def _p99(port: int, rate: float) -> float:
    """Milliseconds. Raises Unmeasured when a request failed."""
    offered = offer("127.0.0.1", port, PATH, rate, SECONDS)
    if offered.failed:
        raise Unmeasured(f"{offered.failed} of {int(rate * SECONDS)} requests failed at {rate:,.0f} a second")
    return offered.percentile(99) * 1000


@contextlib.contextmanager
def static(file: Path, places: Sequence[str], namespace: Path | None) -> Iterator[int]:
    """The hand-written HAProxy; the port that it listens on. namespace: from which it sends to its servers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        servers = "\n".join(f"    server web-{number} {place} check" for number, place in enumerate(places, 1))
        file.write_text(STATIC.format(bind=f"fd@{listening.fileno()}", servers=servers))
        enter = [] if namespace is None else ["nsenter", f"--net={namespace}"]
        with _process([*enter, "haproxy", "-db", "-f", str(file)], [listening.fileno()]):
            yield listening.getsockname()[1]


@contextlib.contextmanager
def _server(file: Path) -> Iterator[int]:
    """A server on the loopback; its port."""
    port = world.free_port()
    file.write_text(answering.config(f"127.0.0.1:{port}"))
    with _process(["haproxy", "-db", "-f", str(file)], []):
        yield port


@contextlib.contextmanager
def _process(argv: Sequence[str], fds: Sequence[int]) -> Iterator[None]:
    """A process that ends with this block, and with us."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv], stdin=quiet, stdout=quiet, stderr=quiet, pass_fds=fds,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    try:
        yield
    finally:
        running.kill()
        running.wait(END_S)
