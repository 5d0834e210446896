"""One seed from its beginning to its verdict, and many of them."""

import gc
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.simulation.checker import check
from tests.simulation.history import Did, History
from tests.simulation.world import SimulatedWorld

MOST_COMMANDS = 3


@dataclass
class Lived:
    """faults: what the judge says is wrong. calm_s: virtual seconds from the last fault until everything was right."""

    seed: int
    wrong: list[str]
    history: History
    commands: int = 0
    effects: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0
    calm_s: float = 0.0

    def sum(self) -> "Sum":
        """This one alone, as a sum."""
        wrong = {self.seed: self.wrong} if self.wrong else {}
        return Sum(1, wrong, self.commands, self.effects, self.struck, self.virtual_s, self.calm_s)


@dataclass
class Sum:
    """Many seeds. wrong: seed to what is. calm_s: the longest."""

    seeds: int = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)
    commands: int = 0
    effects: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0
    calm_s: float = 0.0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.seeds + other.seeds,
            {**self.wrong, **other.wrong},
            self.commands + other.commands,
            self.effects + other.effects,
            self.struck + other.struck,
            self.virtual_s + other.virtual_s,
            max(self.calm_s, other.calm_s),
        )


def many(first: int, end: int, stop: bool = False) -> Sum:
    """The seeds from `first` until before `end`; with `stop` only until one is wrong."""
    total = Sum()
    # A batch is short, and looking for garbage again and again takes a quarter of its time.
    gc.disable()
    try:
        for seed in range(first, end):
            total += live(seed).sum()
            if stop and total.wrong:
                break
    finally:
        gc.enable()
    return total


def live(seed: int) -> Lived:
    """The history of a seed, judged. What crashes in it is a fault as well."""
    world = SimulatedWorld(seed)
    settled, calm_s, broken = False, 0.0, ""
    try:
        world.ask("up", wish=world.wishes.last, deployed="ask")
        for _ in range(Random(seed).randint(1, MOST_COMMANDS)):  # noqa: S311 - it decides a history
            world.something()
        began = world.clock.monotonic()
        settled = world.settle()
        calm_s = world.clock.monotonic() - began
        if seed % 2:
            world.ask("up", wish=world.wishes.good(), deployed="revert")
        if seed % 3:
            world.ask("down")
    except Exception:
        broken = traceback.format_exc()
    wrong = check(world.history, world.records)
    if broken:
        wrong.append(f"it broke: {broken}")
    return Lived(
        seed,
        wrong,
        world.history,
        commands=world.commands,
        effects=sum(isinstance(entry, Did) for _, entry in world.history.entries),
        struck=Counter({str(kind): count for kind, count in world.faults.count.items()}),
        virtual_s=world.clock.monotonic(),
        calm_s=calm_s if settled else 0.0,
    )
