"""Links of a simulated environment: tunnels that rise when the other side stands, fall when they are cut, and rise
again by themselves, in virtual time.

Nothing is encrypted here: what is the same as on the twin is what can be seen of it, how long it takes, and what gets
through.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from anden.assess.outages import followed
from anden.model.blueprint import Layout
from anden.model.configuration import Configuration, Linked
from anden.model.ids import ZoneName
from anden.model.link import Endpoint, LinkSeen, Outage, TunnelSeen
from anden.model.problem import Problem
from anden.model.topology import Link
from anden.planning.link_policies import WATCH
from anden.planning.links import SEEN, inside, shares

NEVER = float("inf")
RISES_S = 0.5
"""From when a tunnel may be up until it is."""
FIRST_ENDPOINT = IPv4Address("198.18.1.0")
"""Behind the fixed addresses that instances leave from; of networks that are kept for tests (RFC 2544)."""


@dataclass(slots=True)
class Strand:
    """One tunnel. since: Unix seconds by the wall clock of then; 0: nothing is known yet. cut_until: steady; None: it
    is not cut. turns_at: when it shows whether it can be up; None: it shows it already."""

    number: int
    turns_at: float | None
    up: bool = False
    since: float = 0.0
    lowered: bool = False
    cut_until: float | None = None


@dataclass(slots=True)
class Tether:
    """A link. Its times are steady, but where they are told."""

    linked: Linked
    strands: list[Strand]
    outage: Outage | None = None

    @property
    def by(self) -> int | None:
        """The tunnel that carries; None: none."""
        return min((each.number for each in self.strands if each.up), default=None)

    def seen(self, datacentre: bool) -> LinkSeen:
        """As an observation shows it."""
        link = self.linked.link
        return LinkSeen(link.name, link.peer, self.by, tuple(self._tunnels()), datacentre, outage=self.outage)

    def turned(self, at: float, wall: float, datacentre: bool) -> bool:
        """Something is otherwise with one of them: what follows of it is due, and what follows at once happens. Whether
        anything did. wall: what a wall clock shows at `at`."""
        changed = False
        for each in self.strands:
            able = datacentre and not each.lowered and each.cut_until is None
            if each.up == able and each.since:
                each.turns_at = None
            else:
                shows = at + (RISES_S if able else 0.0 if each.lowered else WATCH.notices_s)
                each.turns_at = shows if each.turns_at is None else min(each.turns_at, shows)
            if each.turns_at is not None and each.turns_at <= at:
                each.turns_at = None
                changed = changed or each.up != able or not each.since
                each.up, each.since = able, wall
        self.outage = followed(self.outage, self._tunnels(), wall)
        return changed

    def _tunnels(self) -> list[TunnelSeen]:
        link = self.linked.link
        outside = endpoints(self.linked.number, len(self.strands))
        silent = "nothing came back from there, neither a yes nor a no"
        return [
            TunnelSeen(
                each.number, each.up, each.since, str(outside[each.number - 1].address), each.lowered,
                problem=None if each.up or each.lowered or not each.since else Problem(
                    f"link {link.name}, tunnel {each.number}", f"{link.peer} does not answer", silent,
                    "The other side stands with `anden up --with-datacentre`; what is cut comes back by itself.",
                ),
            )
            for each in self.strands
        ]  # fmt: skip


@dataclass(slots=True)
class Tethers:
    """All links of an environment. datacentre: somebody stands on the other side of them."""

    links: dict[str, Tether] = field(default_factory=dict)
    datacentre: bool = False

    def configure(self, wanted: Iterable[Linked], at: float) -> None:
        """Exactly these. One that both sides agree on as before keeps its tunnels, whatever it lets in; another one's
        rise anew."""
        known, self.links = self.links, {}
        for linked in wanted:
            kept = known.get(linked.link.name)
            if kept is not None and _agreed(kept.linked) == _agreed(linked):
                kept.linked = linked
                self.links[linked.link.name] = kept
                continue
            limit = at + (RISES_S if self.datacentre else WATCH.notices_s)
            strands = [Strand(number, limit) for number in range(1, linked.link.tunnels + 1)]
            self.links[linked.link.name] = Tether(linked, strands)

    def due(self) -> float:
        """When the next thing happens by itself; NEVER."""
        strands = [each for tether in self.links.values() for each in tether.strands]
        return min((at for each in strands for at in (each.turns_at, each.cut_until) if at is not None), default=NEVER)

    def pass_until(self, now: float, shift: float) -> int:
        """Everything due until `now` happens, in order; how many things did. shift: from steady to the wall clock's."""
        count = 0
        while (at := self.due()) <= now:
            for tether in self.links.values():
                for each in tether.strands:
                    if each.cut_until is not None and each.cut_until <= at:
                        each.cut_until = None
            count += self.turned(at, shift)
        return count

    def turned(self, at: float, shift: float) -> int:
        """After a change of anything: what follows of it. How many links changed."""
        return sum(tether.turned(at, at + shift, self.datacentre) for tether in self.links.values())


def _agreed(linked: Linked) -> tuple[Link, int]:
    return replace(linked.link, incoming=()), linked.number


def endpoints(number: int, tunnels: int, *, bgp: bool = False) -> tuple[Endpoint, ...]:
    """Those of the link with that number, the preferred one first: invented, and the same whatever else there is."""
    first = FIRST_ENDPOINT + tunnels * (number - 1)
    return tuple(Endpoint(first + place, inside(number, place + 1, bgp=bgp)) for place in range(tunnels))


def seen_as(linked: Linked, layout: Layout, zone: str, own: IPv4Address) -> IPv4Address:
    """The address that the other side sees of an instance in that zone. own: the instance's."""
    if linked.link.seen_as is None:
        return own
    zones = [each.name for each in layout.zones]
    return dict(shares(linked.link.seen_as, zones))[ZoneName(zone)].network_address + SEEN


def behind(configuration: Configuration, address: IPv4Address) -> Linked | None:
    """The link behind which it lies."""
    return next((one for one in configuration.links if any(address in each for each in one.link.networks)), None)
