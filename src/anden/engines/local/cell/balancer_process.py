"""One HAProxy process of the balancer, by its files and its runtime API."""

import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anden.engines.local.cell import haproxy_socket, haproxy_stat
from anden.engines.local.cell.haproxy_stat import ServerStat
from anden.engines.local.render.dialled import DIALLED, OPEN
from anden.engines.local.render.haproxy import GATEWAY, Server, options, through, unchecked
from anden.model.traffic import Passed

NAME = "balancer-"
"""The processes are `balancer-1`, `balancer-2` and so on, and so are their files."""
DELETE_S = 1.0
"""How long an idle connection may keep a server from being deleted."""
PAUSE_S = 0.01
_ADDED = "New server registered."
_DELETED = "Server deleted."
BESIDE = ":"
"""Stands in the name of a backend that is not the service's own."""
_MAINTENANCE = 0x01
"""SRV_ADMF_FMAINT in `srv_admin_state`."""
_DRAIN = 0x08
"""SRV_ADMF_FDRAIN."""


@dataclass(frozen=True, slots=True)
class Process:
    """number: counts every process that was ever started here. structure: a digest of its configuration's frontends and
    backends. folder: the balancer's run folder. open: each backend has a second one, to which it fails open. dialled:
    services whose servers stand in a backend of layer 4 as well."""

    pid: int
    number: int
    structure: str
    folder: Path
    open: bool = False
    dialled: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """As init knows it."""
        return f"{NAME}{self.number}"

    @property
    def socket(self) -> Path:
        """Its runtime API."""
        return self.folder / f"{self.name}.sock"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / f"{self.name}.cfg"

    @property
    def paths(self) -> Path:
        """Its map of health paths."""
        return self.folder / f"{self.name}.paths"

    def forget(self) -> None:
        """Remove its files."""
        for file in (self.socket, self.config, self.paths):
            file.unlink(missing_ok=True)

    def stat(self) -> tuple[ServerStat, ...]:
        """Its servers. Raises OSError when it does not answer."""
        return haproxy_stat.parse(haproxy_socket.ask(self.socket, "show stat -1 4 -1"))

    def passed(self) -> Passed:
        """What came through the gateway here. Raises OSError when it does not answer."""
        return haproxy_stat.passed(haproxy_socket.ask(self.socket, "show stat -1 1 -1"), GATEWAY)

    def add(self, server: Server, health_path: str | None) -> None:
        """Register a server, which takes nothing until a check says that it may. Raises OSError, or Refused."""
        if health_path is not None:
            self.map(server.id, health_path)
        for backend in self._backends(server.service):
            self.put(server, backend, health_path)

    def put(self, server: Server, backend: str, health_path: str | None) -> None:
        """Register it with one of its service's backends. One that is checked would start as up and unchecked; so all
        is one write, which HAProxy does in one go."""
        name, at = f"{backend}/{server.id}", f"{server.address}:{server.port}"
        through_links = backend.startswith(f"{server.service}{DIALLED}")
        if backend.endswith(OPEN):
            about = "" if through_links else unchecked(server)
            commands = [f"add server {name} {at} {about}".rstrip(), f"enable server {name}"]
        else:
            about = through(server, health_path) if through_links else options(server)
            commands = [
                f"add server {name} {at} {about}",
                f"enable health {name}",
                f"set server {name} state ready",
                f"set server {name} health down",
            ]
        haproxy_socket.do(self.socket, commands, expected=_ADDED)

    def map(self, id: str, health_path: str) -> None:
        """Ask this server for its health there. A map takes a key twice, so the old one goes first."""
        haproxy_socket.ask(self.socket, f"del map {self.paths} {id};add map {self.paths} {id} {escaped(health_path)}")

    def drain(self, service: str, id: str) -> None:
        """No new requests to it; what is in it goes on."""
        haproxy_socket.do(self.socket, [f"set server {name} state drain" for name in self._names(service, id)])

    def undrain(self, service: str, id: str) -> None:
        """It may have new requests again, if its checks pass."""
        haproxy_socket.do(self.socket, [f"set server {name} state ready" for name in self._names(service, id)])

    def down(self, service: str, id: str) -> None:
        """It has ended: no new requests until a check says so, without waiting for one to fail."""
        checked = [name for name in self._backends(service) if not name.endswith(OPEN)]
        haproxy_socket.do(self.socket, [f"set server {name}/{id} health down" for name in checked])

    def remove(self, service: str, id: str) -> None:
        """Remove a server and end what is still in it. Raises OSError, or Refused when it cannot be deleted in time."""
        for name in self._names(service, id):
            self._remove(name)
        haproxy_socket.ask(self.socket, f"del map {self.paths} {id}")

    def _names(self, service: str, id: str) -> tuple[str, ...]:
        """What this process calls the server, in each of its backends."""
        return tuple(f"{backend}/{id}" for backend in self._backends(service))

    def missing(self, service: str, has: Container[str]) -> tuple[str, ...]:
        """The backends of a service beside those in which a server stands."""
        return tuple(backend for backend in self._backends(service) if backend not in has)

    def _backends(self, service: str) -> tuple[str, ...]:
        """All that hold the service's servers, its own first."""
        names = (service, f"{service}{DIALLED}") if service in self.dialled else (service,)
        return (*names, *(f"{name}{OPEN}" for name in names)) if self.open else names

    def _remove(self, name: str) -> None:
        deadline = time.monotonic() + DELETE_S
        haproxy_socket.ask(self.socket, f"set server {name} state maint")
        while True:
            haproxy_socket.ask(self.socket, f"shutdown sessions server {name}")
            try:
                haproxy_socket.do(self.socket, [f"del server {name}"], expected=_DELETED)
                break
            except haproxy_socket.Refused as refused:
                if "No such server" in str(refused):
                    break
                if time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE_S)


