"""Really tries connections from instances' networks: by TCP, from a thread in the instance's namespace.

A name is asked of the cell's resolver, as the instance would. With `listen`, a socket of ours answers first on the
internet's side; the probe then says a word of its own over the connection, by which the listener tells whose source
address it saw.
"""

import secrets
import selectors
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import AddressValueError, IPv4Address
from itertools import groupby
from operator import itemgetter

from anden.engines.local.cell import dns, netns, ping
from anden.engines.local.cell.link_files import LinkFiles
from anden.engines.local.endpoints import wire
from anden.engines.local.render.resolver import DOMAIN
from anden.engines.local.render.stations import INTERNET
from anden.model.configuration import Configuration
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed, ProbeKind, Seen

AT_ONCE = 128
"""Probes that run at the same time; the others wait for their turn."""
LONGEST_S = 10.0
"""No probe takes longer to connect, whatever it asks for, and none is quiet for longer before it speaks."""
LIMIT = f"{LONGEST_S:g} s are the most"
NOBODY_THERE = "nobody of ours is on the other side: `anden up --with-datacentre`"
HUNG_UP = "accepted, and ended at once: nobody answers behind the balancer"
HANGS_UP_S = 0.05
"""How long a balancer that has nobody behind it may take to end what it accepted."""
HEARD_S = 0.5
"""How long to wait for what the internet's side heard of a connection that was made."""
_WORD_BYTES = 8
_FREEBIND = 15
"""IP_FREEBIND: the internet's addresses are its own by a route, and not one by one."""


def probe(probes: Sequence[Probe], configuration: Configuration) -> tuple[Probed, ...]:
    """What each probe saw, in their order. Bounded: (number / AT_ONCE, rounded up) × their longest timeout.

    Raises Problems when a caller is no attached instance, or a probe with `listen` has a name inside as its host.
    """
    _check(probes, configuration)
    if not probes:
        return ()
    resolver = configuration.layout.resolver
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(min(AT_ONCE, len(probes)), thread_name_prefix="probe"))
        # Where to listen for a name is known only once its caller has asked: others may be told otherwise, or nothing.
        found = dict(pool.map(partial(_resolved, resolver=resolver), _outside(probes)))
        ears = _Ears(
            (_side(at, configuration), str(at), each.port)
            for each in probes
            if each.listen and (at := _where(each, found)) is not None
        )
        stack.callback(ears.close)
        places = {linked.link.caller: wire(linked.number) for linked in configuration.links}
        absent = {each.link.caller for each in configuration.links if not LinkFiles(each.number).far.exists()}
        trying = partial(_probed, resolver=resolver, ears=ears, found=found, places=places)
        tried = iter(pool.map(trying, [each for each in probes if each.caller not in absent]))
        return tuple(
            next(tried) if each.caller not in absent else Probed(each, Seen.UNTRIED, note=NOBODY_THERE)
            for each in probes
        )


def keys(tried: Iterable[tuple[str, Probe]], configuration: Configuration) -> frozenset[tuple[str, str, str, int]]:
    """The packets of these probes as the firewall saw them: source, destination, `tcp`, port. A name inside stands for
    all of its addresses; one outside that answered is let through."""
    names = {str(each.service): each.addresses for each in configuration.backends}
    found = set()
    for source, each in tried:
        at = _address(each.host)
        addresses = names.get(each.host.lower().removesuffix(f".{DOMAIN}"), ()) if at is None else (at,)
        found |= {(source, str(address), "tcp", each.port) for address in addresses}
    return frozenset(found)


def _outside(probes: Sequence[Probe]) -> list[Probe]:
    """One probe for each caller and name that is listened for."""
    wanted = {(each.caller, each.host): each for each in probes if each.listen and _address(each.host) is None}
    return list(wanted.values())


def _resolved(wanted: Probe, resolver: IPv4Address) -> tuple[tuple[str, str], IPv4Address | None]:
    """In a thread of the pool."""
    netns.enter(netns.path(wanted.caller))
    limit_s = min(wanted.timeout_s, LONGEST_S)
    return (wanted.caller, wanted.host), dns.resolve(wanted.host, resolver, limit_s)


def _where(wanted: Probe, found: Mapping[tuple[str, str], IPv4Address | None]) -> IPv4Address | None:
    return _address(wanted.host) or found.get((wanted.caller, wanted.host))


def _side(address: IPv4Address, configuration: Configuration) -> str:
    """The station in which that address is: the internet, or the other side of a link."""
    for linked in configuration.links:
        if any(address in network for network in linked.link.networks):
            return wire(linked.number)
    return INTERNET


def _check(probes: Sequence[Probe], configuration: Configuration) -> None:
    attached = netns.names() | {linked.link.caller for linked in configuration.links}
    inside = {str(backend.service) for backend in configuration.backends}
    problems = [
        Problem(f"probe from {caller}", "no such instance runs", "", "`anden status` names those that do.")
        for caller in sorted({each.caller for each in probes} - attached)
    ]
    for each in probes:
        if each.quiet_s > LONGEST_S:
            problems.append(Problem(f"probe from {each.caller}", f"it is to be quiet for {each.quiet_s:g} s", LIMIT))
        if each.listen and each.host.removesuffix(f".{DOMAIN}") in inside:
            what = f"{each.host} is inside"
            problems.append(Problem(f"probe from {each.caller}", what, "only outside can be listened"))
    if problems:
        raise Problems(problems)


