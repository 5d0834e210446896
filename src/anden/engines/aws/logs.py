"""Lines of instances from CloudWatch Logs: the environment's groups `/anden/CLIENT/ENVIRONMENT/SERVICE`, by polling.

A task's stream is `SERVICE/SERVICE/TASK-ID`; its instance's name is the service and the id's first digits, for a task
that has ended has no ordinal any more.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from anden.engines.aws.errors import explained
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.log import GATEWAY, LogLine

POLL_S = 1.0
"""Between two looks of `--follow`."""
LATE_S = 10.0
"""Lines may become readable this much after newer ones: what is that young is looked at again."""
MOST_REMEMBERED = 10_000
"""Event ids by which a line is not said twice."""
BACK_S = (60.0, 600.0, 3600.0, 24 * 3600.0, 14 * 24 * 3600.0)
"""How far back the last lines are looked for, one after the other, until there are enough: CloudWatch Logs gives the
oldest first, so that the end of a long stretch costs all of it."""
MOST_PAGES = 200
"""Of one group in one look; a page has 1 MB or 10,000 lines at most (CloudWatch Logs API, "FilterLogEvents")."""
MOST_GROUPS = 400


def read(
    session: Session, key: EnvironmentKey, region: str, service: str | None, lines: int, follow: bool,
    since: float | None = None,
) -> Iterator[LogLine | None]:  # fmt: skip
    """See model.ports.Engine. Raises Problems."""
    client = session.client("logs", region)
    prefix = f"/anden/{key.client}/{key.environment}/"
    with explained(f"logs of {key}"):
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        groups = [group["logGroupName"] for page in pages for group in page["logGroups"]][:MOST_GROUPS]
    # What has a slash in its name is no service's, and not for reading by itself.
    own = {name.removeprefix(prefix): name for name in groups}
    wanted = _wanted({name: group for name, group in own.items() if "/" not in name}, service)
    said: deque[str] = deque(maxlen=MOST_REMEMBERED)
    last = _last(client, wanted, lines, since)
    said.extend(its_id for its_id, _ in last)
    yield from (line for _, line in last[len(last) - min(lines, len(last)) :])
    while follow:
        yield None
        time.sleep(POLL_S)
        known = set(said)
        for its_id, line in _some(client, wanted, max(time.time() - LATE_S - POLL_S, since or 0.0)):
            if its_id not in known:
                said.append(its_id)
                yield line


def _wanted(groups: Mapping[str, str], asked: str | None) -> list[str]:
    """asked: a service, or an instance of it (`accounts-2`), whose service's lines are shown then; None: all. A service
    that has the name of another's instance is meant itself, and so is the gateway, which is not among all."""
    if asked is None:
        return [group for name, group in groups.items() if name != GATEWAY]
    found = groups.get(asked) or groups.get(asked.rpartition("-")[0])
    return [found] if found else []


def _last(client: Any, groups: list[str], lines: int, since: float | None) -> list[tuple[str, LogLine]]:
    """At least the last `lines` that are not before `since`, where there are as many, and all of the last minute:
    `--follow` looks at what is young again, and says none of it twice."""
    found: list[tuple[str, LogLine]] = []
    for begin in beginnings(time.time(), since):
        found = _some(client, groups, begin)
        if len(found) >= lines:
            break
    return found


def beginnings(now: float, since: float | None) -> Sequence[float]:
    """From when on it is looked, one after the other, until there is enough (Unix seconds)."""
    back = [now - back_s for back_s in BACK_S]
    return back if since is None else [*(begin for begin in back if begin > since), since]


def _some(client: Any, groups: list[str], since: float) -> list[tuple[str, LogLine]]:
    """The newest of each group, at most MOST_REMEMBERED, oldest first."""
    found: list[tuple[str, LogLine]] = []
    for group in groups:
        newest: deque[tuple[str, LogLine]] = deque(maxlen=MOST_REMEMBERED)
        with explained(f"log group {group}"):
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=max(int(since * 1000), 0)
            )
            for page in islice(pages, MOST_PAGES):
                newest.extend((each["eventId"], _line(group, each)) for each in page["events"])
        found += newest
    return sorted((each for each in found if each[1].at >= since), key=lambda each: each[1].at)


def _line(group: str, event: dict[str, Any]) -> LogLine:
    service, task = group.rpartition("/")[2], event["logStreamName"].rpartition("/")[2]
    if service == GATEWAY:
        return LogLine(event["timestamp"] / 1000, GATEWAY, "stdout", event["message"].rstrip("\n"))
    return LogLine(event["timestamp"] / 1000, f"{service}-{task[:6]}", "stdout", event["message"].rstrip("\n"))
