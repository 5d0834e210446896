"""Small blueprints and stacks made by hand, for what is counted in them."""

from collections.abc import Mapping
from typing import Any

from anden.engines.aws.render.template import Part, Stack, assemble, resource
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest, ServiceName
from anden.model.image import Image
from anden.model.topology import ImageSource, Range, Service, Size, Topology
from anden.planning.blueprint import draft

SPACE = "/anden/banco/dev"


def service(name: str = "web", span: str = "1..1", cpu: int = 250, memory: int = 512, **fields: Any) -> Service:
    """span: `2..8`."""
    base, _, most = span.partition("..")
    given = {"port": 8080, "instances": Range(int(base), int(most)), "size": Size(cpu, memory), **fields}
    return Service(ServiceName(name), ImageSource(f"{name}:1"), **given)


def blueprint(*services: Service, **fields: Any) -> Blueprint:
    """Drafted from nothing."""
    ordered = tuple(sorted(services, key=lambda each: each.name))
    topology = Topology("banco", "dev", ordered, **{"region": "us-east-1", **fields})
    images: dict[str, Image] = {each.name: Image(f"{each.name}:1", Digest("sha256:" + "0" * 64)) for each in services}
    return draft(topology, images, Facts(), None)


def stack(family: str, resources: Mapping[str, tuple[str, Mapping[str, Any]]], **publishes: Any) -> Stack:
    """resources: logical name to type and properties."""
    made = {name: resource(kind, **properties) for name, (kind, properties) in resources.items()}
    return assemble(
        name=f"anden-banco-dev-{family}", family=family, region="us-east-1", description="made by hand", space=SPACE,
        parts=[Part(made, {key.replace("_", "-"): value for key, value in publishes.items()})],
    )  # fmt: skip
