"""One-off tasks that end: the emulator runs no containers, so what a task would have said is written here, and it is
stopped as ECS would show it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.emulator.emulator import Emulator

from anden.engines.aws.render.debug import FAMILY_END, STREAM
from anden.engines.aws.tries import WORD

POLL_S = 0.02
END_LIMIT_S = 5.0
Sees = Callable[[str, str, int], str]
"""What a try of a service to a host and port sees: a word of model.reach.Seen, or `` for nothing said."""


@dataclass(frozen=True, slots=True)
class Probing:
    """The tasks that were started, as ECS describes them."""

    tasks: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def ending(aws: Emulator, client: str, environment: str, sees: Sees) -> Iterator[Probing]:
    """While this lasts every probe's task says what `sees` says and ends."""
    done, found = threading.Event(), Probing()
    watching = threading.Thread(target=_watch, args=(aws, client, environment, sees, done, found), daemon=True)
    watching.start()
    try:
        yield found
    finally:
        done.set()
        watching.join(END_LIMIT_S)


def _watch(
    aws: Emulator, client: str, environment: str, sees: Sees, done: threading.Event, found: Probing
) -> None:  # fmt: skip
    ecs, cluster = aws.client("ecs"), f"{client}-{environment}"
    while not done.wait(POLL_S):
        arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"] if arns else ():
            family = task["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0]
            if family.endswith(FAMILY_END):
                service = family.removeprefix(f"{cluster}-").removesuffix(FAMILY_END)
                found.tasks.append(task)
                _end(aws, cluster, f"/anden/{client}/{environment}/{service}", service, task, sees)


def _end(aws: Emulator, cluster: str, group: str, service: str, task: dict[str, Any], sees: Sees) -> None:
    (override,) = task["overrides"]["containerOverrides"]
    said = override["command"]
    words = said[said.index(WORD) + 1 :]
    lines = [
        f"{WORD} {number} {seen} 7" for number, host, port in zip(words[::4], words[1::4], words[2::4], strict=True)
        if (seen := sees(service, host, int(port)))
    ]  # fmt: skip
    logs, stream = aws.client("logs"), f"{STREAM}/{service}/{task['taskArn'].rpartition('/')[2]}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    if lines:
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    aws.client("ecs").stop_task(cluster=cluster, task=task["taskArn"], reason="Essential container in task exited")
