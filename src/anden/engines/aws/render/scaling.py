"""Elasticity: the range that a service may move in, and what it follows.

Requests in flight are no metric of AWS's. By Little's law they are requests a second times seconds a request takes, so
the target that is tracked is computed from both, a minute at a time, for each running task.
"""

from collections.abc import Iterator

from anden.engines.aws.render.metrics import INSIGHTS, Traffic, of_service, queries
from anden.engines.aws.render.naming import place
from anden.engines.aws.render.template import Json, Part, Resource, ref, resource, sub
from anden.model.topology import ScaleMetric, Service, Topology

OUT_S, IN_S = 60, 300
"""From one step up, or down, to the next (Application Auto Scaling user guide, "Target tracking": cooldowns)."""
FAST_S = 20
"""The resolution of CPU metrics that are followed (ECS API, "MonitoringConfiguration")."""
MINUTE_S = 60


def elastic(service: Service) -> bool:
    """Whether something follows the load."""
    return service.scale is not None and service.instances.base < service.instances.max


def part(topology: Topology, service: Service, traffic: Traffic | None) -> Part:
    """The range, and the policy where there is a target. In the stack of the service.

    A range of one level is said too: the template names no count that would undo scaling, ECS begins with one task, and
    this is what raises it to the base. traffic: None where nothing is measured; a scale by requests then has no policy.
    """
    resources = {
        "Range": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget", ServiceNamespace="ecs",
            ScalableDimension="ecs:service:DesiredCount",
            ResourceId=sub(f"service/{place(topology)}/${{Service.Name}}"), MinCapacity=service.instances.base,
            MaxCapacity=service.instances.max,
        )
    }  # fmt: skip
    if elastic(service):
        resources.update(_policy(topology, service, traffic))
    return Part(resources)


def _policy(topology: Topology, service: Service, traffic: Traffic | None) -> Iterator[tuple[str, Resource]]:
    scale = service.scale
    if scale is None:
        return
    tracking: dict[str, Json] = {"TargetValue": scale.value, "ScaleOutCooldown": OUT_S, "ScaleInCooldown": IN_S}
    if scale.metric is ScaleMetric.CPU:
        fast = {"PredefinedMetricType": "ECSServiceAverageCPUUtilizationHighResolution"}
        tracking["PredefinedMetricSpecification"] = fast
    elif traffic is not None:
        tracking["CustomizedMetricSpecification"] = {"Metrics": list(_in_flight(topology, service, traffic))}
    else:
        return
    yield "Follow", resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy", PolicyName=f"{place(topology)}-{service.name}",
        PolicyType="TargetTrackingScaling", ScalingTargetId=ref("Range"),
        TargetTrackingScalingPolicyConfiguration=tracking,
    )  # fmt: skip


def _in_flight(topology: Topology, service: Service, traffic: Traffic) -> Iterator[dict[str, Json]]:
    yield from queries("r", traffic.requests, "Sum", None)
    yield from queries("t", traffic.durations, "Average", None)
    yield from queries("n", [of_service(topology, service, INSIGHTS, "RunningTaskCount")], "Average", None)
    busy = " + ".join(f"FILL(r{number}, 0) * FILL(t{number}, 0)" for number in range(len(traffic.requests)))
    yield {
        "Id": "flight", "Label": "requests in flight, a task", "ReturnData": True,
        "Expression": f"({busy}) / {MINUTE_S * traffic.unit} / FILL(n0, 1)",
    }  # fmt: skip
