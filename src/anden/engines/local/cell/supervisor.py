"""The supervisor: applies what it is told over its socket, and looks after instances meanwhile.

One event loop. It may be killed at any moment: init starts it again, and it takes up what runs without touching it.
What it knows beyond the running processes lies on the cell's tmpfs, so that it ends with the cell.
"""

import asyncio
import json
import os
import platform
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from anden.engines.local.cell import cgroup, firewall, grants, network, probe, protocol, secrets, steady, turns
from anden.engines.local.cell.balancer import Balancer
from anden.engines.local.cell.execution import Execution
from anden.engines.local.cell.faults import Faults
from anden.engines.local.cell.ground import Ends, Ground
from anden.engines.local.cell.init_client import Ended, InitClient
from anden.engines.local.cell.life import LOGS, Life, Record, records
from anden.engines.local.cell.links import Keys, Links
from anden.engines.local.cell.logs import Documents
from anden.engines.local.cell.output import Output, kept
from anden.engines.local.cell.refused import Ledger
from anden.engines.local.cell.resolver import Resolver
from anden.engines.local.render import haproxy, seccomp
from anden.engines.local.render.nftables import FIRST_DIALLED, LAST_DIALLED
from anden.model import codec, zones
from anden.model.blueprint import Facts
from anden.model.configuration import Configuration
from anden.model.fault import Fault
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.instance import Instance
from anden.model.invitation import Rehearsal
from anden.model.link import LinkSeen
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed, Seen
from anden.model.refused import Attempt
from anden.model.traffic import Passed

GATEWAY, GATEWAY_TLS = "gateway", "gateway-tls"
"""The names under which init keeps the gateway's sockets: the keeper's, and the one that the engine hands over
(engines.local.tls)."""
ACCESS_PIPE_BYTES = 1024 * 1024
"""What its processes may write while nobody reads; the kernel's own bound for a pipe (fs.pipe-max-size)."""
CONFIGURATION = protocol.RUN / "configuration.json"
PROFILES = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))
HEALTH_S = 0.5
"""Between two readings of everybody's health; HEALTH_CHANGING_S while somebody is not healthy."""
HEALTH_CHANGING_S = 0.1
TEND_S = 1.0
LONGEST_WAIT_S = 60.0
REQUEST_BYTES = 32 * 1024 * 1024
"""A request's line at most; a command's input is the longest."""


