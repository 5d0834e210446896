"""`./anden` before anden runs: which words need what, what was set up, and that no service is started meanwhile."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bootstrap import launch, packages, progress, stamp
from bootstrap.stamp import Place

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("up", True),
        ("up examples/banco-andino -e production", True),
        ("-C examples/banco-andino -e up deploy accounts accounts:2", True),
        ("--on local up", True),
        ("reach a b --live", True),
        ("exec accounts-1 -- ls --help", True),
        ("", False),
        ("up --help", False),
        ("-h", False),
        ("-C up check", False),
        ("-e up status", False),
        ("--on simulated up", False),
        ("up --on=aws", False),
        ("up --on simulated examples/banco-andino", False),
        ("reach a b", False),
        ("plan", False),
        ("doctor --json", False),
        ("status", False),
        ("completion bash", False),
        ("--version", False),
    ],
)
def test_which_words_need_a_cell(words: str, needs: bool) -> None:
    assert launch.needs_cell(words.split()) is needs


def test_every_command_that_needs_a_cell_exists() -> None:
    from anden.cli.main import COMMANDS

    assert set(COMMANDS) >= launch.NEEDS_CELL


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").write_text("a==1\n")
    (tmp_path / "requirements" / "dev.txt").write_text("a==1\nb==2\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return Place(str(tmp_path))


def test_an_environment_is_ready_when_its_stamp_says_so(place: Place) -> None:
    assert not stamp.environment_ready(place, "run")
    stamp.write(place.stamp, stamp.wanted(place, "run"))
    assert stamp.environment_ready(place, "run")
    assert not stamp.environment_ready(place, "dev")


def test_the_environment_for_tests_serves_for_running(place: Place) -> None:
    stamp.write(place.stamp, stamp.wanted(place, "dev"))
    assert stamp.environment_ready(place, "run")
    assert stamp.environment_ready(place, "dev")
    Path(place.lock("dev")).write_text("b==3\n")
    assert stamp.environment_ready(place, "run")
    assert not stamp.environment_ready(place, "dev")


def test_another_lock_folder_or_python_is_not_ready(place: Place, tmp_path: Path) -> None:
    stamp.write(place.stamp, stamp.wanted(place, "run"))
    said = Path(place.stamp).read_text()
    Path(place.lock("run")).write_text("a==2\n")
    assert not stamp.environment_ready(place, "run")
    Path(place.lock("run")).write_text("a==1\n")
    assert stamp.environment_ready(place, "run")
    stamp.write(place.stamp, said.replace(str(tmp_path), "/elsewhere"))
    assert not stamp.environment_ready(place, "run")
    stamp.write(place.stamp, said)
    Path(place.python).unlink()
    assert not stamp.environment_ready(place, "run")


def test_a_lock_is_all_hashes() -> None:
    for name in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pins = re.split(r"\n(?=\S)", text.replace("\\\n", " "))
        assert all("--hash=sha256:" in pin for pin in pins if re.match(r"\w", pin)), name


def test_the_listing_says_why() -> None:
    assert packages.listing({"crun": "runs the containers", "nftables": "is the firewall"}) == (
        "    crun      runs the containers\n    nftables  is the firewall\n"
    )


def test_no_service_starts_meanwhile_and_the_policy_goes_away(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"

    def broken() -> None:
        with packages.no_services(str(policy)):
            assert subprocess.run([str(policy), "haproxy", "start"], check=False).returncode == 101
            raise progress.Failed

    with pytest.raises(progress.Failed):
        broken()
    assert not policy.exists()


def test_the_policy_goes_away_when_it_is_ended(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"

    def ended() -> None:
        with packages.no_services(str(policy)):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        ended()
    assert not policy.exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_policy_of_somebody_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with packages.no_services(str(policy)):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert "left as it is" in capsys.readouterr().err


def test_a_policy_that_a_killed_anden_left_is_taken_away(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(packages.POLICY_TEXT)
    with packages.no_services(str(policy)):
        assert policy.exists()
    assert not policy.exists()


@pytest.mark.parametrize(
    ("argv", "yes", "allowed"),
    [
        (["up"], "", True),  # no terminal: root's command is consent
        (["up", "--no-input"], "", False),
        (["up", "--no-input", "--yes"], "", True),
        (["up", "--no-input"], "1", True),
    ],
)
def test_without_a_terminal(argv: list[str], yes: str, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDEN_YES", yes)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert packages._allowed(argv) is allowed


def test_a_failing_step_shows_its_last_lines(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(progress.Failed):
        progress.run(["sh", "-c", "echo one; echo two >&2; exit 3"], "trying")
    said = capfd.readouterr().err
    assert "    one\n    two\n" in said
    assert "trying failed (exit code 3)" in said


def test_a_program_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(progress.Failed):
        progress.run(["anden-no-such-tool"], "trying")
    assert "anden-no-such-tool cannot be run" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["anden", "test"])
def test_the_scripts_parse_on_an_old_python_and_are_executable(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 6))
    assert os.access(ROOT / name, os.X_OK)


def test_an_everyday_start_imports_little() -> None:
    code = "import sys; from bootstrap import launch; print(*sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    loaded = set(subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split())
    assert not loaded & {"subprocess", "pathlib", "shutil", "tempfile", "contextlib", "dataclasses", "anden"}
