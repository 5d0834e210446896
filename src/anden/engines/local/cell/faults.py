"""Faults that a drill puts into the cell: zones that fail until they are restored, and processes that are killed once.

What lasts has an end of its own, kept on the cell's tmpfs in monotonic time: it ends when it should although the drill,
the control plane or a supervisor has died meanwhile, and whatever becomes of the machine's clock.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from anden.engines.local import endpoints
from anden.engines.local.cell import cgroup, nft, protocol
from anden.engines.local.cell.ground import Ground
from anden.engines.local.cell.life import Life
from anden.engines.local.render import nftables
from anden.model import codec
from anden.model.configuration import Configuration
from anden.model.fault import LONGEST_S, Fault, FaultKind, Outage
from anden.model.problem import Problem, Problems

FILE = protocol.RUN / "faults.json"
ANSWERED_S = 0.05
"""A supervisor that is told to die answers first."""


class Faults:
    """Those of one cell; used on the supervisor's event loop. lives: the instances, by id, as they are now."""

    def __init__(self, ground: Ground, lives: Mapping[str, Life]) -> None:
        self._ground = ground
        self._lives = lives
        self._zones: dict[str, tuple[Fault, float]] = {}
        """Zone to its fault and the monotonic second at which that ends."""

    def now(self) -> tuple[Fault, ...]:
        """Those that last, with their ends in Unix seconds as of now."""
        off = time.time() - time.monotonic()
        return tuple(replace(fault, until=end + off) for _, (fault, end) in sorted(self._zones.items()))

    def down(self, configuration: Configuration) -> list[IPv4Network]:
        """The networks that are cut off."""
        cut = [name for name, (fault, _) in self._zones.items() if fault.outage is Outage.CUT]
        zones = [zone for zone in configuration.layout.zones if zone.name in cut]
        around = [network for zone in zones for network in (zone.public, zone.private, zone.data)]
        # What the other side of a link dials in that zone goes with it, as the balancer's half there would.
        dials = [endpoints.dialled(configuration.layout, linked) for linked in configuration.links]
        around += [IPv4Network(each[zone.name]) for each in dials for zone in zones if zone.name in each]
        return [each for network in around for each in _without(network, configuration.layout.resolver)]

    async def resume(self) -> None:
        """Take up what an earlier supervisor was told. The firewall and the freezer still have it."""
        with suppress(FileNotFoundError, ValueError):
            for fault, end in json.loads(FILE.read_text()):
                known = codec.from_data(Fault, fault)
                self._zones[known.name] = (known, float(end))
        await self.tend()

    async def disturb(self, fault: Fault) -> None:
        """Raises Problems when there is nothing of that name."""
        match fault.kind:
            case FaultKind.ZONE:
                await self._fail(fault)
            case FaultKind.INSTANCE:
                self._kill_instance(fault.name)
            case FaultKind.BALANCER:
                running = self._ground.balancer.processes()
                if not running:
                    raise Problems(Problem("balancer", "none of its processes runs", "", "Wait for it to come back."))
                self._ground.init.kill(running[min(running)], signal.SIGKILL)
            case FaultKind.SUPERVISOR:
                asyncio.get_running_loop().call_later(ANSWERED_S, os.kill, os.getpid(), signal.SIGKILL)

    async def restore(self, zones: Iterable[str] | None = None) -> None:
        """End those of these zones; of all when none are named."""
        for zone in tuple(self._zones) if zones is None else tuple(zones):
            fault, _ = self._zones.pop(zone)
            self._note()
            if fault.outage is Outage.FROZEN:
                self._each(zone, cgroup.thaw)
        await self._cut()
        self._ground.changed()

    async def tend(self) -> None:
        """End what is over."""
        over = [zone for zone, (_, end) in self._zones.items() if end <= time.monotonic()]
        if over:
            await self.restore(over)

    async def _fail(self, fault: Fault) -> None:
        configuration = self._ground.configuration
        names = [str(zone.name) for zone in configuration.layout.zones] if configuration else []
        if fault.name not in names:
            what = "there is no such zone"
            raise Problems(Problem(f"zone {fault.name}", what, f"zones: {', '.join(names)}", "Choose one of these."))
        if fault.name in self._zones:
            await self.restore([fault.name])
        lasts = min(max(fault.until - time.time(), 0.0), LONGEST_S)
        self._zones[fault.name] = (fault, time.monotonic() + lasts)
        self._note()
        if fault.outage is Outage.FROZEN:
            self._each(fault.name, cgroup.freeze)
        await self._cut()
        self._ground.changed()

    async def _cut(self) -> None:
        if (configuration := self._ground.configuration) is not None:
            await asyncio.to_thread(nft.run, nftables.zone_down(self.down(configuration)))

    def _each(self, zone: str, act: Callable[[cgroup.Hierarchies, str], None]) -> None:
        for life in self._lives.values():
            if life.record.instance.zone == zone:
                act(self._ground.hierarchies, life.bundle.group)

    def _kill_instance(self, name: str) -> None:
        life = self._lives.get(name)
        if life is None or not life.record.pid:
            running = ", ".join(sorted(self._lives)) or "none"
            raise Problems(Problem(name, "no such instance runs", f"running: {running}", "`anden status` names them."))
        self._ground.init.kill(life.record.pid, signal.SIGKILL)

    def _note(self) -> None:
        new = FILE.with_suffix(".new")
        new.write_text(json.dumps([[codec.to_data(fault), end] for fault, end in self._zones.values()]))
        new.replace(FILE)


def _without(network: IPv4Network, resolver: IPv4Address) -> Iterable[IPv4Network]:
    """The resolver has an address of the first zone's, and belongs to none: on AWS every zone answers at it."""
    return network.address_exclude(IPv4Network(resolver)) if resolver in network else (network,)
