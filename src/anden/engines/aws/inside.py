"""A command inside a task that serves, by ECS Exec: in environments that are not productive (docs/decisions/0021).

ECS opens a session, AWS's own plugin speaks it (engines.aws.plugin). It runs as root, whatever the image's user is, and
in a terminal: that is ECS Exec's way.
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import observe, plugin
from anden.engines.aws.debug import AGAIN, KILLED, Wish
from anden.engines.aws.errors import code, explained
from anden.engines.aws.session import Session
from anden.engines.aws.transcript import INTERRUPT, KEY_AT_END, Transcript, line
from anden.model.ports import Clock, Exec
from anden.model.problem import Problem, Problems

POLL_S = 0.2
"""Between two looks at what the plugin has said."""
OPEN_S = 60.0
"""From being asked for to the command's beginning; then it is given up."""
MOST_COMMAND = 8_192
"""Characters of the whole line; AWS documents no limit, this one is that of a debug task's overrides."""
BROKEN = 255
"""The exit code where it is not known, as ssh has it."""
IDLE = "ECS ends one in which nothing is written for 20 minutes"
"""ECS developer guide, "Monitor Amazon ECS containers with ECS Exec"."""
MOST_SAID = 300
"""Characters of the plugin's own words in a problem."""
MARK_BYTES = 16
DEAF = "TargetNotConnectedException"


def run(
    session: Session, clock: Clock, wish: Wish, found: Mapping[str, Any], number: int | None, poll_s: float
) -> Iterator[Exec | None]:
    """None while it is under way, then what it gave. Closed early, plugin and session are ended. found: the ECS
    service, as debug.service finds it. number: of the instance; None: any that runs. Raises Problems."""
    where, mark = f"service {wish.service}", secrets.token_hex(MARK_BYTES)
    path, said = plugin.find(where), Transcript(mark)
    opened = _opened(session, wish, found["clusterArn"], number, mark)
    try:
        running = plugin.Running(path, opened, said)
    except OSError as error:
        _closed(session, opened)
        raise Problems(Problem(where, f"{plugin.NAME} cannot be started", str(error), plugin.GET)) from error
    late, left = False, ""
    try:
        began, since = clock.monotonic(), None
        while True:
            over = running.over  # before the transcript is looked at: what came last is in it then
            if over or said.code is not None:
                break
            now = clock.monotonic()
            since = now if since is None and said.began else since
            if since is None and now - began > OPEN_S:
                raise Problems(_unbegun(where, said, opened, f"after {OPEN_S:.0f} s there was no sign of it"))
            if since is not None and now - since > wish.limit_s:
                late = True
                said.close()
                break
            yield None
            clock.sleep(poll_s)
    finally:
        running.end(KEY_AT_END if said.code is not None else INTERRUPT)
        left = _closed(session, opened)
    if not said.began:
        raise Problems(_unbegun(where, said, opened, "the session ended before it"))
    yield _exec(said, wish, late, left)


def _exec(said: Transcript, wish: Wish, late: bool, left: str) -> Exec:
    """left: why the session could not be ended, where it could not."""
    if said.code is not None:
        return Exec(said.code, said.text(), "", said.cut)
    if late:
        beside = f"! its session could not be ended: {left}\n" if left else ""
        return Exec(KILLED, said.text(), f"! stopped after {wish.limit_s:g} s\n{beside}", said.cut)
    return Exec(BROKEN, said.text(), f"! the session broke off, so its exit code is not known; {IDLE}\n", said.cut)


def _opened(session: Session, wish: Wish, cluster: str, number: int | None, mark: str) -> plugin.Opened:
    """A session in the instance's task. Raises Problems."""
    where, client = f"service {wish.service}", session.client("ecs", wish.region)
    command = line(wish.argv, mark)
    if len(command) > MOST_COMMAND:
        why = f"{len(command)} characters with what anden adds; {MOST_COMMAND} are taken"
        raise Problems(Problem(where, "the command is too long", why, "Say a shorter one."))
    task = _task(session, wish, cluster, number)
    try:
        with explained(where):
            answer = client.execute_command(
                cluster=cluster, task=task["taskArn"], container=wish.service, command=command, interactive=True
            )
    except Problems as problems:
        if isinstance(problems.__cause__, ClientError) and code(problems.__cause__) == DEAF:
            raise Problems(_deaf(where, wish)) from problems
        raise
    runtime = next((each.get("runtimeId", "") for each in task["containers"] if each["name"] == wish.service), "")
    target = f"ecs:{cluster.rpartition('/')[2]}_{task['taskArn'].rpartition('/')[2]}_{runtime}"
    return plugin.Opened(answer["session"], wish.region, target, session.client("ssm", wish.region).meta.endpoint_url)


def _task(session: Session, wish: Wish, cluster: str, number: int | None) -> Mapping[str, Any]:
    where = f"service {wish.service}"
    with explained(where):
        tasks = observe.tasks(session.client("ecs", wish.region), cluster, wish.service)
    numbered = [task for at, task in enumerate(tasks, 1) if number in (None, at) and task["lastStatus"] == "RUNNING"]
    if not numbered:
        what = "no task of it runs" if number is None else f"its task {number} does not run"
        fix = "`anden status --on aws` lists what runs."
        raise Problems(Problem(where, what, "a command runs inside one that does", fix))
    return numbered[0]


def _deaf(where: str, wish: Wish) -> Problem:
    why = "ECS Exec's agent in it does not answer: it begins a minute after its task, and only in tasks made with it on"
    fix = f"Wait a minute and run the same command again; then `anden restart {wish.service} --on aws` makes new tasks."
    return Problem(where, "its task takes no commands yet", why, fix)


def _unbegun(where: str, said: Transcript, opened: plugin.Opened, how: str) -> Problem:
    words = " ".join(said.before().replace(opened.session["tokenValue"], "…").split())[-MOST_SAID:]
    fix = f"ECS Exec needs /bin/sh in the image. {AGAIN}" if "no such file" in words else AGAIN
    return Problem(where, "the command did not begin", f"{how}; {plugin.NAME} said: {words or 'nothing'}", fix)


def _closed(session: Session, opened: plugin.Opened) -> str:
    """End the session, which is no error when it has ended; else why it could not be."""
    try:
        with explained("session"):
            session.client("ssm", opened.region).terminate_session(SessionId=opened.session["sessionId"])
    except Problems as problems:
        gone = isinstance(problems.__cause__, ClientError) and code(problems.__cause__) == "DoesNotExistException"
        return "" if gone else str(problems.problems[0])
    return ""
