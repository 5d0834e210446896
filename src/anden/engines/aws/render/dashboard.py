"""One dashboard for each environment. It searches for what it shows, so that it grows with the services by itself."""

import json
from collections.abc import Iterator

from anden.engines.aws.render.entrance import STAGE, Entrance
from anden.engines.aws.render.metrics import ECS, INSIGHTS
from anden.engines.aws.render.naming import place
from anden.engines.aws.render.template import Json, Part, resource
from anden.model.blueprint import Blueprint
from anden.model.topology import Topology

WIDTH, HEIGHT, COLUMNS = 12, 6, 2
"""Of a widget, in the 24 columns of CloudWatch's grid."""
PERIOD_S = 60


def part(blueprint: Blueprint, entrance: Entrance) -> Part:
    """The dashboard. In the stack of the cluster."""
    topology = blueprint.topology
    graphs = [*_gateway(topology, entrance), *_services(topology)]
    widgets = [
        {
            "type": "metric", "x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "width": WIDTH,
            "height": HEIGHT, "properties": {"title": title, "view": "timeSeries", "region": topology.region, **shown},
        }
        for number, (title, shown) in enumerate(graphs)
    ]  # fmt: skip
    body = json.dumps({"widgets": widgets})
    return Part(
        {"Dashboard": resource("AWS::CloudWatch::Dashboard", DashboardName=place(topology), DashboardBody=body)}
    )


def _gateway(topology: Topology, entrance: Entrance) -> Iterator[tuple[str, Json]]:
    if not entrance.doors:
        return
    at = ["ApiName", place(topology), "Stage", STAGE]
    asked = [
        ["AWS/ApiGateway", name, *at, {"stat": "Sum", "period": PERIOD_S}] for name in ("Count", "4XXError", "5XXError")
    ]
    yield "requests at the gateway, a minute", {"metrics": asked}
    slow = [["AWS/ApiGateway", "Latency", *at, {"stat": stat, "period": PERIOD_S}] for stat in ("p50", "p99")]
    yield "their duration, milliseconds", {"metrics": slow}


def _services(topology: Topology) -> Iterator[tuple[str, Json]]:
    for title, namespace, name in (
        ("running tasks", INSIGHTS, "RunningTaskCount"),
        ("CPU, percent", ECS, "CPUUtilization"),
        ("memory, percent", ECS, "MemoryUtilization"),
    ):
        schema = f"{{{namespace},ClusterName,ServiceName}}"
        search = f"SEARCH('{schema} ClusterName=\"{place(topology)}\" MetricName=\"{name}\"', 'Average', {PERIOD_S})"
        yield title, {"metrics": [[{"expression": search, "id": "found"}]]}
