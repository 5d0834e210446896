"""An instance as an OCI runtime configuration. It is hardened by default; no field of a manifest takes that away."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anden.engines.local.idmap import UID_BASE, UID_COUNT
from anden.engines.local.render.resolver import DOMAIN
from anden.model.configuration import Configuration
from anden.model.instance import Instance
from anden.model.problem import Problem, Problems
from anden.model.secret import MOUNT

OCI_VERSION = "1.0.2"
PROCESSES = 1024
"""The most processes and threads of an instance."""
OPEN_FILES = 16384
"""The most open files of a process; within the 20,000 that a machine without CAP_SYS_RESOURCE allows."""
CPU_PERIOD_US = 100_000
"""The kernel's usual period for CPU quotas."""
SHARES_PER_CPU = 1024
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOSTNAME_LIMIT = 63
"""A host name's longest, RFC 1123."""
NO_SECRETS: Mapping[str, str] = {}
_PLAIN = ["nosuid", "noexec", "nodev"]
_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


@dataclass(frozen=True, slots=True)
class User:
    """Who an instance's process is, inside its user namespace."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a specification only the cell knows. Paths are the cell's own.

    netns: the instance's network namespace. group: its control group. seccomp: as render.seccomp gives it; None: the
    tests' way to leave it out.
    """

    rootfs: str
    netns: str
    group: str
    hosts: str
    resolv: str
    seccomp: Mapping[str, Any] | None
    secrets: str | None = None
    """The folder of its secrets' files; None: it has none."""


def user(instance: Instance, passwd: str, group: str) -> User:
    """The user that `instance.user` names, by the text of the image's /etc/passwd and /etc/group.

    `UID`, `UID:GID`, `NAME`, `NAME:GROUP`; empty is root. Raises Problems for a name that the image does not know, and
    for an id that the user namespace does not hold.
    """
    who, _, which = (instance.user or "0").partition(":")
    people = [line.split(":") for line in passwd.splitlines() if line.count(":") >= 6]
    teams = [line.split(":") for line in group.splitlines() if line.count(":") >= 3]
    person = next((row for row in people if who in (row[0], row[2])), None)
    if person is None and not who.isdigit():
        raise Problems(_nobody(instance, f"the image has no user {who}"))
    uid = int(person[2]) if person else int(who)
    gid, groups = (int(person[3]) if person else 0), ()
    if which:
        team = next((row for row in teams if which in (row[0], row[2])), None)
        if team is None and not which.isdigit():
            raise Problems(_nobody(instance, f"the image has no group {which}"))
        gid = int(team[2]) if team else int(which)
    elif person:
        groups = tuple(sorted({int(row[2]) for row in teams if person[0] in row[3].split(",")} - {gid}))  # type: ignore[assignment]
    if max(uid, gid, *groups) >= UID_COUNT:
        raise Problems(_nobody(instance, f"ids run from 0 to {UID_COUNT - 1}"))
    return User(uid, gid, groups, person[5] if person else "/")


def _nobody(instance: Instance, why: str) -> Problem:
    return Problem(
        f"services/{instance.service}/user",
        f"{instance.user} is not a user of {instance.image_name}",
        why,
        "Use a user of the image, or its number.",
    )


def process(
    instance: Instance, who: User, argv: tuple[str, ...] | None = None, secrets: Mapping[str, str] = NO_SECRETS
) -> dict[str, Any]:
    """The process: the instance's own, or `argv` beside it with the same user, limits and surroundings. secrets:
    variable to value."""
    env = {"PATH": PATH, "HOME": who.home, "HOSTNAME": instance.id[:HOSTNAME_LIMIT], **instance.env, **secrets}
    return {
        "terminal": False,
        "user": {"uid": who.uid, "gid": who.gid, "additionalGids": list(who.groups)},
        "args": list(argv or instance.argv),
        "env": [f"{name}={value}" for name, value in sorted(env.items())],
        "cwd": instance.workdir or "/",
        "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
        "noNewPrivileges": True,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": OPEN_FILES, "soft": OPEN_FILES}],
        "oomScoreAdj": 0,
    }


