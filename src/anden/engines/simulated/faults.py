"""What goes wrong, by seed: the simulated engine consults this source, and without one nothing goes wrong.

Every draw comes from the one generator that it is given, so a seed is a history. The control plane's death is raised
as ControlDied, through everything; whoever drives the simulation catches it and begins another control plane.

Another kind of fault is one more member of Kind and one more method in `_happenings`.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from random import Random

from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.world import Resident, World
from anden.model.blueprint import Zone
from anden.model.fault import Fault, FaultKind, Outage
from anden.model.observation import InstanceState, Observation
from anden.model.plan import Step
from anden.model.problem import Problem, Problems

HOUR_S = 3600.0
MOST_KEPT = 8
"""How many observations back a late one may be."""
SICK_S = (1.0, 90.0)
"""How long an instance that hangs answers badly."""
MOST_FLAPS = 6
FLAP_S = 0.7
"""A flapping instance exits that long after each start, so many times at most."""
SLOW_S = (0.5, 20.0)
"""How long a slow effect takes; one in TEN_TIMES takes ten times as long."""
TEN_TIMES = 8
REFUSING_S = (1.0, 60.0)
"""How long an engine refuses everything, when it does not refuse one step only."""
OUTAGE_S = (3.0, 120.0)
"""How long a zone is silent."""
GOES = 0.15
"""How often it is the other side that goes, and not a tunnel that is cut."""
CUT_S = (1.0, 90.0)
"""How long a tunnel is cut."""
LEAVING_S = (0.1, 30.0)
"""How long an instance goes on leaving, when whoever told it to go has died meanwhile."""


class Kind(StrEnum):
    """Every kind of fault."""

    CRASH = "crash"
    """The control plane dies: before, within or after an effect, or at a call that it makes."""
    LOST = "lost"
    """The engine cannot be asked."""
    LATE = "late"
    """An older observation is shown again."""
    DOUBLED = "doubled"
    """The observation shown last is shown once more."""
    TWIN = "twin"
    """One instance is named twice in an observation."""
    SLOW = "slow"
    """An effect takes seconds or minutes."""
    REFUSED = "refused"
    """A step is refused, or all of them for a while."""
    EXIT = "exit"
    """An instance's process ends."""
    HANG = "hang"
    """An instance answers badly for a while."""
    FLAP = "flap"
    """An instance ends again and again."""
    VANISH = "vanish"
    """The environment dies as a whole."""
    JUMP = "jump"
    """Somebody sets the wall clock."""
    OUTAGE = "outage"
    """A zone falls silent for a while, or returns before its time."""
    CUT = "cut"
    """The tunnels of a link are cut for a while, one or both; or its other side comes, or goes."""


AT_A_TURN = (Kind.EXIT, Kind.HANG, Kind.FLAP, Kind.VANISH, Kind.JUMP, Kind.OUTAGE)
"""What may happen whenever anybody looks at the engine."""
JUMPS_S = (-HOUR_S, HOUR_S, -30.0, 30.0, -1.0, 1.0, 0.05)


class ControlDied(BaseException):
    """The control plane is killed here."""


