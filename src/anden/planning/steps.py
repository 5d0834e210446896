"""The steps of one tick, from what is to what should be: surroundings first, then starts, then stops.

Pure and without memory: the same observation gives the same plan, and any observation is a place to go on from (a
control plane that died half-way, an engine with another blueprint's instances, names seen twice). `rolling` decides for
each service; here they meet: what surrounds them, what belongs to nobody, and how much one tick starts.

A service that the target drops goes last: when everything else has rolled, the paths and callers that led to it go
(`configuration.parting`), then its instances, then the rest of it.

One thing never resolves by itself: services at their floor that stand on each other's addresses in a ring. Addresses
are never handed over between a blueprint and its parent, so this needs a store that was lost; the plan then waits, and
says for whom.
"""

from collections.abc import Mapping, Sequence
from heapq import nsmallest

from anden.model import zones
from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.ids import Digest, EnvironmentKey, ServiceName
from anden.model.instance import Instance
from anden.model.manners import TWIN, Manners
from anden.model.observation import InstanceSeen, Observation
from anden.model.plan import (
    Action,
    Caveat,
    Configure,
    Plan,
    Remove,
    StartInstance,
    Step,
    StopInstance,
    Wait,
)
from anden.model.topology import Service
from anden.planning import instances
from anden.planning.configuration import configure, parting, turning
from anden.planning.instances import LEAVING
from anden.planning.rolling import Occupied, Roll, been_healthy, occupied, roll

STARTS_IN_A_TICK = 100
"""Starts in one plan: about a second of the local engine, which starts 80 to 110 instances a second. A tick that ends
soon sees soon what became of them."""
DRAIN_LIMIT_S = 300.0
"""The longest that an instance may take to finish what is in flight; AWS's default for a target group."""
DRAIN_S = 30.0
"""The same for an instance of which nothing is known; the manifest's default timeout."""
STOP_S = 10.0
"""From SIGTERM to SIGKILL for an instance of which nothing is known; the manifest's default."""
ADDRESS = "network"
"""What a step that configures touches, as people see it."""

_Chosen = tuple[Configuration, Digest, str]
"""A configuration, its digest, and why it is the one to apply."""


def plan(
    key: EnvironmentKey,
    target: Blueprint,
    levels: Mapping[str, int],
    generations: Mapping[str, int],
    keeping: Blueprint | None,
    caveats: Sequence[Caveat],
    observation: Observation,
    manners: Manners = TWIN,
) -> Plan:
    """What to do now so that `observation` becomes `target`, and what waits for what.

    levels: service to the level asked for; generations: service to how often it was restarted. keeping: while a change
    is in flight, the blueprint that it replaces. manners: whose the environment has. An empty plan means that all is as
    it should be, and healthy.
    """
    return Rollout(key, target, levels, generations, keeping, caveats, manners).plan(observation)


def removal(key: EnvironmentKey, observation: Observation) -> Plan:
    """The plan of `down`: one step that ends the environment, or nothing when there is none."""
    if not observation.present:
        return Plan(key, None)
    return Plan(key, None, (Step(Action.DELETE, key.environment, "down", Remove()),))


def draining_s(service: Service, manners: Manners = TWIN) -> float:
    """The longest that an instance of the service may take to finish what is in flight."""
    return min(service.timeout_s, DRAIN_LIMIT_S) if manners.drain_s is None else manners.drain_s


def stopping_s(service: Service, manners: Manners = TWIN) -> float:
    """From SIGTERM to SIGKILL."""
    return service.stop_s if manners.stop_limit_s is None else min(service.stop_s, manners.stop_limit_s)


