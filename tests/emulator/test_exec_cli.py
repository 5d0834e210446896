"""`anden exec --on aws` by the command line: its output, its exit code, its record; in production and outside."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.emulator import speaking
from tests.emulator.emulator import Emulator
from tests.emulator.test_cli import TEXT, Run, run

from anden.cli.main import main

__all__ = ["run"]

PRODUCTIVE = TEXT.replace("api:1.0, port: 8080", "api:1.0, port: 8080, instances: 2..3").replace("1..3", "2..3") + (
    "environments: { dev: { production: true, zones: 2 } }\n"
)
LIMIT_S = 60.0
POLL_S = 0.02


def ends_with(aws: Emulator, code: int, wrote: str) -> None:
    """What the container of the debug task does, on an emulator that runs none."""
    ecs, logs, deadline = aws.client("ecs"), aws.client("logs"), time.monotonic() + LIMIT_S
    while not (arns := ecs.list_tasks(cluster="shop-dev", family="shop-dev-api-debug")["taskArns"]):
        assert time.monotonic() < deadline, "no debug task was started"
        time.sleep(POLL_S)
    words: Any = {"logGroupName": "/anden/shop/dev/api", "logStreamName": f"debug/api/{arns[0].rpartition('/')[2]}"}
    logs.create_log_stream(**words)
    logs.put_log_events(**words, logEvents=[{"timestamp": int(time.time() * 1000), "message": wrote}])
    ecs.stop_task(cluster="shop-dev", task=arns[0], reason=f"exited with {code}")


@pytest.fixture
def inside(run: Run, capsys: pytest.CaptureFixture[str]) -> Run:
    """`anden exec --on aws …`: what is after `--` belongs to the command."""

    def ran(*words: str) -> tuple[int, str, str]:
        code = main(["exec", "--on", "aws", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def recorded(run: Run) -> dict[str, Any]:
    """The newest command on record."""
    said: list[dict[str, Any]] = json.loads(run("history", "--json")[1])
    return said[0]


def test_in_production_the_exit_code_and_the_output_are_the_debug_task_s(aws: Emulator, run: Run, inside: Run) -> None:
    Path("anden.yaml").write_text(PRODUCTIVE)
    code, _, err = run("up", "--yes")
    assert code == 0, err
    ending = threading.Thread(target=ends_with, args=(aws, 3, "not there"))
    ending.start()
    code, out, err = inside("--timeout", "30", "api", "--", "ls", "--secret", "/x")
    ending.join(LIMIT_S)
    assert (code, out) == (3, "not there\n"), err
    command = recorded(run)
    assert command["what"].startswith("exec api-1 ls, until 20")
    assert (command["outcome"], command["detail"]) == ("done", "exit 3")


def test_outside_production_they_are_the_instance_s(
    aws: Emulator, run: Run, inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("up")
    assert code == 0, err
    with monkeypatch.context() as bare:
        bare.setenv("PATH", "")
        code, _, err = inside("api", "--", "true")
    assert code == 1
    assert "session-manager-plugin is not installed" in err
    folder = tmp_path / "bin"
    folder.mkdir()
    path = speaking.write(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    code, out, err = inside("api", "--", "sh", "-c", "echo hidden-word; exit 3")
    assert (code, out) == (3, "hidden-word\n"), err
    command = recorded(run)
    assert command["what"].startswith("exec api-1 sh, until 20")
    assert (command["outcome"], command["detail"]) == ("done", "exit 3")
    said = json.dumps(json.loads(run("history", "--json")[1]))
    assert "hidden-word" not in said
    assert json.loads(speaking.seen(path)["response"])["tokenValue"] not in said
