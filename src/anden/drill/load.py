"""Where a drill's tallies come from: the load tool in a process of its own, or nowhere."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import anden
from anden.load.line import Began, Ended, read
from anden.model.problem import Problem, Problems
from anden.model.traffic import Tally

TIMEOUT_S = 5.0
"""For each of a request's two attempts."""
END_LIMIT_S = 2 * TIMEOUT_S + 2.0
"""From being stopped to its last line: what is under way gets its time, and so does its retry."""
MOST_WORDS = 500
Tallies = list[tuple[float, Tally]]
"""Each with the Unix time that it reaches to."""


class Load(Protocol):
    """Requests at a constant rate, until it is stopped."""

    def fresh(self, now: float) -> Tallies:
        """What became of requests since the last call. Raises Problems when it ended in a way that was not meant."""

    def stop(self) -> None:
        """Send no more."""

    def over(self) -> bool:
        """Whether everything that it sent has ended."""

    def close(self) -> None:
        """Nothing of it is left."""


class NoLoad:
    """Requests of ours are not wanted."""

    def fresh(self, now: float) -> Tallies:
        """See Load."""
        return []

    def stop(self) -> None:
        """See Load."""

    def over(self) -> bool:
        """See Load."""
        return True

    def close(self) -> None:
        """See Load."""


class ModelledLoad:
    """Requests that nobody sends: `model` says what would become of those until a time, and of no more when stopped."""

    def __init__(self, model: Callable[[float, bool], Tally]) -> None:
        self._model = model
        self._stopped = False

    def fresh(self, now: float) -> Tallies:
        """See Load."""
        return [(now, self._model(now, self._stopped))]

    def stop(self) -> None:
        """See Load."""
        self._stopped = True

    def over(self) -> bool:
        """See Load."""
        return True

    def close(self) -> None:
        """See Load."""


class LoadProcess:
    """`python -m anden.load`, at most `for_s` seconds long. It ends as well when this process does."""

    def __init__(self, urls: Sequence[str], rate: float, for_s: float) -> None:
        argv = [sys.executable, "-P", "-m", "anden.load", "--rate", f"{rate:g}", "--for", f"{for_s:g}"]
        argv += ["--timeout", f"{TIMEOUT_S:g}", *(word for url in urls for word in ("--url", url))]
        source = str(Path(anden.__file__).parents[1])
        paths = os.pathsep.join(each for each in (source, os.environ.get("PYTHONPATH", "")) if each)
        # In a session of its own, so that Ctrl-C is ours alone to handle.
        self._running = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": paths}, start_new_session=True,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._began = 0.0
        self._ended = False
        self._stopped = False
        self._reader = threading.Thread(target=self._read, name="load", daemon=True)
        self._reader.start()

    def fresh(self, now: float) -> Tallies:
        """See Load."""
        alive = self._reader.is_alive()
        found: Tallies = []
        with contextlib.suppress(queue.Empty):
            while True:
                line = read(self._lines.get_nowait())
                if isinstance(line, Began):
                    self._began = line.at
                elif isinstance(line, Ended):
                    self._ended = True
                else:
                    found.append((self._began + line.until_s, line))
        if not alive and not self._ended and self._lines.empty():
            said = self._running.stderr.read(MOST_WORDS).strip() if self._running.stderr else ""
            why = said.splitlines()[-1] if said else "it said nothing"
            raise Problems(Problem("the load", "ended before the drill", why, "Run the drill again."))
        return found

    def stop(self) -> None:
        """See Load."""
        if not self._stopped and self._running.stdin is not None:
            self._stopped = True
            with contextlib.suppress(OSError):
                self._running.stdin.close()

    def over(self) -> bool:
        """See Load."""
        return self._ended

    def close(self) -> None:
        """See Load."""
        self.stop()
        self._running.kill()
        self._running.wait()
        self._reader.join(END_LIMIT_S)
        for stream in (self._running.stdout, self._running.stderr):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        if self._running.stdout is not None:
            for line in self._running.stdout:
                self._lines.put(line)
