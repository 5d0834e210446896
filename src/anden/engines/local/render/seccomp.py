"""The list of system calls that an instance may make, from the allow-list that the distribution's container tools share
(`/usr/share/containers/seccomp.json`), for a process without any capability."""

from collections.abc import Iterator, Mapping
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
"""The machine's own name for what it is, to the profile's."""
_OCI = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64", "arm": "SCMP_ARCH_ARM"}


REFUSED = frozenset(
    {
        # What makes namespaces and mounts: the shared list allows it, for containers that hold containers.
        *("unshare", "setns", "mount", "umount", "umount2", "pivot_root", "mount_setattr", "open_tree", "move_mount"),
        *("fsopen", "fsconfig", "fsmount", "fspick"),
        # What no namespace divides.
        *("add_key", "keyctl", "request_key"),
        # What reaches far into the kernel past this very list.
        # The 32-bit way to make a socket hides its family behind a pointer; C libraries have not needed it since 2016.
        "socketcall",
        *("io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd"),
    }
)
"""Taken out of the shared list, as instances need none of it; answered with EPERM."""
FAMILIES = (1, 2, 10, 16)
"""The families of sockets that network namespaces divide, and that programs need: Unix, IPv4, IPv6, netlink. AF_VSOCK
among the others leads past every namespace, to the machine that this one runs on."""
NEW_NAMESPACES = 0x7E020000
"""The flags of clone(2) that make a namespace: CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}."""
_NETLINK = 16
_AUDIT = 9
_EPERM = 1
_ENOSYS = 38


def profile(shared: Mapping[str, Any], machine: str) -> dict[str, Any]:
    """The `linux.seccomp` of an OCI configuration. machine: as `uname -m` says.

    Entries that ask for a capability are left out, those that exclude one stay: instances have none. Raises KeyError
    when `shared` is not a profile of that format.
    """
    own = ARCHITECTURES.get(machine, machine)
    architectures: list[str] = []
    for entry in shared.get("archMap", ()):
        if entry["architecture"] == _OCI.get(own, f"SCMP_ARCH_{own.upper()}"):
            architectures = [entry["architecture"], *(entry.get("subArchitectures") or ())]
    found: dict[str, Any] = {"defaultAction": shared["defaultAction"], "architectures": architectures}
    if "defaultErrnoRet" in shared:
        found["defaultErrnoRet"] = shared["defaultErrnoRet"]
    rules = [_rule(entry) for entry in shared["syscalls"] if _applies(entry, own)]
    found["syscalls"] = [*_own(), *(rule for rule in rules if rule["names"])]
    return found


def _own() -> list[dict[str, Any]]:
    """A process may be cloned and a namespace may not. clone3 hides its flags behind a pointer, so it is said not to
    exist: the C library then takes clone."""
    masked = {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    return [
        {"names": sorted(REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [masked]},
        *({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": args} for args in _families()),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    ]


def _families() -> Iterator[list[dict[str, Any]]]:
    """The arguments of each socket that may be made; the kernel's audit stays out, as in the shared list."""
    no_audit = {"index": 2, "value": _AUDIT, "valueTwo": 0, "op": "SCMP_CMP_NE"}
    for family in FAMILIES:
        own = {"index": 0, "value": family, "valueTwo": 0, "op": "SCMP_CMP_EQ"}
        yield [own, no_audit] if family == _NETLINK else [own]


def _applies(entry: Mapping[str, Any], own: str) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if includes.get("caps"):
        return False
    if includes.get("arches") and own not in includes["arches"]:
        return False
    return own not in (excludes.get("arches") or ())


def _rule(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = [name for name in entry["names"] if name not in REFUSED and name not in ("clone", "clone3", "socket")]
    rule: dict[str, Any] = {"names": names, "action": entry["action"]}
    if entry.get("errnoRet") is not None:
        rule["errnoRet"] = entry["errnoRet"]
    if entry.get("args"):
        rule["args"] = [
            {"index": one["index"], "value": one["value"], "valueTwo": one.get("valueTwo", 0), "op": one["op"]}
            for one in entry["args"]
        ]
    return rule
