"""An engine without an environment: everything is in memory, and time is a number.

It refuses what no real engine could be in (one id twice, one address for two, stopping what is not there): those are
faults of planning, and here they are found.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from anden.engines.simulated import caveats, gateway, reach, snapshot
from anden.engines.simulated.behaviour import Behaviour, of_image
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.faults import Faults
from anden.engines.simulated.world import KILLED, ImpossibleError, Kept, Resident, World
from anden.model import codec
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event
from anden.model.fault import LONGEST_S, Fault, FaultKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.instance import Instance
from anden.model.log import GATEWAY, LogLine
from anden.model.manners import TWIN, Manners
from anden.model.observation import InstanceSeen, InstanceState, Observation
from anden.model.plan import Caveat, Configure, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.ports import Engine, Exec, Secrets
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed, Seen
from anden.model.refused import Attempt
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
    """See model.ports.Engine. behaviours: image name to how its instances behave; see behaviour.of_image for others.

    faults: what goes wrong. With it the engine may be asked for what is not so (its observations may have been old),
    and then answers as the local one does, which does not know what was observed.
    """

    name = EngineName.SIMULATED

    def __init__(
        self,
        clock: VirtualClock,
        snapshot: Path | None = None,
        behaviours: Mapping[str, Behaviour] | None = None,
        faults: Faults | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._secrets = secrets
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

    def render(self, blueprint: Blueprint, manners: Manners = TWIN) -> Mapping[str, str]:
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
                problem = self._hindered(step) or self._do(key, step, gateway)
                if problem is None:
                    self._kept.version += 1
                self._save()
            self._crash(f"within {step.address}")
            yield Receipt(step.address, step.action, self._clock.monotonic() - began, problem)
            self._crash(f"after {step.address}")
            if problem is not None:
                return

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is, now, unless there are faults. Raises Problems when one of these is that it cannot be asked."""
        true = self.truth(key)
        return true if self._faults is None else self._faults.observed(true)

    def truth(self, key: EnvironmentKey) -> Observation:
        """What is, now, whatever goes wrong with seeing it."""
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
                configuration=world.digest(),
                gateway=world.gateway,
                instances=tuple(self._dated(resident.seen()) for resident in ordered),
                facts=Facts({leave.zone: leave.address for leave in world.configuration.leaves}),
                boot=BOOT,
                version=version,
                faults=tuple(
                    replace(fault, until=fault.until + self._shift()) for _, fault in sorted(world.outages.items())
                ),
                processes=dict(world.processes),
            )

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """Let time pass until something happens there, or `timeout_s`."""
        with self._lock:
            self._turn()
            if self._kept.version <= seen:
                world = self._kept.worlds.get(str(key))
                limit = self._clock.steady() + timeout_s
                self._clock.reach(limit if world is None else min(limit, world.due()))
                self._turn()
            self._save()
            return self._kept.version

    def logs(
        self, key: EnvironmentKey, service: str | None, lines: int, follow: bool, since: float | None = None
    ) -> Iterator[LogLine | None]:
        """The last lines; with `follow` those that time brought meanwhile, a second at a time, until closed."""
        with self._lock:
            self._turn()
            found = self._lines(key, service)
        yield from (line for line in (found[-lines:] if lines > 0 else []) if since is None or line.at >= since)
        while follow:
            yield None
            with self._lock:
                self._clock.sleep(1.0)
                self._turn()
                fresh = self._lines(key, service)
            yield from (line for line in fresh if line not in found and (since is None or line.at >= since))
            found = fresh

    def exec(  # noqa: PLR0911 - one return for each word
        self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float
    ) -> Exec:  # fmt: skip
        """`echo`, `cat`, `env`, `true`, `false` and `connect HOST PORT`; nothing else is there."""
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
                case ["connect", host, port] if port.isdigit():
                    return self._connect(self._world(key), instance, host, int(port))
                case _:
                    return Exec(127, "", f"{argv[0] if argv else ''}: not found in a simulated instance\n")

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe], who: str = "") -> tuple[Probed, ...]:
        """By the rules of the applied configuration."""
        with self._lock:
            self._turn()
            world = self._world(key)
            links = {linked.link.caller for linked in world.configuration.links}
            unknown = sorted({probe.caller for probe in probes} - world.residents.keys() - links)
            if unknown:
                raise Problems(Problem(unknown[0], "there is no such instance", "", "`anden status` lists them."))
            tried = tuple(
                reach.from_behind(world, probe)
                if probe.caller in links
                else reach.tried(world, probe, world.residents[probe.caller].instance)
                for probe in probes
            )
            self._clock.sleep(max((each.took_s for each in tried), default=0.0))
            return tried

    def _connect(self, world: World, instance: str, host: str, port: int) -> Exec:
        """As a program in the instance would: what it meets in vain is noted."""
        caller = world.residents[instance].instance
        tried = reach.tried(world, Probe(instance, host, port, listen=True), caller)
        world.note(tried, caller.service, self._clock.now())
        self._clock.sleep(tried.took_s)
        self._save()
        return Exec(0 if tried.seen is Seen.OPEN else 1, f"{tried.seen}\n", "")

    def refused(self, key: EnvironmentKey) -> tuple[Attempt, ...]:
        """What `connect` in an instance met; what is only probed does not count."""
        with self._lock:
            return tuple(self._world(key).refused.values())

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """At once; see model.ports.Engine."""
        with self._lock:
            self._turn()
            world, now = self._world(key), self._clock.steady()
            if fault.kind is FaultKind.ZONE:
                zones = [str(zone.name) for zone in world.configuration.layout.zones]
                if fault.name not in zones:
                    raise Problems(Problem(f"zone {fault.name}", "there is no such zone", f"zones: {', '.join(zones)}"))
                until = fault.until - self._shift()
                world.fail(replace(fault, until=min(until, now + LONGEST_S)), now)
            elif fault.kind is FaultKind.INSTANCE:
                resident = world.residents.get(fault.name)
                if resident is None or not resident.begun:
                    raise Problems(Problem(fault.name, "there is no such instance", "", "`anden status` lists them."))
                resident.end(now, KILLED)
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
                world.rejoin(zone, self._clock.steady())
                self._kept.version += 1
            self._save()

    def ask(self, key: EnvironmentKey, path: str, header_bytes: int = 0, takes_s: float = 0.0) -> int:
        """The HTTP status that the gateway answers for `path`, with a header line of that length, for an answer that
        takes an instance so long; see `gateway`."""
        with self._lock:
            self._turn()
            return gateway.answered(self._world(key), path, header_bytes, takes_s)

    def lingers(self, key: EnvironmentKey, silent_s: float) -> bool:
        """Whether a client's connection to the gateway is still open after so much silence, which passes."""
        with self._lock:
            self._clock.sleep(silent_s)
            self._turn()
            return silent_s < self._world(key).configuration.manners.idle_s

    def occupy(self, key: EnvironmentKey, instance: str, seconds: float) -> None:
        """The instance has a request in flight for so long."""
        with self._lock:
            self._world(key).residents[instance].busy_until = self._clock.steady() + seconds

    def resolve(self, key: EnvironmentKey, name: str) -> tuple[tuple[IPv4Address, ...], int]:
        """What the resolver answers for an internal name: its addresses in the answer's order, and the TTL in s."""
        with self._lock:
            world = self._world(key)
            return world.resolve(name), world.configuration.manners.name_ttl_s

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
            return self._unopened(key, step.effect.instance) or self._start(world, step.effect)
        if isinstance(step.effect, StopInstance):
            self._stop(world, step.effect)
            return None
        raise TypeError(f"{type(step.effect).__name__} is another engine's")

    def _unopened(self, key: EnvironmentKey, instance: Instance) -> Problem | None:
        """Nothing takes a secret here. They are asked for all the same: what is not there keeps it from starting."""
        if not instance.secrets:
            return None
        if (kept := self._secrets) is None:
            missing = ", ".join(sorted(secret.name for secret in instance.secrets.values()))
            return Problem(instance.id, "cannot start", f"its secrets are not there: {missing}", "")
        try:
            for secret in instance.secrets.values():
                kept.value(key, secret.name, secret.version)
        except Problems as found:
            return found.problems[0]
        return None

    def _start(self, world: World, effect: StartInstance) -> Problem | None:
        instance = effect.instance
        self._clock.sleep(START_S)
        if self._faults is not None and (held := _holder(world, instance)) is not None:
            if held.instance.revision == instance.revision and held.state is not InstanceState.STOPPING:
                return None
            why = f"{held.instance.id} holds its slot"
            return Problem(instance.id, "it cannot be started yet", why, "Stop that one first.")
        behaviour = of_image(instance.image_name, self._behaviours)
        world.admit(instance, behaviour, self._clock.steady(), effect.launch_s)
        return None

    def _stop(self, world: World, effect: StopInstance) -> None:
        if effect.id not in world.residents:
            if self._faults is not None:
                return
            raise ImpossibleError(f"{effect.id} is stopped, and it is not there")
        resident = world.residents[effect.id]
        busy_s = min(max(resident.busy_until - self._clock.steady(), 0.0), effect.drain_s)
        if resident.state in (InstanceState.STARTING, InstanceState.RUNNING) and resident.begun:
            busy_s += min(resident.behaviour.stops_s, effect.stop_s)
        if self._faults is not None:
            leaving_s = self._faults.leaving_s()
            resident.leave(None if leaving_s is None else self._clock.steady() + leaving_s)
            self._crash(f"while {effect.id} leaves")
        self._clock.sleep(STOP_S + busy_s)
        del world.residents[effect.id]

    def _world(self, key: EnvironmentKey) -> World:
        world = self._kept.worlds.get(str(key))
        if world is None:
            raise Problems(Problem(str(key), "does not run", "", "`anden up --on simulated` starts it."))
        return world

    def _lines(self, key: EnvironmentKey, service: str | None) -> list[LogLine]:
        if service == GATEWAY:
            raise Problems(Problem(GATEWAY, "it writes nothing here", "nobody sends it requests", "Ask the twin."))
        residents = self._world(key).residents.values()
        chosen = [each for each in residents if service in (None, each.instance.service, each.instance.id)]
        if service is not None and not chosen:
            raise Problems(Problem(service, "nothing of this name runs", "", "`anden status` lists what does."))
        return sorted((line for each in chosen for line in each.lines), key=lambda line: line.at)

    # Faults.

    def _hindered(self, step: Step) -> Problem | None:
        """What keeps this step from being done at all; or it only takes longer."""
        if self._faults is None:
            return None
        self._crash(f"before {step.address}")
        if (slow_s := self._faults.slow_s(step)) > 0.0:
            self._clock.sleep(slow_s)
            self._turn()
        return self._faults.refusal(step, self._clock.steady())

    def _crash(self, where: str) -> None:
        if self._faults is not None:
            self._faults.crash(where)

    # Time, and the file.

    def _turn(self) -> None:
        """Everything that is due by now happens."""
        now = self._clock.steady()
        self._kept.version += sum(world.pass_until(now) for world in self._kept.worlds.values())
        if self._faults is not None:
            before = sum(self._faults.count.values())
            for name in self._faults.turn(self._clock, self._kept.worlds):
                del self._kept.worlds[name]
            self._kept.version += sum(self._faults.count.values()) - before

    def _dated(self, seen: InstanceSeen) -> InstanceSeen:
        """With its times as the wall clock of now has them: an engine knows ages, whatever was set meanwhile."""
        if not (shift := self._shift()):
            return seen
        ended = seen.exit and replace(seen.exit, at=seen.exit.at + shift)
        silent = None if seen.unhealthy_since is None else seen.unhealthy_since + shift
        return replace(seen, since=seen.since + shift, exit=ended, unhealthy_since=silent)

    def _shift(self) -> float:
        """How far the wall clock has been set from where it would be."""
        return self._clock.now() - self._clock.steady()

    def _load(self) -> Kept:
        if self._file is None:
            return Kept()
        kept = snapshot.load(self._file)
        self._clock.reach(kept.now)
        return kept

    def _save(self) -> None:
        if self._file is not None:
            self._kept.now = self._clock.steady()
            snapshot.save(self._file, self._kept)


def _holder(world: World, instance: Instance) -> Resident | None:
    """Who has its name or, failing that, its address."""
    here = world.residents.get(instance.id)
    return here or next((one for one in world.residents.values() if one.instance.address == instance.address), None)
