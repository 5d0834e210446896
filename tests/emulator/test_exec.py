"""`anden exec` on the emulator. It runs no containers: a test ends a task as ECS would show it, and writes its log."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.emulator import Emulator
from tests.emulator.test_execute import applying, run
from tests.emulator.test_observe import SPACE, WANTED

from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.debug import ENTRY
from anden.engines.simulated.clock import VirtualClock
from anden.machine import SystemClock
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.ports import Exec
from anden.model.problem import Problems

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
POLL_S = 0.02
LIMIT_S = 10.0
GOLDEN = Path(__file__).with_name("exec.txt")


@pytest.fixture
def client(aws: Emulator) -> Any:
    """ECS of a productive environment with a service `web`, and its debug task's definition."""
    assert run(applying(WANTED))[0] == [None]
    found = aws.client("ecs")
    define(found, "r.example/web:1")
    return found


def define(client: Any, image: str) -> None:
    client.register_task_definition(
        family="banco-dev-web-debug", cpu="256", memory="512", networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "web", "image": image, "entryPoint": [*ENTRY]}],
    )  # fmt: skip


def never_runs(client: Any) -> None:
    why = "CannotStartContainerError: exec: /bin/sh: no such file or directory"
    client.stop_task(cluster="banco-dev", task=first(client)["taskArn"], reason=f"never ran: {why}")


def debugging(client: Any, status: str = "RUNNING") -> list[dict[str, Any]]:
    arns = client.list_tasks(cluster="banco-dev", family="banco-dev-web-debug", desiredStatus=status)["taskArns"]
    return client.describe_tasks(cluster="banco-dev", tasks=arns, include=["TAGS"])["tasks"] if arns else []


def first(client: Any) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while not (found := debugging(client)):
        assert time.monotonic() < deadline, "no debug task was started"
        time.sleep(POLL_S)
    return found[0]


def test_a_command_runs_in_a_task_of_its_own_that_ends_with_it(aws: Emulator, client: Any) -> None:
    engine, gave = AwsEngine(SystemClock(), POLL_S), list[Exec | None]()
    asking = threading.Thread(
        target=lambda: gave.extend(engine.attended(KEY, "web-1", ["ls", "-l"], b"", LIMIT_S, "ana@bank.example (uid)"))
    )
    asking.start()
    task = first(client)
    assert task["startedBy"] == "anden/ana_bank_example__uid_"
    assert {each["key"]: each["value"] for each in task["tags"]} == {
        "anden:client": "banco", "anden:environment": "dev", "anden:operator": "ana@bank.example _uid_",
    }  # fmt: skip
    assert task["overrides"]["containerOverrides"] == [{"name": "web", "command": ["ls", "-l"]}]
    assert not task.get("group", "").startswith("service:")
    logs, stream = aws.client("logs"), f"debug/web/{task['taskArn'].rpartition('/')[2]}"
    logs.create_log_group(logGroupName=f"{SPACE}/web")
    logs.create_log_stream(logGroupName=f"{SPACE}/web", logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": "total 0"}, {"timestamp": now + 1, "message": "etc"}]
    logs.put_log_events(logGroupName=f"{SPACE}/web", logStreamName=stream, logEvents=events)
    client.stop_task(cluster="banco-dev", task=task["taskArn"], reason="Essential container in task exited")
    asking.join(LIMIT_S)
    assert gave[-1] == Exec(0, "total 0\netc\n", "")
    assert gave[0] is None


def test_it_is_stopped_when_its_time_is_over(client: Any) -> None:
    engine = AwsEngine(VirtualClock(7.0), POLL_S)
    done = engine.exec(KEY, "web-1", ["sleep", "9"], b"", 1.0)
    assert (done.code, done.stderr) == (-9, "! stopped after 1 s\n")
    assert debugging(client) == []
    assert len(debugging(client, "STOPPED")) == 1


def test_it_is_stopped_when_its_caller_leaves(client: Any) -> None:
    engine = AwsEngine(VirtualClock(7.0), POLL_S)
    under_way = engine.attended(KEY, "web-1", ["sleep", "9"], b"", 60.0, "ana")
    assert next(under_way) is None
    assert len(debugging(client)) == 1
    under_way.close()  # type: ignore[attr-defined]
    assert debugging(client) == []
    (ended,) = debugging(client, "STOPPED")
    assert "caller left" in ended["stoppedReason"]


def test_what_cannot_be_run_says_why(aws: Emulator, client: Any) -> None:
    engine, said = AwsEngine(VirtualClock(7.0), POLL_S), list[str]()
    tries: list[tuple[str, list[str], bytes]] = [
        ("api-1", ["ls"], b""), ("web-1", ["ls"], b"input"), ("web-1", ["x" * 9000], b""),
    ]  # fmt: skip
    for instance, argv, stdin in tries:
        with pytest.raises(Problems) as found:
            engine.exec(KEY, instance, argv, stdin, 1.0)
        said.append(str(found.value))
    asking = threading.Thread(target=never_runs, args=(client,))
    asking.start()
    with pytest.raises(Problems) as found:
        AwsEngine(SystemClock(), POLL_S).exec(KEY, "web-1", ["ls"], b"", LIMIT_S)
    said.append(str(found.value))
    asking.join(LIMIT_S)
    define(client, "r.example/never-starts:1")
    with pytest.raises(Problems) as found:
        # On a clock that jumps there are as many looks as fit: those of the real interval.
        AwsEngine(VirtualClock(7.0)).exec(KEY, "web-1", ["ls"], b"", 1.0)
    said.append(str(found.value))
    assert debugging(client) == []  # what never started is stopped all the same
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.write_text("\n".join(said) + "\n")
    assert "\n".join(said) + "\n" == GOLDEN.read_text()
