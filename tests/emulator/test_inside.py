"""`anden exec` outside production on the emulator, with a program that stands for AWS's session-manager-plugin
(tests.emulator.speaking): it runs the commands on this machine. Only a real account proves ECS Exec itself."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.emulator import speaking
from tests.emulator.emulator import REGION, Emulator
from tests.emulator.test_execute import applying, run
from tests.emulator.test_observe import RESOURCES

from anden import manifest
from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.machine import SystemClock
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.ports import Exec
from anden.model.problem import Problems
from anden.model.stack import StackWanted

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
POLL_S = 0.02
LIMIT_S = 20.0
GOLDEN = Path(__file__).with_name("inside.txt")
SERVICE = {**RESOURCES["Service"], "Properties": {**RESOURCES["Service"]["Properties"], "EnableExecuteCommand": True}}
WANTED = StackWanted(
    "anden-banco-dev-edge", "edge", REGION, json.dumps({"Resources": {**RESOURCES, "Service": SERVICE}})
)


@pytest.fixture
def sessions(aws: Emulator) -> Callable[[str], list[dict[str, Any]]]:
    """An environment whose service `web` takes commands; says which sessions there are, `Active` or `History`."""
    assert run(applying(WANTED))[0] == [None]
    return lambda state: aws.client("ssm").describe_sessions(State=state)["Sessions"]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts the program where it is looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda **words: speaking.write(folder, **words)


def ended(pid: int) -> bool:
    """Nobody has that id any more, or only as a record of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


Sessions = Callable[[str], list[dict[str, Any]]]
Put = Callable[..., Path]


@pytest.mark.parametrize(
    ("argv", "gave"),
    [
        (["echo", "it's", "two  words"], Exec(0, "it's two  words\n", "")),
        (["sh", "-c", "echo out; echo err >&2; exit 3"], Exec(3, "out\nerr\n", "")),
        (["true"], Exec(0, "", "")),
    ],
)
def test_a_command_runs_in_an_instance_with_its_output_and_its_exit_code(
    aws: Emulator, sessions: Sessions, put: Put, argv: list[str], gave: Exec
) -> None:
    path = put()
    said = list(AwsEngine(SystemClock(), POLL_S).attended(KEY, "web-2", argv, b"", LIMIT_S, "ana"))
    assert said[-1] == gave
    assert sessions("Active") == []
    (session,) = sessions("History")
    second = sorted(
        aws.client("ecs").describe_tasks(cluster="banco-dev", tasks=aws.client("ecs").list_tasks(
            cluster="banco-dev", serviceName="web")["taskArns"])["tasks"],
        key=lambda task: (str(task["createdAt"]), task["taskArn"]),
    )[1]  # fmt: skip
    assert session["Target"] == second["taskArn"]
    handed = speaking.seen(path)
    assert ended(handed["pid"])
    request = json.loads(handed["argv"][4])
    task, runtime = second["taskArn"].rpartition("/")[2], second["containers"][0]["runtimeId"]
    assert request == {"Target": f"ecs:banco-dev_{task}_{runtime}"}
    assert (handed["argv"][1], handed["argv"][5]) == (REGION, aws.url)
    token = json.loads(handed["response"])["tokenValue"]
    assert token not in " ".join(handed["argv"])


def test_output_is_bounded_and_its_exit_code_is_there_all_the_same(sessions: Sessions, put: Put) -> None:
    put()
    engine = AwsEngine(SystemClock(), POLL_S)
    done = engine.exec(KEY, "web-1", ["sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' x; exit 4"], b"", LIMIT_S)
    assert (done.code, len(done.stdout), done.cut) == (4, 1 << 20, True)


def test_it_is_ended_when_its_time_is_over(sessions: Sessions, put: Put) -> None:
    path = put()
    done = AwsEngine(SystemClock(), POLL_S).exec(KEY, "web-1", ["sh", "-c", "echo $$; exec sleep 60"], b"", 0.2)
    assert (done.code, done.stderr) == (-9, "! stopped after 0.2 s\n")
    assert ended(int(done.stdout))
    assert ended(speaking.seen(path)["pid"])
    assert sessions("Active") == []


