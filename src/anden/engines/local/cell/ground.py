"""What every instance of a cell stands on: init, the balancer, the configuration, and the ends of processes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anden.engines.local.cell.balancer import Balancer
from anden.engines.local.cell.cgroup import Hierarchies
from anden.engines.local.cell.init_client import Ended, InitClient
from anden.model.configuration import Configuration

CONTAINERS_AT_ONCE = 4
"""Runtime commands at the same time: more only wait for the processors."""
COMMAND_S = 20.0
"""No runtime command takes longer; 15 ms are usual."""
REMEMBERED = 4096
"""Ends that nobody has waited for yet."""


class Ends:
    """The ends of init's children, by name, for whoever waits for one. A name is used once."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Ended]] = {}
        self._known: OrderedDict[str, Ended] = OrderedDict()
        self._last = 0

    def tell(self, ended: Ended) -> bool:
        """A process has ended; False when that was told before."""
        if ended.sequence <= self._last:
            return False
        self._last = ended.sequence
        waiting = self._waiting.pop(ended.name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(ended)
        elif ended.name:
            self._known[ended.name] = ended
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return True

    async def of(self, name: str) -> Ended:
        """Wait for the end of the process that was spawned, or is watched, as `name`."""
        if name in self._known:
            return self._known.pop(name)
        waiting = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            return await asyncio.shield(waiting)
        finally:
            if not waiting.done():
                self._waiting.pop(name, None)

    def known(self, name: str) -> bool:
        """Whether it has ended and nobody has asked yet."""
        return name in self._known


@dataclass
class Ground:
    """group: the cell's control group. seccomp: what instances may call. changed: something to see has changed."""

    init: InitClient
    balancer: Balancer
    ends: Ends
    hierarchies: Hierarchies
    group: str
    seccomp: Mapping[str, Any]
    changed: Callable[[], None]
    configuration: Configuration | None = None
    runtime: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONTAINERS_AT_ONCE))
    _number: int = 0

    def number(self) -> int:
        """A number that no other call gave."""
        self._number += 1
        return self._number

    async def run(self, name: str, argv: list[str], fds: Mapping[int, int] | None = None) -> int:
        """Run a runtime command to its end; its exit code. Raises OSError when it cannot be started, TimeoutError when
        it takes longer than COMMAND_S (and then it is killed)."""
        async with self.runtime:
            pid = self.init.spawn(name, argv, fds=fds)
            try:
                return (await asyncio.wait_for(self.ends.of(name), COMMAND_S)).code
            except TimeoutError:
                self.init.kill(pid, 9)
                raise
