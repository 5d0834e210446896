"""What the firewall refused, read from its two sets when somebody asks, and kept over a change of the ruleset.

The sets are bounded and cost nothing to keep; nobody reads them now and then. A new ruleset begins with empty ones, so
what stands is folded into a ledger first: a bounded file on the cell's tmpfs.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from anden.engines.local.cell import nft
from anden.engines.local.render.nftables import FIRST, LAST, MOST_NOTED, NOTED_S
from anden.engines.local.render.outside import TABLE
from anden.model.configuration import Configuration
from anden.model.problem import Problems
from anden.model.refused import Attempt

Key = tuple[str, str, str, int]
"""Source, destination, transport, port."""
Run = Callable[[str], str]


@dataclass(slots=True)
class Seen:
    """How often, and when first and last (Unix seconds)."""

    count: int
    first: float
    last: float


def read(first: str, last: str, now: float) -> dict[Key, Seen]:
    """From both sets as nftables lists them in JSON. What is left of an element's time tells when it was made."""
    ends = {_key(element): _made(element, now) for element in _elements(last)}
    found = {}
    for element in _elements(first):
        key, began = _key(element), _made(element, now)
        found[key] = Seen(int(element["counter"]["packets"]), began, max(ends.get(key, began), began))
    return found


def merged(one: Mapping[Key, Seen], other: Mapping[Key, Seen], now: float) -> dict[Key, Seen]:
    """Both together, without what is older than NOTED_S; the MOST_NOTED latest."""
    found = dict(one)
    for key, seen in other.items():
        known = found.get(key)
        found[key] = (
            seen
            if known is None
            else Seen(known.count + seen.count, min(known.first, seen.first), max(known.last, seen.last))
        )
    young = [(key, seen) for key, seen in found.items() if now - seen.last <= NOTED_S]
    return dict(sorted(young, key=lambda each: -each[1].last)[:MOST_NOTED])


class Ledger:
    """Everything refused, also under rulesets that have gone."""

    def __init__(self, file: Path, run: Run | None = None, sets: tuple[str, str] = (FIRST, LAST)) -> None:
        """run: gives a command to nftables and returns its JSON; raises Problems. sets: those that it reads."""
        self._file = file
        self._sets = sets
        self._questions = file.with_name(f"ours-{file.name}")
        self._run = run or (lambda text: nft.run(text, json=True))

    def all(self, now: float) -> dict[Key, Seen]:
        """Now. Call it in the hub's network namespace."""
        return merged(self._kept(), self._standing(now), now)

    def fold(self, now: float, but: Collection[Key] = ()) -> None:
        """Keep what stands and begin anew: the ruleset is about to be replaced, or probes to be made. but: what probes
        of ours have just tried, which is no news. Raises OSError."""
        standing = self._standing(now)
        if standing:
            news = {key: seen for key, seen in standing.items() if key not in but}
            rows = [[*key, asdict(seen)] for key, seen in merged(self._kept(), news, now).items()]
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(rows))
            new.replace(self._file)
            self._run("".join(f"flush set inet {TABLE} {name}\n" for name in self._sets))

    def forgive(self, questions: Iterable[tuple[str, str]]) -> None:
        """These questions (service and name) were ours: they do not count."""
        ours = self._ours()
        for service, name in questions:
            known = next((one for one in ours if one[:2] == [service, name]), None)
            if known is None:
                ours.append(known := [service, name, 0])
            known[2] += 1
        new = self._questions.with_suffix(".new")
        new.write_text(json.dumps(ours[-MOST_NOTED:]))
        new.replace(self._questions)

    def asked(self, noted: Iterable[Mapping[str, Any]]) -> list[Attempt]:
        """The questions that the resolver refused, without ours."""
        ours = {(service, name): count for service, name, count in self._ours()}
        left = [(one, one["count"] - ours.get((one["service"], one["name"]), 0)) for one in noted]
        return [
            Attempt(one["service"], one["name"], None, "dns", count, one["first"], one["last"], one["why"])
            for one, count in left
            if count > 0
        ]

    def _ours(self) -> list[list[Any]]:
        with suppress(OSError, ValueError):
            found: list[list[Any]] = json.loads(self._questions.read_text())
            return found
        return []

    def attempts(self, configuration: Configuration, now: float) -> list[Attempt]:
        """By service."""
        services = {str(m.address): str(b.service) for b in configuration.backends for m in b.members}
        return [
            Attempt(services[source], to, port, transport, seen.count, seen.first, seen.last)
            for (source, to, transport, port), seen in self.all(now).items()
            if source in services
        ]

    def dialled(self, configuration: Configuration, now: float) -> list[Attempt]:
        """By the link behind which it began; why says who it was."""
        found = []
        for (source, to, transport, port), seen in self.all(now).items():
            for link in (linked.link for linked in configuration.links):
                if any(IPv4Address(source) in network for network in link.networks):
                    why = f"from {source}"
                    found.append(Attempt(link.caller, to, port, transport, seen.count, seen.first, seen.last, why))
        return found

    def _kept(self) -> dict[Key, Seen]:
        with suppress(OSError, ValueError, TypeError):
            return {
                (source, to, transport, port): Seen(**seen)
                for source, to, transport, port, seen in json.loads(self._file.read_text())
            }
        return {}

    def _standing(self, now: float) -> dict[Key, Seen]:
        with suppress(Problems):  # no ruleset yet
            first, last = (self._run(f"list set inet {TABLE} {name}") for name in self._sets)
            return read(first, last, now)
        return {}


def _elements(said: str) -> list[dict[str, Any]]:
    return [
        each["elem"] for part in json.loads(said).get("nftables", ()) for each in part.get("set", {}).get("elem", ())
    ]


def _key(element: Mapping[str, Any]) -> Key:
    source, to, transport, port = element["val"]["concat"]
    return source, to, transport, int(port)


def _made(element: Mapping[str, Any], now: float) -> float:
    return now - (float(element.get("timeout", NOTED_S)) - float(element["expires"]))
