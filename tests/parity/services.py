"""ECS services: where their tasks are, which groups they have, on which ports they listen, and whom they know by name.

Service Connect: a task knows the aliases of its namespace, each a name and a port, and its own proxy opens the callee's
port directly, from task to task; no balancer stands between (ECS developer guide, "Service Connect").
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.parity.symbols import At, Id, World, all_of, of


class Alias(NamedTuple):
    """A name and a port by which others call, and the container's port that it leads to."""

    name: str
    port: int
    leads_to: int


class EcsService(NamedTuple):
    """One service. public: its tasks have addresses of the internet's. takes: target group to the port at which its
    tasks are registered there. namespace None: it is not in Service Connect."""

    name: str
    of: Id
    groups: tuple[Id, ...]
    subnets: tuple[Id, ...]
    public: bool
    ports: frozenset[int]
    namespace: Id | str | None
    aliases: tuple[Alias, ...]
    takes: Mapping[Id, int]


def services(world: World) -> dict[str, EcsService]:
    """All of them, by name."""
    found = {}
    for what, properties in world.items("AWS::ECS::Service"):
        one = _service(world, what, properties)
        if one.name in found:
            raise ValueError(f"two services are called {one.name}")
        found[one.name] = one
    return found


def _service(world: World, what: Id, properties: Mapping[str, Any]) -> EcsService:
    task = of(properties["TaskDefinition"])
    containers = world.properties(task)["ContainerDefinitions"] if task is not None else []
    mappings = [mapping for container in containers for mapping in container.get("PortMappings", [])]
    named = {mapping["Name"]: int(mapping["ContainerPort"]) for mapping in mappings if "Name" in mapping}
    network = properties["NetworkConfiguration"]["AwsvpcConfiguration"]
    connect = properties.get("ServiceConnectConfiguration") or {}
    given = properties.get("ServiceName")
    return EcsService(
        name=given if isinstance(given, str) else containers[0]["Name"],
        of=what,
        groups=all_of(network["SecurityGroups"]),
        subnets=all_of(network["Subnets"]),
        public=network.get("AssignPublicIp", "DISABLED") != "DISABLED",
        ports=frozenset(int(mapping["ContainerPort"]) for mapping in mappings),
        namespace=_namespace(connect.get("Namespace")) if connect.get("Enabled") else None,
        aliases=tuple(
            Alias(str(alias.get("DnsName")), int(alias["Port"]), named[each["PortName"]])
            for each in connect.get("Services", [])
            for alias in each.get("ClientAliases", [])
            if each["PortName"] in named
        ),
        takes=_takes(properties),
    )


def _namespace(value: Any) -> Id | str | None:
    return value.of if isinstance(value, At) else value


def _takes(properties: Mapping[str, Any]) -> dict[Id, int]:
    found = {}
    for each in properties.get("LoadBalancers", []):
        other = each.get("AdvancedConfiguration", {}).get("AlternateTargetGroupArn")
        for group in (of(each.get("TargetGroupArn")), of(other)):
            if group is not None:
                found[group] = int(each["ContainerPort"])
    return found
