"""A service: one ECS service on Fargate in the private subnets, in a security group of its own, found by its callers
through Service Connect and by the gateway through its target group. Its stack holds all that is its own.
"""

import math
from collections.abc import Sequence

from anden.engines.aws.render import alarms, incoming, metrics, roles, scaling, target, task
from anden.engines.aws.render.arns import BOUNDARY, managed
from anden.engines.aws.render.cluster import logs
from anden.engines.aws.render.entrance import Door
from anden.engines.aws.render.mesh import Mesh
from anden.engines.aws.render.naming import CLUSTER, NAMESPACE, discovery_name, group, private_subnet
from anden.engines.aws.render.statement import assumed_by
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource
from anden.model.blueprint import Blueprint, Placement
from anden.model.topology import Protocol, ScaleMetric, Service, Strategy, Topology

PLATFORM = "1.4.0"
"""Fargate's platform version: the one that has tmpfs and linux parameters."""
LEAST_PERCENT, MOST_PERCENT = 100, 200
"""While versions change: of the level at that moment. Never below it, so never below the base; and twice of it at most,
so that a level of one can be replaced (ECS developer guide, "Deploy Amazon ECS services by replacing tasks")."""
BAKE_MINUTES = 10
"""How long both versions stay after all traffic has moved, but for rolling."""
CANARY_PERCENT, CANARY_MINUTES = 10.0, 10
"""The share that a canary gets, and for how long."""
STEP_PERCENT, STEP_MINUTES = 20.0, 5
"""Linear: the share that moves at a time, and how long it stays so: all of it after four steps, 20 minutes."""
STRATEGIES = {
    Strategy.ROLLING: "ROLLING",
    Strategy.BLUE_GREEN: "BLUE_GREEN",
    Strategy.CANARY: "CANARY",
    Strategy.LINEAR: "LINEAR",
}
SHIFTING = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
"""AWS's policy for moving traffic between target groups (ECS developer guide, "Amazon ECS infrastructure IAM role for
load balancers")."""


def parts(
    blueprint: Blueprint, service: Service, placement: Placement, door: Door | None, calls: Mesh, generation: int
) -> Sequence[Part]:
    """Everything of one service's stack."""
    topology = blueprint.topology
    open_ = door if door is not None and not door.closed else None
    groups = () if open_ is None else target.groups(service)
    traffic = metrics.traffic(topology, service, groups, service.name in calls.served)
    found = [
        Part({"Log": logs(topology, service.name)}),
        roles.part(topology, service),
        task.part(blueprint, service, calls, generation),
        Part(_service(blueprint, service, placement, groups, calls, traffic)),
        scaling.part(topology, service, traffic),
        alarms.part(topology, service, traffic),
    ]
    if door is not None:
        found.append(target.part(blueprint, door, placement.number))
    found.append(incoming.part(topology, service))
    return found