def _address(host: str) -> IPv4Address | None:
    try:
        return IPv4Address(host)
    except AddressValueError:
        return None


def _probed(
    wanted: Probe,
    resolver: IPv4Address,
    ears: "_Ears",
    found: Mapping[tuple[str, str], IPv4Address | None],
    places: Mapping[str, str],
) -> Probed:
    """In a thread of the pool, which moves from one caller's network to the next one's. places: of callers that are no
    instances."""
    netns.enter(netns.path(places.get(wanted.caller, wanted.caller)))
    start = time.monotonic()
    limit_s = min(wanted.timeout_s, LONGEST_S)
    address = _where(wanted, found)
    if address is None and (wanted.caller, wanted.host) not in found:
        address = dns.resolve(wanted.host, resolver, limit_s)
    if address is None:
        return Probed(wanted, Seen.UNRESOLVED, took_s=time.monotonic() - start)
    left_s = max(limit_s - (time.monotonic() - start), 0.01)
    if wanted.kind is ProbeKind.PING:
        answered = ping.answered(address, left_s)
        return Probed(wanted, Seen.OPEN if answered else Seen.SILENT, took_s=time.monotonic() - start)
    word = secrets.token_bytes(_WORD_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trying:
        trying.settimeout(left_s)
        try:
            if wanted.source is not None:
                trying.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
                trying.bind((str(wanted.source), 0))
            trying.connect((str(address), wanted.port))
        except ConnectionRefusedError:
            return Probed(wanted, Seen.REFUSED, took_s=time.monotonic() - start)
        except OSError:
            return Probed(wanted, Seen.SILENT, took_s=time.monotonic() - start)
        took_s = time.monotonic() - start
        source = None
        if wanted.listen:
            time.sleep(wanted.quiet_s)
            with suppress(OSError):
                trying.sendall(word)
            source = ears.heard(word)
            if wanted.quiet_s and source is None:
                return Probed(wanted, _after_silence(trying), took_s=time.monotonic() - start)
        ended = wanted.source is not None and _hung_up(trying)
        return Probed(wanted, Seen.REFUSED if ended else Seen.OPEN, source, took_s, HUNG_UP if ended else "")


def _hung_up(connection: socket.socket) -> bool:
    """Whether who accepted ends it at once: a balancer of layer 4 accepts before it knows whether anybody answers."""
    connection.settimeout(HANGS_UP_S)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def _after_silence(connection: socket.socket) -> Seen:
    """What the one who spoke too late has met: a reset, or nothing."""
    connection.settimeout(HEARD_S)
    try:
        connection.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return Seen.REFUSED
    except OSError:
        pass
    return Seen.SILENT


class _Ears:
    """Listening sockets outside, and whose word came from where."""

    def __init__(self, places: Iterable[tuple[str, str, int]]) -> None:
        """places: station, address and port."""
        self._heard: dict[bytes, IPv4Address] = {}
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._ending, self._end = socket.socketpair()
        self._selector.register(self._ending, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        wanted = sorted(set(places))
        for station, its in groupby(wanted, key=itemgetter(0)):
            at = [(host, port) for _, host, port in its]
            for listening in netns.inside(station, partial(_listening, at)):
                self._selector.register(listening, selectors.EVENT_READ, "listening")
        if wanted:
            self._thread = threading.Thread(target=self._hear, name="probe-ears", daemon=True)
            self._thread.start()

    def heard(self, word: bytes) -> IPv4Address | None:
        """Where that word came from, as soon as it has come; None: it did not within HEARD_S."""
        with self._changed:
            self._changed.wait_for(lambda: word in self._heard, HEARD_S)
            return self._heard.get(word)

    def close(self) -> None:
        self._end.close()
        if self._thread is not None:
            self._thread.join()
        for key in tuple(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _hear(self) -> None:
        """Until `close`."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._ending:
                    return
                assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - only sockets are registered
                if key.data == "listening":
                    self._accept(key.fileobj)
                else:
                    self._read(key.fileobj, key.data)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            connection, (host, _) = listening.accept()
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, IPv4Address(host))

    def _read(self, connection: socket.socket, source: IPv4Address) -> None:
        word = b""
        with suppress(OSError):
            word = connection.recv(_WORD_BYTES)
        self._selector.unregister(connection)
        connection.close()
        if len(word) == _WORD_BYTES:
            with self._changed:
                self._heard[word] = source
                self._changed.notify_all()


def _listening(places: Sequence[tuple[str, int]]) -> list[socket.socket]:
    return [_listen(host, port) for host, port in places]


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # The data centre listens for any address; who is bound to one address hears what goes there.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
    listening.bind((host, port))
    listening.listen(AT_ONCE)
    listening.setblocking(False)
    return listening
