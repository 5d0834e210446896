"""Runs the resolver, and the twin's internet's name server beside it where names outside are declared.

Both survive the supervisor: init knows their processes by name. A change of names is a new file and a signal.
"""

import json
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from anden.engines.local.cell import names
from anden.engines.local.cell.spawner import Spawner
from anden.engines.local.render import resolver as render
from anden.model.configuration import Configuration
from anden.model.problem import Problem, Problems

READY_S = 5.0
"""How long a started resolver may take until it answers, and a changed one until it knows the new names."""
PAUSE_S = 0.01
NAME = "resolver"
INTERNET = "resolver-internet"
"""The twin's internet's name server."""
ZONE = "internet.json"


class Resolver:
    """The resolver of a cell."""

    def __init__(self, spawner: Spawner, run_dir: Path) -> None:
        """run_dir: on the cell's private tmpfs, under folders that everybody may pass: it is read as nobody."""
        self._spawner = spawner
        self._folder = run_dir / NAME
        self._lock = threading.RLock()
        self._configuration: Configuration | None = None

    @property
    def lock(self) -> Path:
        """The file whose lock keeps the resolver from the firewall while it is replaced; see `grants`."""
        self._prepare()
        return self._folder / names.LOCK

    def configure(self, configuration: Configuration) -> None:
        """Answer with the names of `configuration`. Raises Problems when it does not come up."""
        self.begin(configuration)
        self.settle()

    def begin(self, configuration: Configuration) -> None:
        """As `configure`, without waiting until it answers."""
        with self._lock:
            self._prepare()
            self._configuration = configuration
            book = render.book(configuration)
            _write(self._folder / ZONE, render.internet(configuration))
            _write(self._folder / names.BOOK, book)
            running = self._spawner.running()
            self._internet(running.get(INTERNET))
            if (pid := running.get(NAME)) is None:
                self._start()
            elif not self._loaded():
                # A signal that comes before it is listened to is lost, and then the file is read anyhow.
                self._spawner.kill(pid, signal.SIGHUP)

    def settle(self) -> None:
        """Until it answers by the file that `begin` wrote. Raises Problems."""
        deadline = time.monotonic() + READY_S
        while not self._ready():
            if time.monotonic() > deadline:
                raise Problems(
                    Problem(
                        "resolver",
                        f"it does not know the new names within {READY_S:g} s",
                        "its own words are in the cell's log",
                        "Run `anden up` again; if it stays so, `anden down` and `anden up`.",
                    )
                )
            time.sleep(PAUSE_S)

    def tend(self) -> bool:
        """Start again what has died; whether the resolver had. Call it now and then."""
        with self._lock:
            if self._configuration is None:
                return False
            running = self._spawner.running()
            self._internet(running.get(INTERNET))
            if NAME in running:
                return False
            self._start()
            return True

    def refused(self) -> list[dict[str, Any]]:
        """The questions that were refused: `service`, `name`, `why`, `count`, `first`, `last`."""
        with suppress(OSError, ValueError):
            found: list[dict[str, Any]] = json.loads((self._folder / names.OUT / names.REFUSED).read_text())
            return found
        return []

    def _prepare(self) -> None:
        out = self._folder / names.OUT
        out.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self._folder, self._folder.parent):
            _open_to_all(folder)
        out.chmod(0o1777)  # the resolver writes there as nobody, and nobody else in the cell sees this folder
        (self._folder / names.LOCK).touch(mode=0o644)

    def _ready(self) -> bool:
        up = self._folder / names.OUT / names.INTERNET_UP
        needed = self._configuration is not None and bool(self._configuration.names_out)
        return self._loaded() and NAME in self._spawner.running() and (up.exists() or not needed)

    def _loaded(self) -> bool:
        try:
            wanted = names.digest((self._folder / names.BOOK).read_text())
            return (self._folder / names.OUT / names.LOADED).read_text() == wanted
        except FileNotFoundError:
            return False

    def _start(self) -> None:
        (self._folder / names.OUT / names.LOADED).unlink(missing_ok=True)
        self._spawn(NAME, "names_server", self._folder)

    def _internet(self, running: int | None) -> None:
        """It runs where there is something to ask it."""
        wanted = self._configuration is not None and bool(self._configuration.names_out)
        if wanted and running is None:
            (self._folder / names.OUT / names.INTERNET_UP).unlink(missing_ok=True)
            self._spawn(INTERNET, "internet_names", self._folder / ZONE)
        elif not wanted and running is not None:
            self._spawner.kill(running, signal.SIGKILL)

    def _spawn(self, name: str, module: str, what: Path) -> None:
        with suppress(FileExistsError):
            self._spawner.spawn(name, [sys.executable, "-m", f"anden.engines.local.cell.{module}", str(what)])


def _write(file: Path, text: str) -> None:
    """Write then rename: a reader sees the old text or the new one."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(file)


def _open_to_all(folder: Path) -> None:
    """Let others pass through a folder of the cell's tmpfs."""
    mode = folder.stat().st_mode & 0o777
    if mode & 0o011 != 0o011:
        folder.chmod(mode | 0o011)