def _service(
    blueprint: Blueprint, service: Service, placement: Placement, groups: Sequence[str], calls: Mesh,
    traffic: metrics.Traffic | None,
) -> dict[str, Resource]:  # fmt: skip
    topology = blueprint.topology
    watching = alarms.deploying(service, traffic)
    network = {
        "AssignPublicIp": "DISABLED", "SecurityGroups": [group(service.name, placement.number)],
        "Subnets": [private_subnet(zone.name) for zone in blueprint.layout.zones],
    }  # fmt: skip
    follows_cpu = scaling.elastic(service) and service.scale is not None and service.scale.metric is ScaleMetric.CPU
    dialled = [link for link, _ in incoming.entries(topology, service)]
    balanced = [_balanced(service, groups)] if groups else []
    balanced += [_filled(service, incoming.target(link)) for link in dialled]
    after = [*(["Rule"] if len(groups) == 1 else []), *map(incoming.listener, dialled), *watching]
    fast = {"MetricNames": ["CPUUtilization"], "ResolutionSeconds": scaling.FAST_S}
    made = {
        "Service": resource(
            "AWS::ECS::Service", after=after, ServiceName=service.name,
            Cluster=CLUSTER, TaskDefinition=ref("Task"), LaunchType="FARGATE", PlatformVersion=PLATFORM,
            SchedulingStrategy="REPLICA", AvailabilityZoneRebalancing="ENABLED", PropagateTags="SERVICE",
            EnableECSManagedTags=True, EnableExecuteCommand=not topology.production,
            DeploymentController={"Type": "ECS"}, DeploymentConfiguration=_deployment(topology, service, watching),
            NetworkConfiguration={"AwsvpcConfiguration": network},
            ServiceConnectConfiguration=_connect(topology, service, calls),
            maybe={
                "LoadBalancers": balanced or None,
                "HealthCheckGracePeriodSeconds": math.ceil(service.start_s) if balanced else None,
                "Monitoring": {"MetricConfigurations": [fast]} if follows_cpu else None,
            },
        )
    }  # fmt: skip
    if len(groups) > 1:
        made["ShiftingRole"] = resource(
            "AWS::IAM::Role", AssumeRolePolicyDocument=assumed_by("ecs.amazonaws.com"),
            ManagedPolicyArns=[managed(SHIFTING)], PermissionsBoundary=BOUNDARY,
        )  # fmt: skip
    return made


def _deployment(topology: Topology, service: Service, watching: Sequence[str]) -> Json:
    """How a version takes over. A failed one is taken back: by the breaker when its tasks do not come up (rolling only,
    as ECS has it), by the alarms when its answers are bad."""
    made: dict[str, Json] = {
        "Strategy": STRATEGIES[service.strategy], "MinimumHealthyPercent": LEAST_PERCENT,
        "MaximumPercent": MOST_PERCENT,
    }  # fmt: skip
    if service.strategy is Strategy.ROLLING:
        made["DeploymentCircuitBreaker"] = {"Enable": True, "Rollback": True}
    else:
        made["BakeTimeInMinutes"] = BAKE_MINUTES
    if service.strategy is Strategy.CANARY:
        made["CanaryConfiguration"] = {"CanaryPercent": CANARY_PERCENT, "CanaryBakeTimeInMinutes": CANARY_MINUTES}
    if service.strategy is Strategy.LINEAR:
        made["LinearConfiguration"] = {"StepPercent": STEP_PERCENT, "StepBakeTimeInMinutes": STEP_MINUTES}
    if watching:
        names = [alarms.name(topology, service, each) for each in watching]
        made["Alarms"] = {"AlarmNames": names, "Enable": True, "Rollback": True}
    return made


def _connect(topology: Topology, service: Service, calls: Mesh) -> Json:
    """Service Connect: its name on its own port, for those who may call it; a proxy only where somebody calls."""
    if not calls.connects(service.name):
        return {"Enabled": False}
    made: dict[str, Json] = {"Enabled": True, "Namespace": NAMESPACE, "LogConfiguration": task.log("connect")}
    if service.name in calls.served:
        name = discovery_name(topology, service.name)
        offered: dict[str, Json] = {
            "PortName": name, "DiscoveryName": name,
            "ClientAliases": [{"DnsName": service.name, "Port": service.port}],
        }  # fmt: skip
        if service.protocol is not Protocol.TCP:
            offered["Timeout"] = {"PerRequestTimeoutSeconds": math.ceil(service.timeout_s)}
        made["Services"] = [offered]
    return made


def _balanced(service: Service, groups: Sequence[str]) -> Json:
    made = _filled(service, groups[0])
    if len(groups) > 1:
        made["AdvancedConfiguration"] = {
            "AlternateTargetGroupArn": ref(groups[1]), "ProductionListenerRule": ref("Rule"),
            "RoleArn": att("ShiftingRole", "Arn"),
        }  # fmt: skip
    return made


def _filled(service: Service, group: str) -> dict[str, Json]:
    """A target group that ECS fills with the service's tasks."""
    return {"ContainerName": service.name, "ContainerPort": service.port, "TargetGroupArn": ref(group)}
