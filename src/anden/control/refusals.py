"""What `up` refuses, because nothing would keep the promise: half of a thing is worse than a clear no."""

from collections.abc import Iterator, Mapping, Sequence

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.image import Image
from anden.model.mark import Marks, find
from anden.model.plan import Caveat
from anden.model.problem import Problem
from anden.model.topology import Strategy, Topology

UP = "up"
"""In `Caveat.withholds`: this engine refuses the whole of it."""
ROLLING_ONLY = frozenset({EngineName.LOCAL, EngineName.SIMULATED})
"""Engines that know no other strategy yet; ECS has its own, and caveats say where it has not."""


def refusals(engine: EngineName, topology: Topology, marks: Marks, caveats: Sequence[Caveat]) -> tuple[Problem, ...]:
    """Every reason for which `up` does not even begin on this engine."""
    return tuple(_all(engine, topology, marks, caveats))


def alone(key: EnvironmentKey, topology: Topology) -> tuple[Problem, ...]:
    """Why nothing changes a productive environment whose state lies on this machine only."""
    if not topology.production:
        return ()
    what = "its state would lie on this machine only, and it is production"
    why = "the account has no state bucket: no other operator sees the target, and a lost machine loses it"
    fix = f"Set the account up first: `anden account bootstrap -e {key.environment}`."
    return (Problem(str(key), what, why, fix),)


def without_command(topology: Topology, images: Mapping[str, Image], marks: Marks) -> tuple[Problem, ...]:
    """Services whose resolved image does not say what to run, and whose manifest does not either."""
    found = []
    for service in topology.services:
        image = images.get(service.name)
        if image is not None and not (service.command or image.entrypoint or image.command):
            what = f"{image.name} has no command, and {service.name} gives none"
            why = "an image says what runs in it by ENTRYPOINT or CMD"
            fix = f"Add CMD to its Containerfile, or `command:` to services.{service.name}."
            found.append(Problem(_at(marks, f"services/{service.name}"), what, why, fix))
    return tuple(found)


def _all(engine: EngineName, topology: Topology, marks: Marks, caveats: Sequence[Caveat]) -> Iterator[Problem]:
    for service in topology.services:
        if service.strategy is not Strategy.ROLLING and engine in ROLLING_ONLY:
            path = f"services/{service.name}/deploy"
            why = "only rolling is there yet, and another way than the one written would surprise"
            yield Problem(_at(marks, path), f"{service.strategy} is refused", why, "Write `deploy: rolling`.")
    named = {*(service.name for service in topology.services), *(place.name for place in topology.destinations)}
    for caveat in caveats:
        if UP in caveat.withholds and UP not in named:
            yield Problem(f"{caveat.engine} {caveat.subject}", caveat.text)


def _at(marks: Marks, path: str) -> str:
    mark = find(marks, path)
    return f"{path} ({mark})" if mark else path
