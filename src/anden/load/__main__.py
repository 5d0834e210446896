"""`python -m anden.load --url URL --rate N --for SECONDS`: one line of JSON on stdout each 100 ms."""

import argparse
import os
import stat
import sys
import time
from collections.abc import Sequence

from anden.load import outcome
from anden.load.generator import MOST_CONNECTIONS, Generator, split
from anden.load.line import Began, Ended, Line, write
from anden.load.schedule import Schedule
from anden.model.traffic import Tally

LONGEST_S = 2 * 3600.0
"""No load lasts longer, whatever is asked for."""
MOST_ALLOWED = 10_000
"""Connections; a process has a bound of its own on open files."""


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 for words that make no load."""
    parser = argparse.ArgumentParser(
        prog="python -m anden.load", description="GETs at a constant rate, each at its time."
    )
    parser.add_argument(
        "--url", action="append", required=True, help="http://HOST:PORT/PATH; several are asked in turn"
    )
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--for", dest="for_s", type=float, required=True, help="seconds")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds, for each of the two attempts")
    parser.add_argument("--connections", type=int, default=MOST_CONNECTIONS, help="how many at once at most")
    parser.add_argument(
        "--fails-from", type=int, default=outcome.FAILS_FROM, help="the lowest status that is a failure"
    )
    parser.add_argument("--no-retry", action="store_true", help="a failed request is not tried once more")
    said = parser.parse_args(words)
    try:
        where, schedule = split(said.url), Schedule(said.rate, min(said.for_s, LONGEST_S))
        if said.timeout <= 0 or not 1 <= said.connections <= MOST_ALLOWED:
            raise ValueError(f"--timeout is above 0, and --connections from 1 to {MOST_ALLOWED}")
    except ValueError as error:
        parser.error(str(error))
    parent = os.getppid()

    def tell(tally: Tally) -> bool:
        return _told(tally) and os.getppid() == parent

    load = Generator(
        where, schedule, tell, timeout_s=said.timeout, most=said.connections, retry=not said.no_retry,
        fails_from=said.fails_from, watched=_watched(),
    )  # fmt: skip
    _told(Began(time.time(), schedule.rate, schedule.count))
    _told(Ended(load.run(), load.most_open))
    return 0


def _told(line: Line) -> bool:
    """Whether somebody still reads."""
    try:
        sys.stdout.write(write(line) + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        # What is left in the buffer goes nowhere; without this the interpreter complains about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True


def _watched() -> int | None:
    """stdin, when somebody holds its other end: its end is the sign to stop. A terminal or a file is no such sign."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return 0 if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


if __name__ == "__main__":
    sys.exit(main())
