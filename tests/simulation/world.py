"""The world of one seed: control over the simulated engine, commands by seed, faults by seed, and the history."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.history import (
    START,
    Begun,
    Born,
    Did,
    Ended,
    Entry,
    History,
    Looked,
    Marked,
    Said,
    Stored,
    Struck,
    Truth,
    truth,
)
from tests.simulation.life import WRITES, Life, MemoryRecords, Mortal
from tests.simulation.runner import PatientRunner
from tests.simulation.wishes import BAD, CLIENT, ENVIRONMENT, Wish, Wishes

from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.news import Ticked
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.engines.simulated.faults import ControlDied, Faults, Kind
from anden.model.change import OPEN_STATES
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.plan import Step
from anden.model.problem import Problem, Problems

KEY = EnvironmentKey(CLIENT, ENVIRONMENT, EngineName.SIMULATED)
FOLDER = Path("/")
CONVERGES_S = 1200.0
"""Virtual seconds after the last fault within which everything is as the last acknowledged target says: a change that
has just begun may use all of its bound (`change_bound_s`, up to 400 s here), go back within as much, and restarts may
pause for 30 s. The longest that runs took stands in docs/simulation.md."""
MOST_STEPS = 20_000
"""Events of one command, or ticks of one rest, before the simulation itself must be wrong."""
RATES: Mapping[Kind, float] = {
    Kind.CRASH: 0.004, Kind.LOST: 0.05, Kind.LATE: 0.08, Kind.DOUBLED: 0.08, Kind.TWIN: 0.02, Kind.SLOW: 0.08,
    Kind.REFUSED: 0.03, Kind.EXIT: 0.01, Kind.HANG: 0.01, Kind.FLAP: 0.003, Kind.VANISH: 0.001, Kind.JUMP: 0.01,
    Kind.OUTAGE: 0.004,
}  # fmt: skip
"""How probable each kind is at each occasion, in a seed that has it; `Weather` scales them."""
LINKED, CUT = 0.25, 0.05
"""The share of seeds with a link, and how probable it is at each occasion that something happens to it."""
INTERLEAVED = 0.01
"""A tick in the middle of a command, at each call that it makes without holding the pen."""
CUT_SHORT = 0.15
"""A command is closed by who asked, after some of its lines."""
BESIDE = 0.01
"""Somebody else asks for something while a command runs, at each line that it tells."""


class WitnessedEngine(SimulatedEngine):
    """The simulated engine, whose every effect and every look is in the history, with the truth beside it."""

    def __init__(self, clock: VirtualClock, faults: Faults, note: Any) -> None:
        super().__init__(clock, faults=faults)
        self._note = note

    def true(self) -> Truth:
        """The environment as it is, without time passing."""
        return truth(self._kept.worlds.get(str(KEY)))

    def observe(self, key: EnvironmentKey) -> Observation:
        given = None
        try:
            given = super().observe(key)
        finally:
            self._note(Looked(given, self._kept.version, self.true()))
        return given

    def _do(self, key: EnvironmentKey, step: Step, gateway: str) -> Problem | None:
        before, problem, cut = self.true(), None, True
        try:
            problem = super()._do(key, step, gateway)
            cut = False
        finally:
            self._note(Did(step, problem, before, self.true(), cut))
        return problem


class SimulatedWorld:
    """Everything of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(f"{seed} what is asked for")  # noqa: S311 - it decides a history, not a key
        chance = Random(f"{seed} what goes wrong")  # noqa: S311
        links = Random(f"{seed} links")  # noqa: S311
        linked = links.random() < LINKED
        rates = {**weather(chance), **({Kind.CUT: CUT} if linked else {})}
        self.clock = VirtualClock(START)
        self.history = History()
        self.faults = Faults(chance, rates, lambda kind, what: self.note(Struck(kind, what)), links)
        self.engine = WitnessedEngine(self.clock, self.faults, self.note)
        self.records = MemoryRecords(self.faults)
        self.wishes = Wishes(self.random, linked)
        self.commands = 0
        self.recorded: int | None = None
        self.depth = 0
        self.begin()

    def note(self, entry: Entry) -> None:
        """Add it to the history."""
        self.history.entries.append((self.clock.monotonic(), entry))

    # Lives.

    def begin(self) -> None:
        """A control plane begins."""
        self.life = life = Life(self.faults, self._between)
        self.runner = PatientRunner(self.clock)
        engine: Any = Mortal(self.engine, life, lambda *heard: None)
        store: Any = Mortal(self.records, life, self._heard)
        self.control = Control(engine, SimulatedImages(), store, self.clock, self.runner)
        self.depth = 0
        self.note(Born(self.records.target(KEY)))
        try:
            self.control.begin()
        except ControlDied:
            self.reborn()

    def reborn(self) -> None:
        """The control plane has died: some time later another one begins."""
        self.faults.forget()
        self.clock.sleep(self.random.choice((0.2, 3.0, 3600.0)))
        self.records = MemoryRecords(self.faults, self.records)
        self.begin()

    def _heard(self, name: str, arguments: tuple[Any, ...], result: Any, acknowledged: bool) -> None:
        if name == "put_blueprint":
            self.history.blueprints[arguments[0].digest] = arguments[0]
        if name == "begin_command" and self.depth and not self.runner.ticking and result is not None:
            self.recorded = result.id
        if name in WRITES and name != "put_observation":
            self.note(Stored(name, arguments, result, acknowledged, self.runner.ticking))

    def _between(self) -> None:
        """Before a call of the control plane: another thread of it may tick now, when it has not got the pen."""
        if self.depth == 0 or self.runner.ticking or self.random.random() >= INTERLEAVED:
            return
        if not self.control._means.reconciler.writing(KEY)._is_owned():  # type: ignore[attr-defined]
            self.runner.nudge(KEY)

    # What is asked for.

    def ask(self, name: str, **asked: Any) -> str:
        """Drive one command to its end, whatever kind of end. Returns its outcome, or how it ended otherwise."""
        self.commands += 1
        number, self.recorded = self.commands, None
        self.note(Begun(number, name, asked))
        lines = self.random.randint(1, 8) if self._maybe(CUT_SHORT) else MOST_STEPS
        how, outcome = "closed", "cancelled"
        self.depth += 1
        told: Iterator[Event | None] | None = None
        try:
            told = self._told(name, asked)
            for count, event in enumerate(told):
                if event is not None:
                    self.note(Said(number, event))
                    if event.kind is EventKind.END:
                        how, outcome = "told", event.outcome
                if count >= lines and how != "told":
                    break
                if how != "told" and self.depth == 1 and self._maybe(BESIDE) and self.recorded is not None:
                    mine = self.recorded
                    self.ask("restart", service=None)
                    self.recorded = mine
            if how == "closed":
                told.close()  # type: ignore[attr-defined]
        except Problems as found:
            how, outcome = "raised", str(found.problems[0])
        except ControlDied:
            how, outcome = "died", "interrupted"
            if told is not None:
                with suppress(ControlDied):  # what is dead calls nothing any more
                    told.close()  # type: ignore[attr-defined]
            if self.depth > 1:
                self.note(Ended(number, how, outcome, self.recorded))
                raise
        finally:
            self.depth = max(self.depth - 1, 0)
        self.note(Ended(number, how, outcome, self.recorded))
        if how == "died":
            self.reborn()
        return outcome

    def _told(self, name: str, asked: Mapping[str, Any]) -> Iterator[Event | None]:
        control, at = self.control, Asked(CLIENT, ENVIRONMENT, FOLDER)
        match name:
            case "up":
                wish: Wish = asked["wish"]
                meant = Asked(CLIENT, ENVIRONMENT, FOLDER, wish.text)
                return control.up(meant, "ana", deployed=asked["deployed"], adopt=True)
            case "deploy":
                return control.deploy(at, "ana", asked["service"], asked["image"])
            case "scale":
                return control.scale(at, "ana", asked["service"], asked["level"])
            case "restart":
                return control.restart(at, "ana", asked["service"])
            case "rollback":
                return control.rollback(at, "ana")
        return control.down(at, "ana")

    def something(self) -> None:
        """One command by chance, and some time."""
        bad = 0.15
        service = self.random.choice(self.wishes.last.services)
        match self.random.randrange(16):
            case 0 | 1 | 2:
                self.ask("deploy", service=service.name, image=self.wishes.image(service.name, bad))
            case 3 | 4:
                self.ask("scale", service=service.name, level=self.random.randint(service.base, service.most))
            case 5:
                self.ask("restart", service=self.random.choice((service.name, None)))
            case 6 | 7:
                self.ask("rollback")
            case 8 if self._maybe(0.4):
                self.ask("down")
            case _:
                choice = self.random.choice(("keep", "keep", "revert", "ask"))
                self.ask("up", wish=self.wishes.next(bad), deployed=choice)
        if self._maybe(0.4):
            self.rest(self.random.choice((1.0, 5.0, 20.0)))

    def rest(self, most_s: float) -> None:
        """Time passes, and control does what it does by itself."""
        until = self.clock.monotonic() + most_s
        for _ in range(MOST_STEPS):
            if (left := until - self.clock.monotonic()) <= 0.0:
                return
            try:
                self.runner.go(KEY, left)
            except ControlDied:
                self.reborn()
        raise AssertionError("ticks without time")

    # The end.

    def settle(self) -> bool:
        """From here on nothing goes wrong any more; whether everything comes to rest within CONVERGES_S."""
        self.faults.calm()
        self.note(Marked("calm"))
        until = self.clock.monotonic() + CONVERGES_S
        self.runner.signal(KEY)
        while (left := until - self.clock.monotonic()) > 0.0:
            ticked = self.runner.go(KEY, left)
            if ticked is None:
                continue
            change = ticked.change
            if self._hopeless(ticked):
                break
            if ticked.target is None or (
                ticked.plan is not None and ticked.plan.settled and (change is None or change.state not in OPEN_STATES)
            ):
                self.note(Marked("settled", self.engine.true()))
                return True
        self.note(Marked("not settled", self.engine.true()))
        return False

    def _hopeless(self, ticked: Ticked) -> bool:
        """It has been given up, there is nothing to go back to, and it never will run: waiting shows nothing more."""
        if ticked.target is None or ticked.change is None or ticked.change.state in OPEN_STATES:
            return False
        made = self.history.blueprints.get(ticked.target.blueprint) if ticked.target.blueprint else None
        return made is not None and any(word in image.name for image in made.images.values() for word in BAD)

    def _maybe(self, odds: float) -> bool:
        return self.random.random() < odds


def weather(chance: Random) -> Mapping[Kind, float]:
    """Which kinds a seed has, and how much of them: some have one kind only, some everything, a few nothing."""
    most = chance.choice((0, 1, 2, 3, 4, 6, len(RATES)))
    chosen = chance.sample(sorted(RATES), most)
    strength = chance.choice((0.5, 1.0, 2.0, 4.0))
    return {kind: RATES[kind] * strength for kind in chosen}
