"""Rendering for AWS: how long 300 services take, and how much memory, beside the AWS CDK with the very same resources;
whether it grows as services do; and one service with both validators of the static gate.

Everything is measured in processes of its own. The CDK lives in an environment that is made when it is absent.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate
from bench.rendered import drafted
from bench.world import ROOT

ONE, SERVICES, MANY = 1, 300, 3_000
CDK = Path(os.environ.get("ANDEN_BENCH_CDK", "/var/tmp/anden-bench-cdk"))  # noqa: S108 - root's own, 0755
"""Where the CDK is installed, and kept."""
CDK_LIB = "aws-cdk-lib==2.275.0"
INSTALL_LIMIT_S, LIMIT_S = 300, 120
PEER = (
    "the same resources and parameters with `aws-cdk-lib` in Python, as `CfnResource`s with ready properties, which is "
    "the least that it can be asked for, and without its validation; both write the templates as text"
)  # fmt: skip
ROWS = (
    Row("render/300", f"Render of {SERVICES} services, all templates as text", "s", Budget(most=1 / 80), PEER),
    Row("render/memory", f"Render of {SERVICES} services: memory beyond what is there after imports, at most", "MB",
        Budget(most=0.1), PEER),
    Row("render/linear", f"Render of {MANY:,} services, for each", "ms", Budget(most=1.3),
        f"the same of {SERVICES} services, both divided by their number: 1 is as long for each service"),
    Row("render/gate", "Render of one service and both validators on all of its environment's stacks", "s",
        Budget(most=3, ratio=False)),
)  # fmt: skip


def measure(run: Run) -> Iterator[Figure]:
    """All four; the peer in turns with ours."""
    templates = run.folder / "templates.json"
    _rendered(SERVICES, templates)
    absent = ""
    try:
        _install(run)
    except Unmeasured as error:
        absent = str(error)
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []

    def one() -> float:
        ours.append(_rendered(SERVICES))
        return float(ours[-1]["seconds"])

    def other() -> float:
        theirs.append(_synthesised(templates, run.folder / f"cdk-{len(theirs)}"))
        return float(theirs[-1]["seconds"])

    if absent:
        (seconds,) = alternate(run.rounds, one)
        yield Figure(ROWS[0], seconds, absent=absent)
        yield Figure(ROWS[1], tuple(each["grown_mib"] for each in ours), absent=absent)
    else:
        seconds, peer = alternate(run.rounds, one, other)
        yield Figure(ROWS[0], seconds, peer, note=f"{theirs[0]['resources']:,} resources")
        grown, peers = (tuple(float(each["grown_mib"]) for each in both) for both in (ours, theirs))
        yield Figure(ROWS[1], grown, peers)
    many, few = alternate(run.rounds, lambda: float(_rendered(MANY)["seconds"]), one)
    yield Figure(ROWS[2], tuple(1000 * each / MANY for each in many), tuple(1000 * each / SERVICES for each in few))
    yield Figure(
        ROWS[3], alternate(run.rounds, _gate)[0], note="The validators' rules are loaded before the clock starts."
    )


def _rendered(count: int, templates: Path | None = None) -> dict[str, Any]:
    return _said([sys.executable, "-m", "bench.rendered", str(count), *([str(templates)] if templates else [])])


def _synthesised(templates: Path, out: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("synthesis.py")
    return _said([str(CDK / "bin" / "python"), str(script), str(templates), str(out)])


def _said(argv: list[str]) -> dict[str, Any]:
    """The JSON on the last line of what a program prints. Raises Unmeasured."""
    # The second is how the CDK is told to leave its validation out.
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "CDK_VALIDATION": "false"}
    try:
        done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise Unmeasured(f"{' '.join(argv[:3])}: {error}") from error
    return found


def _install(run: Run) -> None:
    """The CDK's environment, made when it is absent. Raises Unmeasured: it cannot be."""
    try:
        subprocess.run(["node", "--version"], capture_output=True, timeout=LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unmeasured(f"the CDK needs node: {error}") from error
    python = CDK / "bin" / "python"
    if _has(python):
        return
    run.say(f"installing {CDK_LIB} into {CDK}")
    try:
        venv.create(CDK, with_pip=True)
        argv = [str(python), "-m", "pip", "install", "--quiet", CDK_LIB]
        subprocess.run(argv, capture_output=True, timeout=INSTALL_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unmeasured(f"{CDK_LIB} cannot be installed: {error}") from error


def _has(python: Path) -> bool:
    if not python.exists():
        return False
    argv = [str(python), "-c", "import aws_cdk"]
    return subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=False).returncode == 0


@cache
def _gated() -> None:
    """Load the validators: both compile their rules when they are first asked."""
    _gate_once()


def _gate() -> float:
    _gated()
    began = perf_counter()
    _gate_once()
    return perf_counter() - began


def _gate_once() -> None:
    from tests.static_gate import gate  # noqa: PLC0415 - only here, and it takes seconds

    from anden.engines.aws.engine import AwsEngine  # noqa: PLC0415
    from anden.engines.simulated.clock import VirtualClock  # noqa: PLC0415

    files = AwsEngine(VirtualClock()).render(drafted(ONE))
    for each in json.loads(files["order.json"])["stacks"]:
        found = gate(files[each["file"]], each["region"]).findings
        if found:
            raise Unmeasured(f"{each['file']}: {found[0]}")
