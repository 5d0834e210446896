"""`python -m bench.rendered COUNT [TEMPLATES]`: render an environment of so many services for AWS in a process of its
own, print what it took, and write the templates to TEMPLATES as JSON where that is given. Read by bench.render."""

import json
import sys
from pathlib import Path
from time import perf_counter

from anden import cycles
from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import ServiceName
from anden.model.topology import ImageSource, Range, Route, Service, Topology
from anden.planning.blueprint import draft
from bench import planning
from bench.resident import resident

SMALL = 10
"""Services of what is rendered first, for what is loaded when it is first needed."""
ROUTED = 90
"""Services with a route: a balancer takes 100 target groups."""


def drafted(count: int) -> Blueprint:
    """As bench.planning's manifest, in a region; made by hand, for a manifest takes 2,000 services at most. As many
    have a route as one balancer and one API take."""
    names = [ServiceName(f"service-{number:04d}") for number in range(count)]
    services = tuple(
        Service(
            name,
            ImageSource("app:1.4.2"),
            port=8080,
            route=Route(f"/{name}") if number < ROUTED else None,
            instances=Range(2, 4),
            reaches=tuple(dict.fromkeys(names[(number + step) % count] for step in planning.REACHES)),
        )
        for number, name in enumerate(names)
    )
    topology = Topology("bench", "production", services, zones=3, region="us-east-1")
    images = SimulatedImages().presume(Path(), {each.name: each.source for each in services})
    return draft(topology, images, Facts(), None)


def main(count: int, templates: str) -> None:
    """Draft, then render; only the second is measured. In a process as the command line begins it."""
    cycles.seldom()
    engine, small = AwsEngine(VirtualClock()), drafted(SMALL)
    engine.render(small)  # what is loaded when it is first needed
    blueprint = drafted(count)
    before, began = resident(), perf_counter()
    files = engine.render(blueprint)
    took = perf_counter() - began
    grown = resident(most=True) - before
    stacks = json.loads(files["order.json"])["stacks"]
    if templates:
        Path(templates).write_text(json.dumps({each["stack"]: json.loads(files[each["file"]]) for each in stacks}))
    print(json.dumps({"seconds": took, "grown_mib": grown, "stacks": len(stacks)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
