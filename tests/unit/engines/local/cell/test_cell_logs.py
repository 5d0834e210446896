import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell import logs
from anden.engines.local.cell.logs import BYTES_PER_S, LINE_BYTES, Allowance, Lines, Log, aside


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(row) for row in path.read_text().splitlines()]


@given(st.lists(st.text("abé \t", max_size=30), max_size=20), st.integers(1, 7))
def test_lines_come_whole_however_the_bytes_come(texts: list[str], step: int) -> None:
    data = "".join(text + "\n" for text in texts).encode()
    lines = Lines()
    found = [line for at in range(0, len(data), step) for line in lines.feed(data[at : at + step])]
    assert found == texts
    assert list(lines.end()) == []


@given(st.binary(max_size=3 * LINE_BYTES), st.integers(1, 2 * LINE_BYTES))
def test_no_line_is_longer_than_the_bound_and_nothing_is_lost(data: bytes, step: int) -> None:
    lines = Lines()
    found = [line for at in range(0, len(data), step) for line in lines.feed(data[at : at + step])] + list(lines.end())
    assert all(len(line) <= LINE_BYTES for line in found)
    assert len(lines._rest) == 0
    plain = data.replace(b"\n", b"").replace(b"\r", b"")
    if plain.isascii():
        assert "".join(found).replace("\r", "").encode() == plain


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 300)), max_size=50))
def test_an_allowance_is_never_exceeded(takes: list[tuple[float, float]]) -> None:
    now, taken, allowance = 0.0, 0.0, Allowance(100.0, 0.0)
    for pause, amount in takes:
        now += pause
        if allowance.take(amount, now):
            taken += amount
        assert taken <= 100.0 + now * 100.0 + 1e-6


def test_a_log_has_streams_times_and_a_tail(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs" / "web-1.log", 0.0)
    log.feed("stdout", b"one\ntw", 10.0, 0.0)
    log.feed("stderr", b"oops\n", 11.0, 0.1)
    log.feed("stdout", b"o\nthree", 12.0, 0.2)
    log.end(13.0)
    assert rows(tmp_path / "logs" / "web-1.log") == [
        {"at": 10.0, "stream": "stdout", "text": "one"},
        {"at": 11.0, "stream": "stderr", "text": "oops"},
        {"at": 12.0, "stream": "stdout", "text": "two"},
        {"at": 13.0, "stream": "stdout", "text": "three"},
    ]
    assert log.tail == ("one", "oops", "two", "three")
    log.close()
    assert Log(tmp_path / "logs" / "web-1.log", 0.0).tail == log.tail  # whoever comes back knows it too


def test_files_are_put_aside_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1000)
    path = tmp_path / "web-1.log"
    log = Log(path, 0.0)
    for number in range(205):
        log.feed("stdout", f"line {number}\n".encode(), 1.0, number)
    found = [aside(path, number) for number in range(5)]
    assert [file.exists() for file in found] == [True, True, True, False, False]
    assert all(file.stat().st_size <= 1100 for file in found[: logs.FILES])
    kept = [row["text"] for number in (2, 1, 0) for row in rows(aside(path, number))]
    assert kept == [f"line {number}" for number in range(205 - len(kept), 205)]


def test_a_flood_is_cut_and_said(tmp_path: Path) -> None:
    log = Log(tmp_path / "web-1.log", 0.0)
    piece = (b"x" * 99 + b"\n") * 500
    for _ in range(100):
        log.feed("stdout", piece, 1.0, 0.0)
    log.feed("stdout", b"calm\n", 3.0, 2.0)
    assert (tmp_path / "web-1.log").stat().st_size < BYTES_PER_S * 2
    lost = 100 * len(piece) - (BYTES_PER_S // len(piece)) * len(piece)
    assert log.tail[-2:] == (f"anden: {lost} bytes of output discarded: more than {BYTES_PER_S} a second", "calm")


def test_a_disk_that_refuses_does_not_end_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Log(tmp_path / "file" / "web-1.log", 0.0)
    log.feed("stdout", b"one\n", 1.0, 0.0)
    assert log.tail == ("one",)


def test_what_a_full_disk_did_not_take_is_counted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "web-1.log"
    log = Log(path, 0.0)
    path.symlink_to("/dev/full")
    log.feed("stdout", b"one\ntwo\n", 1.0, 0.0)
    log.feed("stdout", "drei é\n".encode(), 2.0, 1.0)
    log.close()
    path.unlink()
    log.feed("stdout", b"four\nfive\n", 3.0, 2.0)
    said = "anden: 16 bytes of output were not written: its disk took no more"
    assert [row["text"] for row in rows(path)] == [said, "four", "five"]
    assert log.tail == ("one", "two", "drei é", "four", "five")


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A limit of the file's size takes what fits and then refuses, as a nearly full disk does."""
    program = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom anden.engines.local.cell.logs import Log\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nlog = Log(Path(sys.argv[1]), 0.0)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "for number in range(40): log.feed('stdout', b'line %02d\\n' % number * 2, 1.0, float(number))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "log.feed('stdout', b'again\\n', 1.0, 99.0)\n"
    )
    path = tmp_path / "web-1.log"
    env = {**os.environ, "PYTHONPATH": str(Path(logs.__file__).parents[4])}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=env)
    texts = [str(row["text"]) for row in rows(path)]
    kept = texts.index(next(text for text in texts if text.startswith("anden: ")))
    assert texts[:kept] == [f"line {number // 2:02}" for number in range(kept)]
    lost = sum(len(f"line {number // 2:02}\n") for number in range(kept, 80))
    assert texts[kept:] == [f"anden: {lost} bytes of output were not written: its disk took no more", "again"]
    assert 0 < kept < 80
