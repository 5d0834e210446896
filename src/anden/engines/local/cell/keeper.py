"""The keeper: the one process of a cell outside of it. Opens the gateway's socket on the machine, makes the
private world, and clears up when it has ended.

Run as `python -m anden.engines.local.cell.keeper DIR …`. The first process ends with 0 when init is up, or says on
stderr why not and ends with 1; the keeper goes on in the background, in its own session. Single-threaded: init is
told to die with the thread that forked it. Standard library only.
"""

import argparse
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from anden.engines.local.cell import cgroup, init, namespaces, protocol, steady

LOCK = "lock"
RECORD = "keeper.json"
CONTROL = "supervisor.sock"
LOG = "cell.log"
LOCK_S = 5.0
"""How long a keeper waits for the one before it to finish clearing up."""
PAUSE_S = 0.02
BACKLOG = 4096
OPEN_FILES = 65536
"""The most open files of each of the cell's own processes, where the machine allows as many."""
OOM_SCORE = -900
"""When memory is short, the kernel ends nearly everything else before the cell's own processes."""
RUN_BYTES = 256 * 1024 * 1024
"""The most that bundles, runtime state and upper layers may take of memory: about 40 KB an instance."""
GATEWAY = "gateway"
"""The name under which init keeps the gateway's socket."""
UNEXPECTED = "its init died"
"""The record's last word when the cell ended by itself."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the keeper was told. `group`: the cell's control group. gateway: HOST:PORT."""

    folder: Path
    images: Path
    client: str
    environment: str
    gateway: str
    group: str


def main() -> NoReturn:
    """Start the cell; see the module."""
    order = _order()
    told, tell = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.close(told)
        os.setsid()
        os.umask(0o022)  # instances' roots are somebody else, and pass through the cell's folders
        _keep(order, tell)
    os.close(tell)
    with os.fdopen(told, "rb") as answer:
        said = answer.read().decode(errors="replace")
    if said == "ready":
        os._exit(0)
    print(said or "the keeper ended before the cell was up", file=sys.stderr)
    sys.exit(1)


def _order() -> Order:
    parser = argparse.ArgumentParser(prog="keeper")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--group", required=True)
    return Order(**vars(parser.parse_args()))


def _keep(order: Order, tell: int) -> NoReturn:
    """The keeper itself. `tell` is closed after `ready` or the reason why not."""
    record = order.folder / RECORD
    try:
        order.folder.mkdir(parents=True, exist_ok=True)
        _brace()
        lock = _lock(order.folder / LOCK)
        gateway = _listen(order.gateway)
        cell_alive, keeper_alive = os.pipe2(os.O_CLOEXEC)  # closed by our end, which init waits for
        hierarchies = cgroup.here()
        cgroup.remove(hierarchies, order.group)
        cgroup.delegate(hierarchies, order.group)
        _write(record, {**_me(), "gateway": order.gateway, "started_at": time.time(), "ended": ""})
        ended: list[int] = []
        signal.signal(signal.SIGTERM, lambda *_: _end(pid, ended))
        namespaces.unshare(namespaces.NEW_PIDS)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(keeper_alive)
            namespaces.die_with_parent(signal.SIGKILL)
            _world(order, hierarchies, gateway, cell_alive, tell)
    except (OSError, ValueError) as error:
        os.write(tell, str(error).encode())
        os._exit(1)
    os.close(tell)
    os.close(cell_alive)
    gateway.close()
    _quiet()
    os.waitpid(pid, 0)  # returns when every process of the cell has ended: init was their process 1
    left = cgroup.remove(hierarchies, order.group)
    (order.folder / CONTROL).unlink(missing_ok=True)
    if left:
        _say(order.folder / LOG, f"keeper: control groups left behind: {' '.join(left)}")
    if ended:
        record.unlink(missing_ok=True)
    else:
        _write(record, {**json.loads(record.read_text()), "ended": UNEXPECTED})
    (order.folder / LOCK).unlink(missing_ok=True)
    os.close(lock)
    os._exit(0)


