"""What machine this is: everything that a figure depends on and that a reader cannot guess."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import anden
from anden.engines.local import tools

ASK_S = 10
VERSIONS = (
    ("crun", ("crun", "--version")),
    ("HAProxy", ("haproxy", "-v")),
    ("nftables", ("nft", "--version")),
    ("wrk", ("wrk", "-v")),
    ("podman", ("podman", "--version")),
    ("podman-compose", ("podman-compose", "--version")),
)
LONGEST_VERSION = 60


@dataclass(frozen=True, slots=True)
class Machine:
    """facts: name and words, in the order in which they are shown."""

    facts: tuple[tuple[str, str], ...]


def this() -> Machine:
    """This machine, now: call it before anything is measured, for the load is part of it."""
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    return Machine(
        (
            ("system", f"{_system()}, kernel {platform.release().partition('-')[0]}, {platform.machine()}"),
            ("processor", f"{_processor(Path('/proc/cpuinfo').read_text())}, {os.cpu_count()} cores"),
            ("memory", f"{_memory(Path('/proc/meminfo').read_text()):.1f} GiB"),
            ("control groups", tools.cgroups(Path("/proc/mounts").read_text())),
            ("load before the run", f"{load} (1, 5 and 15 minutes)"),
            ("anden", f"{anden.__version__}, Python {platform.python_version()}"),
            *((name, _version(argv)) for name, argv in VERSIONS),
        )
    )


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _processor(cpuinfo: str) -> str:
    names = [row.partition(":")[2].strip() for row in cpuinfo.splitlines() if row.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory(meminfo: str) -> float:
    """GiB, of the text of /proc/meminfo."""
    rows = [row.split() for row in meminfo.splitlines() if row.startswith("MemTotal:")]
    return int(rows[0][1]) / 1024**2 if rows else 0.0


def _version(argv: tuple[str, ...]) -> str:
    """The first line with a digit in it that a tool says of itself."""
    program = tools.found(argv[0])
    if program is None:
        return "not installed"
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, timeout=ASK_S, check=False)
    rows = [row.strip() for row in (done.stdout + done.stderr).splitlines() if any(map(str.isdigit, row))]
    return rows[-1 if argv[0] == "podman-compose" else 0][:LONGEST_VERSION] if rows else "unknown"
