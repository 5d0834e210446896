"""The machine's tools and facts."""

import subprocess
import sys
from pathlib import Path

import pytest

from anden.engines.local import tools
from anden.engines.local.tools import Tool

SOURCES = Path(__file__).parents[4] / "src"


@pytest.mark.parametrize(
    ("mounts", "mode"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "hybrid"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n", "v1"),
        ("proc /proc proc rw 0 0\n", "none"),
    ],
)
def test_control_groups(mounts: str, mode: str) -> None:
    assert tools.cgroups(mounts) == mode


def test_what_is_missing() -> None:
    here, gone = Tool("sh", "dash", "is here"), Tool("anden-no-such-tool", "nothing", "is not")
    assert tools.missing([here, gone]) == (gone,)
    assert tools.installation([gone, gone]) == "apt-get install --no-install-recommends nothing"


def test_a_file_counts_as_a_tool(tmp_path: Path) -> None:
    path = tmp_path / "seccomp.json"
    assert tools.found(str(path)) is None
    path.touch()
    assert tools.found(str(path)) == str(path)


def test_every_tool_says_what_and_why() -> None:
    for tool in (*tools.TOOLS, *tools.TEST_TOOLS, *tools.BENCH_TOOLS):
        assert tool.command
        assert tool.package
        assert not tool.why.endswith(".")


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "from anden.engines.local import tools; tools.missing()"
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SOURCES)!r}); {code}"], check=True
    )


def test_checks_look_at_everything_and_say_how_to_mend_it(tmp_path: Path) -> None:
    found = {check.name: check for check in tools.checks(tmp_path / "not" / "yet")}
    assert found["system"].detail
    assert found["python"].ok
    for check in found.values():
        assert check.ok or check.fix
    if sys.platform.startswith("linux"):
        assert {"root", "cgroups", "namespaces", "overlayfs", "nftables", "disk", "crun"} <= set(found)
        assert str(tmp_path) in found["disk"].detail
