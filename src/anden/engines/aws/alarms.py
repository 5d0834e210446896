"""Which of an environment's alarms are on, by CloudWatch."""

from collections.abc import Collection, Mapping
from typing import Any

from anden.engines.aws.errors import explained
from anden.engines.aws.render import link_alarms
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.observation import AlarmSeen

METRIC, COMPOSITE = "MetricAlarms", "CompositeAlarms"


def on(
    session: Session, key: EnvironmentKey, region: str, services: Collection[str], links: Collection[str] = ()
) -> tuple[AlarmSeen, ...]:
    """Those in ALARM. services, links: what the environment has: `banco-dev-` begins the alarms of `banco/dev-2` as
    well. Raises Problems."""
    client: Any = session.client("cloudwatch", region)
    prefix = f"{key.client}-{key.environment}-"
    of_links = {link_alarms.kind(link): link_alarms.subject(link) for link in links}
    found: list[AlarmSeen] = []
    with explained(f"alarms of {key}"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for page in pages:
            for kind in (METRIC, COMPOSITE):
                for each in page.get(kind, ()):
                    rest = each["AlarmName"].removeprefix(prefix)
                    whose = of_links.get(rest) or _service(rest, services)
                    if whose is not None:
                        found.append(_seen(each, whose, tells=kind == COMPOSITE or rest in of_links))
    return tuple(sorted(found, key=lambda each: each.name))


def _service(rest: str, services: Collection[str]) -> str | None:
    """The longest name that it begins with: `web-api` before `web`."""
    return max((each for each in services if rest.startswith(f"{each}-")), key=len, default=None)


def _seen(alarm: Mapping[str, Any], service: str, *, tells: bool) -> AlarmSeen:
    since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    text = str(alarm.get("AlarmDescription", alarm["AlarmName"])).removeprefix(f"{service}: ")
    return AlarmSeen(alarm["AlarmName"], service, text, since.timestamp(), alarm.get("StateReason", ""), tells)
