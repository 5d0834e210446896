"""An engine without an environment: everything is in memory, and time is a number.

It refuses what no real engine could be in (one id twice, one address for two, stopping what is not there): those are
faults of planning, and here they are found.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from anden.engines.simulated import caveats, reach, snapshot
from anden.engines.simulated.behaviour import Behaviour, of_image
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.world import KILLED, ImpossibleError, Kept, World
from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event
from anden.model.fault import LONGEST_S, Fault, FaultKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.log import LogLine
from anden.model.observation import Observation
from anden.model.plan import Caveat, Configure, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.ports import Engine, Exec
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed
from anden.model.topology import Egress, Topology

CONFIGURE_S, START_S, STOP_S, REMOVE_S = 0.05, 0.025, 0.05, 0.1
"""What each effect takes in virtual time; the local engine takes about as long."""
EGRESS = IPv4Address("198.18.0.1")
"""The first fixed address; 198.18.0.0/15 is kept for tests (RFC 2544)."""
GATEWAY_HOST = "127.0.0.1"
FIRST_PORT = 8080
MOST_PORTS = 100
"""How many ports after the first are tried for a gateway."""
BOOT = "simulated"


class SimulatedEngine(Engine):
    """See model.ports.Engine. behaviours: image name to how its instances behave; see behaviour.of_image for others."""

    name = EngineName.SIMULATED

    def __init__(
        self, clock: VirtualClock, snapshot: Path | None = None, behaviours: Mapping[str, Behaviour] | None = None
    ) -> None:
        self._clock = clock
        self._file = snapshot
        self._behaviours = dict(behaviours or {})
        self._lock = threading.RLock()
        self._kept = self._load()

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        """Pure."""
        return caveats.caveats(topology)

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        """Addresses of 198.18.0.0/15, the same ones for every environment."""
        if topology.egress is Egress.NONE:
            return Facts()
        if topology.egress is Egress.ONE:
            return Facts({"*": EGRESS})
        return Facts({zone: EGRESS + number for number, zone in enumerate("abcd"[:zones])})

    def render(self, blueprint: Blueprint) -> Mapping[str, str]:
        """There is nothing to write but the blueprint itself."""
        return {"blueprint.json": codec.to_json(blueprint, indent=2) + "\n"}

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        """Nothing is slow here."""
        return iter(())

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        """No port is opened; those that another environment has are avoided all the same."""
        if wanted is not None:
            if wanted in taken:
                why = f"{taken[wanted]} has it"
                raise Problems(Problem(f"gateway {wanted}", "is taken", why, "Choose another --gateway HOST:PORT."))
            return wanted
        for port in range(FIRST_PORT, FIRST_PORT + MOST_PORTS):
            if f"{GATEWAY_HOST}:{port}" not in taken:
                return f"{GATEWAY_HOST}:{port}"
        raise Problems(Problem("gateway", f"the {MOST_PORTS} ports from {FIRST_PORT} are taken", "", "Use --gateway."))

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt]:
        """One after the other. Raises ImpossibleError for a fault of planning."""
        for step in steps:
            with self._lock:
                began = self._clock.monotonic()
                self._turn()
                problem = self._do(key, step, gateway)
                if problem is None:
                    self._kept.version += 1
                self._save()
            yield Receipt(step.address, step.action, self._clock.monotonic() - began, problem)
            if problem is not None:
                return

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is, now."""
        with self._lock:
            self._turn()
            now, version, world = self._clock.now(), self._kept.version, self._kept.worlds.get(str(key))
            if world is None:
                return Observation(key, now, present=False, boot=BOOT, version=version)
            ordered = sorted(world.residents.values(), key=lambda each: (each.instance.service, each.instance.ordinal))
            return Observation(
                key,
                now,
                present=True,
                configuration=world.configuration.digest,
                gateway=world.gateway,
                instances=tuple(resident.seen() for resident in ordered),
                facts=Facts({leave.zone: leave.address for leave in world.configuration.leaves}),
                boot=BOOT,
                version=version,
                faults=tuple(world.outages[zone] for zone in sorted(world.outages)),
                processes=dict(world.processes),
            )

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """Let time pass until something happens there, or `timeout_s`."""
        with self._lock:
            self._turn()
            if self._kept.version <= seen:
                world = self._kept.worlds.get(str(key))
                limit = self._clock.now() + timeout_s
                self._clock.reach(limit if world is None else min(limit, world.due()))
                self._turn()
            self._save()
            return self._kept.version

    def logs(self, key: EnvironmentKey, service: str | None, lines: int, follow: bool) -> Iterator[LogLine | None]:
        """The last lines; with `follow` those that time brought meanwhile, a second at a time, until closed."""
        with self._lock:
            self._turn()
            found = self._lines(key, service)
        yield from found[-lines:] if lines > 0 else []
        while follow:
            yield None
            with self._lock:
                self._clock.sleep(1.0)
                self._turn()
                fresh = self._lines(key, service)
            yield from (line for line in fresh if line not in found)
            found = fresh

    def exec(self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """`echo`, `cat`, `env`, `true` and `false`; nothing else is there."""
        with self._lock:
            resident = self._world(key).residents.get(instance)
            if resident is None:
                raise Problems(Problem(instance, "there is no such instance", "", "`anden status` lists them."))
            match list(argv):
                case ["echo", *words]:
                    return Exec(0, " ".join(words) + "\n", "")
                case ["cat"]:
                    return Exec(0, stdin.decode(errors="replace"), "")
                case ["env"]:
                    return Exec(0, "".join(f"{k}={v}\n" for k, v in sorted(resident.instance.env.items())), "")
                case ["true"]:
                    return Exec(0, "", "")
                case ["false"]:
                    return Exec(1, "", "")
                case _:
                    return Exec(127, "", f"{argv[0] if argv else ''}: not found in a simulated instance\n")

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe]) -> tuple[Probed, ...]:
        """By the rules of the applied configuration."""
        with self._lock:
            self._turn()
            world = self._world(key)
            unknown = sorted({probe.caller for probe in probes} - world.residents.keys())
            if unknown:
                raise Problems(Problem(unknown[0], "there is no such instance", "", "`anden status` lists them."))
            tried = tuple(reach.tried(world, probe, world.residents[probe.caller].instance) for probe in probes)
            self._clock.sleep(max((each.took_s for each in tried), default=0.0))
            return tried

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """At once; see model.ports.Engine."""
        with self._lock:
            self._turn()
            world, now = self._world(key), self._clock.now()
            if fault.kind is FaultKind.ZONE:
                zones = [str(zone.name) for zone in world.configuration.layout.zones]
                if fault.name not in zones:
                    raise Problems(Problem(f"zone {fault.name}", "there is no such zone", f"zones: {', '.join(zones)}"))
                world.fail(replace(fault, until=min(fault.until, now + LONGEST_S)), now)
            elif fault.kind is FaultKind.INSTANCE:
                resident = world.residents.get(fault.name)
                if resident is None:
                    raise Problems(Problem(fault.name, "there is no such instance", "", "`anden status` lists them."))
                resident.end(KILLED, now)
            else:
                world.replace_process(fault.kind.value)
            self._kept.version += 1
            self._save()

    def restore(self, key: EnvironmentKey) -> None:
        """See model.ports.Engine."""
        with self._lock:
            self._turn()
            world = self._world(key)
            for zone in tuple(world.outages):
                world.rejoin(zone, self._clock.now())
                self._kept.version += 1
            self._save()

    def vanish(self, key: EnvironmentKey) -> None:
        """The environment dies as a whole, as a cell does whose keeper was killed."""
        with self._lock:
            del self._kept.worlds[str(key)]
            self._kept.version += 1
            self._save()

    def _do(self, key: EnvironmentKey, step: Step, gateway: str) -> Problem | None:
        world = self._kept.worlds.get(str(key))
        if isinstance(step.effect, Remove):
            self._clock.sleep(REMOVE_S)
            self._kept.worlds.pop(str(key), None)
            return None
        if isinstance(step.effect, Configure):
            self._clock.sleep(CONFIGURE_S)
            made = world or World(step.effect.configuration, gateway)
            made.configure(step.effect.configuration)
            self._kept.worlds[str(key)] = made
            return None
        if world is None:
            return Problem(str(key), "is gone", "it ended between two looks at it", "The next tick brings it back.")
        if isinstance(step.effect, StartInstance):
            self._clock.sleep(START_S)
            instance = step.effect.instance
            if instance.secrets:
                missing = ", ".join(sorted(instance.secrets.values()))
                return Problem(instance.id, "cannot start", f"its secrets are not there: {missing}", "")
            world.admit(instance, of_image(instance.image_name, self._behaviours), self._clock.now())
            return None
        self._stop(world, step.effect)
        return None

    def _stop(self, world: World, effect: StopInstance) -> None:
        if effect.id not in world.residents:
            raise ImpossibleError(f"{effect.id} is stopped, and it is not there")
        self._clock.sleep(STOP_S)
        del world.residents[effect.id]

    def _world(self, key: EnvironmentKey) -> World:
        world = self._kept.worlds.get(str(key))
        if world is None:
            raise Problems(Problem(str(key), "does not run", "", "`anden up --on simulated` starts it."))
        return world

    def _lines(self, key: EnvironmentKey, service: str | None) -> list[LogLine]:
        residents = self._world(key).residents.values()
        chosen = [each for each in residents if service in (None, each.instance.service, each.instance.id)]
        if service is not None and not chosen:
            raise Problems(Problem(service, "nothing of this name runs", "", "`anden status` lists what does."))
        return sorted((line for each in chosen for line in each.lines), key=lambda line: line.at)

    # Time, and the file.

    def _turn(self) -> None:
        """Everything that is due by now happens."""
        now = self._clock.now()
        self._kept.version += sum(world.pass_until(now) for world in self._kept.worlds.values())

    def _load(self) -> Kept:
        if self._file is None:
            return Kept()
        kept = snapshot.load(self._file)
        self._clock.reach(kept.now)
        return kept

    def _save(self) -> None:
        if self._file is not None:
            self._kept.now = self._clock.now()
            snapshot.save(self._file, self._kept)
