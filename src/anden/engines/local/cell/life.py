"""The life of one instance in its slot: started, restarted in place, drained, stopped; and what is remembered of it
for a supervisor that comes back."""

import asyncio
import json
import os
import signal
import time
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from anden.engines.local.cell import cgroup, network, protocol, restart, secrets, steady
from anden.engines.local.cell.container import Bundle
from anden.engines.local.cell.ground import Ground
from anden.engines.local.cell.init_client import die_by
from anden.engines.local.cell.output import Output
from anden.model import codec
from anden.model.instance import Instance
from anden.model.observation import Exit, Health, InstanceSeen, InstanceState
from anden.model.problem import Problem, Problems

RECORDS = protocol.RUN / "instances"
LOGS = protocol.CELL / "logs"
NOT_STARTED = 127
"""The exit code of an instance whose program could not be started; a shell's convention."""
LOST = -9
"""The exit code of a process that ended unseen: there was no supervisor for longer than init's journal reaches."""
DRAIN_POLL_S = 0.05
NOT_BEGUN = "its process has not begun yet"
KILL_S = 10.0
"""How long a process may take to end after SIGKILL; longer means that the kernel holds it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What survives the supervisor. `launch` counts starts; 0: never. `pid` 0: not running now. Times as `steady`
    has them.

    failures: ends in a row, for the back-off; `restarts` only grows. launch_at: its process does not begin before; in
    seconds of the machine's monotonic clock, which no setting of the clock moves and every process reads alike.
    """

    instance: Instance
    rootfs: str
    state: InstanceState
    since: float
    pid: int = 0
    launch: int = 0
    started_at: float = 0.0
    restarts: int = 0
    failures: int = 0
    exit: Exit | None = None
    ever_healthy: bool = False
    unhealthy_since: float | None = None
    launch_at: float = 0.0

    @property
    def registered(self) -> bool:
        """The balancer is to know it: its process has begun or is about to, and it is not being ended."""
        return self.state is not InstanceState.STOPPING and (self.launch > 0 or self.launch_at == 0)


