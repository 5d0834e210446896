"""What the command line does before and beside running anything: reading, asking, helping, failing."""

import io
import json
import resource
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.cli.conftest import Run

import anden
from anden.app import Checked, Doctor
from anden.cli import standing, stream
from anden.cli.main import COMMANDS, Lazy, group, main
from anden.cli.options import Said
from anden.cli.render.events import Columns
from anden.cli.render.paint import PLAIN
from anden.cli.terminal import ERASE, Progress
from anden.model import codec
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.model.problem import Problem, Problems
from anden.model.report import ServiceStatus, StatusReport


def commands() -> list[tuple[str, click.Command]]:
    found = []
    for name in COMMANDS:
        command = Lazy.get_command(group, click.Context(group), name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", each) for inner, each in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda each: each if isinstance(each, str) else "")
def test_every_help_says_what_the_command_does_and_takes(run: Run, name: str, command: click.Command) -> None:
    shown = run(*name.split(), "--help")
    assert shown.code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
            assert all(opt in shown.out for opt in parameter.opts)
    assert "\b" not in shown.out


def test_the_group_lists_every_command_without_importing_it(run: Run) -> None:
    shown = run("--help").out
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_a_misspelt_command_gets_a_suggestion(run: Run) -> None:
    wrong = run("chek")
    assert wrong.code == 2
    assert "Did you mean check?" in wrong.err
    assert run("--colour").code == 2


def test_version(run: Run) -> None:
    assert run("version").out.startswith(f"anden {anden.__version__}")
    assert run("--json", "version").json["version"] == anden.__version__
    assert run("--version").out == f"anden {anden.__version__}\n"


def test_schema_is_json(run: Run) -> None:
    assert "services" in run("schema").json["properties"]


def test_check_says_a_summary_or_every_problem(run: Run, shop: Path) -> None:
    right = run("check")
    assert right.code == 0
    assert right.out.startswith("shop: 2 environments, 2 services, 0 problems")
    text = (shop / "anden.yaml").read_text()
    (shop / "anden.yaml").write_text(text.replace("port: 8080, route", "port: 80800, rout").replace("[api", "[apy"))
    wrong = run("check")
    assert wrong.code == 1
    assert not wrong.out
    assert "80800 is not a port" in wrong.err
    assert "Did you mean route?" in wrong.err
    assert "apy" in wrong.err
    report = codec.from_data(Checked, run("check", "--json").json)
    assert len(report.problems) >= 3


def test_check_sees_what_only_a_draft_shows(run: Run, shop: Path) -> None:
    text = (shop / "anden.yaml").read_text()
    (shop / "anden.yaml").write_text(text.replace("  test: { egress: one }", "  test: { network: 10.0.0.0/28 }"))
    assert run("check").code == 1


def test_a_missing_manifest_says_how_to_get_one(run: Run, tmp_path: Path) -> None:
    for words in (["check"], *([each, "--on", "simulated"] for each in ("plan", "up", "status", "down"))):
        missing = run(*words, str(tmp_path))
        assert missing.code == 1
        assert "anden init" in missing.err
    assert "no such folder" in run("check", str(tmp_path / "nowhere")).err


def test_init_writes_a_manifest_that_check_accepts_and_never_overwrites(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "fresh"
    (place / "api").mkdir(parents=True)
    (place / "api" / "Containerfile").write_text("FROM scratch\nEXPOSE 9000\n")
    (place / "node_modules" / "x").mkdir(parents=True)
    (place / "node_modules" / "x" / "Dockerfile").write_text("FROM scratch\n")
    printed = run("init", str(place), "--print")
    assert not (place / "anden.yaml").exists()
    done = run("init", str(place))
    assert done.code == 0
    assert (place / "anden.yaml").read_text().rstrip() == printed.out.rstrip()
    assert "9000" in printed.out
    assert "node_modules" not in printed.out
    assert run("check", str(place)).code == 0
    again = run("init", str(place))
    assert again.code == 1
    assert "never overwritten" in again.err


def test_problems_are_json_too_where_json_was_asked_for(run: Run, tmp_path: Path) -> None:
    wrong = run("plan", str(tmp_path), "--json", "--on", "simulated")
    assert wrong.code == 1
    assert wrong.json["problems"][0]["what"] == "no anden.yaml in it"


def test_doctor_answers_whatever_the_machine_is(run: Run) -> None:
    shown = run("doctor", "--json")
    report = codec.from_data(Doctor, shown.json)
    assert shown.code == (0 if report.ready else 1)
    assert {"python", "state", "disk"} <= {each.name for each in report.checks}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    assert "_ANDEN_COMPLETE" in run("completion", shell).out


def test_completion_offers_services_and_environments(shop: Path) -> None:
    def offered(words: str, count: int) -> str:
        env = {"_ANDEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
        return subprocess.run(
            [sys.executable, "-c", "import sys; from anden.cli.main import main; sys.exit(main())"],
            env={"PYTHONPATH": str(Path(anden.__file__).parents[1]), "PATH": "/bin"} | env,
            capture_output=True, text=True, check=False, cwd=shop,
        ).stdout  # fmt: skip

    assert "plain,web" in offered("anden logs w", 2)
    assert "plain,production" in offered("anden status -e p", 3)
    assert "plain,exchange" in offered("anden reach web e", 3)


QUICK_S = 1.5
"""Of a processor, for a noisy machine; on a quiet one it is 0.1 s and 0.2 s. What may not be loaded is tested exactly.
It is not the time on the clock: other checks may have the processors."""


@pytest.mark.parametrize("command", ["version", "check"])
def test_quick_commands_load_neither_web_nor_store(shop: Path, command: str) -> None:
    code = (
        "import sys; from anden.cli.main import main; main([sys.argv[1]]);"
        "heavy = ('fastapi', 'starlette', 'uvicorn', 'httpx', 'apsw', 'pyroute2');"
        "print([name for name in heavy if name in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(Path(anden.__file__).parents[1])},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < QUICK_S


def told(*events: Event, closed: list[bool], interrupt: bool = False) -> Generator[dict[str, Any], None, None]:
    try:
        for event in events:
            yield codec.to_data(event)
        if interrupt:
            raise KeyboardInterrupt
    finally:
        closed.append(True)


def test_ctrl_c_closes_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    closed: list[bool] = []
    step = Event(EventKind.STEP, "web", "1/1 healthy", "✓", 0.1)
    with pytest.raises(stream.Cancelled):
        stream.follow(told(step, closed=closed, interrupt=True), Columns())
    assert closed == [True]
    assert "✓ web" in capsys.readouterr().err


def test_a_stream_without_an_end_is_a_problem() -> None:
    with pytest.raises(Problems):
        stream.follow(told(closed=[]), Columns())


def test_how_a_command_ended_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("web-1", "answered HTTP 500", "its check failed", "See its logs.")
    ended = stream.follow(
        told(
            Event(EventKind.PROBLEM, problem=problem),
            Event(EventKind.END, outcome="failed", text=str(problem), problem=problem, took_s=3.0),
            closed=[],
        ),
        Columns(),
    )
    assert ended.outcome is Outcome.FAILED
    assert stream.finish(ended, Said()) == 1
    err = capsys.readouterr().err
    assert err.count("answered HTTP 500") == 1
    assert "failed after 3.0s" in err


def test_a_question_that_nobody_can_answer_names_the_flags() -> None:
    question = Event(EventKind.QUESTION, "web", "runs 1.1", choices={"keep": "leave it", "revert": "take 1.0"})
    with pytest.raises(Problems, match=r"--yes: leave it; --revert: take 1.0"):
        stream.decide(question, Said(no_input=True), {"keep": "--yes", "revert": "--revert"})


def test_the_reader_of_the_output_may_leave(shop: Path) -> None:
    code = "import sys; from anden.cli.main import main; sys.exit(main(['schema']))"
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(anden.__file__).parents[1])},
    )  # fmt: skip
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=20)
    assert b"Traceback" not in err
    assert running.returncode in (0, 141)


def test_main_takes_words(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_what_stands_after_ctrl_c() -> None:
    services = (
        ServiceStatus("a", 1, 3, 1, 3, "1", "degraded", ()),
        ServiceStatus("b", 2, 2, 1, 3, "1", "healthy", ()),
    )
    report = StatusReport("shop", "test", "local", True, "", "sha256:b7e1" + "0" * 60, True, 0.0, 1, None, services)
    assert standing.sentence(report) == "the target stays b7e1, 3 of 5 instances healthy"
    never = StatusReport("shop", "test", "local", False, "", None, None, None, 1, None, ())
    assert standing.sentence(never) == "nothing was changed"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_under_way_is_rewritten_on_a_terminal_and_a_line_in_a_log() -> None:
    for stream_, between in ((Terminal(), ERASE), (io.StringIO(), "\n")):
        out = Progress(stream_, PLAIN)
        out.pass_by("  web  starting")
        out.say("✓ web  1/1 healthy")
        out.end()
        assert stream_.getvalue() == f"  web  starting{between}✓ web  1/1 healthy\n"
