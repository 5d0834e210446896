"""What instances write, as lines with their time, in files of bounded size.

A pipe is read in bounded pieces and always read on, so that no instance blocks for ever and no flood grows memory: what
comes faster than BYTES_PER_S is discarded, and a line says how much. What a full disk does not take is lost in whole
lines, and a line says how much as soon as it takes something again.
"""

import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from anden.model.observation import TAIL_LINES

FILE_BYTES = 4 * 1024 * 1024
"""A file that has grown past this is put aside as NAME.log.1, and so on."""
FILES = 3
"""How many files of an instance there are at most, the one being written among them."""
LINE_BYTES = 16 * 1024
"""A longer line is written as several."""
READ_BYTES = 64 * 1024
"""One reading of a pipe: a pipe's usual capacity."""
BYTES_PER_S = 2 * 1024 * 1024
"""An instance's allowance, both streams together; unused, it lasts for one second."""


class Lines:
    """Bytes as they come, to whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that `data` completes; a line longer than LINE_BYTES comes in pieces."""
        parts = (self._rest + data).split(b"\n")
        self._rest = parts.pop()
        for part in parts:
            yield from _pieces(part)
        while len(self._rest) >= LINE_BYTES:
            yield self._rest[:LINE_BYTES].decode(errors="replace")
            self._rest = self._rest[LINE_BYTES:]

    def end(self) -> Iterator[str]:
        """What is left without a line's end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from _pieces(rest)


def _pieces(line: bytes) -> Iterator[str]:
    line = line.removesuffix(b"\r")
    for start in range(0, max(len(line), 1), LINE_BYTES):
        yield line[start : start + LINE_BYTES].decode(errors="replace")


class Allowance:
    """How much may be taken now: `rate` a second, saved up for one second at most."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Whether `amount` may be taken; then it is."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True


class Log:
    """The log of one instance: its files, and the last lines for an observation."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._size = 0
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self._allowance = Allowance(BYTES_PER_S, now)
        self._discarded = 0
        self._unwritten = 0
        """Bytes of lines that the disk did not take, since it last took one."""
        self._tail: deque[str] = deque(_tail(path), maxlen=TAIL_LINES)

    @property
    def tail(self) -> tuple[str, ...]:
        """The last TAIL_LINES lines, oldest first."""
        return tuple(self._tail)

    def feed(self, stream: str, data: bytes, at: float, now: float) -> None:
        """What came from `stream`; at: Unix seconds. Never raises: a full disk loses lines, not the instance."""
        if not self._allowance.take(len(data), now):
            self._discarded += len(data)
            return
        if self._discarded:
            lost, self._discarded = self._discarded, 0
            self.say(f"{lost} bytes of output discarded: more than {BYTES_PER_S} a second", at)
        self._write([(stream, text) for text in self._lines[stream].feed(data)], at)

    def end(self, at: float) -> None:
        """The instance has ended: write what it left without a line's end."""
        if self._discarded:
            lost, self._discarded = self._discarded, 0
            self.say(f"{lost} bytes of output discarded: more than {BYTES_PER_S} a second", at)
        self._write([(stream, text) for stream, lines in self._lines.items() for text in lines.end()], at)

    def say(self, text: str, at: float) -> None:
        """A line of the cell's own among the instance's."""
        self._write([("stderr", f"anden: {text}")], at)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, lines: list[tuple[str, str]], at: float) -> None:
        if not lines:
            return
        self._tail.extend(text for _, text in lines)
        if self._unwritten:
            lost = f"anden: {self._unwritten} bytes of output were not written: its disk took no more"
            if not self._put([("stderr", lost)], at):
                self._unwritten += _size(lines)
                return
            self._unwritten = 0
        whole = self._put(lines, at)
        self._unwritten += _size(lines[whole:])
        if self._size > FILE_BYTES:
            with suppress(OSError):
                self._rotate()

    def _put(self, lines: list[tuple[str, str]], at: float) -> int:
        """Write lines; how many of them, from the first on, are whole in the file. The rest leaves no trace in it."""
        rows = [
            json.dumps({"at": round(at, 6), "stream": stream, "text": text}, ensure_ascii=False).encode() + b"\n"
            for stream, text in lines
        ]
        try:
            self._open()
            assert self._file is not None  # noqa: S101 - it was opened
            written = self._file.write(b"".join(rows)) or 0
        except OSError:
            return 0
        whole, length = 0, 0
        while whole < len(rows) and length + len(rows[whole]) <= written:
            length += len(rows[whole])
            whole += 1
        self._size += length
        if length < written:  # a nearly full disk takes half a line
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
        return whole

    def _open(self) -> int:
        """Have the file open; its size. Raises OSError."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            self._size = os.fstat(self._file.fileno()).st_size
        return self._size

    def _rotate(self) -> None:
        self.close()
        for number in range(FILES - 1, 0, -1):
            older = aside(self._path, number)
            newer = aside(self._path, number - 1)
            with suppress(FileNotFoundError):
                newer.replace(older)


class Documents(Log):
    """The log of who writes whole lines of JSON with their own time, many of them: they are kept as they come. What a
    full disk does not take is lost, in whole lines."""

    def __init__(self, path: Path, now: float) -> None:
        super().__init__(path, now)
        self._rest = b""

    def feed(self, stream: str, data: bytes, at: float, now: float) -> None:
        """As Log has it; nothing is discarded, for it costs next to nothing."""
        whole, end, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest[:LINE_BYTES]
        if not end:
            return
        try:
            size = self._open()
            written = self._file.write(whole + end) or 0 if self._file is not None else 0
            if written < len(whole) + 1 and self._file is not None:
                written = whole.rfind(b"\n", 0, written) + 1
                os.ftruncate(self._file.fileno(), size + written)
            self._size = size + written
            if self._size > FILE_BYTES:
                self._rotate()
        except OSError:
            return

    def end(self, at: float) -> None:
        """Nothing is left: a line without an end is none."""


def _size(lines: list[tuple[str, str]]) -> int:
    """Bytes of the lines as the instance wrote them, with their ends."""
    return sum(len(text.encode(errors="replace")) + 1 for _, text in lines)


def aside(path: Path, number: int) -> Path:
    """`ledger-1.log` for 0, `ledger-1.log.1` for 1 and so on: the older, the higher."""
    return path.with_name(f"{path.name}.{number}") if number else path


def _tail(path: Path) -> list[str]:
    """The last lines of a log that a supervisor before us wrote."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_LINES * LINE_BYTES))
            rows = file.read().splitlines()[-TAIL_LINES:]
    except OSError:
        return []
    found = []
    for row in rows:
        with suppress(ValueError, KeyError, TypeError):
            found.append(str(json.loads(row)["text"]))
    return found
