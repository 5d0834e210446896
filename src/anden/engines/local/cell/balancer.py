"""The balancer of a cell: two HAProxy processes that share every listening socket.

Servers come and go through both processes' runtime API. A new frontend or backend takes a new process: the two are
replaced one after the other, with the servers of the moment rendered in, while the other one serves. The listening
sockets are init's, so nothing is refused meanwhile and whoever comes back finds them. A crash takes the same path.
"""

import hashlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from anden.engines.local.cell import haproxy_socket, haproxy_stat, netns
from anden.engines.local.cell.balancer_process import NAME, Process, reconcile
from anden.engines.local.cell.certificates import Certificates
from anden.engines.local.cell.haproxy_stat import ServerStat
from anden.engines.local.cell.spawner import Spawner
from anden.engines.local.render import access_log, dialled, haproxy
from anden.engines.local.render.haproxy import GATEWAY_FD, Server
from anden.engines.local.render.stations import BALANCER
from anden.model.configuration import Configuration
from anden.model.instance import Instance
from anden.model.observation import Health
from anden.model.problem import Problem, Problems
from anden.model.traffic import Passed

PROCESSES = 2
READY_S = 5.0
"""How long a process may take from its start to its first answer; 50 ms are usual."""
PAUSE_S = 0.005
RESTART_PAUSE_S = 0.5
"""Between two attempts to start a process that died."""
MOST_RETIRED = 16
"""Processes that finish what they have. Past this the oldest is ended: each one takes about 15 MB."""


