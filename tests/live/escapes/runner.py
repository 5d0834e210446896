"""Runs inside of an instance, and outside of it for comparison: tries what it is given, each in a process of its own.

Standard library only. It reads `{"at": {…}, "attempts": [[name, program], …]}` and prints name to outcome as JSON:
`passed`, the kernel's error (`EPERM`), `held: …` where nothing failed and nothing was gained, or what went wrong with
the attempt itself (`broken: …`), which counts as neither.
"""

import ctypes
import errno
import json
import os
import platform
import select
import signal
import socket
import sys
import threading
from typing import Any

LIMIT_S = 8.0
"""For one attempt."""
LISTENING_S = 60.0
_libc = ctypes.CDLL(None, use_errno=True)
X86, ARM = "x86_64", "aarch64"
CALLS = {
    "clone": (56, 220), "ptrace": (101, 117), "syslog": (103, 116), "capset": (126, 91), "personality": (135, 92),
    "pivot_root": (155, 41), "acct": (163, 89), "settimeofday": (164, 170), "mount": (165, 40), "umount2": (166, 39),
    "swapon": (167, 224), "reboot": (169, 142), "sethostname": (170, 161), "init_module": (175, 105),
    "delete_module": (176, 106), "kexec_load": (246, 104), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241), "open_by_handle_at": (304, 265),
    "setns": (308, 268), "process_vm_readv": (310, 270), "finit_module": (313, 273), "bpf": (321, 280),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "open_tree": (428, 428), "fsopen": (430, 430),
    "pidfd_open": (434, 434), "clone3": (435, 435), "mount_setattr": (442, 442),
}  # fmt: skip
"""System call to its number on x86_64 and on aarch64 (the kernel's tables)."""


class Held(Exception):  # noqa: N818 - no error
    """Nothing failed, and nothing was gained."""


def call(name: str, *arguments: Any) -> int:
    """A system call by its name; raises OSError."""
    number = CALLS[name][{X86: 0, ARM: 1}[platform.machine()]]
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    found: int = _libc.syscall(ctypes.c_long(number), *passed)
    if found < 0:
        raise OSError(ctypes.get_errno(), name)
    return found


def connect(address: str, port: int) -> None:
    """A TCP connection within a short time."""
    socket.create_connection((address, port), timeout=2.0).close()


def abstract(name: str) -> None:
    """A connection to an abstract Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(2.0)
        made.connect("\0" + name)


def path(place: str) -> None:
    """A connection to a Unix socket in a file; one of another kind is there all the same."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(2.0)
        made.connect(place)


def outcome(program: str, at: dict[str, Any]) -> str:
    """What came of a program."""
    names = {
        "at": at, "call": call, "connect": connect, "abstract": abstract, "path": path, "Held": Held, "ctypes": ctypes,
        "os": os, "socket": socket,
    }  # fmt: skip
    try:
        exec(program, names)  # noqa: S102 - that is what it is for
    except Held as held:
        return f"held: {held}"
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, f"broken: {error!r}")
    except BaseException as error:
        return f"broken: {error!r}"
    return "passed"


def attempt(program: str, at: dict[str, Any]) -> str:
    """The same in a process of its own, within a bound."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        if at.get("apart"):
            call("unshare", 0x20000)  # what it mounts is its own
        os.write(writing, outcome(program, at).encode()[:4000])
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], LIMIT_S)
    said = os.read(reading, 4096).decode() if ready else ""
    os.close(reading)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if said:
        return said
    return f"killed by signal {os.WTERMSIG(status)}" if ready and os.WIFSIGNALED(status) else "broken: no answer"


def listen(address: str, port: int) -> None:
    """Somebody to connect to, for comparison."""
    made = socket.create_server((address, port))

    def accept() -> None:
        while True:
            made.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()


def main() -> None:
    asked = json.load(sys.stdin)
    for address, port in asked["at"].get("listen", ()):
        listen(address, port)
    print(json.dumps({name: attempt(program, asked["at"]) for name, program in asked["attempts"]}))


if __name__ == "__main__":
    main()
