"""What happened, in order: the only thing that the judge is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from anden.engines.simulated.faults import Kind
from anden.engines.simulated.world import World
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.event import Event
from anden.model.ids import Digest
from anden.model.observation import Health, InstanceState, Observation
from anden.model.plan import Step
from anden.model.problem import Problem

START = 1_700_000_000.0
"""When every history begins, Unix seconds."""
SERVING = (InstanceState.RUNNING, InstanceState.STARTING)


class Being(NamedTuple):
    """An instance as it really is. since: when this specification was started, seconds since START."""

    id: str
    service: str
    image: str
    address: str
    serving: bool
    ever_healthy: bool
    since: float
    zone: str = ""


class Truth(NamedTuple):
    """An environment as it really is; present False: there is none."""

    present: bool
    beings: tuple[Being, ...] = ()
    configuration: Configuration | None = None
    outages: tuple[tuple[str, float, float | None], ...] = ()
    """Of each link the latest: its name, since when, until when, by the wall clock of then."""

    def serving(self, service: str) -> frozenset[str]:
        """The ids of those that serve."""
        return frozenset(one.id for one in self.beings if one.service == service and one.serving)


def truth(world: World | None) -> Truth:
    """Read from the simulated world itself, past everything that may be wrong with seeing it."""
    if world is None:
        return Truth(False)
    beings = tuple(
        Being(
            one.instance.id,
            one.instance.service,
            one.instance.image_name,
            str(one.instance.address),
            one.health is Health.HEALTHY and one.state in SERVING,
            one.ever_healthy,
            one.since - START,
            one.instance.zone,
        )
        for one in world.residents.values()
    )
    latest = ((name, each.outage) for name, each in world.tethers.links.items() if each.outage is not None)
    return Truth(True, beings, world.configuration, tuple((name, one.since, one.until) for name, one in latest))


@dataclass(frozen=True, slots=True)
class Looked:
    """Control looked. given: what it was shown (None: nothing); version: of the truth then."""

    given: Observation | None
    version: int
    true: Truth


@dataclass(frozen=True, slots=True)
class Did:
    """An effect, as the engine did it, or did not. cut: the control plane died meanwhile."""

    step: Step
    problem: Problem | None
    before: Truth
    after: Truth
    cut: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A call that has written. acknowledged: whoever called lived to hear it. ticking: a tick called."""

    name: str
    arguments: tuple[Any, ...]
    result: Any
    acknowledged: bool
    ticking: bool


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody asked for something. asked: the command's name and what it was given, for the judge."""

    number: int
    name: str
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A command told this."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended for whoever asked. how: `told` (its END came), `raised`, `closed` by who asked, `died`.
    recorded: the id in the record, None when it never came so far."""

    number: int
    how: str
    outcome: str
    recorded: int | None


@dataclass(frozen=True, slots=True)
class Born:
    """Another control plane over what the last one left. target: what the records say should be."""

    target: Any


@dataclass(frozen=True, slots=True)
class Marked:
    """Something that the driver did or saw: `calm`, `settled`, `not settled`."""

    what: str
    true: Truth | None = None


Entry = Looked | Did | Stored | Struck | Begun | Said | Ended | Born | Marked


@dataclass
class History:
    """Entries with the time of each (steady seconds since the beginning), and the blueprints that they speak of."""

    entries: list[tuple[float, Entry]] = field(default_factory=list)
    blueprints: dict[Digest, Blueprint] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """As a person reads it."""
        for at, entry in self.entries:
            if (text := _line(entry)) is not None:
                yield f"{at:9.2f}  {text}"


def _line(entry: Entry) -> str | None:  # noqa: PLR0911 - one return for each kind
    match entry:
        case Looked(given, version):
            if given is None:
                return f"  looks      and sees nothing (version {version})"
            old = "" if given.version == version else f" (an old one: it is {version})"
            seen = " ".join(_seen(one) for one in given.instances) if given.present else "absent"
            return f"  looks      version {given.version}{old}: {seen or 'nothing in it'}"
        case Did(step, problem, _, after, cut):
            how = "CUT " if cut else ""
            now = " ".join(f"{one.id}{'' if one.serving else '…'}" for one in after.beings)
            return f"  does       {how}{step.action} {step.address}: {problem or step.reason}  [{now}]"
        case Stored(name, arguments, _, acknowledged, ticking):
            if name in ("put_blueprint", "put_observation"):
                return None
            heard = "" if acknowledged else " AND DIES BEFORE IT HEARS"
            return f"  writes     {name} {_brief(arguments)}{' (tick)' if ticking else ''}{heard}"
        case Struck(kind, what):
            return f"! {kind:<10} {what}"
        case Begun(number, name, asked):
            return f"> {number}: {name} {_brief(tuple(asked.values()))}"
        case Said(number, event):
            return f"  tells {number}    {event.sign} {event.subject} {event.text}".rstrip()
        case Ended(number, how, outcome, recorded):
            return f"< {number}: {how} {outcome} (record {recorded})"
        case Born():
            return "* another control plane begins"
        case Marked(what):
            return f"* {what}"


def _seen(one: Any) -> str:
    return f"{one.id}={one.image_name}{'' if one.serving else f'({one.state}, {one.health})'}"


def _brief(arguments: tuple[Any, ...]) -> str:
    words = []
    for one in arguments:
        if hasattr(one, "blueprint") and hasattr(one, "levels"):
            levels = dict(one.levels)
            words.append(f"target {str(one.blueprint)[7:11]} levels {levels} deployed {dict(one.deployed)}")
        elif hasattr(one, "services"):
            named = ", ".join(f"{s.name} {s.image} {s.base}..{s.most} :{s.port}" for s in one.services)
            words.append(f"[{one.zones} zones: {named}]")
        else:
            words.append(str(one))
    return " ".join(words)