def _brace() -> None:
    """Raise this process's limits, for all of the cell's own: they hold four descriptors for each instance; and when
    memory is short, an instance is to end and not the cell. Instances are given limits and scores of their own. What
    the machine does not allow is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def _end(pid: int, ended: list[int]) -> None:
    """Asked to end: end init, and with it everything."""
    ended.append(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _lock(path: Path) -> int:
    """The cell's lock, held by the keeper and by init: nobody starts a second cell while a process of this one lives.

    A file that was removed meanwhile locks nothing: look again. Raises OSError when it stays taken for LOCK_S.
    """
    deadline = time.monotonic() + LOCK_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BlockingIOError(f"another keeper has this cell: {path} is locked") from None
            time.sleep(PAUSE_S)
        os.close(descriptor)


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, int(port)))
        opened.listen(BACKLOG)
    except OSError as error:
        raise OSError(f"cannot listen on {address}: {error.strerror}") from error
    return opened


def _world(order: Order, hierarchies: cgroup.Hierarchies, gateway: socket.socket, keeper: int, tell: int) -> NoReturn:
    """Process 1: make the private world, then be init."""
    try:
        namespaces.unshare(namespaces.NEW_MOUNTS | namespaces.NEW_NETWORK | namespaces.NEW_IPC | namespaces.NEW_UTS)
        namespaces.set_hostname(order.environment[:63])
        _mounts(order, hierarchies)
        facts = {"client": order.client, "environment": order.environment, "gateway": order.gateway}
        _write(protocol.FACTS, {**facts, "group": order.group, "boot": boot(), steady.OFFSET: steady.offset()})
        _quiet()
    except (OSError, ValueError) as error:
        os.write(tell, str(error).encode())
        os._exit(1)

    def ready() -> None:
        os.write(tell, b"ready")
        os.close(tell)

    supervisor = [sys.executable, "-m", "anden.engines.local.cell.supervisor"]
    init.main(protocol.CELL / LOG, supervisor, {GATEWAY: gateway.fileno()}, keeper, ready)
    os._exit(0)


def _mounts(order: Order, hierarchies: cgroup.Hierarchies) -> None:
    """A private /proc and /run. The cell's folder and the images are reached below /run/anden, by short paths."""
    namespaces.mount("none", "/", flags=namespaces.RECURSIVE | namespaces.PRIVATE)
    order.images.mkdir(parents=True, exist_ok=True)
    folder, images = (os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (order.folder, order.images))
    namespaces.mount("proc", "/proc", "proc", namespaces.NO_SETUID | namespaces.NO_DEVICES | namespaces.NO_EXECUTION)
    _run()
    for descriptor, target in ((folder, protocol.CELL), (images, protocol.IMAGES)):
        target.mkdir(parents=True)
        namespaces.mount(f"/proc/self/fd/{descriptor}", target, flags=namespaces.BIND)
        os.close(descriptor)
    if hierarchies.kind is cgroup.Kind.HYBRID:
        # crun refuses a hybrid machine by this file; without its content it takes the version 1 hierarchies.
        empty = protocol.RUN / "empty"
        empty.touch()
        namespaces.mount(str(empty), f"{hierarchies.unified}/cgroup.controllers", flags=namespaces.BIND)


def _run() -> None:
    """The cell's /run, in memory. Secrets lie on it: where the kernel can promise it (6.4), it is not swapped out."""
    flags, options = namespaces.NO_SETUID | namespaces.NO_DEVICES, f"mode=755,size={RUN_BYTES}"
    try:
        namespaces.mount("tmpfs", "/run", "tmpfs", flags, f"{options},noswap")
    except OSError:
        namespaces.mount("tmpfs", "/run", "tmpfs", flags, options)


def boot() -> str:
    """The machine's boot: a new value after each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def began(pid: int) -> int | None:
    """When a process began, in clock ticks since boot: with the id it names one process. None: there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


def _me() -> dict[str, object]:
    return {"pid": os.getpid(), "began": began(os.getpid()), "boot": boot()}


def _quiet() -> None:
    """Let go of whoever started us: its terminal, its pipes, its folder."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    os.chdir("/")


def _write(path: Path, data: dict[str, object]) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(data))
    new.replace(path)


def _say(log: Path, text: str) -> None:
    with suppress(OSError), log.open("a") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