class Balancer:
    """Safe to call from several threads. It survives the supervisor: process ids are kept in `run_dir`."""

    def __init__(
        self, spawner: Spawner, run_dir: Path, gateway_fd_name: str, access: str = "", tls_fd_name: str = ""
    ) -> None:
        """run_dir: a short path (it holds sockets) that outlives the supervisor. gateway_fd_name: as init keeps it.
        access: the same of the pipe that the access log is written to; if init keeps nothing so, nothing is written.
        tls_fd_name: the same of the gateway's socket with TLS; it is listened on while there is a certificate as well.
        """
        self._spawner = spawner
        self._folder = run_dir
        self._keys = run_dir / "keys"
        self._gateway = gateway_fd_name
        self._access = access
        self._tls = tls_fd_name
        self.certificates = Certificates(run_dir / "certificates")
        self._lock = threading.RLock()
        self._configuration: Configuration | None = None
        self._servers: dict[str, Server] = {}
        self._leaving: set[str] = set()
        self._healthy: set[str] | None = None
        """Who was healthy when the processes were last asked; None: never asked."""
        self._running: list[Process] = []
        self._retired: list[Process] = []
        self._held: dict[int, haproxy_socket.Held] = {}
        self._last_start = -RESTART_PAUSE_S
        self._number = 0
        self._recall()

    def configure(self, configuration: Configuration, servers: Sequence[Server]) -> None:
        """Make both processes balance `configuration` over exactly these servers. No request fails of it.

        Servers that are new to a process take nothing until a check passes. Raises Problems when HAProxy does not come
        up; the processes that ran before serve on.
        """
        with self._lock:
            self._configuration = configuration
            known = {backend.service for backend in configuration.backends if backend.port is not None}
            self._servers = {server.id: server for server in servers if server.service in known}
            self._leaving &= set(self._servers)
            self.health()
            self._open()
            structure = self._structure()
            self._forget_dead()
            for process in tuple(self._running):
                if process.structure == structure:
                    self._reconcile([process])
                else:
                    started = self._start()
                    self._running[self._running.index(process)] = started
                    self._retire(process)
            while len(self._running) < PROCESSES:
                self._running.append(self._start())
                self._remember()
            self._close_others()
            if configuration.tls:
                self.certificates.sweep()
            else:
                self.certificates.clear()

    def secure(self) -> str | None:
        """Where the gateway listens with TLS, or will as soon as it has a certificate; None: nowhere."""
        taken = self._spawner.take(self._tls) if self._tls else None
        if taken is None:
            return None
        with socket.socket(fileno=taken) as listening:
            host, port = listening.getsockname()
        return f"{host}:{port}"

    def add(self, instance: Instance) -> None:
        """Register an instance with both processes; it takes requests as soon as a check passes. One without a port,
        or of a service that is not configured, is left alone. The same again is not an error."""
        server = haproxy.server(instance)
        with self._lock:
            if server is None or not self._knows(server):
                return
            if self._servers.get(server.id, server) != server:
                self.remove(server.id)
            self._leaving.discard(server.id)
            self._servers[server.id] = server
            self._reconcile(self._running)

    def drain(self, id: str) -> None:
        """Send it nothing new; what it is doing goes on. Not an error when it is not known."""
        with self._lock:
            if (server := self._servers.get(id)) is not None:
                self._leaving.add(id)
                self._each(lambda process: process.drain(server.service, id))

    def down(self, id: str) -> None:
        """Its process has ended: send it nothing until a check passes again. Not an error when it is not known."""
        with self._lock:
            if (server := self._servers.get(id)) is not None:
                self._each(lambda process: process.down(server.service, id))

    def sessions(self, id: str) -> int:
        """Requests and connections that are in it now, in every process, those that are finishing too."""
        with self._lock:
            stats = [stat for process in self._running for stat in self._stat(process)]
            for process in self._retired:
                stats += self._ask_retired(process)
            return sum(stat.sessions for stat in stats if stat.id == id)

    def remove(self, id: str) -> None:
        """Forget it and end what is still in it. Not an error when it is not known."""
        with self._lock:
            server = self._servers.pop(id, None)
            self._leaving.discard(id)
            if server is not None:
                self._each(lambda process: process.remove(server.service, id))

    def health(self) -> Mapping[str, tuple[Health, str]]:
        """Each server's health and its last answer in words. Healthy: every process that runs says so."""
        with self._lock:
            said: dict[str, list[ServerStat]] = {name: [] for name in self._servers}
            for process in self._running:
                for stat in self._stat(process):
                    # What a backend fails open to checks nobody, and says nothing.
                    if stat.id in said and stat.service == self._servers[stat.id].service:
                        said[stat.id].append(self._presumed(stat))
            judged = {name: haproxy_stat.combine(stats) for name, stats in said.items()}
            if any(said.values()):
                self._healthy = {name for name, (health, _) in judged.items() if health is Health.HEALTHY}
            return judged

    def servers(self) -> tuple[Server, ...]:
        """The servers that it balances over."""
        with self._lock:
            return tuple(self._servers.values())

    def processes(self) -> dict[str, int]:
        """Name to process id of those that take what comes."""
        with self._lock:
            return {process.name: process.pid for process in self._running}

    def passed(self) -> dict[str, Passed]:
        """What came through the gateway since each of these processes began, by their names."""
        found: dict[str, Passed] = {}
        with self._lock:
            for process in self._running:
                with suppress(OSError):
                    found[process.name] = process.passed()
        return found

    def retired(self) -> tuple[int, ...]:
        """Process ids of those that were replaced and finish what they have."""
        with self._lock:
            return tuple(process.pid for process in self._retired)

    def tend(self) -> int:
        """Start again what has died, and let go of what has finished; how many were started. Call it now and then,
        and at once when a process exits. Raises Problems when HAProxy does not come up."""
        with self._lock:
            for process in tuple(self._retired):
                self._let_go(process)
            before = len(self._running)
            self._forget_dead()
            if self._configuration is None or (len(self._running) == before == PROCESSES):
                return 0
            if time.monotonic() - self._last_start < RESTART_PAUSE_S:
                return 0
            missing = PROCESSES - len(self._running)
            for _ in range(missing):
                self._running.append(self._start())
                self._remember()
            return missing

    # What follows expects the lock to be held.

    def _knows(self, server: Server) -> bool:
        backends = () if self._configuration is None else self._configuration.backends
        return any(one.service == server.service and one.port is not None for one in backends)

    def _path(self, server: Server) -> str | None:
        backends = () if self._configuration is None else self._configuration.backends
        own = next((one.health_path for one in backends if one.service == server.service), None)
        return server.health_path or own

    def _presumed(self, stat: ServerStat) -> ServerStat:
        """A process that has just started has checked nobody yet: what was healthy before is taken to be so still."""
        if stat.up and stat.health is Health.UNKNOWN and stat.id in (self._healthy or ()):
            return replace(stat, health=Health.HEALTHY)
        return stat

    def _stat(self, process: Process) -> tuple[ServerStat, ...]:
        try:
            return process.stat()
        except OSError:
            return ()

    def _each(self, act: Callable[[Process], None], processes: Sequence[Process] | None = None) -> None:
        """Do it in every process. One that does not answer has died or will: `tend` starts another with the servers of
        that moment."""
        for process in self._running if processes is None else processes:
            try:
                act(process)
            except OSError:
                continue
            except haproxy_socket.Refused as refused:
                raise Problems(
                    Problem("balancer", "HAProxy refused a change", str(refused), "Run `anden up` again.")
                ) from refused

    def _reconcile(self, processes: Sequence[Process]) -> None:
        self._each(lambda one: reconcile(one, self._servers.values(), self._leaving, self._path), processes)

    def _structure(self) -> str:
        assert self._configuration is not None  # noqa: S101 - callers have set it
        text = haproxy.config(self._configuration, certificate=self._certificate())
        return hashlib.sha256(text.encode()).hexdigest()

    def _certificate(self) -> str | None:
        """The file of the gateway's; None: it has no TLS now."""
        assert self._configuration is not None  # noqa: S101 - callers have set it
        file = self.certificates.file if self._configuration.tls and self.secure() is not None else None
        return None if file is None else str(file)

    def _open(self) -> None:
        """Open the internal names' sockets that init does not hold yet."""
        assert self._configuration is not None  # noqa: S101 - callers have set it
        kept = self._spawner.kept()
        missing = [one for one in haproxy.listeners(self._configuration) if one.name not in kept]
        _close(kept)
        for listener in missing:
            with netns.inside(BALANCER, partial(_listen, str(listener.address), listener.port)) as opened:
                self._spawner.keep(listener.name, opened.fileno())

    def _close_others(self) -> None:
        """Close the sockets of internal names that are no more."""
        assert self._configuration is not None  # noqa: S101 - callers have set it
        wanted = {one.name for one in haproxy.listeners(self._configuration)}
        kept = self._spawner.kept()
        _close(kept)
        if not self._configuration.tls and self._tls in kept:
            self._spawner.drop(self._tls)
        for name in kept:
            if name.startswith(haproxy.LISTENER_PREFIX) and name not in wanted:
                self._spawner.drop(name)

    def _start(self) -> Process:
        """A new process with the present servers. Raises Problems when it does not answer in time."""
        assert self._configuration is not None  # noqa: S101 - callers have set it
        self._last_start = time.monotonic()
        self._number += 1
        fails_open, through_links = self._configuration.manners.fails_open, dialled.services(self._configuration)
        process = Process(0, self._number, self._structure(), self._folder, fails_open, through_links)
        at_once = [one for name, one in self._servers.items() if self._serves(name)]
        self._folder.mkdir(parents=True, exist_ok=True)
        process.paths.write_text(haproxy.health_paths(self._configuration, self._servers.values()))
        self._write_keys()
        certificate = self._certificate()
        process.config.write_text(
            haproxy.config(
                self._configuration, at_once, socket=str(process.socket), paths=str(process.paths),
                keys=str(self._keys), certificate=certificate,
            )
        )  # fmt: skip
        kept = self._spawner.kept()
        try:
            fds = {GATEWAY_FD: kept[self._gateway]}
            fds |= {one.fd: kept[one.name] for one in haproxy.listeners(self._configuration)}
            if certificate is not None:
                fds[haproxy.TLS_FD] = kept[self._tls]
            access = self._spawner.take(self._access) if self._access else None
            if access is None:  # else HAProxy would find something of its own there, and write into it
                access = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            kept[self._access] = fds[access_log.FD] = access
            argv = ["haproxy", "-db", "-f", str(process.config)]
            pid = self._spawner.spawn(process.name, argv, netns=str(netns.path(BALANCER)), fds=fds)
        finally:
            _close(kept)
        process = replace(process, pid=pid)
        self._await(process)
        self._reconcile([process])
        self._watch(process)
        return process

    def _write_keys(self) -> None:
        """The public keys that a process reads when it starts; what only older ones have read is removed."""
        assert self._configuration is not None  # noqa: S101 - callers have set it
        files = haproxy.key_files(self._configuration)
        self._keys.mkdir(exist_ok=True)
        for name, pem in files.items():
            (self._keys / name).write_text(pem)
        for file in self._keys.iterdir():
            if file.name not in files:
                file.unlink()

    def _watch(self, process: Process) -> None:
        """A process that ends is started again at once; when that fails, the next `tend` says so."""

        def ended(_code: int) -> None:
            with suppress(Problems):
                self.tend()

        self._spawner.on_exit(process.name, ended)

    def _serves(self, id: str) -> bool:
        """Whether a new process may send to it at once. Nobody was ever asked: all may, and checks decide."""
        return id not in self._leaving and (self._healthy is None or id in self._healthy)

    def _await(self, process: Process) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._spawner.alive(process.pid):
            try:
                process.stat()
            except OSError:
                time.sleep(PAUSE_S)
            else:
                return
        self._spawner.kill(process.pid, signal.SIGKILL)
        process.forget()
        raise Problems(
            Problem(
                "balancer",
                f"HAProxy did not come up within {READY_S:g} s",
                "its own words are in the cell's log",
                "What ran before serves on. Run `anden up` again.",
            )
        )

    def _retire(self, process: Process) -> None:
        """Let it finish what it has. Its sockets are shared, so others take what comes."""
        with suppress(OSError):
            self._held[process.pid] = haproxy_socket.Held(process.socket)
        self._spawner.kill(process.pid, signal.SIGUSR1)
        self._retired.append(process)
        while len(self._retired) > MOST_RETIRED:
            self._spawner.kill(self._retired[0].pid, signal.SIGKILL)
            self._end(self._retired[0])
        self._remember()

    def _ask_retired(self, process: Process) -> tuple[ServerStat, ...]:
        held = self._held.get(process.pid)
        try:
            return haproxy_stat.parse(held.ask("show stat -1 4 -1")) if held is not None else ()
        except OSError:
            return ()

    def _let_go(self, process: Process) -> None:
        """Our own conversation would keep a process alive that has nothing else to do."""
        if not self._spawner.alive(process.pid):
            self._end(process)
        elif process.pid in self._held and not self._busy(process):
            self._held.pop(process.pid).close()

    def _busy(self, process: Process) -> bool:
        try:
            info = self._held[process.pid].ask("show info")
        except OSError:
            return False
        found = next((line for line in info.splitlines() if line.startswith("CurrConns:")), "CurrConns: 0")
        return int(found.partition(":")[2]) > 1

    def _end(self, process: Process) -> None:
        if (held := self._held.pop(process.pid, None)) is not None:
            held.close()
        self._retired.remove(process)
        process.forget()
        self._remember()

    def _forget_dead(self) -> None:
        for process in tuple(self._running):
            if not self._spawner.alive(process.pid):
                self._running.remove(process)
                process.forget()
                self._remember()

    def _remember(self) -> None:
        """Write then rename, so that a supervisor that comes back finds whole words."""
        data = {
            "number": self._number,
            "running": [_noted(one) for one in self._running],
            "retired": [_noted(one) for one in self._retired],
        }
        new = self._folder / "balancer.json.new"
        new.write_text(json.dumps(data))
        new.replace(self._folder / "balancer.json")

    def _recall(self) -> None:
        """Take up what an earlier supervisor started. One that it had no time to note is told to finish: its name is
        taken, and it may have been given too few servers."""
        running = self._spawner.running()
        data: dict[str, Any] = {"number": 0, "running": [], "retired": []}
        with suppress(FileNotFoundError, ValueError):
            data = json.loads((self._folder / "balancer.json").read_text())

        def alive(kind: str) -> list[Process]:
            noted = [
                Process(pid, number, structure, self._folder, any(more[:1]), frozenset(*more[1:2]))
                for pid, number, structure, *more in data[kind]
            ]
            return [process for process in noted if running.get(process.name) == process.pid]

        self._running, self._retired = alive("running"), alive("retired")
        noted = {process.name for process in (*self._running, *self._retired)}
        strange = {name: pid for name, pid in running.items() if _ours(name) and name not in noted}
        strays = {int(name.removeprefix(NAME)): pid for name, pid in strange.items()}
        self._number = max([data["number"], *strays])
        for process in self._running:
            self._watch(process)
        for number, pid in strays.items():
            self._retire(Process(pid, number, "", self._folder))
        alive_now = {process.name for process in (*self._running, *self._retired)}
        for file in self._folder.glob(f"{NAME}*"):  # of those that died while nobody looked
            if file.stem not in alive_now:
                file.unlink(missing_ok=True)


def _noted(one: Process) -> list[Any]:
    return [one.pid, one.number, one.structure, one.open, sorted(one.dialled)]


def _ours(name: str) -> bool:
    return name.startswith(NAME) and name.removeprefix(NAME).isdigit()


def _listen(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    opened.listen(haproxy.BACKLOG)
    return opened


def _close(kept: Mapping[str, int]) -> None:
    """What init hands out are duplicates of ours to close."""
    for descriptor in kept.values():
        os.close(descriptor)
