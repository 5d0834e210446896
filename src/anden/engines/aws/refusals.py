"""What services tried and were refused, from two logs: rejected flows of the VPC, and blocked questions of its resolver
(render.refused). As a twin counts it: packets and questions, by service and what it tried to open."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained
from anden.engines.aws.render.refused import FIELDS, FLOWS, NAMES
from anden.engines.aws.session import Session
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.problem import Problem, Problems
from anden.model.refused import Attempt

REMEMBERED_S = 24 * 3600.0
"""How far back it is looked, as on the twin."""
MOST_PAGES = 200
"""Of one log; a page has 1 MB or 10,000 lines at most (CloudWatch Logs API, "FilterLogEvents")."""
MOST_PAIRS = 4_096
"""Of a service and what it tried; later ones are not counted, as on the twin."""
TRANSPORTS = {"6": "tcp", "17": "udp"}
BLOCKED = '{ $.firewall_rule_action = "BLOCK" }'
_FLOW = tuple(name.replace("-", "_") for name in FIELDS)
NOT_DECLARED = "not declared"
CAVEATS = (
    Caveat(
        EngineName.AWS, "refused",
        "packets are counted by the minute and can be read about five minutes later; AWS names their task as well as"
        " it can, and what it does not name is left out; what begins behind a link is not told",
    ),
    Caveat(
        EngineName.AWS, "refused",
        "a blocked flow shows an address and not the name that led there; a question is counted once while the resolver"
        " remembers its answer, and a name that one service declares is answered to all",
    ),
)  # fmt: skip
"""What AWS cannot tell (VPC user guide, "Flow log records"; Route 53 developer guide, "Resolver query logging")."""


@dataclass(slots=True)
class _Tried:
    count: int
    first: float
    last: float

    def more(self, count: int, first: float, last: float) -> None:
        self.count, self.first, self.last = self.count + count, min(self.first, first), max(self.last, last)


@dataclass(slots=True)
class _Tally:
    """By service, what it tried, port and transport."""

    tried: dict[tuple[str, str, int | None, str], _Tried] = field(default_factory=dict)

    def add(self, key: tuple[str, str, int | None, str], count: int, first: float, last: float) -> None:
        known = self.tried.get(key)
        if known is not None:
            known.more(count, first, last)
        elif len(self.tried) < MOST_PAIRS:
            self.tried[key] = _Tried(count, first, last)

    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(
            Attempt(*key, each.count, each.first, each.last, "" if key[2] is not None else NOT_DECLARED)
            for key, each in self.tried.items()
        )


def read(session: Session, key: EnvironmentKey, region: str, now: float, seen: Observation) -> tuple[Attempt, ...]:
    """Of the last day. seen: whose addresses are whose by now. Raises Problems: there is no such log, or it may not be
    read."""
    client, since = session.client("logs", region), now - REMEMBERED_S
    owners = {str(one.address): str(one.service) for one in seen.instances}
    tasks, tally = dict(owners), _Tally()
    for line in _lines(client, key, FLOWS, since, ""):
        flow = _flow(line)
        if flow is None:
            continue
        service = flow["ecs_service_name"]
        if service == "-":
            service = owners.get(flow["srcaddr"], "")
        else:
            tasks.setdefault(flow["srcaddr"], service)
        if service:
            to = owners.get(flow["dstaddr"], flow["dstaddr"])
            place = (service, to, int(flow["dstport"]), TRANSPORTS[flow["protocol"]])
            tally.add(place, int(flow["packets"]), float(flow["start"]), float(flow["end"]))
    for line in _lines(client, key, NAMES, since, BLOCKED):
        if (asked := _question(line)) is not None:
            source, name, at = asked
            tally.add((tasks.get(source, source), name, None, "dns"), 1, at, at)
    return tally.attempts()


def _flow(line: str) -> Mapping[str, str] | None:
    """A rejected one that left an interface, by its fields; None: it is another line."""
    words = line.split()
    if len(words) != len(_FLOW):
        return None
    found = dict(zip(_FLOW, words, strict=True))
    numbers = all(found[name].isdigit() for name in ("dstport", "packets", "start", "end"))
    leaving = found["action"] == "REJECT" and found["flow_direction"] == "egress"
    return found if numbers and leaving and found["protocol"] in TRANSPORTS else None


def _question(line: str) -> tuple[str, str, float] | None:
    """Who asked, for which name, when; None: it was not blocked."""
    try:
        said = json.loads(line)
        if said.get("firewall_rule_action") != "BLOCK":
            return None
        at = datetime.fromisoformat(said["query_timestamp"]).timestamp()
        return str(said["srcaddr"]), str(said["query_name"]).rstrip(".").lower(), at
    except (ValueError, KeyError, AttributeError):
        return None


def _lines(client: Any, key: EnvironmentKey, which: str, since: float, pattern: str) -> Iterator[str]:
    group = f"/anden/{key.client}/{key.environment}/{which}"
    words = {"logGroupName": group, "startTime": int(since * 1000), **({"filterPattern": pattern} if pattern else {})}
    with explained(f"log group {group}"):
        try:
            for page in islice(client.get_paginator("filter_log_events").paginate(**words), MOST_PAGES):
                for each in page["events"]:
                    yield each["message"]
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                raise Problems(_none(key, group)) from error
            raise


def _none(key: EnvironmentKey, group: str) -> Problem:
    what, why = "nothing is on record of what was refused", f"there is no log group {group}"
    return Problem(str(key), what, why, f"`anden up -e {key.environment} --on aws` makes it, with the network's stack.")