def reconcile(
    process: Process, wanted: Iterable[Server], leaving: Container[str], path_of: Callable[[Server], str | None]
) -> None:
    """Make the process have exactly the wanted servers, those that are leaving drained. Their health stays its own.

    A server with another address or port under the same id is another one: it is removed and added; so is one that an
    earlier removal left in maintenance. Raises OSError when the process does not answer, or Refused.
    """
    by_id = {str(server.id): server for server in wanted}
    paths = _paths(haproxy_socket.ask(process.socket, f"show map {process.paths}"))
    found = tuple(_servers(haproxy_socket.ask(process.socket, "show servers state")))
    known = {has.id for has in found if BESIDE not in has.place[0]}
    standing: dict[str, set[str]] = {}
    for has in found:
        standing.setdefault(has.id, set()).add(has.place[0])
    for has in found:
        if BESIDE in has.place[0]:
            # It comes and goes with the other of its name, unless whoever did that was killed in between.
            if has.id not in known:
                process.remove(has.place[0].partition(BESIDE)[0], has.id)
            continue
        server = by_id.get(has.id)
        if server is None or has.maintained or has.place != (server.service, str(server.address), str(server.port)):
            process.remove(has.place[0], has.id)
            continue
        del by_id[has.id]
        for backend in process.missing(server.service, standing[has.id]):
            process.put(server, backend, path_of(server))
        if (path := path_of(server)) is not None and paths.get(has.id) != path:
            process.map(has.id, path)
        if has.drained and has.id not in leaving:
            process.undrain(server.service, has.id)
        elif has.id in leaving and not has.drained:
            process.drain(server.service, has.id)
    for server in by_id.values():
        process.add(server, path_of(server))
        if server.id in leaving:
            process.drain(server.service, server.id)


@dataclass(frozen=True, slots=True)
class _Has:
    id: str
    place: tuple[str, str, str]
    """Service, address, port."""
    maintained: bool
    drained: bool


def _servers(state: str) -> Iterable[_Has]:
    """The lines of `show servers state`; its columns are those of the # line."""
    columns: list[str] = []
    for line in state.splitlines():
        if line.startswith("#"):
            columns = line[1:].split()
        elif columns and (row := dict(zip(columns, line.split(), strict=False))).get("srv_name"):
            with suppress(KeyError, ValueError):
                place = (row["be_name"], row["srv_addr"], row["srv_port"])
                state_bits = int(row["srv_admin_state"])
                yield _Has(row["srv_name"], place, bool(state_bits & _MAINTENANCE), bool(state_bits & _DRAIN))


def _paths(listed: str) -> dict[str, str]:
    """Server to health path, from `show map`: an address, a key and a value on each line."""
    rows = (line.split(None, 2) for line in listed.splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3}


def escaped(text: str) -> str:
    """`text` as one word of a runtime command."""
    return "".join("\\" + letter if letter in " ;\\" else letter for letter in text)
