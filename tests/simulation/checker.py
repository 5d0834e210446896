"""The judge of histories. It is written from what anden promises, and calls nothing of what decides.

It is given what happened: what control was shown, what the engine did and how things really stood, what was written and
acknowledged, what was asked for and what was told. It says everything that was wrong, with the time of each.
"""

from collections.abc import Iterator
from typing import Any

from tests.simulation import losses, outages
from tests.simulation.history import (
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
)
from tests.simulation.stand import Meant, Serves, Stand, of_blueprint, of_wish, running
from tests.simulation.wishes import BAD

from anden.engines.simulated.faults import Kind
from anden.model.change import Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.plan import Configure, Remove, StartInstance, StopInstance
from anden.model.ports import Target
from anden.store import Records

EXCUSES = frozenset({Kind.EXIT, Kind.FLAP, Kind.HANG, Kind.OUTAGE, Kind.REFUSED, Kind.SLOW, Kind.VANISH})
"""Faults for which a version may be given up although it is good. Crashes, clocks and bad sight are none."""
BLIND = frozenset({
    Kind.LOST, Kind.LATE, Kind.DOUBLED, Kind.REFUSED, Kind.SLOW, Kind.HANG, Kind.FLAP, Kind.EXIT,
    Kind.OUTAGE,
})  # fmt: skip
"""Faults for which a command may end without knowing how it ended."""
LASTING_S = 100.0
"""How long a fault may last: an excuse may have struck so long before the change that it ends."""
UNKNOWN = "could not tell"
"""In the detail of such a command."""
BEFORE = "ran before this change"
"""In the reason of a change that has held although something that was there before it is in trouble."""
MOST_REVIVALS = 5
"""An environment that has died this often within ten minutes is left alone until somebody asks for it."""
OPEN = (ChangeState.APPLYING, ChangeState.ROLLING_BACK)


def check(history: History, records: Records) -> list[str]:
    """Everything that was wrong; empty when all was right."""
    judge = Judge(history)
    for number, (at, entry) in enumerate(history.entries):
        judge.hear(number, at, entry)
    judge.end(records)
    return [*judge.wrong, *outages.check(history, records)]


