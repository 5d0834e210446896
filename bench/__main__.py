"""`python -m bench [SUBJECT…] [--rounds N] [--write]`: measures, prints as it goes, and writes its pages in docs/."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from anden import cycles
from anden.engines.local import tools
from bench import machine, table
from bench.figure import Figure, Run, Subject, Unmeasured
from bench.subjects import PAGES, SUBJECTS, rows
from bench.world import ROOT

DOCS = ROOT / "docs"
ROUNDS = 7
IMAGES = Path(os.environ.get("ANDEN_TEST_IMAGES", "/var/tmp/anden-test-images"))  # noqa: S108 - root's own, 0755
"""Shared with the live tests, and kept: images are content-addressed, and a base takes seconds to build."""


def main(argv: Sequence[str]) -> int:
    """Measure what was asked for. 0, or 1 when something of ours could not be measured, 2 when nothing could."""
    asked = _arguments(argv)
    chosen = [subject for subject in SUBJECTS if not asked.subjects or subject.name in asked.subjects]
    pages = tuple(page for page in PAGES if any(subject.page == page for subject in chosen))
    if asked.write and (left := [one.name for one in SUBJECTS if one.page in pages and one not in chosen]):
        return _refused(f"--write writes whole pages: {', '.join(left)} would be missing there")
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return _refused("cells need root on Linux: run it with sudo")
    if lacking := tools.missing(tools.TOOLS):
        return _refused(f"missing: {', '.join(one.command for one in lacking)}\n  {tools.installation(lacking)}")
    if lacking := tools.missing(tools.BENCH_TOOLS):
        print("these are missing, and their rows say so:")
        print("".join(f"  {one.command}: {one.why}\n" for one in lacking) + f"  {tools.installation(lacking)}")
    cycles.seldom()  # as the command line and the daemon do
    # Where nobody may keep compiled modules, every Python starts anew from its text: that is not what is asked.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the first too: a shell's background job ignores it
        signal.signal(number, _leave)
    here = machine.this()
    folder = Path(tempfile.mkdtemp(prefix="anden-bench-"))
    began, figures = time.monotonic(), dict[str, Figure]()
    try:
        for subject in chosen:
            run = Run(asked.rounds, folder, IMAGES, lambda text: print(f"  … {text}", flush=True))
            for figure in _measured(subject, run):
                figures[figure.row.key] = figure
                print(table.line(figure), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(figures)} rows in {time.monotonic() - began:.0f} s")
    if asked.write:
        date = time.strftime("%Y-%m-%d", time.gmtime())
        for page in pages:
            (DOCS / page).write_text(table.page(here, date, asked.rounds, rows(page), figures))
            print(f"written: docs/{page}")
    return 1 if any(figure.failed for figure in figures.values()) else 0


def _measured(subject: Subject, run: Run) -> Sequence[Figure]:
    """A subject's figures, with one for each of its rows whatever happens."""
    print(f"== {subject.name}", flush=True)
    began, found = time.monotonic(), list[Figure]()
    why = "it gave no figure"
    try:
        found.extend(subject.measure(run))
    except (Unmeasured, OSError, TimeoutError) as error:
        why = str(error)
    print(f"  {subject.name} took {time.monotonic() - began:.0f} s", flush=True)
    known = {figure.row.key for figure in found}
    return [*found, *(Figure(row, failed=why) for row in subject.rows if row.key not in known)]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [subject.name for subject in SUBJECTS]
    parser.add_argument("subjects", metavar="SUBJECT", nargs="*", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of every figure, {ROUNDS} by default")
    parser.add_argument("--write", action="store_true", help="write " + " and ".join(f"docs/{page}" for page in PAGES))
    asked = parser.parse_args(argv)
    if strange := set(asked.subjects) - set(names):
        parser.error(f"no such subject: {', '.join(sorted(strange))}; there are {', '.join(names)}")
    if asked.rounds < 1:
        parser.error("at least one round")
    return asked


def _refused(why: str) -> int:
    print(f"bench: {why}", file=sys.stderr)
    return 2


def _leave(number: int, _frame: object) -> NoReturn:
    """Told to end: everything is taken down on the way out, and a second word does not disturb that."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nbench: interrupted; nothing is left behind", file=sys.stderr)
        sys.exit(130)
