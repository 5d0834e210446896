"""The cell's resolver, a process of its own: `python -m anden.engines.local.cell.names_server FOLDER`.

It lives in two networks: it hears instances in the resolver's, and writes into the hub's firewall, through a connection
that it opens before it moves. Then it becomes nobody, with the one capability that the firewall asks for.

FOLDER/book.json says what to answer (SIGHUP: read it anew); FOLDER/out/loaded says which book is in use, by its
digest, and FOLDER/out/refused.json which questions were refused. All that it needs is imported at its start: nobody may
not read where it lies.
"""

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from anden.engines.local.cell import dns_server, dns_wire, names, netns, nft, privileges, turns, upstream
from anden.engines.local.cell.dns_wire import Asked
from anden.engines.local.cell.names import BOOK, LOADED, LOCK, OUT, REFUSED, Book, Notes, Way, digest
from anden.engines.local.cell.upstream import Found, NoSuchName, Unanswered
from anden.engines.local.render import outside
from anden.engines.local.render.outside import Grant
from anden.engines.local.render.resolver import DOMAIN, PORT, UPSTREAM
from anden.engines.local.render.stations import RESOLVER
from anden.model.problem import Problems

WRITE_S = 0.5
"""Between two writings of what was refused, when something was."""
AGAIN_S = 1.0
"""For so long an answer is given again without asking: a burst of questions costs one."""
MOST_KNOWN = 4096
"""Packets whose answers are kept as they go over the wire."""
UNDECLARED = "not declared"
NOWHERE = "it does not exist"

Write = Callable[[str], object]
"""Gives a text to nftables; raises Problems."""
Resolve = Callable[[str], Awaitable[Found]]
"""Asks the internet: see upstream.resolve."""


