"""The supervisor's end of init's socket: a Spawner, and the exits as they come."""

import signal as signals
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from anden.engines.local.cell import protocol

ANSWER_S = 10.0
"""init answers in a millisecond or two; a fork on a machine that is short of memory takes longer."""
PRIVATE = "log:"
"""What is kept under names that begin so is the instances' and not shown by `kept`."""


class Ended(NamedTuple):
    """A child that ended: `at` in the cell's own time (see `steady`)."""

    sequence: int
    name: str
    pid: int
    code: int
    at: float


class InitClient:
    """Implements spawner.Spawner. Safe to call from several threads."""

    def __init__(self, path: Path = protocol.SOCKET) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._socket = self._connect()
        self._calls: dict[str, Callable[[int], None]] = {}

    def _connect(self) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        opened.settimeout(ANSWER_S)
        opened.connect(str(self._path))
        return opened

    def _ask(self, request: dict[str, Any], fds: Sequence[int] = ()) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            try:
                protocol.send(self._socket, request, fds)
                received = protocol.receive(self._socket)
                if received is None:
                    raise ConnectionResetError("init hung up")
            except (OSError, ValueError):
                # An answer that comes late would be taken for the next one's.
                self._socket.close()
                self._socket = self._connect()
                raise
        answer, out = received
        if "error" in answer:
            protocol.close(out)
            raise OSError(answer["errno"], answer["error"])
        return answer, out

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str | None = None,
        fds: Mapping[int, int] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """See spawner.Spawner."""
        fds = fds or {}
        request = {
            "op": "spawn",
            "name": name,
            "argv": list(argv),
            "netns": netns,
            "fds": list(fds),
            "env": None if env is None else dict(env),
        }
        answer, _ = self._ask(request, list(fds.values()))
        pid: int = answer["pid"]
        return pid

    def kill(self, pid: int, signal: int) -> None:
        """See spawner.Spawner."""
        with suppress(ProcessLookupError):
            self._ask({"op": "kill", "pid": pid, "signal": int(signal)})

    def alive(self, pid: int) -> bool:
        """See spawner.Spawner."""
        return pid in self.running().values()

    def running(self) -> Mapping[str, int]:
        """See spawner.Spawner."""
        answer, _ = self._ask({"op": "children"})
        return {name: int(pid) for pid, name in answer["children"].items()}

    def watch(self, pid: int, name: str) -> bool:
        """Name a process that init has inherited, so that its end is told under that name; whether it still runs."""
        answer, _ = self._ask({"op": "watch", "pid": pid, "name": name})
        return bool(answer["alive"])

    def on_exit(self, name: str, call: Callable[[int], None]) -> None:
        """See spawner.Spawner. `tell` makes the call."""
        self._calls[name] = call

    def tell(self, ended: Ended) -> None:
        """Make the call that waits for this exit, if any."""
        if (call := self._calls.pop(ended.name, None)) is not None:
            call(ended.code)

    def keep(self, name: str, fd: int) -> None:
        """See spawner.Spawner."""
        self._ask({"op": "keep", "name": name}, [fd])

    def kept(self) -> dict[str, int]:
        """See spawner.Spawner. Instances' log pipes are left out: there are many."""
        answer, _ = self._ask({"op": "names"})
        return self._take([name for name in answer["names"] if not name.startswith(PRIVATE)])

    def take(self, name: str) -> int | None:
        """See spawner.Spawner."""
        return self._take([name]).get(name)

    def drop(self, *names: str) -> None:
        """See spawner.Spawner."""
        self._ask({"op": "drop", "names": list(names)})

    def _take(self, names: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(names), protocol.DESCRIPTORS):
            answer, fds = self._ask({"op": "take", "names": list(names[start : start + protocol.DESCRIPTORS])})
            found |= dict(zip(answer["names"], fds, strict=True))
        return found

    def exits(self) -> "Exits":
        """Every exit that init remembers, then each as it comes."""
        return Exits(self._connect())


class Exits:
    """A stream of exits; `fileno` is readable when `read` has something. `past`: those that were before it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.past: list[Ended] = []
        protocol.send(connection, {"op": "subscribe", "since": 0})
        protocol.receive(connection)
        while told := self._next():
            self.past += told
        connection.setblocking(False)

    def fileno(self) -> int:
        """For an event loop."""
        return self._socket.fileno()

    def read(self) -> list[Ended]:
        """What has come. Raises ConnectionResetError when init has hung up: then ask for all of it again."""
        found: list[Ended] = []
        while protocol.readable(self._socket.fileno(), 0):
            found += self._next()
        return found

    def _next(self) -> list[Ended]:
        received = protocol.receive(self._socket)
        if received is None:
            raise ConnectionResetError("init hung up")
        return [Ended(*one) for one in received[0]["exits"]]

    def close(self) -> None:
        """End it."""
        self._socket.close()


def die_by(code: int) -> str:
    """An exit code in words: `exit 1`, `SIGKILL`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signals.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
