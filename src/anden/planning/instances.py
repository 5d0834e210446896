"""Instances as they should be: from a blueprint and a slot to all that an engine needs to start one."""

from collections.abc import Mapping

from anden.model.blueprint import Blueprint, Placement, Slot
from anden.model.ids import Digest, InstanceId, ServiceName, instance_id
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import InstanceSeen, InstanceState
from anden.model.secret import SecretRef
from anden.model.topology import Service
from anden.planning.placement import surge

LEAVING = frozenset({InstanceState.DRAINING, InstanceState.STOPPING})
"""States of an instance that somebody has told to go: it is finished with, and never counted on again."""


def level(service: Service, levels: Mapping[str, int]) -> int:
    """How many instances of the service should run: the level asked for within its range, else its base."""
    return service.instances.clamp(levels.get(service.name, service.instances.base))


def specification(blueprint: Blueprint, service: str, slot: Slot, generation: int = 0) -> Instance:
    """The instance of `service` in `slot`. The service's fields win over the image's own.

    Raises KeyError when the blueprint has no such service. Nothing of other services, of the network, of the range or
    of the level is in it, so that its revision stays when only these change.
    """
    found = blueprint.topology.service(service)
    if found is None:
        raise KeyError(service)
    return _specify(found, blueprint.images[service], slot, generation, blueprint.secrets)


def _specify(service: Service, image: Image, slot: Slot, generation: int, versions: Mapping[str, str]) -> Instance:
    named = instance_id(service.name, slot.ordinal)
    return Instance(
        id=named,
        service=service.name,
        ordinal=slot.ordinal,
        zone=slot.zone,
        address=slot.address,
        image=image.digest,
        image_name=image.name,
        argv=service.command if service.command is not None else image.entrypoint + image.command,
        port=service.port,
        protocol=service.protocol,
        env=_env(service, image, slot, named),
        secrets={at: SecretRef(name, versions.get(name, "")) for at, name in service.secrets.items()},
        user=service.user if service.user is not None else image.user,
        workdir=image.workdir or "/",
        size=service.size,
        writable=service.writable,
        health_path=service.health.path if service.port is not None else None,
        timeout_s=service.timeout_s,
        stop_s=service.stop_s,
        start_s=service.start_s,
        generation=generation,
    )


def _env(service: Service, image: Image, slot: Slot, named: InstanceId) -> dict[str, str]:
    """The image's own, then anden's, then the service's: the more specific wins."""
    port = {} if service.port is None else {"PORT": str(service.port)}
    own = {"ANDEN_SERVICE": service.name, "ANDEN_ZONE": slot.zone, "ANDEN_INSTANCE": named}
    return {**image.env, **own, **port, **service.env}


class Wanted:
    """One service as it should run. Specifications and their revisions are made when asked for, and once."""

    def __init__(
        self, service: Service, placement: Placement, image: Image, level: int, generation: int,
        versions: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.service = service
        self.level = level
        self.generation = generation
        self.version = image.version
        self.surge = surge(service)
        self.slots = {slot.ordinal: slot for slot in placement.slots}
        self._image = image
        self._versions = versions
        self._made: dict[int, tuple[Instance, Digest]] = {}

    @property
    def most(self) -> int:
        """How many instances may be there at any time, those that are going included."""
        return self.service.instances.max + self.surge

    def id(self, ordinal: int) -> InstanceId:
        """The name of the slot's instance."""
        return instance_id(self.service.name, ordinal)

    def instance(self, ordinal: int) -> Instance:
        """The specification for that slot. Raises KeyError when there is no such slot."""
        return self._make(ordinal)[0]

    def holds(self, seen: InstanceSeen) -> bool:
        """Its name and address are those of one slot, whatever runs in it."""
        slot = self.slots.get(seen.ordinal)
        return slot is not None and seen.address == slot.address and seen.id == self.id(seen.ordinal)

    def matches(self, seen: InstanceSeen) -> bool:
        """It is specified just as its slot's instance should be; it may be on its way out."""
        if seen.ordinal not in self.slots or seen.id != self.id(seen.ordinal):
            return False
        # The revision covers zone and address as well; they are compared for an engine whose book-keeping went wrong.
        slot = self.slots[seen.ordinal]
        return (seen.address, seen.zone) == (slot.address, slot.zone) and seen.revision == self._make(seen.ordinal)[1]

    def current(self, seen: InstanceSeen) -> bool:
        """It is just what should run in its slot, and it stays."""
        return seen.state not in LEAVING and self.matches(seen)

    def _make(self, ordinal: int) -> tuple[Instance, Digest]:
        if ordinal not in self._made:
            made = _specify(self.service, self._image, self.slots[ordinal], self.generation, self._versions)
            self._made[ordinal] = (made, made.revision)
        return self._made[ordinal]


def wanted(
    blueprint: Blueprint, levels: Mapping[str, int], generations: Mapping[str, int]
) -> dict[ServiceName, Wanted]:
    """Every service of the blueprint as it should run, by name."""
    placements = {placement.service: placement for placement in blueprint.placements}
    return {
        service.name: Wanted(
            service,
            placements[service.name],
            blueprint.images[service.name],
            level(service, levels),
            generations.get(service.name, 0),
            blueprint.secrets,
        )
        for service in blueprint.topology.services
    }
