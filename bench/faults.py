"""`python -m bench.faults [--rate N] [--write]`: what a client notices while an environment changes and breaks.

A real environment of three zones, a constant load through its gateway measured from the intended send time, and one
event after the other: changes by the command line, faults by `anden drill`. `--write` renders docs/faults.md.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anden.drill.load import END_LIMIT_S, LoadProcess
from anden.model.histogram import Histogram
from bench import machine
from bench.__main__ import IMAGES
from bench.world import ROOT, command, free_port

PAGE = ROOT / "docs" / "faults.md"
SERVICE = Path(__file__).parent / "service"
RATE = 500.0
FAULT_S = 10.0
CALM_S, AFTER_S = 3.0, 4.0
LONGEST_S = 180.0
"""The longest that one event and its load may take."""
CLIENT, ENVIRONMENT = "faults", "drill"
MANIFEST = """anden: 1
client: {client}
environments: {{ {environment}: {{ zones: 3 }} }}
services:
  web:
    {{ build: web, port: 8080, route: /web, health: /, instances: 3..6, size: {{ cpu: 1, memory: 2 GB }}, start: 20s }}
{more}"""
INSIDE = "  core: { build: web, port: 8080, health: /, start: 20s }\n"
ROUTED = INSIDE.replace("port: 8080,", "port: 8080, route: /core,")


@dataclass(frozen=True, slots=True)
class Noticed:
    """One row. recover_s: until everything serves as it should; None where nothing was out of order.
    p99_ms: of all requests of the row, each from its intended time to the last byte of its good answer."""

    event: str
    how: str
    requests: int
    failed: int
    failed_after_retry: int
    p99_ms: float | None
    recover_s: float | None
    kinds: str = ""


class Place:
    """A manifest's folder, a state folder, and the command line on both."""

    def __init__(self, folder: Path, rate: float) -> None:
        self.folder = folder / "it"
        self.state = folder / "state"
        self.rate = rate
        self.gateway = f"127.0.0.1:{free_port()}"
        shutil.copytree(SERVICE, self.folder / "web")
        self.state.mkdir()
        IMAGES.mkdir(parents=True, exist_ok=True)
        (self.state / "images").symlink_to(IMAGES)
        self.manifest("")

    def manifest(self, more: str) -> None:
        """Write it, with more services."""
        text = MANIFEST.format(client=CLIENT, environment=ENVIRONMENT, more=more)
        (self.folder / "anden.yaml").write_text(text)

    def version(self, version: str) -> None:
        """Another version of web's program."""
        text = (SERVICE / "app.py").read_text().replace('VERSION = "1"', f'VERSION = "{version}"')
        (self.folder / "web" / "app.py").write_text(text)

    def anden(self, *words: str) -> str:
        """A command's data. Raises RuntimeError with what it said when it does not end well."""
        env = {**os.environ, "ANDEN_STATE": str(self.state), "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
        argv = [sys.executable, "-m", "anden", *words, "-C", str(self.folder)]
        done = subprocess.run(
            argv, env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=LONGEST_S, check=False
        )
        if done.returncode != 0 and not done.stdout.startswith("{"):
            raise RuntimeError(f"anden {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> None:
        """Make it what its manifest says."""
        self.anden("up", "--no-input", "--gateway", self.gateway)

    def end(self) -> None:
        """Nothing of it is left: by `down`, else by id."""
        try:
            self.anden("down", "--yes")
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"  … {error}")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid() and str(self.state) in command(int(entry.name)):
                os.kill(int(entry.name), signal.SIGKILL)


def changed(place: Place, event: str, how: str, change: Callable[[], float]) -> Noticed:
    """A change under load. `change` does it and says how many seconds it took."""
    load = LoadProcess([f"http://{place.gateway}/web"], place.rate, LONGEST_S)
    try:
        time.sleep(CALM_S)
        took_s = change()
        time.sleep(AFTER_S)
        load.stop()
        tallies, deadline = load.fresh(time.time()), time.monotonic() + END_LIMIT_S
        while not load.over() and time.monotonic() < deadline:
            time.sleep(0.1)
            tallies += load.fresh(time.time())
    finally:
        load.close()
    histogram, kinds = Histogram(), dict[str, int]()
    for _, tally in tallies:
        histogram.add(tally.latency)
        for kind, count in tally.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    p99 = histogram.percentile(99)
    return Noticed(
        event, how, sum(each.sent for _, each in tallies), sum(each.failed for _, each in tallies),
        sum(each.failed_after_retry for _, each in tallies), None if p99 is None else p99 / 1000, took_s, _words(kinds),
    )  # fmt: skip


def drilled(place: Place, event: str, *words: str) -> Noticed:
    """A fault under load."""
    said = place.anden(
        "drill", *words, "--at-rate", f"{place.rate:g}", "--for", f"{FAULT_S:g}", "--path", "/web", "--yes", "--json"
    )
    report: Mapping[str, Any] = json.loads(said)
    if not report["settled"]:
        raise RuntimeError(f"{event}: {report['settled_why']}")
    return Noticed(
        event, f"`anden drill {' '.join(words)}`", report["requests"], report["failed"], report["failed_after_retry"],
        report["latency"]["p99_ms"], report["recover_s"], _words(report["kinds"]),
    )  # fmt: skip


def _words(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} × {count:,}" for kind, count in sorted(kinds.items()))


def measured(place: Place, tell: Callable[[Noticed], None]) -> list[Noticed]:
    """Every row, one after the other."""
    found: list[Noticed] = []

    def note(row: Noticed) -> None:
        found.append(row)
        tell(row)

    def timed(work: Callable[[], object]) -> Callable[[], float]:
        def done() -> float:
            began = time.monotonic()
            work()
            return time.monotonic() - began

        return done

    def deploy() -> None:
        place.version("2")
        place.up()

    def add(more: str) -> Callable[[], None]:
        def work() -> None:
            place.manifest(more)
            place.up()

        return work

    note(changed(place, "nothing", "the load alone", timed(lambda: time.sleep(FAULT_S))))
    note(changed(place, "rolling deploy", "`anden up` with another version, built meanwhile", timed(deploy)))
    note(changed(place, "scale up", "`anden scale web 6`", timed(lambda: place.anden("scale", "web", "6"))))
    note(changed(place, "scale down", "`anden scale web 3`", timed(lambda: place.anden("scale", "web", "3"))))
    note(drilled(place, "instance killed", "kill", "web"))
    note(drilled(place, "zone cut", "zone", "b"))
    note(drilled(place, "zone frozen", "zone", "b", "--frozen"))
    note(drilled(place, "balancer process killed", "balancer"))
    how = "`anden up` with one more service: both processes, one after the other"
    note(changed(place, "balancer replaced", how, timed(add(INSIDE))))
    note(drilled(place, "supervisor killed", "supervisor"))
    note(drilled(place, "control plane killed", "control"))
    note(changed(place, "route added", "`anden up` with a path for that service", timed(add(ROUTED))))
    return found


def line(row: Noticed) -> str:
    """One row of the table."""
    p99 = "" if row.p99_ms is None else f"{row.p99_ms:,.1f} ms" if row.p99_ms < 1000 else f"{row.p99_ms / 1000:.1f} s"
    recover = "" if row.recover_s is None or row.event == "nothing" else f"{row.recover_s:.1f} s"
    failed = f"{row.failed:,}" + (f" ({row.kinds})" if row.kinds else "")
    return f"| {row.event} | {row.how} | {row.requests:,} | {failed} | {row.failed_after_retry:,} | {p99} | {recover} |"


HEAD = (
    "| while | how | requests | failed | after one retry | p99 | recovered or done after |\n"
    "|---|---|---:|---:|---:|---:|---:|"
)


def page(rows: Sequence[Noticed], rate: float, here: Sequence[str], date: str) -> str:
    """docs/faults.md."""
    bad = sum(row.failed_after_retry for row in rows)
    verdict = "No row has a request that failed twice." if not bad else f"{bad:,} requests failed twice."
    return "\n".join(
        [
            "# What a client notices while it changes and breaks",
            "",
            "Written by `python -m bench.faults --write`; not by hand.",
            "",
            f"A service of three instances in three zones, {rate:g} GETs a second through the gateway, each sent at",
            "its time whatever became of those before (decision 0015). `failed` are first attempts; `after one retry`",
            "those that failed once more on a new connection, as for a client that asks twice. p99 is over the whole",
            "row (calm, event and settling), from the intended send time. The goal: a zero in every row of",
            "`after one retry`.",
            "",
            f"**{date}. {verdict}**",
            "",
            HEAD,
            *map(line, rows),
            "",
            "What dies with a killed balancer process is what is in flight in it, and its kept connections. A frozen",
            "zone is noticed after three health checks of two seconds; what waits in it is then asked again elsewhere",
            "(decision 0017): it shows in p99, and in `failed` only when the client gives up first (after 5 s here).",
            "",
            "## The machine",
            *(f"- {each}" for each in here),
            "",
        ]
    )


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write when asked. 0 when every row could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help=f"requests a second, {RATE:g} by default")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="anden-faults-"))
    here = machine.this()
    place = Place(folder, asked.rate)
    try:
        place.up()
        print(HEAD)
        rows = measured(place, lambda row: print(line(row), flush=True))
    finally:
        place.end()
        shutil.rmtree(folder, ignore_errors=True)
    if asked.write:
        date = time.strftime("%Y-%m-%d", time.gmtime())
        PAGE.write_text(page(rows, asked.rate, [f"{name}: {said}" for name, said in here.facts], date))
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