def spec(instance: Instance, who: User, at: Surroundings, secrets: Mapping[str, str] = NO_SECRETS) -> dict[str, Any]:
    """config.json of the OCI runtime specification, as data. secrets: variable to value."""
    mapping = [{"containerID": 0, "hostID": UID_BASE, "size": UID_COUNT}]
    memory = instance.size.memory_mib * 1024 * 1024
    linux: dict[str, Any] = {
        "uidMappings": mapping,
        "gidMappings": mapping,
        "namespaces": [
            {"type": "user"},
            {"type": "pid"},
            {"type": "mount"},
            {"type": "ipc"},
            {"type": "uts"},
            {"type": "cgroup"},
            {"type": "network", "path": at.netns},
        ],
        "cgroupsPath": at.group,
        "resources": {
            "memory": {"limit": memory, "swap": memory},
            "cpu": {
                "quota": instance.size.cpu_milli * CPU_PERIOD_US // 1000,
                "period": CPU_PERIOD_US,
                "shares": max(2, instance.size.cpu_milli * SHARES_PER_CPU // 1000),
            },
            "pids": {"limit": PROCESSES},
            "devices": [{"allow": False, "access": "rwm"}],
        },
        "maskedPaths": _MASKED,
        "readonlyPaths": _READ_ONLY,
        "rootfsPropagation": "private",
    }
    if at.seccomp is not None:
        linux["seccomp"] = dict(at.seccomp)
    return {
        "ociVersion": OCI_VERSION,
        "process": process(instance, who, secrets=secrets),
        "root": {"path": at.rootfs, "readonly": True},
        "hostname": instance.id[:HOSTNAME_LIMIT],
        "mounts": [*_mounts(), *_writable(instance, memory), *_names(at), *_secrets(at)],
        "linux": linux,
    }


def _mounts() -> list[dict[str, Any]]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": _PLAIN},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        {
            "destination": "/dev/shm",  # noqa: S108 - inside the instance
            "type": "tmpfs",
            "source": "shm",
            "options": [*_PLAIN, "mode=1777", "size=65536k"],
        },
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": _PLAIN},
        {"destination": "/sys", "type": "tmpfs", "source": "tmpfs", "options": [*_PLAIN, "ro", "mode=755", "size=4k"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*_PLAIN, "relatime", "ro"]},
    ]


def _writable(instance: Instance, memory: int) -> list[dict[str, Any]]:
    """A tmpfs for each: what is written there counts as the instance's memory, and is gone after a restart."""
    options = [*_PLAIN, "mode=1777", f"size={memory // 2}"]
    return [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}
        for path in sorted(instance.writable)
    ]


def _names(at: Surroundings) -> list[dict[str, Any]]:
    return [
        {"destination": place, "type": "bind", "source": source, "options": ["bind", "ro", *_PLAIN]}
        for place, source in (("/etc/hosts", at.hosts), ("/etc/resolv.conf", at.resolv))
    ]


def _secrets(at: Surroundings) -> list[dict[str, Any]]:
    if at.secrets is None:
        return []
    return [{"destination": MOUNT, "type": "bind", "source": at.secrets, "options": ["bind", "ro", *_PLAIN]}]


def hosts(instance: Instance) -> str:
    """/etc/hosts of the instance: itself and nobody else; everybody else is asked for by name."""
    return f"127.0.0.1 localhost\n{instance.address} {instance.id}\n"


def resolv(configuration: Configuration) -> str:
    """/etc/resolv.conf of every instance: the cell's resolver, internal names first, and quick to give up."""
    return f"nameserver {configuration.layout.resolver}\nsearch {DOMAIN}\noptions ndots:1 timeout:1 attempts:2\n"
