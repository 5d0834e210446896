"""What a killed `anden join` leaves on /run, and what a living one holds."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from anden.engines.local.join import joining

HOLDS = """\
import sys
from contextlib import ExitStack
from pathlib import Path
from anden.engines.local.join import joining
joining.RUN = Path(sys.argv[1])
with ExitStack() as undo:
    joining._folder(undo)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(joining, "RUN", tmp_path)
    return tmp_path


def test_what_a_living_one_has_stays_and_what_a_killed_one_had_goes(run: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        joining.sweep()
        (folder,) = run.iterdir()
        other.kill()
        other.wait()
        joining.sweep()
        assert not folder.exists()


def test_its_own_goes_with_it(run: Path) -> None:
    with ExitStack() as undo:
        joining._folder(undo)
        joining.sweep()
        assert len(list(run.iterdir())) == 1
    assert list(run.iterdir()) == []
