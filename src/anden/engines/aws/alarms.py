"""Which of an environment's alarms are on, by CloudWatch."""

from collections.abc import Collection, Mapping
from typing import Any

from anden.engines.aws.errors import explained
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.observation import AlarmSeen

METRIC, COMPOSITE = "MetricAlarms", "CompositeAlarms"


def on(session: Session, key: EnvironmentKey, region: str, services: Collection[str]) -> tuple[AlarmSeen, ...]:
    """Those in ALARM. services: what the environment runs: `banco-dev-` begins the alarms of `banco/dev-2` as well.
    Raises Problems."""
    client: Any = session.client("cloudwatch", region)
    prefix = f"{key.client}-{key.environment}-"
    found: list[AlarmSeen] = []
    with explained(f"alarms of {key}"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for page in pages:
            for kind in (METRIC, COMPOSITE):
                for each in page.get(kind, ()):
                    service = _service(each["AlarmName"].removeprefix(prefix), services)
                    if service is not None:
                        found.append(_seen(each, service, tells=kind == COMPOSITE))
    return tuple(sorted(found, key=lambda each: each.name))


def _service(rest: str, services: Collection[str]) -> str | None:
    """The longest name that it begins with: `web-api` before `web`."""
    return max((each for each in services if rest.startswith(f"{each}-")), key=len, default=None)


def _seen(alarm: Mapping[str, Any], service: str, *, tells: bool) -> AlarmSeen:
    since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    text = str(alarm.get("AlarmDescription", alarm["AlarmName"])).removeprefix(f"{service}: ")
    return AlarmSeen(alarm["AlarmName"], service, text, since.timestamp(), alarm.get("StateReason", ""), tells)