class Faults:
    """random: the source of chance. rates: kind to how probable it is at each occasion; absent kinds never happen.
    tell: hears of each fault, for the history. links: chance for what happens to links, so that where there are none
    everything else is as it would be; None: nothing happens to them."""

    def __init__(
        self, random: Random, rates: Mapping[Kind, float], tell: Callable[[Kind, str], None] = lambda kind, what: None,
        links: Random | None = None,
    ) -> None:  # fmt: skip
        self.count: Counter[Kind] = Counter()
        self._random, self._links = random, links
        self._rates = dict(rates)
        self._tell = tell
        self._shown: deque[Observation] = deque(maxlen=MOST_KEPT)
        self._given: Observation | None = None
        self._refuses_until = 0.0
        self._happenings: dict[Kind, Callable[[VirtualClock, Mapping[str, World]], str]] = {
            Kind.EXIT: self._exit,
            Kind.HANG: self._hang,
            Kind.FLAP: self._flap,
            Kind.VANISH: self._vanish,
            Kind.JUMP: self._jump,
            Kind.OUTAGE: self._outage,
        }

    def calm(self) -> None:
        """From now on nothing more goes wrong. What is under way (a sick instance, a wrong clock) takes its time."""
        self._rates.clear()
        self._refuses_until = 0.0

    def forget(self) -> None:
        """Somebody else asks from now on, and is shown nothing that was shown before."""
        self._shown.clear()
        self._given = None

    def crash(self, where: str, times: float = 1.0) -> None:
        """The control plane may die here; `times` as probably as elsewhere."""
        if self._strikes(Kind.CRASH, times):
            self._say(Kind.CRASH, where)
            raise ControlDied(where)

    def slow_s(self, step: Step) -> float:
        """How much longer than usual this effect takes."""
        if not self._strikes(Kind.SLOW):
            return 0.0
        seconds = self._random.uniform(*SLOW_S) * (10.0 if self._random.randrange(TEN_TIMES) == 0 else 1.0)
        self._say(Kind.SLOW, f"{step.address} takes {seconds:.1f} s")
        return seconds

    def refusal(self, step: Step, now: float) -> Problem | None:
        """Why this step is not done."""
        if now >= self._refuses_until:
            if not self._strikes(Kind.REFUSED):
                return None
            lasting = self._random.uniform(*REFUSING_S) if self._random.random() < 0.3 else 0.0
            self._refuses_until = now + lasting
        self._say(Kind.REFUSED, step.address)
        return Problem(step.address, "the engine refuses", "a fault that was put in", "Try again.")

    def leaving_s(self) -> float | None:
        """How long what was told to go still takes, when nobody waits for it. None: until it is told again."""
        return None if self._random.random() < 0.3 else self._random.uniform(*LEAVING_S)

    def observed(self, true: Observation) -> Observation:
        """What is shown in the place of the truth. Raises Problems when nothing is."""
        if self._strikes(Kind.LOST):
            self._say(Kind.LOST, "an observation")
            raise Problems(
                Problem(str(true.key), "the engine cannot be asked", "a fault that was put in", "Try again.")
            )
        given = true
        if true.present and self._shown and self._strikes(Kind.LATE):
            given = self._random.choice(self._shown)
            self._say(Kind.LATE, f"version {given.version} for {true.version}")
        elif true.present and self._given is not None and self._strikes(Kind.DOUBLED):
            given = self._given
            self._say(Kind.DOUBLED, f"version {given.version} for {true.version}")
        elif true.instances and self._strikes(Kind.TWIN):
            twin = self._random.choice(true.instances)
            given = replace(true, instances=(*true.instances, twin))
            self._say(Kind.TWIN, twin.id)
        if true.present:
            self._shown.append(true)
        else:
            self.forget()
        self._given = given if given.present else None
        return given

    def turn(self, clock: VirtualClock, worlds: Mapping[str, World]) -> tuple[str, ...]:
        """What happens now that somebody looks, to instances and to the clock. The keys of worlds that end."""
        if self._links is not None and self._links.random() < self._rates.get(Kind.CUT, 0.0):
            self._cut(self._links, clock, worlds)
        ended = []
        for kind in AT_A_TURN:
            if self._strikes(kind) and (what := self._happenings[kind](clock, worlds)):
                self._say(kind, what)
                if kind is Kind.VANISH:
                    ended.append(what)
        return tuple(ended)

    # One method for each kind that happens by itself: does it, and says to whom; empty when there is nobody.

    def _exit(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        return self._hit(worlds, lambda one: one.end(clock.steady()))

    def _hang(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        until = clock.steady() + self._random.uniform(*SICK_S)
        return self._hit(worlds, lambda one: one.sicken(clock.steady(), until))

    def _flap(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        times = self._random.randint(2, MOST_FLAPS)

        def begin(one: Resident) -> None:
            one.flaps, one.flap_s = times, FLAP_S
            one.end(clock.steady())

        return self._hit(worlds, begin)

    def _vanish(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        return self._random.choice(sorted(worlds)) if worlds else ""

    def _jump(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        seconds = self._random.choice(JUMPS_S)
        clock.jump(seconds)
        return f"{seconds:+g} s"

    def _outage(self, clock: VirtualClock, worlds: Mapping[str, World]) -> str:
        """One zone at a time: what is promised for two at once is nothing."""
        places = [(world, str(zone.name)) for _, world in sorted(worlds.items()) for zone in _several(world)]
        if not places:
            return ""
        world, zone = self._random.choice(places)
        if world.outages:
            (back,) = world.outages
            world.rejoin(back, clock.steady())
            return f"zone {back} returns"
        until = clock.steady() + self._random.uniform(*OUTAGE_S)
        world.fail(Fault(FaultKind.ZONE, zone, self._random.choice(list(Outage)), until), clock.steady())
        return f"zone {zone}"

    def _cut(self, chance: Random, clock: VirtualClock, worlds: Mapping[str, World]) -> None:
        """The other side stands after the first time, and mostly since."""
        known = [world.tethers for _, world in sorted(worlds.items()) if world.tethers.links]
        if not known:
            return
        tethers = chance.choice(known)
        name = chance.choice(sorted(tethers.links))
        strands = tethers.links[name].strands
        if not tethers.datacentre or chance.random() < GOES:
            tethers.datacentre = not tethers.datacentre
            what = f"the other side of links {'comes' if tethers.datacentre else 'goes'}"
        else:
            cut = chance.choice((strands, strands, *([each] for each in strands)))
            for each in cut:
                each.cut_until = clock.steady() + chance.uniform(*CUT_S)
            what = f"link {name}, tunnel {' and '.join(str(each.number) for each in cut)}"
        tethers.turned(clock.steady(), clock.now() - clock.steady())
        self._say(Kind.CUT, what)

    def _hit(self, worlds: Mapping[str, World], how: Callable[[Resident], None]) -> str:
        running = [one for _, world in sorted(worlds.items()) for one in _running(world.residents.values())]
        if not running:
            return ""
        one = self._random.choice(running)
        how(one)
        return one.instance.id

    def _strikes(self, kind: Kind, times: float = 1.0) -> bool:
        rate = self._rates.get(kind, 0.0) * times
        return rate > 0.0 and self._random.random() < rate

    def _say(self, kind: Kind, what: str) -> None:
        self.count[kind] += 1
        self._tell(kind, what)


def _several(world: World) -> tuple[Zone, ...]:
    """The zones of a world that has more than one."""
    zones = world.configuration.layout.zones
    return zones if len(zones) > 1 else ()


def _running(residents: Iterable[Resident]) -> list[Resident]:
    found = [one for one in residents if one.state in (InstanceState.STARTING, InstanceState.RUNNING)]
    return sorted(found, key=lambda one: one.instance.id)
