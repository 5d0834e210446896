"""Choosing where a gateway listens: the default, the next free port beside another environment, or a problem that says
who is in the way."""

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from anden.model.problem import Problem, Problems

DEFAULT = "127.0.0.1:8080"
TRIES = 100
"""How many ports after the default are looked at."""
_LISTENING = "0A"
_OURS = ("anden.engines.local.cell", "/run/anden/balancer")


def claim(wanted: str | None, taken: Mapping[str, str], own: str | None) -> str:
    """See model.ports.Engine. own: where this environment's gateway listens already, if it runs.

    Raises Problems for an address that is none, for one that a stranger has, and for a wanted one that another
    environment has.
    """
    host, port = _parsed(wanted or DEFAULT)
    if own is not None and wanted in (None, own):
        return own
    for number in range(port, min(port + TRIES, 65536)):
        address = f"{host}:{number}"
        whose = taken.get(address)
        if whose is None and (refused := _refused(host, number)) is None:
            return address
        if whose is None and refused is not None:
            pid, name = holder(number)
            if refused != errno.EADDRINUSE:
                why = os.strerror(refused)
                raise Problems(Problem(f"port {address}", "nobody can listen there", why, _OTHER))
            if not name.startswith(_OURS[0]):
                who = f"process {pid} ({name}) has it" if pid else "a process that cannot be seen has it"
                raise Problems(Problem(f"port {address}", "it is taken", who, _OTHER))
            whose = "another environment of anden"
        if wanted is not None:
            raise Problems(Problem(f"port {address}", "it is taken", f"{whose} has it", _OTHER))
    raise Problems(Problem(f"port {host}:{port}", f"it and the {TRIES} after it are taken", "", _OTHER))


_OTHER = "Choose another with --gateway HOST:PORT."


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    try:
        socket.inet_aton(host)
        number = int(port)
    except (OSError, ValueError):
        number = 0
    if not 1 <= number <= 65535:
        what = f"{address} is not an address to listen on"
        why = "it has the form HOST:PORT, with an IPv4 address"
        raise Problems(Problem("gateway", what, why, "As 127.0.0.1:8080."))
    return host, number


def _refused(host: str, port: int) -> int | None:
    """Why nobody can listen there now; None: one can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            tried.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return None


def holder(port: int) -> tuple[int | None, str]:
    """The process that listens on a TCP port, and its command; one of anden's is called by its module."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    found: tuple[int | None, str] = (None, "")
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or not sockets:
            continue
        if _links(process) & sockets:
            with suppress(OSError):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if any(mark in command for mark in _OURS):
                    return int(process.name), _OURS[0]
                found = int(process.name), command[:80]
    return found


def _links(process: Path) -> set[str]:
    """What a process has open. What it closes meanwhile is left out."""
    found = set()
    with suppress(OSError):
        for entry in os.scandir(process / "fd"):
            with suppress(OSError):
                found.add(str(Path(entry.path).readlink()))
    return found


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
