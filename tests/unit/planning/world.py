"""A small world for plans to act on: things take time, some never become healthy, and whoever acts may die half-way."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random

from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.ids import Digest, EngineName, EnvironmentKey, InstanceId, ServiceName, ZoneName, instance_id
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.plan import Configure, Plan, Remove, StartInstance, Step, StopInstance
from anden.planning.instances import LEAVING, level, specification
from anden.planning.placement import surge
from anden.planning.steps import STARTS_IN_A_TICK, Rollout

KEY = EnvironmentKey("banco-andino", "certification", EngineName.SIMULATED)
SLOWEST_TICKS = 3
"""How many ticks starting or stopping takes at most in a world that has a clock of its own."""
SETTLE_TICKS = 300
NOTHING = Observation(KEY, 0.0, present=False)


def running(blueprint: Blueprint, service: str, ordinal: int, generation: int = 0, **fields: object) -> InstanceSeen:
    """An instance of the blueprint, healthy unless `fields` say otherwise."""
    slot = next(slot for slot in blueprint.placement(service).slots if slot.ordinal == ordinal)
    wanted = specification(blueprint, service, slot, generation)
    seen = InstanceSeen(
        id=wanted.id,
        service=wanted.service,
        ordinal=ordinal,
        zone=slot.zone,
        address=slot.address,
        revision=wanted.revision,
        image_name=wanted.image_name,
        state=InstanceState.RUNNING,
        health=Health.HEALTHY,
        since=0.0,
        ever_healthy=True,
    )
    return replace(seen, **fields)  # type: ignore[arg-type]


def stranger(service: str, ordinal: int, address: str, **fields: object) -> InstanceSeen:
    """An instance of no blueprint."""
    seen = InstanceSeen(
        id=instance_id(service, ordinal),
        service=ServiceName(service),
        ordinal=ordinal,
        zone=ZoneName("a"),
        address=IPv4Address(address),
        revision=Digest("sha256:" + "f" * 64),
        image_name=f"{service}:0.9.0",
        state=InstanceState.RUNNING,
        health=Health.HEALTHY,
        since=0.0,
        ever_healthy=True,
    )
    return replace(seen, **fields)  # type: ignore[arg-type]


def observed(
    instances: Iterable[InstanceSeen] = (), configuration: Configuration | None = None, present: bool = True
) -> Observation:
    digest = configuration.digest if configuration is not None else None
    return Observation(KEY, 0.0, present=present, configuration=digest, instances=tuple(instances))


class World:
    """broken: image digests whose instances never become healthy. random None: everything happens within its tick."""

    def __init__(self, start: Observation, broken: Collection[Digest] = (), random: Random | None = None) -> None:
        self.present = start.present
        self.configuration: Digest | None = start.configuration
        self.applied: Configuration | None = None
        self.instances: dict[InstanceId, InstanceSeen] = (
            {seen.id: seen for seen in start.instances} if start.present else {}
        )
        self.broken = broken
        self.ill: set[InstanceId] = set()
        self.due: dict[InstanceId, int] = {}
        self.ports: dict[InstanceId, int | None] = {}
        self.random = random

    def observe(self) -> Observation:
        return Observation(
            KEY, 0.0, self.present, self.configuration, instances=tuple(self.instances.values()) if self.present else ()
        )

    def serving(self, service: str) -> int:
        return sum(seen.serving for seen in self.instances.values() if seen.service == service)

    def tick(self, rollout: Rollout, *, dies: bool = False) -> Plan:
        """One round: time passes, somebody plans, and (unless it dies before the end) acts on all of it."""
        self._pass()
        plan = rollout.plan(self.observe())
        abides(plan, rollout, self.observe())
        steps: Sequence[Step] = plan.steps
        if dies and self.random is not None:
            steps = steps[: self.random.randint(0, len(steps))]
        for step in steps:
            self._do(step)
        self._suits()
        return plan

    def _suits(self) -> None:
        """What surrounds the instances that plans have started suits every one of them, old or new."""
        if self.applied is None:
            return
        backends = {backend.service: backend for backend in self.applied.backends}
        for name, seen in self.instances.items():
            if name in self.ports and seen.state not in LEAVING:
                backend = backends[seen.service]
                assert seen.address in {member.address for member in backend.members}
                assert self.ports[name] in {None, backend.port, *backend.also}

    def settle(self, rollout: Rollout, ticks: int = SETTLE_TICKS) -> int:
        """How many ticks until there was nothing left to do."""
        for count in range(ticks):
            if self.tick(rollout).settled:
                return count
        raise AssertionError(f"not settled after {ticks} ticks: {rollout.plan(self.observe())}")

    def _delay(self) -> int:
        return self.random.randint(0, SLOWEST_TICKS) if self.random is not None else 0

    def _pass(self) -> None:
        for name, seen in list(self.instances.items()):
            self.due.setdefault(name, self._delay())
            if self.due[name] > 0:
                self.due[name] -= 1
            elif seen.state in LEAVING:
                del self.instances[name], self.due[name]
            elif name in self.ill:
                self.instances[name] = replace(
                    seen, state=InstanceState.RESTARTING, health=Health.UNHEALTHY, restarts=2
                )
            else:
                self.instances[name] = replace(
                    seen, state=InstanceState.RUNNING, health=Health.HEALTHY, ever_healthy=True
                )

    def _do(self, step: Step) -> None:
        match step.effect:
            case Configure(configuration=configuration):
                self.present, self.applied, self.configuration = True, configuration, configuration.digest
            case StartInstance(instance=instance):
                assert self.present
                assert instance.id not in self.instances, f"{instance.id} is there already"
                assert all(seen.address != instance.address for seen in self.instances.values()), instance.address
                if self.applied is not None:
                    members = {
                        m.address for b in self.applied.backends if b.service == instance.service for m in b.members
                    }
                    assert instance.address in members
                self.instances[instance.id] = InstanceSeen(
                    id=instance.id,
                    service=instance.service,
                    ordinal=instance.ordinal,
                    zone=instance.zone,
                    address=instance.address,
                    revision=instance.revision,
                    image_name=instance.image_name,
                    state=InstanceState.STARTING,
                    health=Health.UNKNOWN,
                    since=0.0,
                )
                self.due[instance.id] = self._delay()
                self.ports[instance.id] = instance.port
                self.ill.discard(instance.id)
                if instance.image in self.broken:
                    self.ill.add(instance.id)
            case StopInstance(id=id):
                if self.random is None:
                    del self.instances[id], self.due[id]
                elif self.instances[id].state not in LEAVING:
                    self.instances[id] = replace(self.instances[id], state=InstanceState.DRAINING)
                    self.due[id] = self._delay()
            case Remove():
                self.present, self.configuration = False, None
                self.instances.clear()


def abides(plan: Plan, rollout: Rollout, observation: Observation) -> None:
    """What holds for every plan, whatever was seen."""
    effects = [step.effect for step in plan.steps]
    starts = [effect.instance for effect in effects if isinstance(effect, StartInstance)]
    stops = [effect.id for effect in effects if isinstance(effect, StopInstance)]
    kinds = [effect.kind for effect in effects]
    assert kinds == sorted(kinds, key=["configure", "start", "stop"].index)
    assert kinds.count("configure") <= 1
    assert len(starts) <= STARTS_IN_A_TICK
    assert len(stops) == len(set(stops))
    if not observation.present:
        assert kinds[:1] == ["configure"]
        assert not stops
        return
    assert not {instance.id for instance in starts} & {seen.id for seen in observation.instances}
    for service in rollout.target.topology.services:
        seen = observation.of(service.name)
        wanted = rollout.wanted[service.name]
        before = sum(one.serving for one in seen)
        after = sum(one.serving for one in seen if one.id not in stops)
        assert after >= min(wanted.level, before), f"{service.name}: {before} served, {after} would"
        there = len(seen) + sum(instance.service == service.name for instance in starts)
        assert there <= max(len(seen), service.instances.max + surge(service))
    assert all(step.reason for step in plan.steps)
    assert all(wait.reason for wait in plan.waits)


def levels_of(blueprint: Blueprint, levels: Mapping[str, int]) -> Mapping[str, int]:
    return {service.name: level(service, levels) for service in blueprint.topology.services}
