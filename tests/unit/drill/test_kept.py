from pathlib import Path

import pytest
from tests.unit.drill.ground import START

from anden.drill.kept import keep, stem
from anden.model.drill import Drill, DrillKind
from anden.model.fault import Outage
from anden.model.problem import Problems


@pytest.mark.parametrize(
    ("drill", "name"),
    [
        (Drill(DrillKind.ZONE, "b"), "2026-11-26T03-00-00Z-zone-b"),
        (Drill(DrillKind.ZONE, "b", Outage.FROZEN), "2026-11-26T03-00-00Z-zone-b-frozen"),
        (Drill(DrillKind.KILL, "accounts-2"), "2026-11-26T03-00-00Z-kill-accounts-2"),
        (Drill(DrillKind.CONTROL), "2026-11-26T03-00-00Z-control"),
    ],
)
def test_names_sort_by_time(drill: Drill, name: str) -> None:
    assert stem(drill, START) == name


def test_files_in_a_folder_that_is_made(tmp_path: Path) -> None:
    keep(tmp_path / "a" / "b", "x", {"txt": "é\n", "svg": "<svg/>"})
    assert (tmp_path / "a" / "b" / "x.txt").read_text() == "é\n"
    assert (tmp_path / "a" / "b" / "x.svg").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(Problems, match="cannot be kept"):
        keep(tmp_path / "a", "x", {"txt": ""})
