"""Talking to a cell's supervisor over its socket: a request a line, an answer a line, a connection a request."""

import json
import os
import socket
import time
from typing import Any

from anden.engines.local.cell import keeper
from anden.engines.local.place import Place
from anden.model import codec
from anden.model.problem import Problem, Problems

CONNECT_S = 5.0
BACK_S = 10.0
"""How long a supervisor may be away: init starts it again within a second, but it may die several times."""
PAUSE_S = 0.02
ANSWER_S = 30.0
ANSWER_BYTES = 64 * 1024 * 1024


class Away(Exception):  # noqa: N818 - it is away, not wrong
    """The supervisor does not answer; the cell may have ended."""


ONCE = frozenset({"exec", "disturb"})
"""Requests that are not sent again when the supervisor was killed over them; all others may be done twice."""


def ask(place: Place, request: dict[str, Any], *, timeout_s: float = ANSWER_S, patience_s: float = BACK_S) -> Any:
    """What the supervisor answers. A supervisor that is away is waited for, `patience_s` at most and while the keeper
    lives. Raises Problems that it found, and Away."""
    deadline = time.monotonic() + patience_s
    while True:
        sent = False
        try:
            with _connect(place) as connection:
                connection.settimeout(timeout_s)
                sent = True
                connection.sendall(json.dumps(request).encode() + b"\n")
                line = _line(connection)
            break
        except OSError as error:
            over = time.monotonic() > deadline or place.keeper() is None
            if over or isinstance(error, TimeoutError) or (sent and request["op"] in ONCE):
                raise Away(str(error) or type(error).__name__) from error
            time.sleep(PAUSE_S)
    answer = json.loads(line)
    if "problems" in answer:
        raise Problems(codec.from_data(Problem, one) for one in answer["problems"])
    return answer["ok"]


def _connect(place: Place) -> socket.socket:
    """Through a descriptor of the folder, for a socket's path has room for 107 bytes only."""
    folder = os.open(place.folder, os.O_PATH | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_S)
        connection.connect(f"/proc/self/fd/{folder}/{keeper.CONTROL}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def _line(connection: socket.socket) -> bytes:
    parts, size = [], 0
    while True:
        part = connection.recv(256 * 1024)
        if not part:
            raise ConnectionResetError("the supervisor hung up")
        parts.append(part)
        size += len(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
        if size > ANSWER_BYTES:
            raise OSError("the supervisor's answer is too long")