class Supervisor:
    """Everything of a running cell."""

    def __init__(self, facts: dict[str, str], init: InitClient) -> None:
        self._facts = facts
        self._key = EnvironmentKey(facts["client"], facts["environment"], EngineName.LOCAL)
        self._ground = Ground(
            init=init,
            balancer=Balancer(init, protocol.RUN, GATEWAY, kept(GATEWAY, "stdout", "w"), GATEWAY_TLS),
            ends=Ends(),
            hierarchies=cgroup.here(),
            group=facts["group"],
            seccomp=_profile(),
            changed=self._changed,
        )
        self._access = Output(init, GATEWAY, LOGS / f"{GATEWAY}.log", Documents, ACCESS_PIPE_BYTES)
        self._resolver = Resolver(init, protocol.RUN)
        self._links = Links(init)
        self._linked: tuple[LinkSeen, ...] = ()
        self._secure: str | None = None
        """Where the gateway listens with TLS."""
        self._ledger = Ledger(protocol.RUN / "refused.json")
        self._dialled = Ledger(protocol.RUN / "dialled.json", sets=(FIRST_DIALLED, LAST_DIALLED))
        self._lives: dict[str, Life] = {}
        self._execution = Execution(self._ground)
        self._faults = Faults(self._ground, self._lives)
        self._traffic: dict[str, Passed] = {}
        self._hung_up: set[str] = set()
        """Instances of lost zones whose connections were ended."""
        # Milliseconds, so that a supervisor that comes back goes on from a higher number than any it ever gave; since
        # the boot, for a clock that is set back would have it count from a lower one.
        self._version = int(time.monotonic() * 1000)
        self._seen = asyncio.Event()
        self._configuring = asyncio.Lock()
        self._exits = init.exits()
        self._tend = asyncio.Event()

    async def run(self) -> None:
        """Take up what runs, then serve for good."""
        self._listen_to_exits()
        self._access.open()
        await self._take_up()
        watching = asyncio.create_task(self._watch())
        path = protocol.CELL / "supervisor.sock"
        path.unlink(missing_ok=True)
        before = os.umask(0o077)  # nobody but root, from the socket's first moment
        server = await asyncio.start_unix_server(self._serve, path, limit=REQUEST_BYTES)
        os.umask(before)
        async with server:
            await watching

    async def _take_up(self) -> None:
        with suppress(OSError, ValueError):
            self._ground.configuration = codec.from_json(Configuration, CONFIGURATION.read_text())
        found = records()
        for record in found:
            self._lives[record.instance.id] = life = Life(self._ground, record)
            await life.resume()
        if (configuration := self._ground.configuration) is not None:
            servers = [
                one for record in found if record.registered and (one := haproxy.server(record.instance)) is not None
            ]
            await asyncio.to_thread(self._ground.balancer.configure, configuration, servers)
            self._secure = self._ground.balancer.secure()
            await asyncio.to_thread(self._resolver.configure, configuration)
            await asyncio.to_thread(self._links.configure, configuration, None)
        await self._faults.resume()
        await self._judge()

    # What happens by itself

    def _listen_to_exits(self) -> None:
        asyncio.get_running_loop().add_reader(self._exits.fileno(), self._hear)
        self._tell(self._exits.past)

    def _hear(self) -> None:
        try:
            self._tell(self._exits.read())
        except OSError:
            asyncio.get_running_loop().remove_reader(self._exits.fileno())
            self._exits.close()
            try:
                self._exits = self._ground.init.exits()
                self._listen_to_exits()
            except OSError:  # without the exits it would wait for ever: init starts another supervisor
                traceback.print_exc()
                os._exit(1)

    def _tell(self, ended: list[Ended]) -> None:
        for one in ended:
            if self._ground.ends.tell(one):
                asyncio.get_running_loop().run_in_executor(None, self._ground.init.tell, one)
                if one.name.startswith(("balancer", "resolver", "link")):
                    self._tend.set()

    async def _watch(self) -> None:
        """Read health, and start what died of the cell's own processes. What goes wrong is said, and tried again."""
        tended = time.monotonic()
        while True:
            try:
                await self._judge()
                await self._faults.tend()
                if self._tend.is_set() or time.monotonic() - tended > TEND_S:
                    self._tend.clear()
                    tended = time.monotonic()
                    await asyncio.to_thread(self._ground.balancer.tend)
                    await asyncio.to_thread(self._resolver.tend)
                    await asyncio.to_thread(self._links.tend)
                await self._look()
            except (OSError, Problems, ValueError) as error:
                _say(f"{type(error).__name__}: {error}")
            steady = all(life.health is Health.HEALTHY for life in self._lives.values())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tend.wait(), HEALTH_S if steady else HEALTH_CHANGING_S)

    async def _look(self) -> None:
        """Whether a tunnel has come, gone, or fails for another reason than before."""
        seen = await asyncio.to_thread(self._links.seen)
        if [each.without_counts() for each in seen] != [each.without_counts() for each in self._linked]:
            self._changed()
        self._linked = seen

    async def _judge(self) -> None:
        health = await asyncio.to_thread(self._ground.balancer.health)
        self._traffic = await asyncio.to_thread(self._ground.balancer.passed)
        for life in tuple(self._lives.values()):
            life.judge(health.get(life.id))
        await self._hang_up()

    async def _hang_up(self) -> None:
        """End the balancer's connections into a zone that has fallen silent: what waits there for an answer gets none,
        and what may be asked twice is asked again elsewhere, instead of waiting for its timeout."""
        configuration = self._ground.configuration
        if configuration is None or len(configuration.layout.zones) == 1:
            return
        listening = {life.record.instance.service for life in self._lives.values() if life.record.instance.port}
        seen = self._instances()
        gone = zones.stranded(seen, zones.lost(seen, time.time(), listening, 0.0))
        fresh = [one for one in gone if one.id not in self._hung_up]
        self._hung_up = {str(one.id) for one in gone}
        if fresh:
            await asyncio.to_thread(network.hang_up, [one.address for one in fresh])

    def _instances(self) -> list[InstanceSeen]:
        return [self._lives[name].seen() for name in sorted(self._lives)]

    def _changed(self) -> None:
        self._version += 1
        self._seen.set()
        self._seen = asyncio.Event()

    # What it is told

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection: a request a line, an answer a line."""
        with suppress(ConnectionError, ValueError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": await self._act(json.loads(line))}
        except Problems as found:
            return {"problems": [codec.to_data(problem) for problem in found.problems]}
        except Exception as error:  # said to whoever asked and in the log; the cell lives on
            _say(f"{type(error).__name__}: {error}")
            what = f"the supervisor failed: {type(error).__name__}"
            return {"problems": [codec.to_data(Problem("cell", what, str(error), "The cell's log says more."))]}

    async def _act(self, request: dict[str, Any]) -> Any:  # noqa: PLR0911, PLR0912 - one return for each request
        match request["op"]:
            case "ping":
                return {"pid": os.getpid(), "gateway": self._facts["gateway"]}
            case "observe":
                return codec.to_data(self.observe())
            case "wait":
                return await self._wait(int(request["seen"]), float(request["timeout_s"]))
            case "configure":
                configuration = codec.from_data(Configuration, request["configuration"])
                return await self._configure(configuration, request.get("keys", {}), request.get("certificate"))
            case "tls":
                balancer = self._ground.balancer
                return {"listening": balancer.secure(), "certificate": balancer.certificates.public(time.time())}
            case "start":
                instance, launch_s = codec.from_data(Instance, request["instance"]), float(request.get("launch_s", 0.0))
                return await self._start(instance, request["rootfs"], launch_s, request.get("secrets", {}))
            case "stop":
                return await self._stop(request["id"], float(request["drain_s"]), float(request["stop_s"]))
            case "exec":
                life = self._life(request["instance"])
                return await self._execution.run(life, request["argv"], request["stdin"], float(request["timeout_s"]))
            case "probe":
                probes = [codec.from_data(Probe, one) for one in request["probes"]]
                return await self._probe(probes)
            case "refused":
                return [codec.to_data(one) for one in await asyncio.to_thread(self._refused)]
            case "link":
                return await asyncio.to_thread(self._link, request)
            case "disturb":
                return await self._faults.disturb(codec.from_data(Fault, request["fault"]))
            case "restore":
                return await self._faults.restore()
        raise ValueError(f"no such request: {request['op']}")

    def _link(self, request: dict[str, Any]) -> list[str] | tuple[str, str] | dict[str, str] | None:
        if (name := request["name"]) is None:
            return self._links.datacentre(bool(request["up"]))
        if "sign" in request:
            return self._links.sign(name, str(request["sign"]))
        if "invite" in request:
            given = request["invite"]
            issued = self._links.invite(name, None if given is None else codec.from_data(Rehearsal, given))
            return None if issued is None else codec.to_data(issued)
        self._links.turn(name, request["tunnel"], bool(request["up"]))
        return None

    def observe(self) -> Observation:
        """The cell, now."""
        configuration = self._ground.configuration
        return Observation(
            key=self._key,
            at=time.time(),
            present=True,
            configuration=None if configuration is None or self._due(configuration) else configuration.digest,
            gateway=self._facts["gateway"],
            gateway_tls=self._secure,
            instances=tuple(self._instances()),
            facts=Facts({} if configuration is None else {one.zone: one.address for one in configuration.leaves}),
            boot=self._facts["boot"],
            version=self._version,
            faults=self._faults.now(),
            processes={"supervisor": os.getpid(), **self._ground.balancer.processes()},
            traffic=self._traffic,
            links=self._linked,
        )

    def _due(self, configuration: Configuration) -> bool:
        """Whether its certificate is, and with it all of the configuration: who applies it again brings another."""
        return bool(configuration.tls) and (self._secure is None or self._ground.balancer.certificates.due(time.time()))

    async def _wait(self, seen: int, timeout_s: float) -> int:
        deadline = time.monotonic() + min(timeout_s, LONGEST_WAIT_S)
        while self._version <= seen and (left := deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._seen.wait(), left)
        return self._version

    async def _configure(self, configuration: Configuration, keys: Keys, signed: dict[str, Any] | None) -> None:
        async with self._configuring:
            certificates = self._ground.balancer.certificates
            servers = [
                one
                for life in self._lives.values()
                if life.record.registered and (one := haproxy.server(life.record.instance)) is not None
            ]
            await asyncio.to_thread(network.build, configuration)
            await asyncio.to_thread(self._wall, configuration)
            await asyncio.to_thread(self._links.configure, configuration, keys)
            await asyncio.to_thread(self._resolver.begin, configuration)
            if signed is not None:
                certificates.put(signed["pem"])
            await asyncio.to_thread(self._ground.balancer.configure, configuration, servers)
            if signed is not None:
                certificates.settle(float(signed["renew_at"]))
            self._secure = self._ground.balancer.secure()
            await asyncio.to_thread(self._resolver.settle)
            new = CONFIGURATION.with_suffix(".new")
            new.write_text(codec.to_json(configuration))
            new.replace(CONFIGURATION)
            self._ground.configuration = configuration
            self._changed()

    def _wall(self, configuration: Configuration) -> None:
        """Replace the firewall; what names led to and is still declared stays open for its time."""
        with turns.locked(self._resolver.lock):
            granted = grants.standing(self._ground.configuration)
            self._ledger.fold(time.time())
            self._dialled.fold(time.time())
            firewall.apply(configuration, self._faults.down(configuration), granted)

    def _refused(self) -> list[Attempt]:
        if (configuration := self._ground.configuration) is None:
            return []
        noted = self._resolver.refused()
        now = time.time()
        over_links = self._dialled.dialled(configuration, now)
        return [*self._ledger.attempts(configuration, now), *self._ledger.asked(noted), *over_links]

    async def _start(self, instance: Instance, rootfs: str, launch_s: float, given: secrets.Values) -> None:
        there = self._lives.get(instance.id)
        if there is not None:
            if there.record.instance.revision == instance.revision and there.record.state is not InstanceState.STOPPING:
                return
            why = "an instance of another revision holds its slot"
            raise Problems(Problem(instance.id, "it cannot be started yet", why, "Stop that one first."))
        launch_at = time.monotonic() + launch_s if launch_s else 0.0
        secrets.keep(instance.id, given)
        record = Record(instance, rootfs, InstanceState.STARTING, steady.now(), launch_at=launch_at)
        self._lives[instance.id] = life = Life(self._ground, record)
        self._changed()
        try:
            await life.begin()
        except BaseException:
            del self._lives[instance.id]
            raise

    async def _stop(self, name: str, drain_s: float, stop_s: float) -> None:
        life = self._lives.get(name)
        if life is not None:
            await life.stop(drain_s, stop_s)
            self._lives.pop(name, None)
            self._changed()

    async def _probe(self, probes: list[Probe]) -> Any:
        if (configuration := self._ground.configuration) is None:
            raise Problems(Problem("cell", "it is not configured yet", "", "Run `anden up`."))
        return [codec.to_data(one) for one in await asyncio.to_thread(self._probed, probes, configuration)]

    def _probed(self, probes: list[Probe], configuration: Configuration) -> tuple[Probed, ...]:
        """Probe, and leave no trace of it among what was refused: nobody but us tried."""
        self._ledger.fold(time.time())
        self._dialled.fold(time.time())
        found = probe.probe(probes, configuration)
        dialled = [(str(one.probe.source), one.probe) for one in found if one.probe.source is not None]
        self._dialled.fold(time.time(), probe.keys(dialled, configuration))
        inside = {str(life.record.instance.id): life.record.instance for life in tuple(self._lives.values())}
        tried = [(inside[one.probe.caller], one) for one in found if one.probe.caller in inside]
        silent = [(who, one.probe) for who, one in tried if one.seen is Seen.SILENT]
        self._ledger.fold(time.time(), probe.keys(((str(who.address), each) for who, each in silent), configuration))
        unknown = {
            (who.id, one.probe.host.lower()): str(who.service) for who, one in tried if one.seen is Seen.UNRESOLVED
        }
        self._ledger.forgive((service, name) for (_, name), service in unknown.items())
        return found

    def _life(self, id: str) -> Life:
        if id not in self._lives:
            running = ", ".join(sorted(self._lives)) or "none"
            raise Problems(Problem(id, "no such instance runs", f"running: {running}", "`anden status` names them."))
        return self._lives[id]


def _profile() -> dict[str, Any]:
    """The machine's allow-list of system calls. Raises Problems when it has none: instances do not run without."""
    for path in PROFILES:
        with suppress(FileNotFoundError):
            return seccomp.profile(json.loads(path.read_text()), platform.machine())
    raise Problems(
        Problem(
            "seccomp",
            f"{PROFILES[-1]} is missing",
            "instances run with its list of allowed system calls only",
            "Install the package `golang-github-containers-common`.",
        )
    )


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} supervisor: {text}", file=sys.stderr, flush=True)


async def _main() -> None:
    await Supervisor(json.loads(protocol.FACTS.read_text()), InitClient()).run()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except Problems as found:
        _say(str(found))
        sys.exit(1)
