"""How much of a burst a daemon's socket holds until the daemon has read it.

strongSwan has no word for it, and what a machine gives by default holds about ninety packets: a fast stream of TCP
fills that between two turns of the daemon, and one packet in twenty was lost there. The socket is borrowed for a moment
(pidfd_getfd(2)) and told another size; the machine's own settings stay as they are.
"""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BURST_BYTES = 1 << 20
"""Asked for; the kernel counts its own bookkeeping too and doubles it (socket(7)). Some 900 packets: 30 ms at 40 MB/s,
which is the longest that they wait there."""
_SO_RCVBUFFORCE = 33
"""Beyond what the machine lets everybody have: for root (socket(7))."""
_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def deepen(pid: int) -> None:
    """Have all UDP sockets of this process hold a burst. Raises OSError: it has gone, or this may not be done here."""
    process = os.pidfd_open(pid)
    try:
        for number in _sockets(pid):
            with _borrowed(process, number) as one:
                if one.family == socket.AF_INET and one.type == socket.SOCK_DGRAM:
                    one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BURST_BYTES)
    finally:
        os.close(process)


def _sockets(pid: int) -> Iterator[int]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if str(entry.readlink()).startswith("socket:"):
                yield int(entry.name)


def _borrowed(process: int, number: int) -> socket.socket:
    found = _libc.syscall(_PIDFD_GETFD, process, number, 0)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"descriptor {number}: {os.strerror(code)}")
    return socket.socket(fileno=found)
