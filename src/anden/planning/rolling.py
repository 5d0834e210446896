"""One service on its way from what runs to what should run: which instances start, which stop, and what waits.

By state alone: nothing is remembered from one tick to the next, so whatever stopped half-way goes on from there.

- *current*: an instance that is just what should run in its slot. *old*: any other that nobody has told to go.
- Empty slots of the level get a current instance at once. Where old ones stand, up to `surge` current ones start in
  slots beyond the level.
- What serves is stopped only in excess of the level: a version that never becomes healthy is never in excess, so
  it stops nothing. An old instance that does not serve may go at once.
- When every slot of the level has a current instance that serves, whatever else there is goes.
- The slots of a lost zone (see `model.zones`) are passed over: the level then uses the first slots of the zones left,
  and what stands in the lost zone neither counts nor is told anything until the zone is back.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from anden.model.ids import Digest, InstanceId
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import Health, InstanceSeen, InstanceState
from anden.model.plan import Wait
from anden.model.zones import Lost
from anden.planning.instances import LEAVING, Wanted

NAMED_AT_MOST = 2
"""How many instances a reason names before it says `and n more`."""


@dataclass(frozen=True, slots=True)
class Occupied:
    """Everything that was seen, whatever its service. twins: names that were seen more than once."""

    ids: Mapping[InstanceId, InstanceSeen]
    addresses: Mapping[IPv4Address, Sequence[InstanceSeen]]
    twins: Collection[InstanceId] = ()

    def other(self, wanted: Wanted, ordinal: int) -> InstanceSeen | None:
        """Who has the slot's name or, failing that, its address. None: the slot is free."""
        here = self.ids.get(wanted.id(ordinal))
        return here or next(iter(self.addresses.get(wanted.slots[ordinal].address, ())), None)


def occupied(instances: Iterable[InstanceSeen]) -> Occupied:
    """What `instances` occupy."""
    ids: dict[InstanceId, InstanceSeen] = {}
    twins: set[InstanceId] = set()
    addresses: dict[IPv4Address, list[InstanceSeen]] = {}
    for seen in instances:
        if seen.id in ids:
            twins.add(seen.id)
        ids[seen.id] = seen
        addresses.setdefault(seen.address, []).append(seen)
    return Occupied(ids, addresses, twins)


@dataclass(frozen=True, slots=True)
class Roll:
    """What one tick does for a service, each with its reason.

    rolled: only current instances are left, and every one of the level was healthy at least once.
    ready: what should run is enough to take over: all of the level was healthy, and one serves now.
    stranded: what stands in a lost zone.
    """

    starts: tuple[tuple[Instance, str], ...]
    stops: tuple[tuple[InstanceSeen, str], ...]
    waits: tuple[Wait, ...]
    rolled: bool
    ready: bool
    stranded: tuple[InstanceSeen, ...] = ()


def roll(wanted: Wanted, seen: Sequence[InstanceSeen], taken: Occupied, lost: Lost = frozenset()) -> Roll:
    """The next moves of one service. seen: its instances, each name once (any of its twins)."""
    return _Rolling(wanted, seen, taken, lost).roll()


def been_healthy(seen: InstanceSeen) -> bool:
    """It is healthy or was, as it is specified now."""
    return seen.ever_healthy or seen.serving


def idle(seen: InstanceSeen) -> bool:
    """It surely serves nobody. One that was healthy and is unknown now (a balancer that has just come back) may."""
    return not seen.serving and not (
        seen.health is Health.UNKNOWN
        and seen.ever_healthy
        and seen.state in (InstanceState.RUNNING, InstanceState.STARTING)
    )


def version_of(seen: InstanceSeen) -> str:
    """What people call the version that it runs; empty when its name does not say."""
    return Image(seen.image_name, Digest("")).version


