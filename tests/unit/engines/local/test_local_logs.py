from pathlib import Path

import pytest

from anden.engines.local import logs
from anden.engines.local.cell import logs as writing
from anden.engines.local.cell.logs import Documents, Log
from anden.model.log import LogLine


def texts(lines: list[LogLine | None]) -> list[str]:
    return [f"{line.instance} {line.text}" for line in lines if line is not None]


def write(folder: Path, instance: str, *said: tuple[float, str]) -> Log:
    log = Log(folder / f"{instance}.log", 0.0)
    for at, text in said:
        log.feed("stdout", f"{text}\n".encode(), at, at)
    return log


def test_services_are_told_apart_and_merged_by_time(tmp_path: Path) -> None:
    write(tmp_path, "web-1", (1, "a"), (4, "d"))
    write(tmp_path, "web-2", (2, "b"), (3, "c"))
    write(tmp_path, "web-api-1", (2.5, "other"))
    assert texts(list(logs.read(tmp_path, "web", 10, False))) == ["web-1 a", "web-2 b", "web-2 c", "web-1 d"]
    assert texts(list(logs.read(tmp_path, "web", 2, False))) == ["web-2 c", "web-1 d"]
    assert texts(list(logs.read(tmp_path, "web-2", 10, False))) == ["web-2 b", "web-2 c"]
    assert len(list(logs.read(tmp_path, None, 10, False))) == 5
    assert list(logs.read(tmp_path, "web", 0, False)) == []
    assert list(logs.read(tmp_path / "absent", None, 10, False)) == []


def test_the_gateway_is_asked_for_by_name(tmp_path: Path) -> None:
    log = Documents(tmp_path / "gateway.log", 0.0)
    for piece in (b'{"time":1.5,"pa', b'th":"\\/a\\\\\\/b"}\n{"time":2', b',"path":"\\/"}\nhalf of a l'):
        log.feed("stdout", piece, 7.0, 7.0)
    write(tmp_path, "web-1", (2, "a line"))
    assert texts(list(logs.read(tmp_path, None, 10, False))) == ["web-1 a line"]
    assert texts(list(logs.read(tmp_path, "gateway", 10, False))) == [
        'gateway {"time":1.5,"path":"/a\\\\/b"}', 'gateway {"time":2,"path":"/"}',
    ]  # fmt: skip
    assert [line.at for line in logs.read(tmp_path, "gateway", 10, False) if line] == [1.5, 2.0]


def test_documents_lie_in_files_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FILE_BYTES", 1000)
    log = Documents(tmp_path / "gateway.log", 0.0)
    for number in range(200):
        log.feed("stdout", b'{"time":%d,"path":"x"}\n' % number, 0.0, 0.0)
    assert len(list(tmp_path.iterdir())) == writing.FILES
    assert all(file.stat().st_size <= 1100 for file in tmp_path.iterdir())
    last = [line.at for line in logs.read(tmp_path, "gateway", 70, False) if line]
    assert last == [float(number) for number in range(130, 200)]


def test_nothing_older_than_a_moment(tmp_path: Path) -> None:
    log = write(tmp_path, "web-1", (1, "a"), (2, "b"), (3, "c"))
    assert texts(list(logs.read(tmp_path, "web", 10, False, 2.0))) == ["web-1 b", "web-1 c"]
    assert texts(list(logs.read(tmp_path, "web", 1, False, 2.0))) == ["web-1 c"]
    following = logs.read(tmp_path, "web", 10, True, 2.5)
    assert next(following) == LogLine(3, "web-1", "stdout", "c")
    log.feed("stdout", b"late, and old\n", 2.4, 2.4)
    log.feed("stdout", b"new\n", 4, 4)
    assert texts([next(following)]) == ["web-1 new"]
    following.close()  # type: ignore[attr-defined]


def test_following_goes_through_rotation_and_finds_new_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "POLL_S", 0.01)
    monkeypatch.setattr(logs, "BEAT_S", 0.02)
    monkeypatch.setattr(writing, "FILE_BYTES", 2000)
    log = write(tmp_path, "web-1", (1, "first"))
    following = logs.read(tmp_path, "web", 1, True)
    assert next(following) == LogLine(1.0, "web-1", "stdout", "first")
    assert next(following) is None
    found: list[LogLine | None] = []
    wanted = [f"web-1 line {number}" for number in range(100)]
    for number in range(0, 100, 10):
        for each in range(number, number + 10):
            log.feed("stdout", f"line {each}\n".encode(), 2.0 + each, 2.0 + each)
        while len(texts(found)) < number + 10:
            found.append(next(following))
    assert texts(found) == wanted
    assert (tmp_path / "web-1.log.1").exists()
    write(tmp_path, "web-2", (200, "new"))
    late = next(line for line in following if line is not None)
    assert (late.instance, late.text) == ("web-2", "new")


def test_a_torn_line_is_not_invented(tmp_path: Path) -> None:
    write(tmp_path, "web-1", (1, "a"))
    with (tmp_path / "web-1.log").open("a") as file:
        file.write('nonsense\n{"at": 2, "stream": "stdout", "te')
    assert texts(list(logs.read(tmp_path, "web", 10, False))) == ["web-1 a"]
