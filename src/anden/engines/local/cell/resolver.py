"""Runs dnsmasq in the resolver's network: internal names only. A change of names is a new hosts file and a signal."""

import signal
import threading
import time
from pathlib import Path

from anden.engines.local.cell import dns, netns
from anden.engines.local.cell.spawner import Spawner
from anden.engines.local.render import resolver as render
from anden.engines.local.render.stations import RESOLVER
from anden.model.configuration import Configuration
from anden.model.problem import Problem, Problems

READY_S = 3.0
"""How long a started resolver may take until it answers, and a changed one until it knows the new names."""
PAUSE_S = 0.02
NAME = "resolver"


class Resolver:
    """The resolver of a cell. It survives the supervisor: init knows its process by name."""

    def __init__(self, spawner: Spawner, run_dir: Path) -> None:
        """run_dir: on the cell's private tmpfs, under folders that everybody may pass: dnsmasq reads it as nobody."""
        self._spawner = spawner
        self._folder = run_dir / NAME
        self._lock = threading.RLock()
        self._configuration: Configuration | None = None

    def configure(self, configuration: Configuration) -> None:
        """Answer with the names of `configuration`. Raises Problems when dnsmasq does not come up."""
        with self._lock:
            self._configuration = configuration
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            for folder in (self._folder, self._folder.parent):
                _open_to_all(folder)
            hosts = self._folder / "hosts"
            config = render.config(configuration, str(hosts))
            _write(hosts, render.hosts(configuration))
            running = self._running()
            if running is not None and self._started_with() == config:
                self._spawner.kill(running, signal.SIGHUP)
            else:
                if running is not None:
                    self._end(running)
                self._start(config)
            self._await(configuration)

    def tend(self) -> bool:
        """Start it again when it has died; whether it had. Call it now and then."""
        with self._lock:
            if self._configuration is None or self._running() is not None:
                return False
            self._start(render.config(self._configuration, str(self._folder / "hosts")))
            return True

    def _running(self) -> int | None:
        return self._spawner.running().get(NAME)

    def _started_with(self) -> str:
        """The configuration of the one that runs: the file is written before each start and at no other time."""
        try:
            return (self._folder / "dnsmasq.conf").read_text()
        except FileNotFoundError:
            return ""

    def _start(self, config: str) -> None:
        file = self._folder / "dnsmasq.conf"
        _write(file, config)
        argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={file}", "--pid-file", "--log-facility=-"]
        self._spawner.spawn(NAME, argv, netns=str(netns.path(RESOLVER)))

    def _end(self, pid: int) -> None:
        self._spawner.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + READY_S
        while self._spawner.alive(pid) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)

    def _await(self, configuration: Configuration) -> None:
        """Until it answers for every name with what `configuration` says."""
        wanted = {str(one.service): set(one.addresses) for one in configuration.backends if one.addresses}
        last = min(wanted, default="anden")
        deadline = time.monotonic() + READY_S

        def known() -> bool:
            server = configuration.layout.resolver
            return all(set(dns.every(name, server, dns.TRY_S)) == at for name, at in wanted.items())

        while not netns.inside(RESOLVER, known):
            if time.monotonic() > deadline:
                raise Problems(
                    Problem(
                        "resolver",
                        f"dnsmasq does not answer for {last} within {READY_S:g} s",
                        "its own words are in the cell's log",
                        "Run `anden up` again; if it stays so, `anden down` and `anden up`.",
                    )
                )
            time.sleep(PAUSE_S)


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
