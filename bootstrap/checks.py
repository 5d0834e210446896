"""`./test`: everything that must hold, one after the other; all run, whatever fails. Arguments go to pytest."""

# ruff: noqa: PTH118 - pathlib alone would take longer to import than all the rest of an everyday start

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from bootstrap import environment, progress, setup
from bootstrap.stamp import Place

EMULATOR = ".emulator"
"""The folder of the virtual environment of the emulator of AWS: it pins what would contradict ours."""
STEPS = (
    ("format", ("ruff", "format", "--check")),
    ("lint", ("ruff", "check")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports",)),
    ("tests", ("pytest",)),
)


def main(root: str, argv: Sequence[str]) -> int:
    """Set up and check. Returns 0 when everything held, 1 otherwise."""
    began = time.monotonic()
    at = Place(root)
    live = _prepare(at)
    prepared = time.monotonic() - began
    took: list[tuple[str, bool, float]] = []
    for name, (command, *words) in STEPS:
        extra = list(argv) if name == "tests" else []
        took.append(_step(at, name, [os.path.join(at.venv, "bin", command), *words, *extra]))
    print(f"\n  set up   {prepared:7.1f} s")
    for name, good, seconds in took:
        print(f"{'✓' if good else '✗'} {name:<8} {seconds:7.1f} s")
    if live:
        print(f"! LIVE TESTS WERE NOT RUN, SO NO REAL CELL WAS TRIED: {live}")
    good = all(good for _, good, _ in took)
    print(f"{'All of it holds' if good else 'Something does not hold'}, {time.monotonic() - began:.0f} s in all")
    return 0 if good else 1


def _prepare(at: Place) -> str:
    """Install what is missing. Returns why live tests cannot run; empty when they can."""
    live = ""
    if not sys.platform.startswith("linux"):
        live = "they need Linux"
    elif os.geteuid() != 0:
        live = "they need root; try: sudo ./test"
    setup.ensure(at, [], "dev", cell=not live, tests=not live)
    environment.ensure(Place(at.root, EMULATOR), "emulator")
    if live:
        progress.say(f"live tests will be skipped: {live}")
    return live


def _step(at: Place, name: str, argv: Sequence[str]) -> tuple[str, bool, float]:
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    code = subprocess.run(argv, cwd=at.root, check=False).returncode
    return name, code == 0, time.monotonic() - began