class Judge:
    """Reads a history from its beginning to its end."""

    def __init__(self, history: History) -> None:
        self.wrong: list[str] = []
        self._history = history
        self._number, self._at = 0, 0.0
        self._meant: Meant | None = None
        self._levels: dict[str, int] = {}
        self._held: set[Stand] = set()
        self._change: Change | None = None
        self._change_from = 0
        self._commands: dict[int, Command] = {}
        self._asked: list[tuple[Begun, Meant | None, int]] = []
        self._ended: dict[int, Ended] = {}
        self._look: tuple[int, Looked] | None = None
        self._started = 0
        self._true = Truth(False)
        self._aside: set[str] = set()
        """What stands in a lost zone, by the last change that has held without it."""
        self._limps = False
        """The change has held although something of before is in trouble; what is beyond the level waits for that."""

    def hear(self, number: int, at: float, entry: Entry) -> None:
        """The next entry."""
        self._number, self._at = number, at
        match entry:
            case Looked():
                self._look, self._started = (number, entry), 0
                self._true = entry.true
                if entry.given is not None:  # its zone is back, and control was shown that
                    self._aside -= {one.id for one in entry.given.instances if one.serving}
            case Did():
                self._did(entry)
                self._true = entry.after
            case Stored():
                self._stored(entry)
            case Begun():
                self._asked.append((entry, self._meant, number))
            case Ended():
                self._over(entry)
            case Born(target):
                self._born(target)
            case Marked("settled" | "not settled", true):
                self._rest(entry.what == "settled", true)
            case _:
                pass

    # Effects.

    def _did(self, did: Did) -> None:
        effect = did.step.effect
        if isinstance(effect, StartInstance):
            self._start(effect, did)
        elif isinstance(effect, StopInstance):
            self._stop(effect, did)
        elif isinstance(effect, Remove) and (self._meant is None or self._meant.stand is not None):
            self._say("the environment was removed, and nobody had asked for that")
        elif isinstance(effect, Configure) and self._meant is not None and self._meant.stand is None:
            self._say("it was configured after `down` was acknowledged")
        names = [one.id for one in did.after.beings]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._say(f"{name} is there twice")

    def _start(self, effect: StartInstance, did: Did) -> None:
        """Nobody starts where somebody was seen, nor more than the contract and its surge allow."""
        one = effect.instance
        given = self._look[1].given if self._look else None
        seen = given.instances if given is not None and given.present else ()
        for other in seen:
            if other.id == one.id or other.address == one.address:
                self._say(f"{one.id} was started at {one.address}, where {other.id} was seen")
        service = self._meant.stand.service(one.service) if self._meant and self._meant.stand else None
        if service is None:
            self._say(f"{one.id} was started, and nobody wants {one.service}")
            return
        if one.image_name != service.runs:
            self._say(f"{one.id} was started with {one.image_name}, and {service.runs} was asked for")
        self._started += 1
        self._aside.discard(one.id)
        # What stands in a zone that has fallen silent does not count: others stand in for it.
        mute = self._mute()
        heard = [other for other in seen if other.service not in mute]
        lost = {other.zone for other in heard if losses.fallen_silent(other)} - {
            other.zone for other in heard if other.serving
        }
        there = len({other.id for other in seen if other.service == one.service and other.zone not in lost})
        if there + sum(self._starts_since(one.service)) > service.ever:
            self._say(f"more than {service.ever} instances of {one.service} were started")

    def _mute(self) -> set[str]:
        """The services without a port, whose health says nothing of their zone."""
        stand = self._meant.stand if self._meant else None
        return {each.name for each in stand.services if not each.port} if stand else set()

    def _starts_since(self, service: str) -> list[bool]:
        """The starts of a service since control last looked, this one included."""
        since = self._look[0] if self._look else 0
        return [
            True
            for entry in self._entries(since)
            if isinstance(entry, Did)
            and isinstance(entry.step.effect, StartInstance)
            and entry.step.effect.instance.service == service
            and entry.problem is None
        ]

    def _stop(self, effect: StopInstance, did: Did) -> None:
        """Nobody who serves is stopped when that leaves fewer than the base, but for those who failed by themselves
        since control saw them."""
        stopped = next((one for one in did.before.beings if one.id == effect.id), None)
        service = self._base_of(stopped.service) if stopped else None
        if did.problem is not None or stopped is None or not stopped.serving or service is None:
            return
        left = did.after.serving(service.name) - {stopped.id}
        if len(left) >= service.base:
            return
        saw, failed = self._since_seen(service.name, did)
        if stopped.id in saw and len(left | failed) < service.base:
            self._say(f"{stopped.id} was stopped, and {len(left)} of {service.name} serve: its base is {service.base}")

    def _base_of(self, name: str) -> Serves | None:
        return self._meant.stand.service(name) if self._meant and self._meant.stand else None

    def _since_seen(self, service: str, until: Did) -> tuple[frozenset[str], frozenset[str]]:
        """Who served when control was shown what it acts on; and who of them has ceased to since, by itself."""
        if self._look is None or self._look[1].given is None:
            return frozenset(), frozenset()
        first = self._origin(*self._look)
        before = first[1].true.serving(service)
        saw = before
        failed: set[str] = set()
        for entry in self._entries(first[0] + 1):
            if isinstance(entry, Looked):
                failed |= before - entry.true.serving(service)
                before = entry.true.serving(service)
            elif isinstance(entry, Did):
                failed |= before - entry.before.serving(service)
                if entry is until:
                    break
                before = entry.after.serving(service)
        return saw, frozenset(failed)

    def _origin(self, number: int, look: Looked) -> tuple[int, Looked]:
        """The look at which what was shown was the truth."""
        if look.given is None or look.given.version == look.version:
            return number, look
        for at in range(number, -1, -1):
            entry = self._history.entries[at][1]
            if isinstance(entry, Looked) and entry.version == look.given.version:
                return at, entry
        return number, look

    # What was written.

    def _stored(self, stored: Stored) -> None:
        match stored.name:
            case "put_target":
                self._targeted(stored.arguments[0], stored.ticking)
            case "forget":
                if self._meant is None or self._meant.stand is not None:
                    self._say("an environment was forgotten that should run")
                self._meant, self._levels = None, {}
            case "open_change":
                self._opened(stored.result)
            case "move_change":
                self._moved(stored.result, stored.ticking)
            case "begin_command" | "end_command":
                command = stored.result
                before = self._commands.get(command.id)
                if before is not None and before.outcome is not Outcome.RUNNING:
                    self._say(f"command {command.id} was written again after its end")
                self._commands[command.id] = command

    def _targeted(self, target: Target, ticking: bool) -> None:
        stand = self._stand(target)
        before = self._meant
        if stand is not None and dict(target.deployed) != stand.beside:
            self._say(f"the target says that {dict(target.deployed)} is deployed, and it is {stand.beside}")
        was = before.stand if before else None
        if ticking and stand != was:
            back = self._stand_of(self._change.previous) if self._change else None
            if stand is None or stand != back:
                self._say("a tick moved the target to where nobody asked for")
            elif stand not in self._held:
                self._say("it goes back to what never held")
        elif not ticking:
            self._acknowledged(stand, target, was)
        if stand is not None:
            for one in stand.services:
                allowed = {one.level(self._levels)}
                if not ticking and (was is None or was.service(one.name) is None):
                    allowed.add(one.base)
                if one.level(target.levels) not in allowed:
                    self._say(f"{one.name} should run at {allowed}, and its target says {one.level(target.levels)}")
        self._meant = Meant(stand, dict(target.levels), target)

    def _acknowledged(self, stand: Stand | None, target: Target, was: Stand | None) -> None:
        """A command moved the target: to what was asked for, and to nothing else."""
        asking = next((one for one, _, _ in reversed(self._asked) if one.number not in self._ended), None)
        if asking is None:
            self._say("a target was written, and nobody asked")
            return
        then = next(meant for one, meant, _ in self._asked if one is asking)
        stands = [was, then.stand if then else None]
        wished: list[Stand | None] = []
        match asking.name:
            case "up":
                plain = of_wish(asking.asked["wish"])
                wished = [plain.with_images(each.beside) for each in stands if each is not None]
                if asking.asked["deployed"] != "keep" or not wished:
                    wished = [plain]
            case "deploy":
                image = {asking.asked["service"]: asking.asked["image"]}
                wished = [each.with_images(image) for each in stands if each is not None]
            case "rollback":
                # A tick may have gone back to it between the two: to be there is what was asked.
                wished = [each for each in self._held if any(each != other for other in stands)]
            case "down":
                wished = [None]
            case "scale":
                self._levels[asking.asked["service"]] = asking.asked["level"]
                wished = [was]
            case "restart":
                wished = [was]
        if stand not in wished:
            self._say(f"`{asking.name}` was acknowledged as something else than was asked for")

    def _opened(self, change: Change) -> None:
        # An instance that began to hang shortly before may be what the change stumbles over.
        early = self._at - LASTING_S
        self._change = change
        self._change_from = next(at for at, (when, _) in enumerate(self._history.entries) if when >= early)
        if change.previous is not None and self._stand_of(change.previous) not in self._held:
            self._say(f"change {change.id} would go back to what never held")

    def _moved(self, change: Change, ticking: bool) -> None:
        self._change = change
        good = not any(word in one.runs for one in self._services(change.target) for word in BAD)
        given_up = change.state in (ChangeState.ROLLING_BACK, ChangeState.FAILED) and ticking
        if given_up and good and not self._struck(self._change_from) & EXCUSES:
            self._say(f"change {change.id} was given up, and nothing was wrong with it: {change.reason}")
        if change.state in (ChangeState.VERIFIED, ChangeState.ROLLED_BACK) and self._meant and self._meant.stand:
            if self._stand_of(change.target if change.state is ChangeState.VERIFIED else change.previous) != (
                self._meant.stand
            ):
                self._say(f"change {change.id} is {change.state}, and the target is another one")
            self._limps = BEFORE in change.reason
            lost = losses.SILENT in change.reason
            self._aside = losses.waiting(change.reason)
            when, look = f"change {change.id} is {change.state}", self._look[1] if self._look else None
            if lost or self._limps:
                self._stands(when, self._meant, self._true, look)
            else:
                self._runs(when, self._meant, self._true)
            if not lost and not all(one.ever_healthy for one in self._true.beings):
                self._say(f"change {change.id} is {change.state}, and something was never healthy")
            self._held.add(self._meant.stand)
            names = {one.name for one in self._meant.stand.services}
            self._levels = {name: level for name, level in self._levels.items() if name in names}

    def _entries(self, since: int) -> Iterator[Entry]:
        """From that number to the present one."""
        return (entry for _, entry in self._history.entries[since : self._number + 1])

    def _struck(self, since: int) -> set[Kind]:
        return {entry.kind for entry in self._entries(since) if isinstance(entry, Struck)}

    def _runs(self, when: str, meant: Meant, true: Truth) -> None:
        """What is there is exactly what is meant: ids, images, levels."""
        if meant.stand is None:
            if true.present:
                self._say(f"{when}, and something is left")
            return
        wanted, there = meant.stand.instances(meant.levels), running(true.beings)
        for name, image in sorted(wanted - there):
            self._say(f"{when}, and {name} ({image}) is not there")
        for name, image in sorted(there - wanted) if not self._limps else ():
            self._say(f"{when}, and {name} ({image}) is there and should not")

    def _stands(self, when: str, meant: Meant, true: Truth, look: Looked | None) -> None:
        """As `_runs`, or else a zone is lost: then the base of every service runs what is meant in the zones left, and
        what waits for the zone's return is there, whatever it runs. Who was shown to serve in `look` and has failed by
        itself since then counts."""
        before = len(self.wrong)
        self._runs(when, meant, true)
        lost = losses.lost(true, self._mute())
        silent = self._aside | {b.id for b in true.beings if b.zone in lost or (b.ever_healthy and not b.serving)}
        if look is not None and look.given is not None:
            silent -= {one.id for one in look.given.instances if one.serving and one.zone not in lost}
        if len(self.wrong) == before or meant.stand is None or meant.stand.zones == 1 or not silent:
            return
        del self.wrong[before:]
        if len({one.zone for one in true.beings if one.id in silent} - losses.alive(true, self._mute())) > 1:
            return  # nothing is promised when two zones are lost
        for service in meant.stand.services:
            heard = [one for one in true.beings if one.service == service.name and one.id not in silent]
            for one in heard:
                if one.image != service.runs:
                    self._say(f"{when}, and {one.id} ({one.image}) is there and should not")
            if len(heard) < service.base and not self._limps:
                self._say(f"{when}, a zone may be lost, and {len(heard)} of {service.name} are left of {service.base}")

    # Commands.

    def _over(self, ended: Ended) -> None:
        self._ended[ended.number] = ended
        begun, _, since = next(each for each in self._asked if each[0].number == ended.number)
        recorded = self._commands.get(ended.recorded) if ended.recorded is not None else None
        told = ended.outcome if ended.how == "told" else None
        if told is not None and (recorded is None or recorded.outcome.value != told):
            self._say(f"`{begun.name}` told {told}, and the record says {recorded and recorded.outcome}")
        if recorded is not None and ended.how == "raised" and recorded.outcome is Outcome.RUNNING:
            self._say(f"`{begun.name}` was refused, and the record says that it runs")
        cut = ended.how == "closed" and not self._told_since_its_end(since)
        if recorded is not None and cut and recorded.outcome is not Outcome.CANCELLED:
            self._say(f"`{begun.name}` was cancelled, and the record says {recorded.outcome}")
        lost = recorded is not None and told is not None and UNKNOWN in recorded.detail
        if lost and not self._struck(since) & BLIND:
            self._say(f"`{begun.name}` lost sight of how it ended, and nothing hindered it")
        if told == Outcome.DONE.value:
            self._done(begun, since, ended.recorded)

    def _told(self, words: str, since: int) -> bool:
        """Whether a command that was asked for then has said so."""
        return any(isinstance(entry, Said) and words in entry.event.text for entry in self._entries(since))

    def _told_since_its_end(self, since: int) -> bool:
        """It had ended by itself, and only its last words were cut off."""
        entries = list(self._entries(since))
        ends = [at for at, entry in enumerate(entries) if isinstance(entry, Stored) and entry.name == "end_command"]
        return bool(ends) and any(isinstance(entry, Said) for entry in entries[ends[-1] :])

    def _done(self, begun: Begun, since: int, recorded: int | None) -> None:
        """It said that it is done: it is."""
        look = next((each for each in reversed(self._ending(since, recorded)) if isinstance(each, Looked)), None)
        true = look.true if look else self._true
        if begun.name == "down":
            if self._meant is not None or true.present:
                self._say("`down` is done, and something is left")
            return
        if self._meant is None or self._meant.stand is None:
            self._say(f"`{begun.name}` is done, and nothing is wanted")
            return
        limped, self._limps = self._limps, self._limps or self._told(BEFORE, since)
        self._stands(f"`{begun.name}` is done", self._meant, true, look)
        self._limps = limped
        if begun.name == "restart":
            names = [begun.asked["service"]] if begun.asked["service"] else [s.name for s in self._meant.stand.services]
            asked_at = self._history.entries[since][0]
            lost = losses.lost(true, self._mute()) if self._meant.stand.zones > 1 else set()
            for one in true.beings:
                if one.service in names and one.since < asked_at and one.zone not in lost:
                    self._say(f"`restart` is done, and {one.id} is as old as before")

    def _ending(self, since: int, recorded: int | None) -> list[Entry]:
        """From when it was asked until its end was written; what its report looked at comes later."""
        found = list(self._entries(since))
        ends = [
            at
            for at, entry in enumerate(found)
            if isinstance(entry, Stored) and entry.name == "end_command" and entry.arguments[0] == recorded
        ]
        return found[: ends[-1]] if ends else []

    def _born(self, target: Target | None) -> None:
        """Another control plane reads what the last one wrote: nothing that was acknowledged is lost."""
        known = self._meant.target if self._meant else None
        if target != known:
            self._say("what was acknowledged last is not what the records say")
        for number, command in self._commands.items():
            if command.outcome is Outcome.RUNNING:
                self._commands[number] = Command(
                    number,
                    command.key,
                    command.who,
                    command.what,
                    command.at,
                    Outcome.INTERRUPTED,
                    None,
                    command.detail,
                )

    # The end.

    def _rest(self, settled: bool, true: Truth | None) -> None:
        meant = self._meant
        hopeless = (
            meant is not None
            and meant.stand is not None
            and any(word in one.runs for one in meant.stand.services for word in BAD)
        )
        if not settled:
            if not hopeless or (self._change is not None and self._change.state in OPEN):
                self._say("it does not come to rest")
            return
        deaths = sum(entry.kind is Kind.VANISH for entry in self._entries(0) if isinstance(entry, Struck))
        if true is None or meant is None or (not true.present and deaths > MOST_REVIVALS):
            return
        self._limps = False
        self._runs("it has come to rest", meant, true)
        if meant.stand is not None and true.configuration is not None:
            names = {str(backend.service) for backend in true.configuration.backends}
            wanted = {one.name for one in meant.stand.services}
            if names != wanted:
                self._say(f"it has come to rest, and its network knows {sorted(names)}, not {sorted(wanted)}")

    def end(self, records: Records) -> None:
        """The record, once everything is over."""
        found = {command.id: command for command in records.commands(None, 100_000)}
        for number, command in self._commands.items():
            last = found.pop(number, None)
            if last is None:
                self._say(f"command {number} was acknowledged, and is not on record")
            elif last.outcome is Outcome.RUNNING:
                self._say(f"command {number} ({last.what}) has no outcome")
            elif command.outcome is not Outcome.INTERRUPTED and last != command:
                self._say(f"command {number} is on record as {last.outcome}, and was acknowledged as {command.outcome}")
        for command in found.values():
            if command.outcome is Outcome.RUNNING:
                self._say(f"command {command.id} ({command.what}) has no outcome")
        if fault := records.verify().fault:
            self._say(f"the audit does not verify: {fault}")

    def _services(self, digest: Any) -> tuple[Serves, ...]:
        stand = self._stand_of(digest)
        return stand.services if stand else ()

    def _stand(self, target: Target) -> Stand | None:
        return None if target.blueprint is None else self._stand_of(target.blueprint)

    def _stand_of(self, digest: Any) -> Stand | None:
        blueprint = self._history.blueprints.get(digest)
        return of_blueprint(blueprint) if blueprint is not None else None

    def _say(self, what: str) -> None:
        said = f"{self._at:.2f}: {what}"
        if said not in self.wrong:
            self.wrong.append(said)
