"""Where output goes: data to stdout, progress to stderr, colours only where somebody sees them."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, TextIO

from anden.cli.render.paint import ESCAPES, Paint, width

ERASE = "\r\x1b[2K"
NARROWEST = 20
"""Columns; a terminal that says less is not believed."""


def paint_for(stream: TextIO) -> Paint:
    """Colours when `stream` is a terminal, NO_COLOR is unset or empty (no-color.org) and the terminal is not dumb."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Paint(colour=wanted and stream.isatty())


def local_zone() -> tzinfo:
    """The time zone that people here read times in."""
    return datetime.now().astimezone().tzinfo or UTC


def data(lines: Iterable[str]) -> None:
    """Print data."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def as_json(value: Any) -> None:
    """Print one JSON document; on one line when it is one of a stream's."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def json_line(value: Any) -> None:
    """Print one value of a stream."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def interactive() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@dataclass
class Progress:
    """Lines on stderr. A passing line is, on a terminal, rewritten by what comes next; in a log it is a line."""

    stream: TextIO
    paint: Paint
    passing: bool = False

    def say(self, line: str) -> None:
        """A line that stays."""
        self._clear()
        self.stream.write(line + "\n")
        self.stream.flush()

    def pass_by(self, line: str) -> None:
        """A line of what is under way."""
        if not self.stream.isatty():
            self.say(line)
            return
        self._clear()
        room = max(NARROWEST, shutil.get_terminal_size().columns - 1)
        if width(line) <= room:
            self.stream.write(self.paint.dim(line))
        else:
            self.stream.write(line[:room])
        self.stream.flush()
        self.passing = True

    def end(self) -> None:
        """Nothing passing is left on the screen."""
        self._clear()
        self.stream.flush()

    def _clear(self) -> None:
        if self.passing:
            self.stream.write(ERASE)
            self.passing = False


@dataclass
class Screen:
    """A few lines on a terminal, each time drawn over those before."""

    stream: TextIO
    drawn: int = 0

    def draw(self, lines: Sequence[str]) -> None:
        """These instead of what was drawn before."""
        size = shutil.get_terminal_size()
        room = max(NARROWEST, size.columns - 1)
        shown = [fit(line, room) for line in list(lines)[: max(1, size.lines - 1)]]
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        self.stream.write(up + "".join(f"{ERASE}{line}\n" for line in shown) + "\x1b[J")
        self.stream.flush()
        self.drawn = len(shown)

    def end(self) -> None:
        """Nothing of it is left."""
        self.draw([])


def fit(line: str, room: int) -> str:
    """The line, cut to that many columns; one with colours in it that is too long loses them."""
    return line if width(line) <= room else ESCAPES.sub("", line)[:room]


def progress() -> Progress:
    """On this process's stderr."""
    return Progress(sys.stderr, paint_for(sys.stderr))


def note(text: str) -> None:
    """Say a caveat of the whole command, when there is one."""
    if text:
        progress().say(text)


def stdout() -> TextIO:
    """The stdout of this process, as it is now."""
    return sys.stdout
