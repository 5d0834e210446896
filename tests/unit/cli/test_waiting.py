"""What is said while an answer is waited for: on a real terminal, and in a file."""

import os
import pty
import sys
import time
from pathlib import Path

import pytest

from anden.cli import terminal, waiting

LIMIT_S = 20.0


def read_until(descriptor: int, wanted: str) -> str:
    """What the terminal showed, up to `wanted`; less when that does not come in time."""
    said, deadline = "", time.monotonic() + LIMIT_S
    while wanted not in said and time.monotonic() < deadline:
        said += os.read(descriptor, 4096).decode()
    return said


def test_on_a_terminal_a_passing_line_says_how_long_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SILENT_S", 0.01)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with waiting.waiting("trying every way out"):
            assert "… trying every way out: 0 s" in read_until(master, " s")
        assert read_until(master, terminal.ERASE).endswith(terminal.ERASE)
    os.close(master)


def test_where_lines_stay_there_is_no_word_for_a_moment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with waiting.waiting("looking at what runs"):
            pass
    assert (tmp_path / "said").read_text() == ""


def test_where_lines_stay_a_long_wait_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(waiting, "QUIET_S", 0.01)
    with (tmp_path / "said").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with waiting.waiting("looking at what runs"):
            deadline = time.monotonic() + LIMIT_S
            while not (tmp_path / "said").read_text() and time.monotonic() < deadline:
                time.sleep(0.005)
    assert (tmp_path / "said").read_text() == "… looking at what runs: 0 s\n"


def test_an_error_passes_through_and_ends_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with pytest.raises(RuntimeError, match="no"), waiting.waiting("looking at what runs"):
            raise RuntimeError("no")