class Rollout:
    """`plan` for one target again and again: what does not depend on the observation is worked out once."""

    def __init__(
        self,
        key: EnvironmentKey,
        target: Blueprint,
        levels: Mapping[str, int],
        generations: Mapping[str, int],
        keeping: Blueprint | None,
        caveats: Sequence[Caveat],
        manners: Manners = TWIN,
        most_starts: int = STARTS_IN_A_TICK,
    ) -> None:
        """most_starts: how many instances one plan starts at most."""
        self.manners = manners
        self.most_starts = most_starts
        self.key = key
        self.target = target
        self.keeping = keeping
        self.caveats = tuple(caveats)
        self.wanted = instances.wanted(target, levels, generations)
        self._digest: Digest | None = None
        self._rolls: dict[ServiceName, tuple[tuple[tuple[InstanceSeen, ...], zones.Lost], Roll]] = {}
        self._configurations: dict[object, tuple[Configuration, Digest]] = {}
        self._listening = {name for name, each in self.wanted.items() if each.service.port is not None}
        self._kept: dict[ServiceName, Service] = {}
        self._turning: frozenset[str] = frozenset()
        if keeping is not None:
            self._kept = {service.name: service for service in keeping.topology.services}
            self._turning = turning(target, keeping)
            # What is on its way out shows as well as anything else that its zone answers.
            self._listening |= {name for name, each in self._kept.items() if name not in self.wanted and each.port}

    def plan(self, observation: Observation) -> Plan:
        """What one tick does for this observation."""
        seen = observation.instances if observation.present else ()
        taken = occupied(seen)
        present: dict[ServiceName, list[InstanceSeen]] = {}
        for one in taken.ids.values():
            present.setdefault(one.service, []).append(one)
        gone, apart = self.lost(observation), self._apart(taken)
        rolls = {name: self._roll(name, tuple(present.get(name, ())), taken, gone, apart) for name in self.wanted}
        strangers = sorted(
            (one for one in taken.ids.values() if one.service not in self.wanted),
            key=lambda one: (one.service, one.ordinal),
        )
        rolled = all(each.rolled for each in rolls.values())
        steps, waits = self._surroundings(observation, rolls, rolled, strangers)
        starts, later = self._starts(rolls)
        stops = [(one, why) for name in sorted(rolls) for one, why in rolls[name].stops]
        going, staying = self._partings(strangers, rolled)
        return Plan(
            self.key,
            self.digest,
            steps=(
                *steps,
                *(Step(Action.CREATE, one.id, why, self._start(one)) for one, why in starts),
                *(Step(Action.DELETE, one.id, why, self._stop(one)) for one, why in stops + going),
            ),
            waits=(*waits, *later, *(wait for name in sorted(rolls) for wait in rolls[name].waits), *staying),
        )

    def lost(self, observation: Observation) -> zones.Lost:
        """The zones that do not answer any more. With one zone there is nowhere to go."""
        if self.target.topology.zones == 1 or not observation.present:
            return frozenset()
        return zones.lost(observation.instances, observation.at, self._listening)

    def _roll(
        self, name: ServiceName, seen: tuple[InstanceSeen, ...], taken: Occupied, gone: zones.Lost, apart: bool
    ) -> Roll:
        """What the last plan worked out, while nothing that it came from has changed: a rehearsal of 1,000 services
        plans some twenty times, and each time most of them are as they were."""
        known = self._rolls.get(name)
        if apart and known is not None and known[0] == (seen, gone):
            return known[1]
        made = roll(self.wanted[name], seen, taken, gone)
        self._rolls.pop(name, None)
        if apart:
            self._rolls[name] = ((seen, gone), made)
        return made

    def _apart(self, taken: Occupied) -> bool:
        """Everybody stands in a slot of their own service, and once: then no service's moves depend on another's."""
        return not taken.twins and all(
            (wanted := self.wanted.get(one.service)) is not None and wanted.holds(one) for one in taken.ids.values()
        )

    @property
    def digest(self) -> Digest:
        """The target's."""
        if self._digest is None:
            self._digest = self.target.digest
        return self._digest

    def _starts(self, rolls: Mapping[ServiceName, Roll]) -> tuple[list[tuple[Instance, str]], list[Wait]]:
        """The first instances of all services before the second ones, when a tick cannot start everything."""
        wished = [each for roll in rolls.values() for each in roll.starts]
        chosen = nsmallest(self.most_starts, wished, key=lambda each: (each[0].ordinal, each[0].service))
        chosen.sort(key=lambda each: (each[0].service, each[0].ordinal))
        begun = {instance.id for instance, _ in chosen}
        reason = f"after {self.most_starts} other starts"
        return chosen, [Wait(instance.id, reason) for instance, _ in wished if instance.id not in begun]

    def _partings(
        self, strangers: Sequence[InstanceSeen], rolled: bool
    ) -> tuple[list[tuple[InstanceSeen, str]], list[Wait]]:
        """What the target does not know. Instances of a service that is being dropped serve until the rest has rolled,
        unless they stand where something else should; the others are nobody's and go at once."""
        places = (
            {slot.address for wanted in self.wanted.values() for slot in wanted.slots.values()} if strangers else ()
        )
        going: list[tuple[InstanceSeen, str]] = []
        staying: list[Wait] = []
        for one in strangers:
            stays = one.service in self._kept and not rolled and one.address not in places
            if stays and one.state not in LEAVING:
                staying.append(Wait(one.id, "until everything else is healthy: it is not in the manifest any more"))
            else:
                going.append((one, "not in the manifest any more"))
        return going, staying

    def _start(self, one: Instance) -> StartInstance:
        return StartInstance(one, launch_s=self.manners.launch_delay_s(one))

    def _stop(self, one: InstanceSeen) -> StopInstance:
        """With the patience of the blueprint that it may come from; one that never served has nothing in flight."""
        known = [self.wanted[one.service].service] if one.service in self.wanted else []
        known += [self._kept[one.service]] if one.service in self._kept else []
        patience = max((draining_s(service, self.manners) for service in known), default=DRAIN_S)
        stops = max((stopping_s(service, self.manners) for service in known), default=STOP_S)
        return StopInstance(
            one.id,
            drain_s=patience if been_healthy(one) or one.state in LEAVING else 0.0,
            stop_s=stops,
        )

    # What surrounds the instances.

    def _surroundings(
        self,
        observation: Observation,
        rolls: Mapping[ServiceName, Roll],
        rolled: bool,
        strangers: Sequence[InstanceSeen],
    ) -> tuple[list[Step], list[Wait]]:
        configuration, digest, reason = self._choose(rolls, rolled, strangers)
        steps = []
        if not observation.present:
            why = observation.absent_reason or f"{self.key.environment} does not run"
            steps.append(Step(Action.CREATE, ADDRESS, why, Configure(configuration)))
        elif observation.configuration != digest:
            steps.append(Step(Action.UPDATE, ADDRESS, reason, Configure(configuration)))
        waits = []
        if self.keeping is not None and digest != self._configured("narrow")[1]:
            waits.append(Wait(ADDRESS, "until nothing of what is replaced is left"))
        return steps, waits

    def _choose(self, rolls: Mapping[ServiceName, Roll], rolled: bool, strangers: Sequence[InstanceSeen]) -> _Chosen:
        if self.keeping is None:
            return (*self._configured("narrow"), "is not what the blueprint says")
        if rolled and not any(one.service in self._kept for one in strangers):
            return (*self._configured("narrow"), "nothing of what was replaced is left")
        if rolled:
            gone = ", ".join(sorted({one.service for one in strangers if one.service in self._kept}))
            return (*self._configured("parting"), f"nothing leads to {gone} any more")
        ready = frozenset(name for name in self._turning if rolls[ServiceName(name)].ready)
        taking = f"{', '.join(sorted(ready))} ready to take over, " if ready else ""
        return (*self._configured(ready), f"{taking}room for old and new side by side")

    def _configured(self, which: str | frozenset[str]) -> tuple[Configuration, Digest]:
        """`narrow`: the target's; `parting`: with what it drops; a set of services: the union when these are ready."""
        if which not in self._configurations:
            if self.keeping is None or which == "narrow":
                made = configure(self.target, None, self.caveats, manners=self.manners)
            elif which == "parting":
                made = parting(self.target, self.keeping, self.caveats, self.manners)
            else:
                made = configure(self.target, self.keeping, self.caveats, frozenset(which), self.manners)
            self._configurations[which] = (made, made.digest)
        return self._configurations[which]
