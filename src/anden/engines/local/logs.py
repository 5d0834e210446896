"""Reading what instances wrote, from the cell's files, across rotation, whether or not anything runs."""

import heapq
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from anden.engines.local.cell.logs import FILES, aside
from anden.engines.local.render import access_log
from anden.model.log import GATEWAY, LogLine

POLL_S = 0.2
BEAT_S = 1.0
"""While nothing comes, a None at least this often, so that the reader can stop."""
PIECE_BYTES = 1024 * 1024


def read(
    folder: Path, service: str | None, lines: int, follow: bool, since: float | None = None
) -> Iterator[LogLine | None]:
    """The last `lines` of all that `service` (or instance) wrote, in the order of time, and not before `since`; then
    what comes."""
    tails = {name: Tail(folder, name) for name in sorted(_instances(folder, service))}
    last = list(heapq.merge(*(tail.last(lines) for tail in tails.values()), key=lambda line: line.at))
    yield from _young(last[-lines:] if lines else (), since)
    if not follow:
        return
    beat = time.monotonic()
    while True:
        for name in _instances(folder, service) - set(tails):
            tails[name] = Tail(folder, name)
        fresh = sorted((line for tail in tails.values() for line in tail.fresh()), key=lambda line: line.at)
        yield from _young(fresh, since)
        if fresh:
            beat = time.monotonic()
        elif time.monotonic() - beat >= BEAT_S - POLL_S:
            beat = time.monotonic()
            yield None
        time.sleep(POLL_S)


def _young(lines: Iterable[LogLine], since: float | None) -> Iterator[LogLine]:
    return (line for line in lines if since is None or line.at >= since)


class Tail:
    """The log of one instance: its last lines, then what is appended."""

    def __init__(self, folder: Path, id: str) -> None:
        self._id = id
        self._path = folder / f"{id}.log"
        self._file: IO[bytes] | None = None
        self._rest = b""

    def last(self, lines: int) -> list[LogLine]:
        """The last lines, oldest first; `fresh` goes on from there."""
        rows: list[bytes] = []
        with suppress(FileNotFoundError):
            self._file = self._path.open("rb")
            rows = self._split(self._file.read())
        for number in range(1, FILES):
            if len(rows) >= lines:
                break
            with suppress(FileNotFoundError):
                rows = aside(self._path, number).read_bytes().splitlines() + rows
        return self._parsed(rows[-lines:] if lines else [])

    def fresh(self) -> list[LogLine]:
        """What was appended since; the rest of a file that was put aside, then its successor."""
        found = self._more()
        with suppress(FileNotFoundError):
            if self._file is None or os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino:
                found += self._more()
                if self._file is not None:
                    self._file.close()
                self._file, self._rest = self._path.open("rb"), b""
                found += self._more()
        return found

    def _more(self) -> list[LogLine]:
        return [] if self._file is None else self._parsed(self._split(self._file.read(PIECE_BYTES)))

    def _split(self, data: bytes) -> list[bytes]:
        rows = (self._rest + data).split(b"\n")
        self._rest = rows.pop()
        return rows

    def _parsed(self, rows: list[bytes]) -> list[LogLine]:
        found = []
        for row in rows:
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(row)
                if self._id == GATEWAY:
                    text = access_log.shown(row.decode())
                    found.append(LogLine(float(said["time"]), GATEWAY, "stdout", text))
                    continue
                found.append(LogLine(float(said["at"]), self._id, str(said["stream"]), str(said["text"])))
        return found


def _instances(folder: Path, service: str | None) -> set[str]:
    """The instances that have a log: of a service, the one of that id, or all; the gateway is asked for by name."""
    found = {path.name.removesuffix(".log") for path in folder.glob("*.log")}
    if service is None:
        return found - {GATEWAY}
    own = re.compile(re.escape(service) + r"(-[0-9]+)?")
    return {name for name in found if own.fullmatch(name)}