def until_healthy(ids: Sequence[InstanceId]) -> str:
    """`until accounts-1 and accounts-3 are healthy`."""
    if len(ids) == 1:
        return f"until {ids[0]} is healthy"
    named = ", ".join(ids[:NAMED_AT_MOST]) if len(ids) > NAMED_AT_MOST else " and ".join(ids)
    more = f" and {len(ids) - NAMED_AT_MOST} more" if len(ids) > NAMED_AT_MOST else ""
    return f"until {named}{more} are healthy"


class _Rolling:
    def __init__(self, wanted: Wanted, everything: Sequence[InstanceSeen], taken: Occupied, lost: Lost) -> None:
        self.wanted = wanted
        self.taken = taken
        self.stranded = [one for one in everything if one.zone in lost]
        seen = [one for one in everything if one.zone not in lost]
        self.usable = [n for n in wanted.slots if wanted.slots[n].zone not in lost]
        self.present = len(seen)
        self.leaving = [one for one in seen if one.state in LEAVING]
        staying = [one for one in seen if one.state not in LEAVING]
        self.current = {one.ordinal: one for one in staying if one.id not in taken.twins and wanted.current(one)}
        standing = {one.id for one in self.current.values()}
        self.old = [one for one in staying if one.id not in standing]
        self.chosen = {ordinal: place for place, ordinal in enumerate(self._choose(), start=1)}
        """The slots of the level, in order, each with its place; fewer when the zones left have no more."""
        self.serving = sum(one.serving for one in staying)
        self.level = [self.current[n] for n in self.chosen if n in self.current]
        self.surplus = [one for ordinal, one in sorted(self.current.items()) if ordinal not in self.chosen]
        self.complete = len(self.level) == len(self.chosen) and all(one.serving for one in self.level)

    def _choose(self) -> list[int]:
        """The first slots; in the place of those of a lost zone, the ones beyond the level where somebody stands in
        already, for another zone's loss or return is no reason to move, and then the first free ones."""
        first = [n for n in self.usable if n <= self.wanted.level]
        beyond = [n for n in self.usable if n > self.wanted.level]
        beyond.sort(key=lambda n: n not in self.current)
        return sorted(first + beyond[: self.wanted.level - len(first)])

    def roll(self) -> Roll:
        stops = list(self._stops())
        stopped = {one.id for one, _ in stops}
        starts = list(self._starts(stopped))
        waits = tuple(self._waits(stopped, [instance.id for instance, _ in starts]))
        wanted = self.wanted
        healthy = len(self.level) == len(self.chosen) and all(been_healthy(one) for one in self.level)
        fit = [one for one in self.current.values() if been_healthy(one)]
        serves = any(one.serving for one in fit)
        return Roll(
            starts=tuple(starts),
            stops=tuple(stops),
            waits=waits,
            rolled=healthy and not self.old and all(wanted.matches(one) for one in self.leaving),
            ready=wanted.level == 0 or (len(fit) >= len(self.chosen) and serves),
            stranded=tuple(self.stranded),
        )

    def _stops(self) -> Iterator[tuple[InstanceSeen, str]]:
        # Told to go already, perhaps by somebody who died meanwhile: telling again is harmless, and somebody must.
        for one in self.leaving:
            yield one, "was told to go and is still there"
        for one in self.old:
            if self.complete or idle(one):
                yield one, self._why_old(one)
        if self.complete:
            for one in self.surplus:
                yield one, f"level {self._level()}"
            return
        excess = self.serving - self.wanted.level
        for one in self._in_turn(excess):
            yield one, self._why_old(one) if one in self.old else f"level {self._level()}"

    def _in_turn(self, excess: int) -> list[InstanceSeen]:
        """What serves and may be stopped, most dispensable first: old ones beyond the level; old ones of the level,
        each time in the zone in which most serve; then current ones beyond the level, the last first."""
        beyond = [one for one in self.old if one.serving and one.ordinal not in self.chosen]
        turn = sorted(beyond, key=lambda one: (-one.ordinal, one.id))[: max(excess, 0)]
        within = [one for one in self.old if one.serving and one not in beyond]
        serving = [one for one in (*self.old, *self.current.values()) if one.serving and one not in turn]
        while within and len(turn) < excess:
            crowd = {zone: sum(one.zone == zone for one in serving) for zone in {one.zone for one in within}}
            next_one = min(within, key=lambda one: (-crowd[one.zone], one.ordinal, one.id))
            within.remove(next_one)
            serving.remove(next_one)
            turn.append(next_one)
        last = [one for one in reversed(self.surplus) if one.serving]
        return turn + last[: max(excess - len(turn), 0)]

    def _starts(self, stopped: Collection[InstanceId]) -> Iterator[tuple[Instance, str]]:
        wanted = self.wanted
        room = max(wanted.most - self.present, 0)
        free = [n for n in self.usable if self.taken.other(wanted, n) is None]
        for ordinal in [n for n in free if n in self.chosen][:room]:
            yield wanted.instance(ordinal), self._why_started(ordinal)
            room -= 1
        ahead = sum(one.id not in stopped for one in self.surplus)
        extra = min(wanted.surge, self._to_replace(stopped)) - ahead
        for ordinal in [n for n in free if n not in self.chosen][: max(min(extra, room), 0)]:
            yield wanted.instance(ordinal), f"surge for {wanted.service.name} {wanted.version}"

    def _to_replace(self, stopped: Collection[InstanceId]) -> int:
        """How many slots of the level somebody has who will not go before somebody else serves."""
        count = 0
        for ordinal in self.chosen:
            other = self.taken.other(self.wanted, ordinal)
            stands = other is not None and ordinal not in self.current
            count += bool(other and stands and other.id not in stopped and other.state not in LEAVING)
        return count

    def _waits(self, stopped: Collection[InstanceId], started: Sequence[InstanceId]) -> Iterator[Wait]:
        coming = [one.id for one in self.current.values() if not one.serving and one.id not in stopped]
        until = until_healthy([*coming, *started]) if coming or started else self._until_replaced(stopped)
        for one in self.level:
            if not one.serving:
                yield Wait(one.id, "until it is healthy")
        for one in (*self.old, *self.surplus):
            if one.id not in stopped:
                yield Wait(one.id, until)
        for one in self.stranded:
            yield Wait(one.id, f"until zone {one.zone} answers again")
        for ordinal in self.chosen:
            named, other = self.wanted.id(ordinal), self.taken.other(self.wanted, ordinal)
            if other is None and named not in started:
                yield Wait(
                    named, f"until fewer than {self.wanted.most} instances of {self.wanted.service.name} are there"
                )
            elif other is not None and other.id != named:
                yield Wait(named, f"until {other.id} leaves {other.address}")
            elif other is not None and named in stopped:
                yield Wait(named, "until the old one has stopped")

    def _until_replaced(self, stopped: Collection[InstanceId]) -> str:
        level = (self.wanted.id(ordinal) for ordinal in self.chosen)
        turn = next((named for named in level if named in stopped), None)
        return f"until {turn} runs {self.wanted.version}" if turn else "until a slot is free"

    def _why_started(self, ordinal: int) -> str:
        if self.old or self.leaving:
            return self._takes_over()
        if ordinal > self.wanted.level and self.stranded:
            zones = sorted({one.zone for one in self.stranded})
            return f"stands in: zone {', '.join(zones)} does not answer"
        return f"level {self._level(self.chosen[ordinal])}"

    def _why_old(self, one: InstanceSeen) -> str:
        version = version_of(one)
        known = version and version != self.wanted.version
        what = f"runs {version}" if known else "is not as specified now"
        return what if one.serving else f"{what} and does not serve"

    def _takes_over(self) -> str:
        versions = {version_of(one) for one in (*self.old, *self.leaving)} - {"", self.wanted.version}
        after = f" after {', '.join(sorted(versions))}" if versions else ", specified anew"
        return f"{self.wanted.service.name} {self.wanted.version}{after}"

    def _level(self, ordinal: int | None = None) -> str:
        shown = self.wanted.level if ordinal is None else ordinal
        span = self.wanted.service.instances
        return f"{shown} of {span}" if span.base != span.max else f"{shown} of {span.max}"
