"""One HAProxy process of the balancer, by its files and its runtime API."""

import time
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from anden.engines.local.cell import haproxy_socket, haproxy_stat
from anden.engines.local.cell.haproxy_stat import ServerStat
from anden.engines.local.render import guards
from anden.engines.local.render.haproxy import GATEWAY, OPEN, Server, options, unchecked
from anden.model.configuration import GatewayRoute
from anden.model.traffic import Passed

NAME = "balancer-"
"""The processes are `balancer-1`, `balancer-2` and so on, and so are their files."""
DELETE_S = 1.0
"""How long an idle connection may keep a server from being deleted."""
PAUSE_S = 0.01
_ADDED = "New server registered."
_DELETED = "Server deleted."
_MAINTENANCE = 0x01
"""SRV_ADMF_FMAINT in `srv_admin_state`."""
_DRAIN = 0x08
"""SRV_ADMF_FDRAIN."""


@dataclass(frozen=True, slots=True)
class Process:
    """number: counts every process that was ever started here. structure: a digest of its configuration's frontends and
    backends. folder: the balancer's run folder. open: each backend has a second one, to which it fails open."""

    pid: int
    number: int
    structure: str
    folder: Path
    open: bool = False

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

    def passed(self, routes: Sequence[GatewayRoute]) -> Passed:
        """What came through the gateway here, by these routes. Raises OSError when it does not answer."""
        passed = haproxy_stat.passed(haproxy_socket.ask(self.socket, "show stat -1 1 -1"), GATEWAY)
        if not guards.guards(routes):
            return passed
        table = haproxy_socket.ask(self.socket, f"show table {guards.STRANGERS}")
        return replace(passed, strangers=guards.strangers(table, routes))

    def add(self, server: Server, health_path: str | None) -> None:
        """Register a server, which takes nothing until a check says that it may. Raises OSError, or Refused.

        A server added so would start as up and unchecked; so all of it is one write, which HAProxy does in one go.
        """
        name = f"{server.service}/{server.id}"
        if health_path is not None:
            self.map(server.id, health_path)
        commands = [
            f"add server {name} {server.address}:{server.port} {options(server)}",
            f"enable health {name}",
            f"set server {name} state ready",
            f"set server {name} health down",
        ]
        haproxy_socket.do(self.socket, commands, expected=_ADDED)
        self.add_open(server)

    def add_open(self, server: Server) -> None:
        """Register it with the backend that its own fails open to, where there is one."""
        if self.open:
            name = f"{server.service}{OPEN}/{server.id}"
            commands = [
                f"add server {name} {server.address}:{server.port} {unchecked(server)}",
                f"enable server {name}",
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
        haproxy_socket.do(self.socket, [f"set server {service}/{id} health down"])

    def remove(self, service: str, id: str) -> None:
        """Remove a server and end what is still in it. Raises OSError, or Refused when it cannot be deleted in time."""
        for name in self._names(service, id):
            self._remove(name)
        haproxy_socket.ask(self.socket, f"del map {self.paths} {id}")

    def _names(self, service: str, id: str) -> tuple[str, ...]:
        """What this process calls the server, in each of its backends."""
        own = f"{service}/{id}"
        return (own, f"{service}{OPEN}/{id}") if self.open else (own,)

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
    known = {has.id for has in found if not has.place[0].endswith(OPEN)}
    opened = {has.id for has in found if has.place[0].endswith(OPEN)}
    for has in found:
        if has.place[0].endswith(OPEN):
            # It comes and goes with the other of its name, unless whoever did that was killed in between.
            if has.id not in known:
                process.remove(has.place[0].removesuffix(OPEN), has.id)
            continue
        server = by_id.get(has.id)
        if server is None or has.maintained or has.place != (server.service, str(server.address), str(server.port)):
            process.remove(has.place[0], has.id)
            continue
        del by_id[has.id]
        if process.open and has.id not in opened:
            process.add_open(server)
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