class Resolver:
    """What is answered, by the book."""

    def __init__(self, folder: Path, write: Write, resolve: Resolve) -> None:
        self._folder = folder
        self._write = write
        self._resolve = resolve
        self._book = Book()
        self._known: dict[bytes, tuple[list[bytes], list[int]]] = {}
        self._recent: dict[tuple[str, str], tuple[float, Found]] = {}
        try:
            self.notes = Notes((folder / OUT / REFUSED).read_text())
        except (OSError, ValueError, TypeError):
            self.notes = Notes()

    def load(self) -> None:
        """Read the book, and say so. Raises OSError, ValueError, KeyError."""
        text = (self._folder / BOOK).read_text()
        self._book = names.book(text)
        self._known.clear()
        self._recent.clear()
        _write(self._folder / OUT / LOADED, digest(text))

    def quick(self, rest: bytes) -> bytes | None:
        """The answer to a packet that was answered before, both without their ids; the next one in turn."""
        if (found := self._known.get(rest)) is None:
            return None
        answers, turn = found
        turn[0] = (turn[0] + 1) % len(answers)
        return answers[turn[0]]

    def answer(self, asked: Asked, source: str, tcp: bool) -> bytes | Awaitable[bytes]:
        """See dns_server.Answer."""
        inside = self._book.internal.get(asked.name)
        if inside is not None:
            return self._inside(asked, inside, tcp)
        ways = self._book.ways(source, asked.name)
        if not ways:
            self._refuse(source, asked.name, UNDECLARED)
            return dns_wire.answer(asked, dns_wire.NO_SUCH_NAME, tcp=tcp)
        if asked.kind != dns_wire.A:
            return dns_wire.answer(asked, dns_wire.FINE, tcp=tcp)
        return self._outside(asked, source, ways, tcp)

    def _inside(self, asked: Asked, found: tuple[IPv4Address, ...], tcp: bool) -> bytes:
        if asked.kind != dns_wire.A:
            return dns_wire.answer(asked, dns_wire.FINE, tcp=tcp)
        turns = [found[first:] + found[:first] for first in range(len(found))]
        answers = [
            dns_wire.answer(asked, dns_wire.FINE, dns_wire.addresses(one, self._book.ttl), tcp=tcp) for one in turns
        ]
        if not tcp and not asked.edns:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[_plain(asked)] = ([one[2:] for one in answers], [0])
        return answers[0]

    async def _outside(self, asked: Asked, source: str, ways: tuple[Way, ...], tcp: bool) -> bytes:
        caller, host = self._book.callers[source], asked.name
        at, found = self._recent.get((caller, host), (0.0, None))
        if found is None or time.monotonic() - at > AGAIN_S:
            try:
                found = await self._found(caller, host, source, ways)
            except NoSuchName:
                self._refuse(source, host, NOWHERE)
                return dns_wire.answer(asked, dns_wire.NO_SUCH_NAME, tcp=tcp)
            except Unanswered as error:
                _say(f"{host} for {caller}: {error}")
                return dns_wire.answer(asked, dns_wire.FAILED, tcp=tcp)
        records = dns_wire.addresses(found.addresses, names.told_s(found.ttl))
        return dns_wire.answer(asked, dns_wire.FINE, records, tcp=tcp)

    async def _found(self, caller: str, host: str, source: str, ways: tuple[Way, ...]) -> Found:
        """What a name leads to, and the caller may open it now. Raises NoSuchName, Unanswered."""
        book = self._book
        found = await self._resolve(host)
        if (astray := book.astray(found.addresses)) is not None:
            self._refuse(source, host, f"leads to {astray}")
            raise Unanswered(f"leads to {astray}")
        if book is not self._book:
            raise Unanswered("what may be answered has changed meanwhile")
        if found.addresses:
            self._grant(caller, host, ways, found)
            if len(self._recent) >= MOST_KNOWN:
                self._recent.clear()
            self._recent[caller, host] = (time.monotonic(), found)
        return found

    def _grant(self, caller: str, host: str, ways: tuple[Way, ...], found: Found) -> None:
        """Open it, before the answer goes out. Raises Unanswered."""
        left_s, tag = names.open_s(found.ttl), outside.tag(host)
        granted = [
            Grant(caller, address, way.transport, way.port, left_s, tag) for address in found.addresses for way in ways
        ]
        try:
            with turns.locked(self._folder / LOCK, fcntl.LOCK_SH) as held:
                if not held:
                    raise Unanswered("the firewall is being replaced for too long")
                self._write(outside.grant(granted))
        except (Problems, OSError) as error:
            raise Unanswered(f"the firewall does not open it: {error}") from error

    def _refuse(self, source: str, name: str, why: str) -> None:
        # A name that is written out is asked for under the search domain first, or after: that is nobody's wish.
        searched = name.endswith(f".{DOMAIN}") and "." in name.removesuffix(f".{DOMAIN}")
        if (service := self._book.callers.get(source)) is not None and not searched:
            self.notes.refused(service, name, why, time.time())

    def save(self) -> None:
        """Write down what was refused, when something was."""
        if self.notes.changed:
            _write(self._folder / OUT / REFUSED, self.notes.written())


def _plain(asked: Asked) -> bytes:
    """A question without anything beside it, without its id."""
    return dns_wire.HEADER.pack(0, asked.flags, 1, 0, 0, 0)[2:] + asked.raw


def _write(file: Path, text: str) -> None:
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.replace(file)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} resolver: {text}", file=sys.stderr, flush=True)


async def _serve(resolver: Resolver, server: dns_server.Server) -> None:
    def reload() -> None:
        try:
            resolver.load()
        except (OSError, ValueError, KeyError) as error:
            _say(f"the book cannot be read: {error}")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    resolver.load()
    serving = asyncio.create_task(server.run())
    while not serving.done():
        await asyncio.sleep(WRITE_S)
        with suppress(OSError):
            resolver.save()
    await serving


async def _from_internet(host: str) -> Found:
    return await upstream.resolve(host, (str(UPSTREAM), PORT))


def main(folder: Path) -> None:
    """Serve until killed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is listened to
    hub = nft.Session()
    netns.enter(netns.path(RESOLVER))
    address = names.book((folder / BOOK).read_text()).address
    datagrams, stream = dns_server.sockets(address, PORT)
    privileges.become_nobody(privileges.NET_ADMIN)
    os.umask(0o022)
    resolver = Resolver(folder, hub.run, _from_internet)
    server = dns_server.Server(datagrams, stream, resolver.answer, resolver.quick)
    asyncio.run(_serve(resolver, server))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