def test_it_is_ended_when_its_caller_leaves(sessions: Sessions, put: Put, tmp_path: Path) -> None:
    path, note = put(), tmp_path / "note"
    under_way = AwsEngine(SystemClock(), POLL_S).attended(
        KEY, "web-1", ["sh", "-c", f"echo $$ > {note}; exec sleep 60"], b"", 60.0, "ana"
    )
    deadline = time.monotonic() + LIMIT_S
    while next(under_way) is None and not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline, "the command did not begin"
    assert len(sessions("Active")) == 1
    under_way.close()  # type: ignore[attr-defined]
    assert ended(int(note.read_text()))
    assert ended(speaking.seen(path)["pid"])
    assert sessions("Active") == []


def test_a_session_that_breaks_off_gives_what_came_and_no_exit_code_of_its_own(sessions: Sessions, put: Put) -> None:
    put(fault="breaks")
    done = AwsEngine(SystemClock(), POLL_S).exec(KEY, "web-1", ["sh", "-c", "echo half; sleep 60"], b"", LIMIT_S)
    assert (done.code, done.stdout) == (255, "half\n")
    assert done.stderr.startswith("! the session broke off, so its exit code is not known")


def test_in_production_a_debug_task_runs_whatever_the_service_says(aws: Emulator, sessions: Sessions, put: Put) -> None:
    put()
    engine = AwsEngine(VirtualClock(7.0), POLL_S)
    text = f"anden: 1\nclient: banco\nregion: {REGION}\nenvironments: {{ dev: {{ production: true, zones: 2 }} }}\n"
    text += "services: { web: { image: web:1, port: 8080, instances: 2..3 } }\n"
    engine.know(manifest.read(text, "anden.yaml", client="banco").topologies["dev"])
    with pytest.raises(Problems):  # there is no definition of a debug task here, and nothing else was tried
        engine.exec(KEY, "web-1", ["ls"], b"", 1.0)
    assert sessions("Active") + sessions("History") == []


def test_what_cannot_be_run_says_why(
    aws: Emulator, sessions: Sessions, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, said = AwsEngine(SystemClock(), POLL_S), list[str]()

    def refused(instance: str = "web-1", argv: tuple[str, ...] = ("ls", "-l"), stdin: bytes = b"") -> None:
        with pytest.raises(Problems) as found:
            engine.exec(KEY, instance, argv, stdin, 1.0)
        said.append(str(found.value))

    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PATH", "")
        refused()
    put(version="1.2.497.0")
    refused()
    put(version="not a version")
    refused()
    put(fault="no shell")
    refused()
    put()
    refused("web-9")
    refused(argv=("x" * 9000,))
    refused(stdin=b"input")
    for task in (ecs := aws.client("ecs")).list_tasks(cluster="banco-dev", serviceName="web")["taskArns"]:
        ecs.stop_task(cluster="banco-dev", task=task)
    ecs.update_service(cluster="banco-dev", service="web", enableExecuteCommand=False, desiredCount=0)
    ecs.update_service(cluster="banco-dev", service="web", enableExecuteCommand=False, desiredCount=1)
    ecs.update_service(cluster="banco-dev", service="web", enableExecuteCommand=True, desiredCount=1)
    refused()  # its task was made without it
    assert sessions("Active") == []
    ids = {each["SessionId"] for each in sessions("History")}
    words = "\n".join(said) + "\n"
    for id_ in ids:
        words = words.replace(id_, "ecs-execute-command-1")
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.write_text(words)
    assert words == GOLDEN.read_text()


def test_one_that_does_not_begin_is_given_up(sessions: Sessions, put: Put) -> None:
    path = put(fault="mute")
    with pytest.raises(Problems, match="the command did not begin; after 60 s there was no sign of it"):
        AwsEngine(VirtualClock(7.0), 1.0).exec(KEY, "web-1", ["ls"], b"", 1.0)
    assert sessions("Active") == []
    assert not path.with_name(path.name + ".seen").exists() or ended(speaking.seen(path)["pid"])


def test_two_at_once_do_not_hear_each_other(sessions: Sessions, put: Put) -> None:
    put()
    gave: dict[str, Exec] = {}
    engine = AwsEngine(SystemClock(), POLL_S)

    def ask(word: str) -> None:
        gave[word] = engine.exec(KEY, "web-1", ["echo", word], b"", LIMIT_S)

    asking = [threading.Thread(target=ask, args=(word,)) for word in ("one", "two")]
    for each in asking:
        each.start()
    for each in asking:
        each.join(LIMIT_S)
    assert gave == {word: Exec(0, f"{word}\n", "") for word in ("one", "two")}
