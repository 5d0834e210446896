"""Alarms of the engine as findings."""

from anden.assess.alarms import assess
from anden.model.finding import Severity
from anden.model.observation import AlarmSeen

FEW = AlarmSeen("b-web-few", "web", "fewer tasks than the base of 2", 60.0, "3 of 3 were below 2")
SLOW = AlarmSeen("b-api-slow", "api", "slower than agreed", 120.0, "1 of 1 was above 0.3")
UNWELL = AlarmSeen("b-web-unwell", "web", "web of b/dev is unwell", 61.0, "b-web-few is in ALARM", tells=True)


def test_what_somebody_is_told_of_is_trouble_with_its_causes_as_evidence() -> None:
    api, web = assess([FEW, UNWELL, SLOW])
    assert (api.severity, api.subject) == (Severity.WARNING, "alarm api")
    assert api.text == "slower than agreed, since 1970-01-01 00:02:00 UTC"
    assert (web.severity, web.text) == (
        Severity.TROUBLE, "on since 1970-01-01 00:01:01 UTC, and somebody is told",
    )  # fmt: skip
    assert web.evidence == ("fewer tasks than the base of 2: 3 of 3 were below 2",)
    assert assess([UNWELL])[0].evidence == ("b-web-few is in ALARM",)
    assert assess([]) == ()
