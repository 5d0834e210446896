"""Where tasks run and find each other: an ECS cluster and a Cloud Map namespace for Service Connect."""

from anden.engines.aws.render.naming import KEY, log_group, place
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource
from anden.model.blueprint import Blueprint
from anden.model.topology import Topology

LOG_DAYS, LOG_DAYS_PRODUCTION = 30, 365
"""From a log line's writing to its end (the values that CloudWatch Logs takes: `PutRetentionPolicy`)."""


def logs(topology: Topology, what: str) -> Resource:
    """A log group, sealed with the environment's key. In production it outlives its stack, and a change set that
    imports existing resources takes it up again."""
    return resource(
        "AWS::Logs::LogGroup", keep=topology.production, LogGroupName=log_group(topology, what), KmsKeyId=KEY,
        RetentionInDays=LOG_DAYS_PRODUCTION if topology.production else LOG_DAYS,
    )  # fmt: skip


def part(blueprint: Blueprint) -> Part:
    """Cluster and namespace. ECS Exec is off in production: nobody opens a shell there without a record of its own."""
    topology = blueprint.topology
    name = place(topology)
    resources = {
        "Cluster": resource(
            "AWS::ECS::Cluster", ClusterName=name, Configuration={"ExecuteCommandConfiguration": _exec(topology)},
            ClusterSettings=[{"Name": "containerInsights", "Value": "enabled"}],
        ),
        "Namespace": resource("AWS::ServiceDiscovery::HttpNamespace", Name=name),
    }  # fmt: skip
    if not topology.production:
        resources["ExecLog"] = logs(topology, "exec")
    return Part(resources, {"cluster": ref("Cluster"), "namespace": att("Namespace", "Arn")})


def _exec(topology: Topology) -> Json:
    if topology.production:
        return {"Logging": "NONE"}
    return {
        "Logging": "OVERRIDE", "KmsKeyId": KEY,
        "LogConfiguration": {"CloudWatchLogGroupName": ref("ExecLog"), "CloudWatchEncryptionEnabled": True},
    }  # fmt: skip
