"""A command in a productive environment: a task of its own, with the service's image, roles, subnets and group, and no
place behind the balancer. Nobody enters a task that serves (docs/decisions/0021).

It ends with its command, at its time, and when the caller leaves; should anden itself be gone by then, its entry point
ends it after render.debug.LONGEST_S.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import levels
from anden.engines.aws.errors import code, explained
from anden.engines.aws.preview import CLIENT, ENVIRONMENT
from anden.engines.aws.render.debug import FAMILY_END, LONGEST_S, START_S, STREAM
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.ports import Clock, Exec
from anden.model.problem import Problem, Problems

POLL_S = 2.0
"""Between two looks at the task; it takes 30-60 s to start."""
LATE_LOOKS = 5
"""Looks at the log after the end: lines become readable some seconds later."""
MOST_OVERRIDES = 8_192
"""Characters of a task's overrides (ECS API, "TaskOverride")."""
MOST_STARTED_BY, MOST_TAG = 128, 256
"""Characters of `startedBy` (ECS API, "RunTask") and of a tag's value (ECS API, "Tag")."""
MOST_OUTPUT = 1 << 20
"""Characters of output that are kept."""
MOST_PAGES = 100
"""Of one look at the log; a page has 1 MB at most (CloudWatch Logs API, "GetLogEvents")."""
UNSEEN = {"lastStatus": "not to be seen"}
"""ECS tells of a new task after a moment only (ECS API, "RunTask": eventual consistency)."""
OPERATOR = "anden:operator"
KILLED = -9
AGAIN = "Mend what AWS names, and run the same command again."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be run. limit_s: from the moment at which it runs."""

    key: EnvironmentKey
    region: str
    service: str
    argv: Sequence[str]
    who: str
    limit_s: float


def run(session: Session, clock: Clock, wish: Wish, found: dict[str, Any], poll_s: float) -> Iterator[Exec | None]:
    """None while it is under way, then what it gave. Closed early, the task is stopped. found: the ECS service, as
    `service` finds it. Raises Problems."""
    client, where = session.client("ecs", wish.region), f"service {wish.service}"
    cluster, task = found["clusterArn"], _started(session, wish, found)
    ended = False
    try:
        began, running_since = clock.monotonic(), None
        late = False
        while True:
            with explained(where):
                (seen,) = client.describe_tasks(cluster=cluster, tasks=[task])["tasks"] or [UNSEEN]
            if seen["lastStatus"] == "STOPPED":
                ended = True
                break
            now = clock.monotonic()
            if running_since is None and seen["lastStatus"] == "RUNNING":
                running_since = now
            if running_since is None and now - began > START_S:
                raise Problems(_unstarted(wish, f"it was still {seen['lastStatus']} after {START_S:.0f} s"))
            if running_since is not None and now - running_since > min(wish.limit_s, LONGEST_S):
                late = True
                break
            yield None
            clock.sleep(poll_s)
    finally:
        if not ended:
            with explained(where):
                client.stop_task(cluster=cluster, task=task, reason="anden: its time is over, or its caller left")
    text, cut = "", False
    for _ in range(LATE_LOOKS):
        before, (text, cut) = text, _output(session, wish, task)
        if text and text == before:
            break
        yield None
        clock.sleep(poll_s)
    if late:
        yield Exec(KILLED, text, f"! stopped after {min(wish.limit_s, LONGEST_S):.0f} s\n", cut)
        return
    yield Exec(_code(wish, seen), text, "", cut)


def service(session: Session, key: EnvironmentKey, region: str, name: str) -> dict[str, Any]:
    """The ECS service. Raises Problems: there is none."""
    cluster = levels.cluster(session, key, region)
    if cluster is not None:
        with explained(f"service {name}"):
            described = session.client("ecs", region).describe_services(cluster=cluster, services=[name])["services"]
        for found in described:
            if found["status"] == "ACTIVE":
                return dict(found)
    why = "its stack is not made yet, or it was ended"
    raise Problems(Problem(f"service {name}", f"does not run in {key}", why, "`anden status --on aws` lists them."))


def _started(session: Session, wish: Wish, found: dict[str, Any]) -> str:
    """The task's ARN."""
    client, key = session.client("ecs", wish.region), wish.key
    overrides = {"containerOverrides": [{"name": wish.service, "command": [*wish.argv]}]}
    if len(json.dumps(overrides)) > MOST_OVERRIDES:
        why = f"ECS takes {MOST_OVERRIDES} characters"
        raise Problems(Problem(f"service {wish.service}", "the command is too long", why, "Say a shorter one."))
    labels = {CLIENT: key.client, ENVIRONMENT: key.environment, OPERATOR: _plain(wish.who, r"[^\w .:/=+@-]", MOST_TAG)}
    with explained(f"service {wish.service}"):
        answer = client.run_task(
            cluster=found["clusterArn"], taskDefinition=f"{key.client}-{key.environment}-{wish.service}{FAMILY_END}",
            count=1, launchType="FARGATE", platformVersion=found.get("platformVersion") or "LATEST",
            networkConfiguration=found["networkConfiguration"], overrides=overrides,
            startedBy=_plain(f"anden/{wish.who}", r"[^A-Za-z0-9/_-]", MOST_STARTED_BY),
            tags=[{"key": name, "value": value} for name, value in labels.items()],
        )  # fmt: skip
    for failure in answer.get("failures", ()):
        raise Problems(_unstarted(wish, f"AWS said: {failure.get('reason', '')} {failure.get('detail', '')}".strip()))
    return str(answer["tasks"][0]["taskArn"])


