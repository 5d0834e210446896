"""What this machine offers the local engine, and what it lacks; and its time."""

# ruff: noqa: PLC0415 - the engine's list of tools is read only where it matters

import os
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anden.model.problem import Problem, Problems
from anden.web.files import Files

SYSTEM_STATE = Path("/var/lib/anden")
MOST_CLIENTS = 100
"""Clients whose control planes are asked for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One fact of the machine. fix is empty when it is ok, or when nothing helps."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """`anden doctor`. ready: the local engine can run here."""

    ready: bool
    checks: tuple[Check, ...]


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)


def root() -> Path:
    """The folder of all clients' state: ANDEN_STATE, else /var/lib/anden for root, else the user's own state folder."""
    if said := os.environ.get("ANDEN_STATE"):
        return Path(said).absolute()
    if is_root():
        return SYSTEM_STATE
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state") / "anden"


def is_root() -> bool:
    """Whether this process may make namespaces and firewall rules."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def called() -> str:
    """How the person called anden: `./anden` from a clone (which says so in ANDEN_COMMAND), else `anden`."""
    return os.environ.get("ANDEN_COMMAND") or "anden"


def command_line() -> str:
    """The words of this call, as the person would type them."""
    return shlex.join([called(), *sys.argv[1:]])


def lacks(*, tools: bool) -> list[Problem]:
    """Why the local engine cannot run here; empty when it can. tools: look for its programs as well."""
    if not sys.platform.startswith("linux"):
        return [
            Problem(
                "the local engine", f"does not run on {sys.platform}", "it is made of Linux's namespaces and firewall",
                "Use a Linux machine, or --on simulated.",
            )
        ]  # fmt: skip
    if not is_root():
        return [
            Problem(
                "the local engine", "needs root",
                f"it makes network namespaces, control groups and firewall rules, and this is uid {os.geteuid()}",
                f"Run: sudo {command_line()}. Without root work check, plan, reach, and everything --on simulated.",
            )
        ]  # fmt: skip
    if not tools:
        return []
    from anden.engines.local.tools import installation, missing

    absent = missing()
    return [
        Problem(each.command, "is not installed", f"it {each.why}", f"Run: {installation(absent)}") for each in absent
    ]


def doctor() -> Doctor:
    """Look at everything that the local engine needs; changes nothing, and needs no root to say what is lacking."""
    from anden.engines.local import tools

    checks = [Check(each.name, each.ok, each.detail, each.fix) for each in tools.checks(root())]
    checks += [_state(), *_daemons(), *_authorities()]
    return Doctor(all(each.ok for each in checks), tuple(checks))


def _state() -> Check:
    place = root()
    try:
        writable = os.access(next(each for each in (place, *place.parents) if each.exists()), os.W_OK | os.X_OK)
    except OSError:
        writable = False
    fix = "" if writable else "Be root, or set ANDEN_STATE to a folder of your own."
    return Check("state", writable, str(place) if writable else f"{place} cannot be written", fix)


def _authorities() -> Iterator[Check]:
    """Whether this machine trusts the clients' authorities, of those that have one: as people like, so all is well."""
    try:
        clients = sorted(each.name for each in root().iterdir() if (each / "authority").is_dir())[:MOST_CLIENTS]
    except OSError:
        return
    from anden.engines.local import trust

    for client in clients:
        name = f"certificates of {client}"
        try:
            found = trust.look(root(), client)
        except Problems as problems:
            yield Check(name, ok=False, detail=problems.problems[0].what, fix=problems.problems[0].fix)
            continue
        if found is not None:
            said = "this machine trusts them" if found.trusted else "this machine does not trust them: `anden trust`"
            yield Check(name, ok=True, detail=said)


def _daemons() -> Iterator[Check]:
    """The control planes of the clients that have state here."""
    if not sys.platform.startswith("linux"):
        return
    try:
        folders = sorted(each for each in root().iterdir() if each.is_dir() and each.name != "images")[:MOST_CLIENTS]
        files = [each for each in map(Files, folders) if each.store.exists()]
    except OSError:
        return
    for each in files:
        from anden.web import daemon

        found = daemon.ask(each, each.folder.name)
        said = f"process {found.pid}, anden {found.version}" if found else "does not run; a command starts it"
        yield Check(f"control of {each.folder.name}", ok=True, detail=said)
