"""The kernel's calls that make a private world, by name. Standard library only: the keeper and init are small."""

import ctypes
import os
from pathlib import Path

NEW_MOUNTS = 0x00020000
NEW_UTS = 0x04000000
NEW_IPC = 0x08000000
NEW_PIDS = 0x20000000
NEW_NETWORK = 0x40000000

READ_ONLY = 1
NO_SETUID = 2
NO_DEVICES = 4
NO_EXECUTION = 8
BIND = 4096
RECURSIVE = 16384
PRIVATE = 1 << 18
DETACH = 2

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def unshare(flags: int) -> None:
    """Move this process to new namespaces; with NEW_PIDS only its children. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def join_network(place: str) -> None:
    """Move this thread to the network namespace kept at `place`. Raises OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(descriptor, NEW_NETWORK), f"setns {place}")
    finally:
        os.close(descriptor)


def die_with_parent(signal: int) -> None:
    """Be sent `signal` when the thread that forked this process ends: so the parent must be single-threaded."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def mount(source: str, target: Path | str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount, as the system call does. Raises OSError that names the target."""
    done = _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, data.encode() or None)
    _checked(done, f"mount {target}")


def unmount(target: Path | str) -> None:
    """Take away what is mounted last at `target`, also while it is in use. Raises OSError when nothing is."""
    _checked(_libc.umount2(os.fsencode(target), DETACH), f"unmount {target}")


def set_hostname(name: str) -> None:
    """The host name of this UTS namespace. Raises OSError."""
    text = name.encode()
    _checked(_libc.sethostname(text, len(text)), "sethostname")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
