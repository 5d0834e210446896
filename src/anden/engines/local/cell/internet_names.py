"""The twin's internet's name server, a process of its own: `python -m anden.engines.local.cell.internet_names FILE`.

It stands in for all name servers of the world. FILE, read anew when it has changed, has for each name its records:
`{"a": [ADDRESS…], "ttl": SECONDS}`, or `{"cname": NAME, "ttl": SECONDS}`. Whoever rehearses what a name server may do
wrong writes that file.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from anden.engines.local.cell import dns_server, dns_wire, netns, privileges
from anden.engines.local.cell.dns_wire import Asked, Record
from anden.engines.local.cell.names import INTERNET_UP, OUT
from anden.engines.local.render.resolver import PORT, UPSTREAM
from anden.engines.local.render.stations import RESOLVER

MOST_ALIASES = 16


class Zone:
    """All that the internet knows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, int] | None = None
        self._names: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked, source: str, tcp: bool) -> bytes | Awaitable[bytes]:
        """See dns_server.Answer."""
        try:
            names = self._current()
            if asked.name not in names:
                return dns_wire.answer(asked, dns_wire.NO_SUCH_NAME, tcp=tcp)
            return dns_wire.answer(asked, dns_wire.FINE, _records(names, asked.name, asked.kind), tcp=tcp)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"internet: {self._file} cannot be used: {error}", file=sys.stderr, flush=True)
            return dns_wire.answer(asked, dns_wire.FAILED, tcp=tcp)

    def _current(self) -> dict[str, dict[str, Any]]:
        about = self._file.stat()
        if self._read != (about.st_mtime_ns, about.st_ino):
            self._names = json.loads(self._file.read_text())
            self._read = (about.st_mtime_ns, about.st_ino)
        return self._names


def _records(names: dict[str, dict[str, Any]], name: str, kind: int) -> list[Record]:
    found, owner = [], b""
    for _ in range(MOST_ALIASES):
        about = names.get(name, {})
        ttl = int(about.get("ttl", 0))
        if "cname" not in about:
            if kind == dns_wire.A:
                found += [Record(dns_wire.A, ttl, IPv4Address(one).packed, owner) for one in about.get("a", ())]
            break
        name = about["cname"]
        found.append(Record(dns_wire.CNAME, ttl, dns_wire.written(name), owner))
        owner = dns_wire.written(name)
    return found


def main(file: Path) -> None:
    """Serve until killed."""
    netns.enter(netns.path(RESOLVER))
    datagrams, stream = dns_server.sockets(str(UPSTREAM), PORT)
    privileges.become_nobody()
    (file.parent / OUT / INTERNET_UP).touch()
    asyncio.run(dns_server.Server(datagrams, stream, Zone(file).answer, lambda _: None).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
