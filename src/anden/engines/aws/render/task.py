"""A service's task definition: one container, hardened as on the twin, whatever the manifest says."""

import math
from collections.abc import Iterator

from anden.engines.aws.render import debug
from anden.engines.aws.render.mesh import Mesh
from anden.engines.aws.render.naming import discovery_name, image_uri, place, secret_value_from
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource
from anden.model.blueprint import Blueprint
from anden.model.topology import Protocol, Service, Size, Topology

LONGEST_STOP_S = 120
"""The longest `stopTimeout` of a Fargate task (ECS developer guide, "Task definition parameters for Fargate")."""
OPEN_FILES = 16_384
"""The most open files of a process; as on the twin."""
SHARES = 1_024
"""CPU units of one vCPU."""
BUFFER = "25m"
"""How much of a log waits in memory while CloudWatch Logs does not answer; what is more is lost, and the service runs
on (ECS developer guide, "awslogs": mode non-blocking)."""
FIRST_OPEN_PORT = 1_024
"""Below it a process needs a capability to listen; it has none, so the kernel is told otherwise, as on the twin."""
ARCHITECTURES = {"amd64": "X86_64", "arm64": "ARM64"}
WRITABLE_OPTIONS = ["noexec", "nosuid", "nodev"]
AGENT_FOLDERS = ("/var/lib/amazon", "/var/log/amazon")
"""Where ECS Exec's agent writes, in environments that have it."""


def part(blueprint: Blueprint, service: Service, calls: Mesh, generation: int) -> Part:
    """The task definition, and that of a debug task: commands in production, and probes. In the stack of the service's
    roles and log group. generation: raised, it makes a new deployment of what is otherwise the same (`anden restart`).
    """
    topology, image = blueprint.topology, blueprint.images[service.name]
    family = f"{place(topology)}-{service.name}"
    container = _container(blueprint, service, image.digest, calls, generation)
    beside = debug.container(container, log(debug.STREAM))
    return Part(
        {
            "Task": _definition(family, service, image.architecture, container),
            "DebugTask": _definition(f"{family}{debug.FAMILY_END}", service, image.architecture, beside),
        }
    )


def _definition(family: str, service: Service, architecture: str, container: Json) -> Resource:
    cpu, memory = size(service.size)
    return resource(
        "AWS::ECS::TaskDefinition", Family=family, Cpu=cpu, Memory=memory, NetworkMode="awsvpc",
        RequiresCompatibilities=["FARGATE"],
        RuntimePlatform={
            "OperatingSystemFamily": "LINUX", "CpuArchitecture": ARCHITECTURES.get(architecture, "X86_64")
        },
        ExecutionRoleArn=att("ExecutionRole", "Arn"), TaskRoleArn=att("TaskRole", "Arn"),
        ContainerDefinitions=[container],
    )  # fmt: skip


def size(wanted: Size) -> tuple[str, str]:
    """CPU units and MiB, as a task definition has them: `("256", "512")`."""
    return str(wanted.cpu_milli * SHARES // 1000), str(wanted.memory_mib)


def _container(blueprint: Blueprint, service: Service, digest: str, calls: Mesh, generation: int) -> dict[str, Json]:
    topology = blueprint.topology
    secrets = [
        {"Name": name, "ValueFrom": secret_value_from(topology, blueprint.secret(secret))}
        for name, secret in sorted(service.secrets.items())
    ]
    made: dict[str, Json] = {
        "Name": service.name, "Image": image_uri(topology, service.name, digest), "Essential": True,
        "ReadonlyRootFilesystem": True,
        "LinuxParameters": {
            "InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}, "Tmpfs": list(_writable(topology, service))
        },
        "Ulimits": [{"Name": "nofile", "SoftLimit": OPEN_FILES, "HardLimit": OPEN_FILES}],
        "StopTimeout": max(1, min(math.ceil(service.stop_s), LONGEST_STOP_S)),
        "Environment": [{"Name": name, "Value": value} for name, value in sorted(environment(service).items())],
        **({"Secrets": secrets} if secrets else {}),
        "LogConfiguration": log(service.name),
        "DockerLabels": _labels(calls.label(service.name), generation),
    }  # fmt: skip
    if service.user is not None:
        made["User"] = service.user
    if service.command:
        made["EntryPoint"] = list(service.command[:1])
        if arguments := list(service.command[1:]):
            made["Command"] = arguments
    if service.port is not None:
        made["PortMappings"] = [_port(topology, service)]
        if service.port < FIRST_OPEN_PORT:
            made["SystemControls"] = [{"Namespace": "net.ipv4.ip_unprivileged_port_start", "Value": "0"}]
    return made


def _labels(reaches: str, generation: int) -> dict[str, str]:
    """What makes a new deployment of a service whose container is otherwise the same."""
    made = {"anden.generation": str(generation)}
    return {**made, "anden.reaches": reaches} if reaches else made


def environment(service: Service) -> dict[str, str]:
    """What a service finds besides its image's own: where it is one of many, only ECS knows which it is."""
    port = {} if service.port is None else {"PORT": str(service.port)}
    return {"ANDEN_SERVICE": service.name, **port, **service.env}


def _port(topology: Topology, service: Service) -> Json:
    """The service's port, by the name that Service Connect takes. TCP has no protocol of its own there."""
    made: dict[str, Json] = {
        "Name": discovery_name(topology, service.name), "ContainerPort": service.port, "Protocol": "tcp",
    }  # fmt: skip
    if service.protocol is not Protocol.TCP:
        made["AppProtocol"] = str(service.protocol)
    return made


def _writable(topology: Topology, service: Service) -> Iterator[Json]:
    """Memory of the task's own, open to any user of it, gone with it, half of its size at most: as on the twin. (A
    bind mount would be root's only, and on disk.) Fargate has it since January 2026."""
    agent = () if topology.production else AGENT_FOLDERS
    for path in sorted({*service.writable, *agent}):
        yield {
            "ContainerPath": path, "Size": service.size.memory_mib // 2, "MountOptions": WRITABLE_OPTIONS,
        }  # fmt: skip


def log(stream: str) -> Json:
    """Where a container's output goes: the service's log group, in streams that begin with this word."""
    options = {
        "awslogs-group": ref("Log"), "awslogs-region": ref("AWS::Region"), "awslogs-stream-prefix": stream,
        "mode": "non-blocking", "max-buffer-size": BUFFER,
    }  # fmt: skip
    return {"LogDriver": "awslogs", "Options": options}
