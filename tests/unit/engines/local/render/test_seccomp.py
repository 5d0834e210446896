from typing import Any

import pytest

from anden.engines.local.render.seccomp import REFUSED, profile

SHARED: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ],
    "syscalls": [
        {"names": ["read", "unshare", "clone", "clone3"], "action": "SCMP_ACT_ALLOW", "includes": {}, "excludes": {}},
        {"names": ["socket", "socketcall"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "args": None},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["reboot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_BOOT"]}},
        {
            "names": ["reboot"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
            "excludes": {"caps": ["CAP_SYS_BOOT"]},
        },
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


def allowed(machine: str) -> set[str]:
    rules = profile(SHARED, machine)["syscalls"]
    return {
        name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule for name in rule["names"]
    }


def test_entries_for_this_machine_and_no_capabilities() -> None:
    assert allowed("x86_64") == {"read", "arch_prctl"}
    assert allowed("aarch64") == {"read"}
    assert profile(SHARED, "x86_64")["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert {"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1} in profile(SHARED, "x86_64")["syscalls"]


def test_what_is_refused_is_allowed_nowhere_and_clone_makes_no_namespace() -> None:
    rules = profile(SHARED, "x86_64")["syscalls"]
    for rule in rules:
        if rule["action"] == "SCMP_ACT_ALLOW":
            assert not REFUSED & set(rule["names"])
            assert "clone3" not in rule["names"]
    (clone,) = [rule for rule in rules if "clone" in rule["names"]]
    assert clone["args"] == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]


def test_only_sockets_that_a_network_namespace_holds() -> None:
    rules = profile(SHARED, "x86_64")["syscalls"]
    sockets = [rule for rule in rules if "socket" in rule["names"]]
    families = [[(one["index"], one["value"], one["op"]) for one in rule["args"]] for rule in sockets]
    assert [rule["action"] for rule in sockets] == ["SCMP_ACT_ALLOW"] * 4
    assert families == [
        [(0, 1, "SCMP_CMP_EQ")],
        [(0, 2, "SCMP_CMP_EQ")],
        [(0, 10, "SCMP_CMP_EQ")],
        [(0, 16, "SCMP_CMP_EQ"), (2, 9, "SCMP_CMP_NE")],
    ]
    assert "socketcall" in REFUSED, "it hides the family behind a pointer"


def test_another_format_is_an_error() -> None:
    with pytest.raises(KeyError):
        profile({"rules": []}, "x86_64")
