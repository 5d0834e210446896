"""One life of a control plane: what it calls may be its end, and after its end it calls nothing any more."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from anden.engines.simulated.faults import ControlDied, Faults
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.store import audit, commands
from anden.store.blueprints import Blueprints
from anden.store.database import MEMORY
from anden.store.records import Records

WRITES = frozenset({
    "put_blueprint", "put_target", "put_observation", "forget", "open_change", "move_change", "begin_command",
    "end_command",
})  # fmt: skip
WRITING = 5.0
"""How much more probable the end is at what writes than at what reads: there it matters most."""


class MemoryRecords(Records):
    """Records in memory, which another control plane opens anew: `before` has died and is not used any more."""

    def __init__(self, faults: Faults, before: "MemoryRecords | None" = None) -> None:
        self._faults = faults
        self._opened = False
        self.died: ControlDied | None = None
        self._seen: dict[EnvironmentKey, Observation] = before._seen if before is not None else {}
        if before is None:
            super().__init__(MEMORY)
        else:
            self._head, self._memory_head, self._head_lock = None, before._memory_head, threading.Lock()
            self._copy = None
            self._database, self._blueprints = before._database, Blueprints(before._database)
            audit.resume(self._database, self._kept())
            commands.interrupt(self._database)
            self._written(acknowledges=True)
        self._opened = True

    # Observations as values: turning each into text and back would be a tenth of the time of a simulation.

    def put_observation(self, observation: Observation) -> None:
        """See Records."""
        self._seen[observation.key] = observation

    def observation(self, key: EnvironmentKey) -> Observation | None:
        """See Records."""
        return self._seen.get(key)

    def forget(self, key: EnvironmentKey) -> None:
        """See Records."""
        super().forget(key)
        self._seen.pop(key, None)

    def _written(self, *, acknowledges: bool = False) -> None:
        """The end may come between the record and its head; whoever called is told of it when the call returns, so that
        what was recorded is known."""
        if self._opened:
            try:
                self._faults.crash("between the record and the head of the audit")
            except ControlDied as died:
                self.died = died
                return
        super()._written(acknowledges=acknowledges)


class Life:
    """dead: nothing that is called does anything any more. between: called before each call, where others may act."""

    def __init__(self, faults: Faults, between: Callable[[], None]) -> None:
        self.dead = False
        self.faults = faults
        self.between = between

    def guard(self, call: Callable[[], Any]) -> Any:
        """What `call` gives, or the end."""
        if self.dead:
            raise ControlDied("it is dead already")
        try:
            return call()
        except ControlDied:
            self.dead = True
            raise


class Mortal:
    """An engine or records, as a control plane has them that may die before and after each call.
    heard: told of each call's name, arguments, result, and whether the caller lived to hear it."""

    def __init__(self, real: Any, life: Life, heard: Callable[[str, tuple[Any, ...], Any, bool], None]) -> None:
        self._real, self._life, self._heard = real, life, heard
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._made:
            found = getattr(self._real, name)
            self._made[name] = self._mortal(name, found) if callable(found) else found
        return self._made[name]

    def _mortal(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        life = self._life

        def called(*arguments: Any, **options: Any) -> Any:
            life.guard(life.between)
            times = WRITING if name in WRITES else 1.0
            life.guard(lambda: life.faults.crash(f"before {name}", times))
            result = life.guard(lambda: call(*arguments, **options))
            if isinstance(result, Iterator):
                return self._stream(result)
            try:
                life.guard(self._survive)
                life.guard(lambda: life.faults.crash(f"after {name}", times))
            except ControlDied:
                self._heard(name, (*arguments, *options.values()), result, False)
                raise
            self._heard(name, (*arguments, *options.values()), result, True)
            return result

        return called

    def _survive(self) -> None:
        """Raises ControlDied when the end came within the call."""
        if (died := getattr(self._real, "died", None)) is not None:
            raise died

    def _stream(self, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            try:
                item = self._life.guard(lambda: next(items))
            except StopIteration:
                return
            yield item
