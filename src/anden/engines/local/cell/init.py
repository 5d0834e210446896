"""init, process 1 of a cell: the only one that spawns and reaps, and the holder of descriptors that must outlive the
supervisor. Ending it ends the cell.

One thread, one poll loop, standard library only. Whatever a request does wrong is answered; nothing a request can say
ends the loop.
"""

import errno
import fcntl
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from anden.engines.local.cell import namespaces, protocol, restart, steady

SUPERVISOR = "supervisor"
SUPERVISOR_FIRST_S = 0.05
SUPERVISOR_LIMIT_S = 5.0
SUPERVISOR_STABLE_S = 10.0
JOURNAL = 4096
"""Exits remembered for a supervisor that comes back."""
CONNECTIONS = 16
SEND_S = 1.0
"""How long the supervisor may leave an answer unread before it is hung up on."""
EXEC_S = 5.0
"""How long a child may take from fork to its program; a slow disk, not more."""
LOG_BYTES = 1024 * 1024
"""cell.log is cut when it is longer; its last half moves to cell.log.1."""
TICK_S = 10.0
CHILD_FDS_FROM = 500
"""Where received descriptors are moved before they are put where the child wants them."""


class Init:
    """The state and the loop of init."""

    def __init__(self, log: Path, supervisor: list[str], kept: dict[str, int]) -> None:
        self._log_path = log
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._argv = supervisor
        self._kept = dict(kept)
        self._children: dict[int, str] = {}
        """Process id to the name it was spawned or is watched under."""
        self._journal: deque[tuple[int, str, int, int, float]] = deque(maxlen=JOURNAL)
        self._sequence = 0
        self._connections: dict[int, socket.socket] = {}
        self._subscribers: set[int] = set()
        self._failures = 0
        self._started_at = 0.0
        self._start_at: float | None = 0.0
        """When to start the supervisor; None: it runs."""
        self._poll = select.poll()

    def run(self, keeper: int) -> None:
        """Until the other end of `keeper`, a pipe, is closed."""
        wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(protocol.SOCKET))
        listener.listen(CONNECTIONS)
        for fd in (wake_r, keeper, listener.fileno()):
            self._poll.register(fd, select.POLLIN)
        while True:
            self._start_supervisor()
            wait = TICK_S if self._start_at is None else max(self._start_at - time.monotonic(), 0.0)
            for fd, _ in self._poll.poll(min(wait, TICK_S) * 1000 + 1):
                if fd == keeper:
                    return
                if fd == wake_r:
                    with suppress(BlockingIOError):
                        os.read(wake_r, 4096)
                elif fd == listener.fileno():
                    self._accept(listener)
                elif fd in self._connections:
                    self._serve(self._connections[fd])
            self._reap()
            self._cut_log()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if len(self._connections) >= CONNECTIONS:
            connection.close()
            return
        connection.settimeout(SEND_S)
        self._connections[connection.fileno()] = connection
        self._poll.register(connection.fileno(), select.POLLIN)

    def _hang_up(self, connection: socket.socket) -> None:
        self._subscribers.discard(connection.fileno())
        if self._connections.pop(connection.fileno(), None) is not None:
            self._poll.unregister(connection.fileno())
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        """One request. A connection that speaks nonsense is closed; a request that fails is answered."""
        try:
            received = protocol.receive(connection)
        except (OSError, ValueError):
            received = None
        if received is None:
            self._hang_up(connection)
            return
        request, fds = received
        answer: dict[str, Any]
        out: list[int] = []
        try:
            answer, out = self._act(request, fds)
        except OSError as error:
            answer = {"error": str(error), "errno": error.errno or 0}
        except Exception as error:  # process 1 must not end of a bad request
            answer = {"error": f"{type(error).__name__}: {error}", "errno": errno.EINVAL}
        finally:
            protocol.close(fds)
        try:
            protocol.send(connection, answer, out)
            if request.get("op") == "subscribe":
                self._subscribe(connection, int(request["since"]))
        except (OSError, KeyError, ValueError):
            self._hang_up(connection)

    def _act(  # noqa: PLR0911 - one return for each request
        self, request: dict[str, Any], fds: list[int]
    ) -> tuple[dict[str, Any], list[int]]:
        """What a request asks for, and the descriptors to answer with."""
        match request:
            case {"op": "spawn", "name": str(name), "argv": list(argv)}:
                if name in self._children.values():
                    raise FileExistsError(errno.EEXIST, f"{name} runs already")
                pid = self._spawn(
                    argv, request.get("netns"), dict(zip(request["fds"], fds, strict=True)), request["env"]
                )
                self._children[pid] = name
                return {"pid": pid}, []
            case {"op": "kill", "pid": int(pid), "signal": int(number)}:
                if pid in self._children:
                    os.kill(pid, number)
                return {}, []
            case {"op": "children"}:
                return {"children": {str(pid): name for pid, name in self._children.items()}}, []
            case {"op": "watch", "pid": int(pid), "name": str(name)}:
                return {"alive": self._watch(pid, name)}, []
            case {"op": "keep", "name": str(name)} if len(fds) == 1:
                self._drop(name)
                self._kept[name] = fcntl.fcntl(fds[0], fcntl.F_DUPFD_CLOEXEC, 3)
                return {}, []
            case {"op": "take", "names": list(names)}:
                found = [name for name in names if name in self._kept]
                return {"names": found}, [self._kept[name] for name in found]
            case {"op": "names"}:
                return {"names": list(self._kept)}, []
            case {"op": "drop", "names": list(names)}:
                for name in names:
                    self._drop(name)
                return {}, []
            case {"op": "subscribe", "since": int()}:
                return {}, []
        raise OSError(errno.EINVAL, f"no such request: {request.get('op')}")

    def _drop(self, name: str) -> None:
        if (fd := self._kept.pop(name, None)) is not None:
            os.close(fd)

    def _watch(self, pid: int, name: str) -> bool:
        """Name a process that became init's child by its parent's end. When it has ended already, say so once more,
        under its name."""
        ended = next((one for one in reversed(self._journal) if one[2] == pid and not one[1]), None)
        if ended is not None and not Path(f"/proc/{pid}").exists():
            self._tell(name, pid, ended[3])
            return False
        self._children[pid] = name
        return True

    def _spawn(self, argv: list[str], netns: str | None, fds: dict[int, int], env: dict[str, str] | None) -> int:
        report_r, report_w = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                _become(argv, netns, {1: self._log, 2: self._log, **fds}, env)
            except BaseException as error:  # the child must never return into the loop
                number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
                with suppress(OSError):
                    os.write(report_w, f"{number} {argv[0]}: {error}".encode())
            finally:
                os._exit(127)
        os.close(report_w)
        try:
            said = os.read(report_r, 4096) if protocol.readable(report_r, EXEC_S) else b""
        finally:
            os.close(report_r)
        if said:
            os.waitpid(pid, 0)
            why, _, text = said.decode(errors="replace").partition(" ")
            raise OSError(int(why), text)
        return pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._children.pop(pid, "")
            code = os.waitstatus_to_exitcode(status)
            if name == SUPERVISOR:
                self._supervisor_ended(code)
            else:
                self._tell(name, pid, code)

    def _tell(self, name: str, pid: int, code: int) -> None:
        self._sequence += 1
        self._journal.append((self._sequence, name, pid, code, steady.now()))
        for fd in tuple(self._subscribers):
            try:
                protocol.send(self._connections[fd], {"exits": [self._journal[-1]]})
            except OSError:  # it does not read, or has gone: it asks again from what it knows
                self._hang_up(self._connections[fd])

    def _subscribe(self, connection: socket.socket, since: int) -> None:
        missed = [one for one in self._journal if one[0] > since]
        for start in range(0, len(missed), 100):
            protocol.send(connection, {"exits": missed[start : start + 100]})
        protocol.send(connection, {"exits": []})  # that was all of the past
        connection.setblocking(False)
        self._subscribers.add(connection.fileno())

    def _start_supervisor(self) -> None:
        if self._start_at is None or time.monotonic() < self._start_at:
            return
        self._started_at = time.monotonic()
        try:
            self._children[self._spawn(self._argv, None, {}, None)] = SUPERVISOR
            self._start_at = None
        except OSError as error:
            self._say(f"the supervisor cannot be started: {error}")
            self._supervisor_ended(127)

    def _supervisor_ended(self, code: int) -> None:
        lasted = time.monotonic() - self._started_at
        self._failures = restart.failures(self._failures, lasted, SUPERVISOR_STABLE_S)
        pause = restart.delay(self._failures, SUPERVISOR_FIRST_S, SUPERVISOR_LIMIT_S)
        self._start_at = time.monotonic() + pause
        self._say(f"the supervisor ended with {code} after {lasted:.1f} s; starting it again in {pause:g} s")

    def _say(self, text: str) -> None:
        with suppress(OSError):
            os.write(self._log, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} init: {text}\n".encode())

    def _cut_log(self) -> None:
        """Cut in place: children hold the same file open for appending."""
        with suppress(OSError):
            if os.fstat(self._log).st_size > LOG_BYTES:
                with self._log_path.open("rb") as file:
                    file.seek(-LOG_BYTES // 2, os.SEEK_END)
                    self._log_path.with_name(self._log_path.name + ".1").write_bytes(file.read(LOG_BYTES))
                os.ftruncate(self._log, 0)


def _become(argv: list[str], netns: str | None, fds: dict[int, int], env: dict[str, str] | None) -> None:
    """In the child: put descriptors in place, enter the network, be the program. Returns only by raising."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # Python ignores SIGPIPE, and what is ignored stays so over exec
    os.setsid()
    if netns is not None:
        namespaces.join_network(netns)
    fds.setdefault(0, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
    aside = {target: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, CHILD_FDS_FROM) for target, fd in fds.items()}
    for target, fd in aside.items():
        os.dup2(fd, target, inheritable=True)
    if env is None:
        os.execvp(argv[0], argv)  # noqa: S606 - a command is a list of words, and no shell reads it
    env = {"PATH": os.environ.get("PATH", os.defpath), **env}
    os.execvpe(argv[0], argv, env)  # noqa: S606 - as above


def main(log: Path, supervisor: list[str], kept: dict[str, int], keeper: int, ready: Callable[[], None]) -> None:
    """Be init until the keeper ends. Never returns."""
    try:
        init = Init(log, supervisor, kept)
        ready()
        init.run(keeper)
    except BaseException as error:  # said before the cell ends, for whoever reads the log
        with suppress(OSError), log.open("a") as file:
            file.write(f"init: {type(error).__name__}: {error}\n")
        sys.exit(1)
    sys.exit(0)
