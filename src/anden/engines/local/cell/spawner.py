"""What the parts of a cell need of init, the only process that spawns, reaps and keeps descriptors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Spawner(Protocol):
    """Processes and descriptors that outlive the supervisor. Every call returns at once (a millisecond or two).

    The balancer, the resolver and the network are used from one thread of the supervisor, and only from it;
    exit callbacks run on that thread too, so none of them needs a lock.
    """

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str | None = None,
        fds: Mapping[int, int] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Start `argv` (absolute path, or found in init's PATH) as a child of init; its process id.

        name: unique among what runs; `running` and `on_exit` speak of it. netns: a path like `/run/netns/balancer`.
        fds: the child's descriptor number to ours; everything else is closed, and without 1 and 2 the process's output
        goes to cell.log, without 0 its input is /dev/null. env: the whole environment (None: init's own).
        Raises OSError with what execve said, or when `name` runs already.
        """

    def kill(self, pid: int, signal: int) -> None:
        """Send a signal to a child of init; nothing happens when it has ended."""

    def alive(self, pid: int) -> bool:
        """Whether `pid` is a child of init that has not been reaped."""

    def running(self) -> Mapping[str, int]:
        """Name to process id of everything spawned that still runs, also what an earlier supervisor spawned."""

    def on_exit(self, name: str, call: Callable[[int], None]) -> None:
        """Call `call(code)` once, on the network's thread, when the process of that name ends (code: exit status, or
        minus the signal). Also right after, when it ended while there was no supervisor. Replaces an earlier call."""

    def keep(self, name: str, fd: int) -> None:
        """Have init hold a duplicate of `fd` under `name`; replaces what was kept under it."""

    def kept(self) -> dict[str, int]:
        """New duplicates of everything kept; the caller closes them."""

    def take(self, name: str) -> int | None:
        """A new duplicate of one kept descriptor, for the caller to close; None when there is none of that name."""

    def drop(self, name: str) -> None:
        """Have init close what it keeps under `name`, if anything."""
