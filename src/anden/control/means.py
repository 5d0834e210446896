"""All that a command works with, and who works now: at most one mutating command for each environment."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from anden.control.issuers import Fetching
from anden.control.news import Feed, Stuck, Ticked
from anden.control.reconcile import Reconciler
from anden.control.runner import Runner
from anden.model.command import Command, Outcome
from anden.model.ids import EnvironmentKey
from anden.model.issuer import NOBODY, Known
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.ports import Clock, Engine, Images, Issuers, Secrets, Store, Target
from anden.model.problem import Problem, Problems
from anden.model.secret import Secret
from anden.model.topology import Topology
from anden.planning.issuers import keyed

MOST_WHAT = 200
"""Characters of a command's words in the record."""
Knock = Callable[[str], int | None]
"""Ask a URL for its HTTP status; None when nothing answers. It has a bound of its own."""


@dataclass
class Means:
    """One client's environments on one engine."""

    engine: Engine
    images: Images
    store: Store
    clock: Clock
    runner: Runner
    knock: Knock | None = None
    fall: Callable[[], None] | None = None
    """Ends this control plane at once, as a crash does; None: it cannot be ended on purpose."""
    secrets: Secrets | None = None
    """None: nobody here knows which there are; then none is missing, and no version is named."""
    alone: bool = False
    """The store lies on this machine only, and should not: nothing productive is changed."""
    issuers: Issuers | None = None
    """None: nobody fetches their keys here."""
    reconciler: Reconciler = field(init=False)
    fetching: Fetching = field(init=False)
    feeds: defaultdict[EnvironmentKey, Feed] = field(default_factory=lambda: defaultdict(Feed))
    _running: dict[EnvironmentKey, Command] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reconciler = Reconciler(self.engine, self.store, self.clock, lambda key, news: self.feeds[key].tell(news))
        self.fetching = Fetching(self.issuers, self.store, self.clock, self.reconciler, self.runner.signal)
        self.runner.begin(self.tick, self.engine)

    def tick(self, key: EnvironmentKey) -> Ticked:
        """One tick; followers hear why when it cannot be made."""
        try:
            ticked = self.reconciler.tick(key)
        except Problems as found:
            self.feeds[key].tell(Stuck(found.problems[0]))
            raise
        self.fetching.after(ticked)
        return ticked

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is, and not what was. Raises Problems."""
        return self.reconciler.sight.observe(key)

    def look(self, key: EnvironmentKey) -> Observation:
        """What the engine shows, be it old or not: for views. Raises Problems."""
        return self.reconciler.sight.look(key)

    def begin(self, key: EnvironmentKey, who: str, what: str) -> Command:
        """Record a mutating command and keep others out until end(). Raises Problems when one is running."""
        with self._lock:
            other = self._running.get(key)
            command = self.store.begin_command(key, who, what[:MOST_WHAT], self.clock.now())
            if other is None:
                self._running[key] = command
        if other is not None:
            said = busy(other, self.clock.now())
            self.store.end_command(command.id, Outcome.REFUSED, said.what, self.clock.now())
            raise Problems(said)
        try:
            self.store.hold(key, command)
        except BaseException as refused:
            with self._lock:
                self._running.pop(key, None)
            why = str(refused.problems[0]) if isinstance(refused, Problems) else "it could not begin"
            self.store.end_command(command.id, Outcome.REFUSED, why, self.clock.now())
            raise
        return command

    def end(self, command: Command, outcome: Outcome, detail: str) -> None:
        """Let others in, and record how it ended."""
        with self._lock:
            self._running.pop(command.key, None)
        self.reconciler.mending.discard(command.key)
        self.reconciler.releasing.discard(command.key)
        try:
            self.store.end_command(command.id, outcome, " ".join(detail.split()), self.clock.now())
        finally:
            self.store.let_go(command.key)

    def running(self) -> tuple[Command, ...]:
        """Mutating commands in flight."""
        with self._lock:
            return tuple(self._running.values())

    def caveats(self, topology: Topology, known: Known = NOBODY) -> tuple[Caveat, ...]:
        """The engine's. known: issuers whose keys were fetched."""
        return self.engine.caveats(keyed(topology, known))

    def held(self, key: EnvironmentKey, topology: Topology) -> Mapping[str, Secret] | None:
        """The secrets that the topology uses, those that there are; None: nobody here knows. Raises Problems."""
        if self.secrets is None:
            return None
        used = topology.secret_users()
        if used:
            self.engine.know(topology)
        return self.secrets.held(key, used) if used else {}

    def retarget(self, target: Target, boot: str, **fields: Any) -> Target:
        """Acknowledge another target, as one asked for since this boot. Call it under reconciler.writing()."""
        moved = replace(target, boot=boot, **fields)
        self.store.put_target(moved)
        return moved


def busy(other: Command, now: float) -> Problem:
    """Who is at it: `` `up` by ana has been running for 12 s, since 14:02:11 UTC ``."""
    since = datetime.fromtimestamp(other.at, UTC).strftime("%H:%M:%S")
    return Problem(
        str(other.key),
        f"`{other.what}` by {other.who} has been running for {max(now - other.at, 0.0):.0f} s, since {since} UTC",
        "one command at a time changes an environment",
        "Wait until it ends, or end it with Ctrl-C where it runs.",
    )
