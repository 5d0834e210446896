"""What should run, in the judge's own words: made from a wish, or read from what control recorded."""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

from tests.simulation.history import Being
from tests.simulation.wishes import Wish

from anden.model.blueprint import Blueprint
from anden.model.ports import Target

SURGE_SHARE = 0.25
"""Beyond the maximum a quarter of it may run, one at least (decision 0001), while a version replaces another."""


class Serves(NamedTuple):
    """A service. written: the image that the manifest names; runs: the one that is meant to run."""

    name: str
    base: int
    most: int
    port: int
    written: str
    runs: str

    def level(self, levels: Mapping[str, int]) -> int:
        """The level asked for within the range, else the base."""
        return min(max(levels.get(self.name, self.base), self.base), self.most)

    @property
    def ever(self) -> int:
        """The most instances that may be there at any time."""
        return self.most + max(1, ceil(self.most * SURGE_SHARE))


class Stand(NamedTuple):
    """Everything that makes a blueprint this one and no other, as far as a history is concerned."""

    zones: int
    services: tuple[Serves, ...]

    def service(self, name: str) -> Serves | None:
        """Of that name."""
        return next((one for one in self.services if one.name == name), None)

    @property
    def beside(self) -> dict[str, str]:
        """What runs beside the manifest."""
        return {one.name: one.runs for one in self.services if one.runs != one.written}

    def with_images(self, images: Mapping[str, str]) -> "Stand":
        """With these images running, where it has such services."""
        return self._replace(services=tuple(one._replace(runs=images.get(one.name, one.runs)) for one in self.services))

    def instances(self, levels: Mapping[str, int]) -> frozenset[tuple[str, str]]:
        """Id and image of everything that should run."""
        return frozenset(
            (f"{one.name}-{ordinal}", one.runs) for one in self.services for ordinal in range(1, one.level(levels) + 1)
        )


def of_wish(wish: Wish) -> Stand:
    """As the manifest says."""
    services = (Serves(one.name, one.base, one.most, one.port, one.image, one.image) for one in wish.services)
    return Stand(wish.zones, tuple(sorted(services)))


def of_blueprint(blueprint: Blueprint) -> Stand:
    """As it was recorded."""
    services = (
        Serves(
            one.name,
            one.instances.base,
            one.instances.max,
            one.port or 0,
            one.source.image or "",
            blueprint.images[one.name].name,
        )
        for one in blueprint.topology.services
    )
    return Stand(blueprint.topology.zones, tuple(sorted(services)))


def running(beings: Iterable[Being]) -> frozenset[tuple[str, str]]:
    """Id and image of everything that is there."""
    return frozenset((one.id, one.image) for one in beings)


class Meant(NamedTuple):
    """An acknowledged target. stand None: nothing should be there."""

    stand: Stand | None
    levels: Mapping[str, int]
    target: Target
