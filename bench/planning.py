"""Planning in this process: how long 10, 100 and 1,000 services take, and whether that grows as they do."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from anden.app import Checked, Session, check, consider
from anden.model.ids import EngineName
from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate

SIZES = (10, 100, 1000)
FILE = "anden.yaml"
REACHES = (1, 7)
"""Each service reaches those that are so many places further."""
PLAN = "the same of 10 services, both divided by their number: 1 is as long for each service"
ROWS = (
    Row("planning/plan", "`plan` of 1,000 services, nothing running", "s", Budget(most=1, ratio=False)),
    Row("planning/linear", "`plan`: of 1,000 services, for each", "ms", Budget(most=1.3), PLAN),
    Row("planning/linear-100", "`plan`: of 100 services, for each", "ms", Budget(most=1.3), PLAN),
    Row("planning/check", "Manifest check of 1,000 services, with what a draft shows", "s",
        Budget(most=0.3, ratio=False)),
)  # fmt: skip


def manifest(count: int) -> str:
    """A manifest of so many services, each with a route, an image and two that it reaches."""
    lines = ["anden: 1", "client: bench", "environments: { production: { zones: 3 } }", "services:"]
    for number in range(count):
        reached = ", ".join(f"service-{(number + step) % count:04d}" for step in REACHES)
        lines += [
            f"  service-{number:04d}:",
            "    image: app:1.4.2",
            "    port: 8080",
            f"    route: /service-{number:04d}",
            "    instances: 2..4",
            f"    reaches: [{reached}]",
        ]
    return "\n".join(lines) + "\n"


def measure(run: Run) -> Iterator[Figure]:
    """All four; the sizes in turns."""
    with tempfile.TemporaryDirectory(dir=run.folder) as folder, consider("bench", EngineName.LOCAL) as session:
        plans = [_timed(partial(_plan, session, Path(folder), manifest(count))) for count in SIZES]
        for plan in plans:
            plan()  # what is imported when it is first needed
        few, some, many = alternate(run.rounds, *plans)
        checks = _timed(partial(_check, Path(folder), manifest(SIZES[-1])))
        (checked,) = alternate(run.rounds, checks)
    yield Figure(ROWS[0], many)
    for row, values, count in ((ROWS[1], many, SIZES[2]), (ROWS[2], some, SIZES[1])):
        each = tuple(1000 * value / count for value in values)
        yield Figure(row, each, tuple(1000 * value / SIZES[0] for value in few))
    yield Figure(ROWS[3], checked, note=f"The median of `plan` for 10 services is {median(few) * 1000:.1f} ms.")


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def done() -> float:
        began = perf_counter()
        work()
        return perf_counter() - began

    return done


def _plan(session: Session, folder: Path, text: str) -> None:
    """What `anden plan` asks its control for. Raises Unmeasured when it found problems."""
    at = {"client": "bench", "engine": "local", "environment": None, "folder": str(folder)}
    at |= {"manifest": text, "file": FILE}
    report = session.request("POST", "/v1/plan", {"at": at})
    if report["problems"] or not report["differences"]:
        raise Unmeasured(f"plan found {report['problems'][:1] or 'nothing'}")


def _check(folder: Path, text: str) -> None:
    found: Checked = check(text, folder, FILE)
    if found.problems:
        raise Unmeasured(str(found.problems[0]))
