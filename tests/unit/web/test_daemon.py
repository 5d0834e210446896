"""The daemon's files, its lock, and how it is found, started, replaced and ended from outside."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anden.model.problem import Problems
from anden.web import daemon, lock, server
from anden.web.files import Files

ARGV = ["-m", "anden.app"]
IMPATIENT = (
    "import sys; from anden import app; from anden.web import server\n"
    "server.IDLE_S, server.LOOK_S = 0.3, 0.05\n"
    "sys.exit(app.main())"
)
"""The daemon, but it ends after a shorter rest."""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path / "shop")
    made.prepare()
    yield made
    pid = lock.holder(made)
    if pid and pid != os.getpid() and lock.held(made):
        os.kill(pid, signal.SIGKILL)


def test_the_folder_is_its_owners_alone_and_the_socket_path_fits(files: Files, tmp_path: Path) -> None:
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    files.folder.chmod(0o755)
    files.prepare()
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    with pytest.raises(Problems, match="107 at most"):
        Files(tmp_path / ("x" * 120)).prepare()


def test_the_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problems, match="ANDEN_STATE"):
        Files(tmp_path / "file" / "shop").prepare()


def test_one_daemon_holds_the_lock(files: Files) -> None:
    assert not lock.held(files)
    with lock.locked(files):
        assert lock.held(files)
        assert lock.holder(files) == os.getpid()
        code = (
            "import sys; from pathlib import Path; from anden.web import lock, files\n"
            "with lock.locked(files.Files(Path(sys.argv[1])), 0.1): pass"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(files.folder)], capture_output=True, text=True, check=False
        )
        assert other.returncode == 1
        assert f"process {os.getpid()}" in other.stderr
    assert not lock.held(files)


def test_the_token_is_made_once(files: Files) -> None:
    first = server.token(files)
    assert len(first) > 30
    assert server.token(files) == first
    files.token.write_text("")
    assert server.token(files) != first
    assert stat.S_IMODE(files.token.stat().st_mode) == 0o600


def test_a_port_that_is_taken_is_a_problem() -> None:
    with server.listen_tcp(0) as first, pytest.raises(Problems, match="in use"):
        server.listen_tcp(first.getsockname()[1])


def test_a_daemon_is_started_found_and_ended(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    assert daemon.ask(files, "shop") is None
    api = daemon.start(files, "shop", [*ARGV, str(files.folder)])
    found = daemon.ask(files, "shop")
    assert found is not None
    monkeypatch.setattr(daemon, "code", lambda: found.code)  # somebody may be editing the source meanwhile
    assert daemon.current(files, "shop")
    assert os.getsid(found.pid) == found.pid
    api.close()
    daemon.end(found.pid, files)
    assert not files.socket.exists()
    assert not lock.held(files)
    assert "ended" in files.log.read_text()


def test_an_idle_daemon_ends_by_itself_and_the_next_start_waits_for_it(files: Files) -> None:
    daemon.start(files, "shop", [*ARGV, str(files.folder)]).close()
    first = daemon.ask(files, "shop")
    assert first is not None
    os.kill(first.pid, signal.SIGTERM)
    deadline = time.monotonic() + server.IDLE_S
    while "ending" not in files.log.read_text():  # until it knows, it answers as before
        assert time.monotonic() < deadline
        time.sleep(0.001)
    daemon.start(files, "shop", ["-c", IMPATIENT, str(files.folder)]).close()
    deadline = time.monotonic() + server.IDLE_S + 10
    while lock.held(files):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "nothing is left to look after" in files.log.read_text()


def test_a_daemon_of_other_code_is_replaced(files: Files) -> None:
    other = (
        "import sys; from pathlib import Path; from anden import app; from anden.web import daemon, files\n"
        "daemon.code = lambda: 'another'\n"
        "app.run(files.Files(Path(sys.argv[1])), 'shop')"
    )
    running = daemon.start(files, "shop", ["-c", other, str(files.folder)])
    running.close()
    old = daemon.ask(files, "shop")
    assert old is not None
    assert old.code == "another"
    assert not daemon.current(files, "shop")
    assert not lock.held(files)


def test_a_daemon_that_cannot_start_says_its_last_words(files: Files) -> None:
    with pytest.raises(Problems, match="no room"):
        daemon.start(files, "shop", ["-c", "import sys; sys.exit('no room')"])


def test_a_daemon_that_was_killed_leaves_a_socket_that_stops_nobody(files: Files) -> None:
    daemon.start(files, "shop", [*ARGV, str(files.folder)]).close()
    found = daemon.ask(files, "shop")
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while lock.held(files) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert files.socket.exists()
    assert not daemon.current(files, "shop")
    daemon.start(files, "shop", [*ARGV, str(files.folder)]).close()
    assert daemon.ask(files, "shop") not in (None, found)
