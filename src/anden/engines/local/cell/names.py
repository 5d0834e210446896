"""What the resolver knows, and what it makes of a question. No sockets, no clock of its own."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

BOOK, LOCK, OUT = "book.json", "lock", "out"
"""In the resolver's folder: what it answers by, whose turn it is at the firewall, and what it writes itself:"""
LOADED, REFUSED, INTERNET_UP = "loaded", "refused.json", "internet"
FLOOR_S = 30
"""What a name led to stays open for so long at least: programs keep answers longer than these say (Java keeps them for
30 s: `networkaddress.cache.ttl`)."""
CEILING_S = 300
"""And for so long at most, before it is asked for again: answers that hold longer are passed on with this."""
GRACE_S = 5
"""Beyond the answer's time: from a program's last use of an answer until its connection arrives."""
MOST_ADDRESSES = 32
"""Of one answer; more are left out."""
MOST_NOTED = 1000
"""Refused questions that are remembered, by service and name; the one that was asked longest ago makes room."""


def digest(text: str) -> str:
    """Names a book."""
    return hashlib.blake2s(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Way:
    """What may be opened at a name's addresses."""

    transport: str
    port: int


@dataclass(frozen=True, slots=True)
class Book:
    """The resolver's file, read."""

    address: str = ""
    ttl: int = 0
    internal: Mapping[str, tuple[IPv4Address, ...]] = field(default_factory=dict)
    callers: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, Mapping[str, tuple[Way, ...]]] = field(default_factory=dict)
    never: tuple[IPv4Network, ...] = ()

    def ways(self, source: str, name: str) -> tuple[Way, ...]:
        """What the caller at `source` may open at `name`, outside; none: to it the name does not exist."""
        return self.outside.get(self.callers.get(source, ""), {}).get(name, ())

    def astray(self, found: tuple[IPv4Address, ...]) -> IPv4Address | None:
        """The first of these addresses that no name outside may lead to."""
        return next((one for one in found if any(one in network for network in self.never)), None)


def book(text: str) -> Book:
    """See render.resolver.book. Raises ValueError, KeyError."""
    data = json.loads(text)
    return Book(
        data["address"],
        int(data["ttl"]),
        {name: tuple(map(IPv4Address, found)) for name, found in data["internal"].items()},
        data["callers"],
        {
            caller: {host: tuple(_way(one) for one in ways) for host, ways in hosts.items()}
            for caller, hosts in data["outside"].items()
        },
        tuple(map(IPv4Network, data["never"])),
    )


def _way(text: str) -> Way:
    transport, port = text.split()
    return Way(transport, int(port))


def told_s(ttl: int) -> int:
    """The time that an answer is passed on with, in seconds."""
    return min(max(ttl, 0), CEILING_S)


def open_s(ttl: int) -> int:
    """For how long what an answer led to stays open, in seconds."""
    return max(told_s(ttl), FLOOR_S) + GRACE_S


@dataclass(slots=True)
class Note:
    """A question that was refused: how often, and when first and last (Unix seconds)."""

    service: str
    name: str
    why: str
    count: int
    first: float
    last: float


class Notes:
    """Refused questions, a bounded number of them."""

    def __init__(self, text: str = "[]") -> None:
        """text: what `written` gave. Raises ValueError, TypeError."""
        self._notes: OrderedDict[tuple[str, str], Note] = OrderedDict()
        for one in json.loads(text)[-MOST_NOTED:]:
            note = Note(**one)
            self._notes[note.service, note.name] = note
        self.changed = False

    def refused(self, service: str, name: str, why: str, now: float) -> None:
        """Once more."""
        note = self._notes.pop((service, name), None) or Note(service, name, why, 0, now, now)
        note.count, note.last, note.why = note.count + 1, now, why
        self._notes[service, name] = note
        while len(self._notes) > MOST_NOTED:
            self._notes.popitem(last=False)
        self.changed = True

    def written(self) -> str:
        """All of them, the one asked longest ago first."""
        self.changed = False
        return json.dumps(
            [
                {key: getattr(one, key) for key in ("service", "name", "why", "count", "first", "last")}
                for one in self._notes.values()
            ]
        )

    def __len__(self) -> int:
        return len(self._notes)
