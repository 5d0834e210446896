"""How much memory a process has, with its children. Imports nothing but the standard library: the CDK's environment
runs it too."""

import os
from pathlib import Path

MIB = 1024.0
"""KiB in a MiB: /proc counts in KiB."""


def resident(*, most: bool = False) -> float:
    """MiB that this process and its children have, or had at most."""
    own = os.getpid()
    parents = {int(each.name): _parent(each) for each in Path("/proc").iterdir() if each.name.isdigit()}
    ours = {own} | {pid for pid, parent in parents.items() if own in (parent, parents.get(parent))}
    word = "VmHWM:" if most else "VmRSS:"
    lines = [line for pid in ours for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith(word)) / MIB


def _parent(process: Path) -> int:
    """0 for one that is gone meanwhile."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
