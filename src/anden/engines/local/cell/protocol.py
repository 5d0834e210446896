"""Messages between init and the supervisor: one JSON object a packet, with descriptors beside it.

Standard library only."""

import array
import json
import os
import select
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUN = Path("/run/anden")
"""Everything of the cell's own, on its private tmpfs: what lies here ends with the cell."""
CELL = RUN / "cell"
"""The cell's folder on the machine, under a short name."""
IMAGES = RUN / "images"
"""The image cache, under a short name without characters that mean something to overlay's options."""
SOCKET = RUN / "init.sock"
"""init's socket."""
FACTS = RUN / "facts.json"
"""What the keeper was told of the cell."""
PACKET_BYTES = 128 * 1024
"""No message is longer; well within a socket's send buffer (212,992 bytes by default)."""
DESCRIPTORS = 200
"""Beside one message, at most; the kernel's own limit is 253 (SCM_MAX_FD)."""


def send(to: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """One message. Raises OSError, also when it is longer than PACKET_BYTES."""
    data = json.dumps(message).encode()
    if len(data) > PACKET_BYTES or len(fds) > DESCRIPTORS:
        raise OSError(f"a message of {len(data)} bytes and {len(fds)} descriptors is too large")
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    to.sendmsg([data], beside)


def receive(of: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors, which are closed on exec; None at the end. Raises OSError, ValueError."""
    room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    data, beside, _, _ = of.recvmsg(PACKET_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, value in beside:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(value[: len(value) - len(value) % fds.itemsize])
    if not data:
        close(fds)
        return None
    try:
        message = json.loads(data)
    except ValueError:
        close(fds)
        raise
    return message, list(fds)


def readable(fd: int, wait_s: float) -> bool:
    """Whether there is something to read, or the end, within `wait_s`. select(2) knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


def close(fds: Sequence[int]) -> None:
    """Close them all."""
    for fd in fds:
        os.close(fd)
