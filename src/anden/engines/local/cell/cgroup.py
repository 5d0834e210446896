"""Control groups of a cell: which kind this machine has, what an instance used, and leaving none behind.

Standard library only: the keeper uses it too.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TOP = "anden"
"""The group above all cells."""
SETTLE_S = 3.0
"""How long a group may stay busy after its last process was killed."""
PAUSE_S = 0.02


class Kind(StrEnum):
    """How control groups are mounted: only the unified hierarchy, it beside the old ones, only those, or none."""

    UNIFIED = "unified"
    HYBRID = "hybrid"
    LEGACY = "legacy"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """unified: where version 2 is mounted. controllers: where each version 1 controller is mounted."""

    kind: Kind
    unified: str | None
    controllers: dict[str, str]

    def of(self, controller: str) -> str | None:
        """The mount that `controller` is to be found at."""
        return self.controllers.get(controller, self.unified if self.kind is Kind.UNIFIED else None)

    @property
    def mounts(self) -> tuple[str, ...]:
        """Every hierarchy's mount point once, under /sys/fs/cgroup."""
        unified = [] if self.unified is None else [self.unified]
        return tuple(dict.fromkeys([*self.controllers.values(), *unified]))


def detect(mountinfo: str) -> Hierarchies:
    """From the text of /proc/self/mountinfo. Named version 1 hierarchies without a controller (systemd's) count too:
    a runtime makes its directories there as well."""
    unified: str | None = None
    controllers: dict[str, str] = {}
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        place, kind = before.split(" "), after.split(" ")
        if not separator or len(place) < 5 or len(kind) < 3:
            continue
        point = place[4].replace("\\040", " ")
        if kind[0] == "cgroup2":
            unified = unified or point
        elif kind[0] == "cgroup":
            for option in kind[2].split(","):
                if option not in ("rw", "ro", "xattr", "clone_children", "noprefix"):
                    controllers.setdefault(option, point)
    named = any(not option.startswith("name=") for option in controllers)
    if named:
        return Hierarchies(Kind.LEGACY if unified is None else Kind.HYBRID, unified, controllers)
    if unified is not None:
        return Hierarchies(Kind.UNIFIED, unified, controllers)
    return Hierarchies(Kind.NONE, None, controllers)


def here() -> Hierarchies:
    """The hierarchies of the machine that we are on."""
    return detect(Path("/proc/self/mountinfo").read_text())


@dataclass(frozen=True, slots=True)
class Use:
    """What a group used: memory now, CPU since it began, and how many of its processes the kernel killed for memory.
    None: the machine does not say."""

    memory_bytes: int | None = None
    cpu_seconds: float | None = None
    out_of_memory: int = 0


def use(at: Hierarchies, group: str) -> Use:
    """What `group` (`/anden/CELL/INSTANCE`) used; nothing when there is no such group."""
    memory, cpu = at.of("memory"), at.of("cpuacct") or at.of("cpu")
    if at.kind is Kind.UNIFIED:
        return Use(
            _number(_read(memory, group, "memory.current")),
            _scaled(_field(_read(cpu, group, "cpu.stat"), "usage_usec"), 1e-6),
            _field(_read(memory, group, "memory.events"), "oom_kill") or 0,
        )
    return Use(
        _number(_read(memory, group, "memory.usage_in_bytes")),
        _scaled(_number(_read(cpu, group, "cpuacct.usage")), 1e-9),
        _field(_read(memory, group, "memory.oom_control"), "oom_kill") or 0,
    )


def delegate(at: Hierarchies, group: str) -> None:
    """Make `group` (`/anden/CELL`) in a pure version 2 hierarchy with the controllers that instances need handed down.
    Elsewhere the runtime makes its own. Raises OSError when the kernel refuses."""
    if at.kind is not Kind.UNIFIED or at.unified is None:
        return
    place = Path(at.unified)
    offered = set((place / "cgroup.controllers").read_text().split())
    wanted = " ".join(f"+{one}" for one in ("cpu", "memory", "pids") if one in offered)
    for part in ("", *group.strip("/").split("/")):
        place = place / part
        place.mkdir(exist_ok=True)
        (place / "cgroup.subtree_control").write_text(wanted)


def unleash(at: Hierarchies, group: str) -> None:
    """Lift the group's bound on CPU: what is to die has to run for that, and a thousand processes that share a quarter
    of a processor take longer than anybody waits. Not an error when there is no such group."""
    mount = at.of("cpu")
    file, unbounded = ("cpu.max", "max") if at.kind is Kind.UNIFIED else ("cpu.cfs_quota_us", "-1")
    if mount is not None:
        with suppress(OSError):
            Path(f"{mount}{group}/{file}").write_text(unbounded)


def freeze(at: Hierarchies, group: str) -> None:
    """Let nothing in the group run: its processes neither work nor end. Not an error when there is no such group."""
    _set_frozen(at, group, frozen=True)


def thaw(at: Hierarchies, group: str) -> None:
    """Let it run again. Not an error when there is no such group."""
    _set_frozen(at, group, frozen=False)


def _set_frozen(at: Hierarchies, group: str, *, frozen: bool) -> None:
    legacy = at.controllers.get("freezer")
    if legacy is not None:
        place, text = f"{legacy}{group}/freezer.state", "FROZEN" if frozen else "THAWED"
    else:
        place, text = f"{at.unified}{group}/cgroup.freeze", "1" if frozen else "0"
    with suppress(OSError):
        Path(place).write_text(text)


def remove(at: Hierarchies, group: str) -> list[str]:
    """Remove `group` and all below it from every hierarchy, and the group above all cells when it is empty; what is
    still there after SETTLE_S. Everything in it must have been killed before."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        left = [str(left) for mount in at.mounts for left in _remove(Path(mount + group))]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(PAUSE_S)
    for mount in at.mounts:
        _rmdir(Path(mount) / TOP)
    return left


def _remove(place: Path) -> Iterable[Path]:
    """Depth first: a group with groups below it cannot be removed."""
    for folder, _, _ in os.walk(place, topdown=False):
        _rmdir(Path(folder))
    return [place] if place.exists() else []


def _rmdir(place: Path) -> None:
    try:
        place.rmdir()
    except OSError:  # busy or gone: the caller looks again
        return


def _read(mount: str | None, group: str, file: str) -> str:
    if mount is None:
        return ""
    try:
        return Path(f"{mount}{group}/{file}").read_text()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() else None


def _field(text: str, name: str) -> int | None:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value)
    return None


def _scaled(number: int | None, factor: float) -> float | None:
    return None if number is None else number * factor