def _plain(text: str, unfit: str, most: int) -> str:
    return re.sub(unfit, "_", text, flags=re.ASCII)[:most]


def _code(wish: Wish, task: dict[str, Any]) -> int:
    """The exit code. Raises Problems: the command never ran."""
    for container in task.get("containers", ()):
        if container["name"] == wish.service and container.get("exitCode") is not None:
            return int(container["exitCode"])
    reasons = [each.get("reason", "") for each in task.get("containers", ())]
    said = ": ".join(each for each in (task.get("stoppedReason", ""), *reasons) if each)
    raise Problems(_unstarted(wish, f"AWS said: {said or 'nothing'}"))


def _unstarted(wish: Wish, why: str) -> Problem:
    fix = f"{AGAIN} A debug task needs /bin/sh and sleep in the image." if "CannotStart" in why else AGAIN
    return Problem(f"service {wish.service}", "its debug task did not run", why, fix)


def _output(session: Session, wish: Wish, task: str) -> tuple[str, bool]:
    """What it wrote, stdout and stderr in one, and whether that was cut."""
    words: dict[str, Any] = {
        "logGroupName": f"/anden/{wish.key.client}/{wish.key.environment}/{wish.service}", "startFromHead": True,
        "logStreamName": f"{STREAM}/{wish.service}/{task.rpartition('/')[2]}",
    }  # fmt: skip
    lines: list[str] = []
    size, token = 0, ""
    for _ in range(MOST_PAGES):
        try:
            with explained(f"log of {wish.service}"):
                page = session.client("logs", wish.region).get_log_events(
                    **words, **({"nextToken": token} if token else {})
                )
        except Problems as problems:
            if isinstance(problems.__cause__, ClientError) and code(problems.__cause__) == "ResourceNotFoundException":
                return "", False  # it has written nothing yet
            raise
        lines += (event["message"].rstrip("\n") + "\n" for event in page["events"])
        size += sum(len(event["message"]) for event in page["events"])
        if page["nextForwardToken"] == token or size > MOST_OUTPUT:
            break
        token = page["nextForwardToken"]
    text = "".join(lines)
    return text[:MOST_OUTPUT], len(text) > MOST_OUTPUT
