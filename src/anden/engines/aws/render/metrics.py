"""What CloudWatch knows of a service's requests: of the balancer where it has a route, else of its callers' proxies.

Every series is written once here, for alarms and for elasticity alike.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from anden.engines.aws.render.naming import BALANCER_NAME, discovery_name, place
from anden.engines.aws.render.template import Json, att
from anden.model.topology import Protocol, Service, Topology

ECS, INSIGHTS, ELB = "AWS/ECS", "ECS/ContainerInsights", "AWS/ApplicationELB"


class Series(NamedTuple):
    """A metric of CloudWatch: its namespace, name and dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, Json], ...]

    @property
    def said(self) -> dict[str, Json]:
        """As CloudFormation has it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


class Traffic(NamedTuple):
    """A service's requests, the failed among them (5xx), and their durations; each the sum of several series, in the
    same order. unit: parts of a second in which durations are told."""

    requests: tuple[Series, ...]
    errors: tuple[Series, ...]
    durations: tuple[Series, ...]
    unit: int


def traffic(topology: Topology, service: Service, groups: Sequence[str], served: bool) -> Traffic | None:
    """groups: logical names of its target groups, none without a door. served: somebody reaches it. None: nothing is
    measured, for nobody asks it by HTTP."""
    if groups:
        each = [(("TargetGroup", att(name, "TargetGroupFullName")), ("LoadBalancer", BALANCER_NAME)) for name in groups]
        return Traffic(
            tuple(Series(ELB, "RequestCount", dimensions) for dimensions in each),
            tuple(Series(ELB, "HTTPCode_Target_5XX_Count", dimensions) for dimensions in each),
            tuple(Series(ELB, "TargetResponseTime", dimensions) for dimensions in each),
            1,
        )
    if not served or service.protocol is Protocol.TCP:
        return None
    name = discovery_name(topology, service.name)
    to = (("TargetDiscoveryName", name),)
    return Traffic(
        (Series(ECS, "RequestCount", (("DiscoveryName", name),)),),
        (Series(ECS, "HTTPCode_Target_5XX_Count", to),),
        (Series(ECS, "TargetResponseTime", to),),
        1000,
    )


def of_service(topology: Topology, service: Service, namespace: str, name: str) -> Series:
    """A series that ECS keeps of a service: `CPUUtilization`, `MemoryUtilization`, `RunningTaskCount` (insights)."""
    return Series(namespace, name, (("ClusterName", place(topology)), ("ServiceName", service.name)))


def queries(letter: str, series: Sequence[Series], stat: str, period_s: int | None) -> Iterator[dict[str, Json]]:
    """Series as inputs of a metric expression: `r0`, `r1`. period_s: None where the taker has one of its own."""
    for number, each in enumerate(series):
        found: dict[str, Json] = {"Metric": each.said, "Stat": stat}
        if period_s is not None:
            found["Period"] = period_s
        yield {"Id": f"{letter}{number}", "MetricStat": found, "ReturnData": False}


def total(letter: str, series: Sequence[Series]) -> str:
    """Their sum as an expression; what was not measured counts as none."""
    return "(" + " + ".join([f"FILL({letter}{number}, 0)" for number in range(len(series))]) + ")"
