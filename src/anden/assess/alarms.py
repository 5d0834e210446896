"""Alarms of the engine that are on, as findings: what tells somebody is trouble, the rest is worth a look."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from anden.model.finding import Finding, Severity
from anden.model.observation import AlarmSeen

MOST_EVIDENCE = 6
"""Alarms of one service whose reasons a finding carries."""
FIX = "`anden logs` and `anden status -i` show what the service does; the alarm ends by itself when its cause does."


def assess(alarms: Sequence[AlarmSeen]) -> tuple[Finding, ...]:
    """One finding for each service that somebody was told of, with the reasons as evidence; otherwise one an alarm."""
    ordered = sorted(alarms, key=lambda each: (each.service, not each.tells, each.since, each.name))
    return tuple(
        finding for service, its in groupby(ordered, key=lambda each: each.service) for finding in _of(service, [*its])
    )


def _of(service: str, alarms: Sequence[AlarmSeen]) -> Iterator[Finding]:
    telling = next((each for each in alarms if each.tells), None)
    causes = [each for each in alarms if not each.tells]
    if telling is not None:
        said = tuple(f"{each.text}: {each.why}" for each in causes[:MOST_EVIDENCE]) or (telling.why,)
        yield Finding(
            Severity.TROUBLE, _subject(service), f"on {_since(telling)}, and somebody is told", FIX, None, said
        )
        return
    for each in causes:
        yield Finding(Severity.WARNING, _subject(service), f"{each.text}, {_since(each)}", FIX, None, (each.why,))


def _subject(service: str) -> str:
    return f"alarm {service}"


def _since(alarm: AlarmSeen) -> str:
    return datetime.fromtimestamp(alarm.since, UTC).strftime("since %Y-%m-%d %H:%M:%S UTC")
