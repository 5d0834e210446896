from pathlib import Path

import pytest

from anden.engines.local.cell.cgroup import Hierarchies, Kind, Use, detect, remove, unleash, use

ROOT = "22 1 8:1 / / rw - ext4 /dev/vda rw\n"
UNIFIED = "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "31 22 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
)
BESIDE = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("mounts", "kind", "memory"),
    [
        (ROOT + UNIFIED, Kind.UNIFIED, "/sys/fs/cgroup"),
        (ROOT + HYBRID + BESIDE, Kind.HYBRID, "/sys/fs/cgroup/memory"),
        (ROOT + HYBRID, Kind.LEGACY, "/sys/fs/cgroup/memory"),
        (ROOT, Kind.NONE, None),
        ("", Kind.NONE, None),
        # Only systemd's own named hierarchy beside the unified one: no controller is the old way.
        (ROOT + HYBRID.splitlines()[3] + "\n" + UNIFIED, Kind.UNIFIED, "/sys/fs/cgroup"),
    ],
)
def test_what_is_mounted(mounts: str, kind: Kind, memory: str | None) -> None:
    found = detect(mounts)
    assert (found.kind, found.of("memory")) == (kind, memory)


def test_every_hierarchy_is_cleared_once() -> None:
    assert detect(ROOT + HYBRID + BESIDE).mounts == (
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    )


def test_this_machine_has_some_kind() -> None:
    assert isinstance(detect(Path("/proc/self/mountinfo").read_text()).kind, Kind)


def files(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_use_of_version_2(tmp_path: Path) -> None:
    stat, events = "usage_usec 1500000\nuser_usec 1\n", "low 0\noom 1\noom_kill 3\n"
    files(tmp_path / "anden/x/web-1", memory__current="4096\n", memory__events=events, cpu__stat=stat)
    at = Hierarchies(Kind.UNIFIED, str(tmp_path), {})
    assert use(at, "/anden/x/web-1") == Use(4096, 1.5, 3)
    assert use(at, "/anden/x/gone") == Use()


def test_use_of_version_1(tmp_path: Path) -> None:
    oom = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"
    files(tmp_path / "memory/anden/x/web-1", memory__usage_in_bytes="4096\n", memory__oom_control=oom)
    files(tmp_path / "cpu/anden/x/web-1", cpuacct__usage="2500000000\n")
    at = Hierarchies(Kind.HYBRID, None, {"memory": f"{tmp_path}/memory", "cpuacct": f"{tmp_path}/cpu"})
    assert use(at, "/anden/x/web-1") == Use(4096, 2.5, 1)


def test_removing_is_deep_and_says_what_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anden.engines.local.cell.cgroup.SETTLE_S", 0.05)
    at = Hierarchies(Kind.UNIFIED, str(tmp_path), {})
    (tmp_path / "anden/x/web-1").mkdir(parents=True)
    (tmp_path / "anden/y").mkdir()
    assert remove(at, "/anden/x") == []
    assert [path.name for path in (tmp_path / "anden").iterdir()] == ["y"]
    (tmp_path / "anden/y/busy").write_text("")
    assert remove(at, "/anden/y") == [str(tmp_path / "anden/y")]
    (tmp_path / "anden/y/busy").unlink()
    assert remove(at, "/anden/y") == []
    assert not (tmp_path / "anden").exists()
    assert remove(at, "/anden/never") == []


@pytest.mark.parametrize(
    ("kind", "file", "bound", "lifted"),
    [(Kind.UNIFIED, "cpu.max", "25000 100000", "max"), (Kind.HYBRID, "cpu.cfs_quota_us", "25000", "-1")],
)
def test_unleash_lifts_the_bound_on_cpu(tmp_path: Path, kind: Kind, file: str, bound: str, lifted: str) -> None:
    group = tmp_path / "anden" / "x"
    group.mkdir(parents=True)
    (group / file).write_text(bound)
    at = Hierarchies(kind, str(tmp_path), {} if kind is Kind.UNIFIED else {"cpu": str(tmp_path)})
    unleash(at, "/anden/x")
    assert (group / file).read_text() == lifted
    unleash(at, "/anden/nobody")
