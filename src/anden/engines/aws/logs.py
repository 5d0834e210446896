"""Lines of instances from CloudWatch Logs: the environment's groups `/anden/CLIENT/ENVIRONMENT/SERVICE`, by polling.

A task's stream is `SERVICE/SERVICE/TASK-ID`; its instance's name is the service and the id's first digits, for a task
that has ended has no ordinal any more.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from anden.engines.aws.errors import explained
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.log import LogLine

POLL_S = 1.0
"""Between two looks of `--follow`."""
LATE_S = 10.0
"""Lines may become readable this much after newer ones: what is that young is looked at again."""
MOST_REMEMBERED = 10_000
"""Event ids by which a line is not said twice."""
BACK_S = 3600.0
"""How far back the last lines are looked for."""
MOST_GROUPS = 400


def read(
    session: Session, key: EnvironmentKey, region: str, service: str | None, lines: int, follow: bool
) -> Iterator[LogLine | None]:
    """See model.ports.Engine. Raises Problems."""
    client = session.client("logs", region)
    prefix = f"/anden/{key.client}/{key.environment}/"
    with explained(f"logs of {key}"):
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        groups = [group["logGroupName"] for page in pages for group in page["logGroups"]][:MOST_GROUPS]
    wanted = [name for name in groups if service is None or _is_of(name.removeprefix(prefix), service)]
    said: deque[str] = deque(maxlen=MOST_REMEMBERED)
    last: deque[LogLine] = deque(maxlen=max(lines, 0))
    since = time.time() - BACK_S
    for its_id, line in _some(client, wanted, since):
        said.append(its_id)
        last.append(line)
    yield from last
    while follow:
        yield None
        time.sleep(POLL_S)
        known = set(said)
        for its_id, line in _some(client, wanted, time.time() - LATE_S - POLL_S):
            if its_id not in known:
                said.append(its_id)
                yield line


def _is_of(group: str, asked: str) -> bool:
    """asked: a service, or an instance of it (`accounts-2`), whose service's lines are shown then."""
    return group == asked or group == asked.rpartition("-")[0]


def _some(client: Any, groups: list[str], since: float) -> list[tuple[str, LogLine]]:
    found: list[tuple[str, LogLine]] = []
    for group in groups:
        with explained(f"log group {group}"):
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(since * 1000), PaginationConfig={"MaxItems": MOST_REMEMBERED}
            )
            found += [(each["eventId"], _line(group, each)) for page in pages for each in page["events"]]
    return sorted(found, key=lambda each: each[1].at)


def _line(group: str, event: dict[str, Any]) -> LogLine:
    service, task = group.rpartition("/")[2], event["logStreamName"].rpartition("/")[2]
    return LogLine(event["timestamp"] / 1000, f"{service}-{task[:6]}", "stdout", event["message"].rstrip("\n"))
