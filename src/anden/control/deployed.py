"""Images deployed beside the manifest.

A blueprint keeps the manifest's topology, and its images say what really runs; what was deployed is the difference.
So it can never be lost or contradict the blueprint: going back to one brings its own back.
"""

from collections.abc import Mapping

from anden.model.blueprint import Blueprint
from anden.model.topology import ImageSource, Topology


def written(source: ImageSource) -> str:
    """The name that a resolved image of this source has."""
    return source.image if source.image is not None else f"build:{source.build}"


def overlay(blueprint: Blueprint) -> dict[str, str]:
    """Service to the image that runs in the place of the manifest's."""
    return {
        service.name: blueprint.images[service.name].name
        for service in blueprint.topology.services
        if blueprint.images[service.name].name != written(service.source)
    }


def beside(topology: Topology, deployed: Mapping[str, str]) -> dict[str, str]:
    """What of `deployed` this topology says otherwise."""
    sources = {str(service.name): written(service.source) for service in topology.services}
    return {name: image for name, image in sorted(deployed.items()) if name in sources and sources[name] != image}


def sources(topology: Topology, deployed: Mapping[str, str]) -> dict[str, ImageSource]:
    """Where each service's image comes from, with what is deployed in the manifest's place."""
    return {
        service.name: ImageSource(image=deployed[service.name]) if service.name in deployed else service.source
        for service in topology.services
    }


def said(topology: Topology, deployed: Mapping[str, str]) -> str:
    """`accounts runs accounts:1.4.3, the manifest says accounts:1.4.2`."""
    sources = {str(service.name): written(service.source) for service in topology.services}
    return "; ".join(f"{name} runs {image}, the manifest says {sources[name]}" for name, image in deployed.items())
