"""What is told when a service is unwell, and what takes a new version back.

Metric alarms tell nobody; one composite of each service does, so that one fault is one message. Burn rates as the SRE
workbook has them ("Alerting on SLOs"): 14.4 times for an hour and five minutes, 6 times for six hours and thirty.
"""

from collections.abc import Iterator, Mapping, Sequence

from anden.engines.aws.render.metrics import ECS, INSIGHTS, Series, Traffic, of_service, queries, total
from anden.engines.aws.render.naming import ALARMS, fitting, place
from anden.engines.aws.render.template import Json, Part, Resource, resource
from anden.model.topology import Latency, Service, Topology

MOST_NAME = 255
"""Characters of an alarm's name (CloudWatch API, "PutMetricAlarm")."""
MINUTE_S, HOUR_S = 60, 3_600
NEWS_S = 300
"""Over how long errors and durations are looked at."""
FEW_FOR, FULL_FOR = 3, 5
"""Minutes in a row with too few tasks, or with full memory."""
FULL_PERCENT = 90.0
ERRORS_PERCENT = 5.0
"""The share of requests that may fail where nothing was agreed."""
LEAST_REQUESTS = 20
"""Below so many requests a share says nothing."""
BURNS = (("FastBurn", 14.4, HOUR_S, 300), ("SlowBurn", 6.0, 6 * HOUR_S, 1_800))
"""Name, times the error budget, over a long and a short window in seconds."""
WINDOWS = ("Long", "Short")
BURNING = frozenset(f"{burn}{window}" for burn, *_ in BURNS for window in WINDOWS)
"""Alarms that mean something by pairs only."""


def deploying(service: Service, traffic: Traffic | None) -> tuple[str, ...]:
    """The logical names of the alarms that take a new version back: what users notice, not how many tasks there are."""
    if traffic is None:
        return ()
    return ("ErrorsAlarm", "SlowAlarm") if _latency(service) else ("ErrorsAlarm",)


def name(topology: Topology, service: Service, what: str) -> str:
    """An alarm's name, from its logical one: `banco-andino-production-accounts-errors-alarm`."""
    return fitting(f"{place(topology)}-{service.name}-{what}", MOST_NAME)


def part(topology: Topology, service: Service, traffic: Traffic | None) -> Part:
    """The alarms of one service, and the composite that tells. In the stack of the service."""
    alarms = dict(_alarms(topology, service, traffic))
    rule = " OR ".join(_rule({each: made["Properties"]["AlarmName"] for each, made in alarms.items()}))
    alarms["Unwell"] = resource(
        "AWS::CloudWatch::CompositeAlarm", after=list(alarms), AlarmName=name(topology, service, "unwell"),
        AlarmRule=rule, AlarmActions=[ALARMS], OKActions=[ALARMS],
        AlarmDescription=f"{service.name} of {topology.client}/{topology.environment} is unwell",
    )  # fmt: skip
    return Part(alarms)


def _rule(alarms: Mapping[str, str]) -> Iterator[str]:
    """alarms: logical names to those that CloudWatch knows."""
    for each, name_ in alarms.items():
        if each not in BURNING:
            yield f'ALARM("{name_}")'
    for burn, *_ in BURNS:
        if f"{burn}Long" in alarms:
            both = " AND ".join(f'ALARM("{alarms[burn + window]}")' for window in WINDOWS)
            yield f"({both})"


def _alarms(topology: Topology, service: Service, traffic: Traffic | None) -> Iterator[tuple[str, Resource]]:
    running = of_service(topology, service, INSIGHTS, "RunningTaskCount")
    if service.instances.base > 0:
        yield "FewAlarm", _alarm(
            topology, service, "FewAlarm", f"fewer tasks than the base of {service.instances.base}", **running.said,
            Statistic="Average", Period=MINUTE_S, EvaluationPeriods=FEW_FOR, Threshold=service.instances.base,
            ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
        )  # fmt: skip
    memory = of_service(topology, service, ECS, "MemoryUtilization")
    yield "FullAlarm", _alarm(
        topology, service, "FullAlarm", f"a task has {FULL_PERCENT:g}% of its memory in use", **memory.said,
        Statistic="Maximum", Period=MINUTE_S, EvaluationPeriods=FULL_FOR, Threshold=FULL_PERCENT,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="missing",
    )  # fmt: skip
    if traffic is None:
        return
    yield (
        "ErrorsAlarm",
        _share(
            topology, service, traffic, "ErrorsAlarm", ERRORS_PERCENT, NEWS_S, f"more than {ERRORS_PERCENT:g}% fail"
        ),
    )
    latency = _latency(service)
    if latency is not None:
        yield "SlowAlarm", _slow(topology, service, traffic, latency)
    agreed = service.slo.availability if service.slo else None
    if agreed is not None and agreed < 100:
        for burn, times, long_s, short_s in BURNS:
            for window, seconds in zip(WINDOWS, (long_s, short_s), strict=True):
                limit = round(times * (100 - agreed), 6)
                text = f"fails {times:g} times as often as {agreed:g}% allow, over {seconds // MINUTE_S} minutes"
                yield f"{burn}{window}", _share(topology, service, traffic, f"{burn}{window}", limit, seconds, text)


def _latency(service: Service) -> Latency | None:
    return service.slo.latency if service.slo else None


def _share(
    topology: Topology, service: Service, traffic: Traffic, what: str, limit: float, period_s: int, text: str
) -> Resource:
    """An alarm on the percentage of requests that fail."""
    asked, failed = total("r", traffic.requests), total("e", traffic.errors)
    share = {
        "Id": "share", "Label": "failed, percent", "ReturnData": True,
        "Expression": f"IF({asked} >= {LEAST_REQUESTS}, 100 * {failed} / {asked}, 0)",
    }  # fmt: skip
    metrics = [
        *queries("r", traffic.requests, "Sum", period_s), *queries("e", traffic.errors, "Sum", period_s), share
    ]  # fmt: skip
    return _alarm(
        topology, service, what, text, Metrics=metrics, EvaluationPeriods=1, Threshold=min(limit, 100.0),
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip


def _slow(topology: Topology, service: Service, traffic: Traffic, latency: Latency) -> Resource:
    series: Sequence[Series] = traffic.durations
    filled = ", ".join(f"FILL(t{number}, 0)" for number in range(len(series)))
    slowest = {"Id": "slowest", "Expression": f"MAX([{filled}])" if len(series) > 1 else filled, "ReturnData": True}
    metrics = [*queries("t", series, f"p{latency.percent:g}", NEWS_S), {**slowest, "Label": "duration"}]
    return _alarm(
        topology, service, "SlowAlarm", f"{latency.percent:g}% take longer than {latency.under_ms:g} ms",
        Metrics=metrics, EvaluationPeriods=FEW_FOR, Threshold=latency.under_ms * traffic.unit / 1000,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip


def _alarm(topology: Topology, service: Service, what: str, text: str, **properties: Json) -> Resource:
    named = {"AlarmName": name(topology, service, what), "AlarmDescription": f"{service.name}: {text}"}
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**named, **properties}}
