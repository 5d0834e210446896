"""`./test`: everything that must hold; all of it runs, whatever fails. Arguments go to pytest.

Four lanes at the same time: tests in real cells, which wait much and must not be made to wait, and three of everything
else, which compute much and take only what processors have left. Their output is shown when the first lane has ended.
"""

# ruff: noqa: PTH118 - pathlib alone would take longer to import than all the rest of an everyday start

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

from bootstrap import environment, progress, setup
from bootstrap.stamp import Place

EMULATOR = ".emulator"
"""The folder of the virtual environment of the emulator of AWS: it pins what would contradict ours."""
STATIC = (
    ("format", ("ruff", "format", "--check")),
    ("lint", ("ruff", "check")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports",)),
)
TESTS = ("tests", ("pytest",))
LIVE = ("live", ("pytest", "-m", "live"))
APART = {"emulator": ("tests/emulator",), "engines": ("tests/contract", "tests/golden", "tests/parity")}
"""Lanes of their own, each about as long as everything else that needs no cell."""
SIDES = tuple((name, ("pytest", "-m", "not live", *folders)) for name, folders in APART.items())
OTHER = ("tests", ("pytest", "-m", "not live", *(f"--ignore={each}" for their in APART.values() for each in their)))
IDLE = ("chrt", "--idle", "0")
"""Before a command: it gets a processor only while nobody else wants it (sched(7))."""
END_S = 120.0
"""How long tests may take to clean up after Ctrl-C."""

Step = tuple[str, tuple[str, ...]]


class Lane:
    """Steps one after the other. quiet: kept for later (`show`), in idle time, for others talk meanwhile."""

    def __init__(self, at: Place, steps: Sequence[Step], quiet: bool = False) -> None:
        self.at, self.steps, self.quiet = at, steps, quiet
        self.took: list[tuple[str, bool, float]] = []
        self.said = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 - it lives as long as the lane
        self.ended = False

    def run(self) -> None:
        """All of the steps, unless it is ended."""
        before = IDLE if self.quiet and shutil.which(IDLE[0]) else ()
        for name, (command, *words) in self.steps:
            if self.ended:
                return
            head = f"\n== {name}\n"
            if self.said is None:
                print(head, end="", flush=True)
            else:
                self.said.write(head.encode())
                self.said.flush()
            began = time.monotonic()
            argv = [*before, os.path.join(self.at.venv, "bin", command), *words]
            running = subprocess.Popen(argv, cwd=self.at.root, stdout=self.said, stderr=self.said)
            try:
                code = running.wait()
            except KeyboardInterrupt:
                running.wait(END_S)  # Ctrl-C reached it too, and it takes down what it has put up
                raise
            self.took.append((name, code == 0, time.monotonic() - began))

    def show(self) -> None:
        """What a quiet one said."""
        if self.said is not None:
            self.said.seek(0)
            sys.stdout.write(self.said.read().decode(errors="replace"))
            sys.stdout.flush()


def main(root: str, argv: Sequence[str]) -> int:
    """Set up and check. Returns 0 when everything held, 1 otherwise."""
    began = time.monotonic()
    at = Place(root)
    live = _prepare(at)
    prepared = time.monotonic() - began
    took = _checked(at, argv, bool(live))
    print(f"\n  set up   {prepared:7.1f} s")
    for name, good, seconds in took:
        print(f"{'✓' if good else '✗'} {name:<8} {seconds:7.1f} s")
    if live:
        print(f"! LIVE TESTS WERE NOT RUN, SO NO REAL CELL WAS TRIED: {live}")
    good = all(good for _, good, _ in took)
    print(f"{'All of it holds' if good else 'Something does not hold'}, {time.monotonic() - began:.0f} s in all")
    return 0 if good else 1


def _checked(at: Place, argv: Sequence[str], apart: bool) -> list[tuple[str, bool, float]]:
    """How each step went. apart: no cell can be tried here."""
    if argv or apart:
        name, words = TESTS
        lane = Lane(at, [*STATIC, (name, (*words, *argv))])
        lane.run()
        return lane.took
    front = Lane(at, [LIVE])
    sides = (Lane(at, [*STATIC, OTHER], quiet=True), *(Lane(at, [side], quiet=True) for side in SIDES))
    beside = [threading.Thread(target=side.run) for side in sides]

    def interrupted(*_: object) -> None:
        for side in sides:
            side.ended = True  # at once: Ctrl-C ends its step that is under way, and no other is to follow
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    for thread in beside:
        thread.start()
    front.run()
    if any(thread.is_alive() for thread in beside):
        done, wanted = sum(len(side.took) for side in sides), sum(len(side.steps) for side in sides)
        progress.say(f"the other checks are still at it: {done} of {wanted} done")
    for thread, side in zip(beside, sides, strict=True):
        thread.join()
        side.show()
    return [*(took for side in sides for took in side.took), *front.took]


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