class Life:
    """One instance. Everything here happens on the supervisor's event loop."""

    def __init__(self, ground: Ground, record: Record) -> None:
        self._ground = ground
        self.record = record
        self.health = Health.UNKNOWN
        self.answer = ""
        self.bundle = Bundle(record.instance, record.rootfs, ground.group)
        self._output = Output(ground.init, record.instance.id, LOGS / f"{record.instance.id}.log")
        self._turn = asyncio.Lock()
        """Held while the runtime works on this instance."""
        self._beginning = asyncio.Lock()
        """Held until `begin` has come to its end."""
        self._leaving = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The instance's id."""
        return self.record.instance.id

    # Beginning

    async def begin(self) -> None:
        """Attach, register and start it for the first time. What its program does then is the instance's own matter;
        raises Problems when the cell could not make its surroundings, and then nothing of it is left."""
        async with self._beginning:
            await self._first()

    async def _first(self) -> None:
        try:
            self._note(self.record)
            self._output.open()
            await self._surround()
            if not self.record.registered:
                self._begin(self._live_later())
                return
            await asyncio.to_thread(self._ground.balancer.add, self.record.instance)
            failed = await self._launch()
        except (OSError, Problems) as error:
            await self._clear()
            if isinstance(error, Problems):
                raise
            why = str(error)
            fix = "`anden doctor` checks this machine."
            raise Problems(Problem(self.id, "it could not be started", why, fix)) from error
        self._begin(self._live(failed))

    async def resume(self) -> None:
        """Take up what an earlier supervisor began, without touching what runs."""
        self._output.open()
        if self.record.state in (InstanceState.DRAINING, InstanceState.STOPPING):
            self._note(replace(self.record, state=InstanceState.RUNNING))  # whoever asked will ask again
        if self.record.pid:
            known = self._ground.init.alive(self.record.pid) or self._ground.ends.known(self._name)
            if known and self.record.state in (InstanceState.STARTING, InstanceState.RESTARTING):
                # Killed between making it and noting that it began: a runtime refuses to begin a second time.
                await self._ground.run(self._command("start"), self.bundle.start())
                self._note(replace(self.record, state=InstanceState.RUNNING))
            self._begin(self._live(None if known else LOST))
        else:
            self._begin(self._live_again() if self.record.registered else self._live_later())

    def _begin(self, living: Coroutine[None, None, None]) -> None:
        """An error of ours ends the supervisor: init starts it again, and what runs is taken up."""

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                traceback.print_exception(error)
                os._exit(1)

        self._task = asyncio.create_task(living, name=f"life of {self.id}")
        self._task.add_done_callback(done)

    async def _surround(self) -> None:
        instance, configuration = self.record.instance, self._ground.configuration
        if configuration is None:
            raise Problems(Problem(self.id, "the cell is not configured yet", "", "Run `anden up`."))
        netns = await asyncio.to_thread(network.attach, instance.id, instance.address, instance.zone)
        self.bundle.make(netns, configuration, self._ground.seccomp)

    async def _launch(self) -> int | None:
        """Start its program. None: it runs; otherwise the exit code of what did not come to run, said in its log.
        Raises OSError when the runtime itself cannot be run."""
        async with self._turn:
            number = self.record.launch + 1
            self._note(replace(self.record, launch=number, pid=0, started_at=steady.now()))
            try:
                # What an earlier launch left, when the one who should have deleted it was killed.
                if number > 1:
                    await self._ground.run(self._command("delete"), self.bundle.delete())
                code = await self._ground.run(self._command("create"), self.bundle.create(), self._output.fds)
                if code == 0:
                    pid = self.bundle.pid()
                    self._ground.init.watch(pid, self._name)
                    self._note(replace(self.record, pid=pid))
                    code = await self._ground.run(self._command("start"), self.bundle.start(), self._output.fds)
            except (TimeoutError, ValueError) as error:
                code = NOT_STARTED
                self._output.say(f"the container runtime failed: {error or 'it took too long'}")
            if code == 0:
                self._note(replace(self.record, state=InstanceState.RUNNING))
                return None
            self._output.rest()  # the runtime's own words first: they are in the same pipe
            self._output.say(f"it could not be started ({die_by(code)})")
            await self._delete()
            return NOT_STARTED

    # Living

    async def _live(self, failed: int | None) -> None:
        """Until it is to leave: wait for its end, and start it again. `failed`: it ended already, with that code."""
        at = steady.now()
        if failed is None:
            ended = await self._ground.ends.of(self._name)
            failed, at = ended.code, ended.at
        await self._ended(failed, at)
        await self._live_again()

    async def _live_later(self) -> None:
        """Its process begins at its time, and not before; the balancer hears of it then."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), max(self.record.launch_at - time.monotonic(), 0.0))
        if not self._leaving.is_set():
            with suppress(OSError, Problems):  # whoever configures the balancer next adds it again
                await asyncio.to_thread(self._ground.balancer.add, self.record.instance)
        await self._live_again()

    async def _live_again(self) -> None:
        """After an end, or a start that a killed supervisor did not finish. Turns until it is to leave; each pauses."""
        while not self._leaving.is_set():
            policy = self.record.instance.restart
            pause = restart.delay(self.record.failures, policy.first_s, policy.limit_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), pause)
            if self._leaving.is_set():
                return
            if self.record.state is InstanceState.RESTARTING:
                self._note(replace(self.record, restarts=self.record.restarts + 1))
            try:
                if not self.bundle.made:  # killed before its surroundings were
                    await self._surround()
                failed, at = await self._launch(), steady.now()
            except (OSError, Problems) as error:
                self._output.say(f"it could not be started: {error}")
                failed, at = NOT_STARTED, steady.now()
            if failed is None:
                ended = await self._ground.ends.of(self._name)
                failed, at = ended.code, ended.at
            await self._ended(failed, at)

    async def _ended(self, code: int, at: float) -> None:
        self._output.ended(steady.wall(at))
        killed = cgroup.use(self._ground.hierarchies, self.bundle.group).out_of_memory > 0
        lasted = at - self.record.started_at
        failures = restart.failures(self.record.failures, lasted, self.record.instance.restart.stable_s)
        state = self.record.state if self._leaving.is_set() else InstanceState.RESTARTING
        self.health, self.answer = Health.UNHEALTHY, f"it ended: {die_by(code)}"
        silent = self._silent(at)
        left = Exit(code, at, out_of_memory=killed)
        self._note(replace(self.record, pid=0, state=state, failures=failures, exit=left, unhealthy_since=silent))
        with suppress(OSError):
            await asyncio.to_thread(self._ground.balancer.down, self.id)
        async with self._turn:
            await self._delete()

    def judge(self, said: tuple[Health, str] | None) -> None:
        """What the balancer says of it now."""
        if self.record.state is InstanceState.RESTARTING:
            return
        if self.record.state is InstanceState.STARTING and not self.record.registered:
            said = (Health.UNKNOWN, NOT_BEGUN)
        elif self.record.instance.port is None:
            up = self.record.state is InstanceState.RUNNING
            said = (Health.HEALTHY if up else Health.UNKNOWN, "")
        elif said is None:
            said = (Health.UNKNOWN, "")
        if said != (self.health, self.answer):
            turned = said[0] is not self.health
            self.health, self.answer = said
            healthy = said[0] is Health.HEALTHY
            since = None if healthy else self._silent(steady.now())
            if (healthy and not self.record.ever_healthy) or since != self.record.unhealthy_since:
                self._note(
                    replace(self.record, ever_healthy=self.record.ever_healthy or healthy, unhealthy_since=since)
                )
            elif turned:
                self._ground.changed()

    def _silent(self, now: float) -> float | None:
        """Since when it has not been healthy although it was before."""
        return (self.record.unhealthy_since or now) if self.record.ever_healthy else None

    def seen(self) -> InstanceSeen:
        """It, now."""
        record, instance = self.record, self.record.instance
        use = cgroup.use(self._ground.hierarchies, self.bundle.group) if record.pid else cgroup.Use()
        return InstanceSeen(
            id=instance.id,
            service=instance.service,
            ordinal=instance.ordinal,
            zone=instance.zone,
            address=IPv4Address(instance.address),
            revision=instance.revision,
            image_name=instance.image_name,
            state=record.state,
            health=self.health,
            since=steady.wall(record.since),
            ever_healthy=record.ever_healthy,
            unhealthy_since=None if record.unhealthy_since is None else steady.wall(record.unhealthy_since),
            restarts=record.restarts,
            exit=record.exit and replace(record.exit, at=steady.wall(record.exit.at)),
            answer=self.answer,
            tail=() if self.health is Health.HEALTHY else self._output.tail,
            memory_bytes=use.memory_bytes,
            cpu_seconds=use.cpu_seconds,
        )

    # Leaving

    async def stop(self, drain_s: float, stop_s: float) -> None:
        """Drain, stop and remove it. A second call waits for the first. Raises Problems when it does not end."""
        if self._stopping is None or (self._stopping.done() and self._stopping.exception() is not None):
            self._stopping = asyncio.create_task(self._stop(drain_s, stop_s), name=f"end of {self.id}")
        await asyncio.shield(self._stopping)

    async def _stop(self, drain_s: float, stop_s: float) -> None:
        self._leaving.set()  # whatever happens from here on, it is not started again
        if self.record.pid and self.record.instance.port is not None:
            self._note(replace(self.record, state=InstanceState.DRAINING))
            await self._drain(drain_s)
        self._note(replace(self.record, state=InstanceState.STOPPING))
        async with self._beginning, self._turn:  # a launch that is under way comes to its end first
            pass
        if not await self._end_process(stop_s):
            raise Problems(
                Problem(
                    self.id,
                    f"its process did not end within {KILL_S:g} s of SIGKILL",
                    "the kernel holds it, usually for a disk that does not answer",
                    "`anden down` ends the whole cell.",
                )
            )
        await self._clear()

    async def _drain(self, drain_s: float) -> None:
        balancer, deadline = self._ground.balancer, time.monotonic() + drain_s
        await asyncio.to_thread(balancer.drain, self.id)
        while time.monotonic() < deadline and self.record.pid:
            if await asyncio.to_thread(balancer.sessions, self.id) == 0:
                return
            await asyncio.sleep(DRAIN_POLL_S)

    async def _end_process(self, stop_s: float) -> bool:
        """SIGTERM, then SIGKILL after `stop_s`; whether it has ended."""
        task = self._task
        if task is None:
            return True
        for number, patience in ((signal.SIGTERM, stop_s), (signal.SIGKILL, KILL_S)):
            if self.record.pid:
                cgroup.thaw(self._ground.hierarchies, self.bundle.group)  # what is frozen does not even die
                if number == signal.SIGKILL:
                    cgroup.unleash(self._ground.hierarchies, self.bundle.group)
                self._ground.init.kill(self.record.pid, number)
            done, _ = await asyncio.wait([task], timeout=patience)
            if done:
                return True
        return False

    async def _clear(self) -> None:
        """Leave nothing of it but its log."""
        with suppress(OSError, TimeoutError):
            await self._delete()
        with suppress(OSError):
            await asyncio.to_thread(self._ground.balancer.remove, self.id)
        self.bundle.remove()
        secrets.drop(self.id)
        await asyncio.to_thread(network.detach, self.id)
        self._output.close()
        _file(self.id).unlink(missing_ok=True)
        self._ground.changed()

    async def _delete(self) -> None:
        if self.record.launch:
            with suppress(TimeoutError):
                await self._ground.run(self._command("delete"), self.bundle.delete())

    # What is remembered

    @property
    def _name(self) -> str:
        """What init calls its present process."""
        return f"instance:{self.id}:{self.record.since}:{self.record.launch}"

    def _command(self, what: str) -> str:
        return f"{what}:{self.id}:{time.monotonic_ns()}"

    def _note(self, record: Record) -> None:
        self.record = record
        file = _file(self.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(codec.to_json(record))
        new.replace(file)
        self._ground.changed()


def _file(id: str) -> Path:
    return RECORDS / f"{id}.json"


def records() -> list[Record]:
    """What an earlier supervisor remembered. A file that cannot be read is skipped: it was never whole."""
    found = []
    for file in sorted(RECORDS.glob("*.json")):
        with suppress(ValueError, OSError):
            found.append(codec.from_data(Record, json.loads(file.read_text())))
    return found
