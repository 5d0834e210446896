"""A topology with everything placed: zones, subnets, addresses, versions. Immutable, named by its digest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from anden.model import codec
from anden.model.ids import Digest, ServiceName, ZoneName
from anden.model.image import Image
from anden.model.link import PolicyName
from anden.model.override import Override
from anden.model.secret import SecretRef
from anden.model.topology import Topology


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone and its subnets, one for each layer. Instances live in `private`."""

    name: ZoneName
    public: IPv4Network
    private: IPv4Network
    data: IPv4Network


@dataclass(frozen=True, slots=True)
class Layout:
    """The network of an environment.

    network: everything of it. resolver: the network's second address (AWS's convention too).
    names: the block from which each internal name has an address of the balancer's own.
    balancer: the address that the balancer uses as a source towards instances.
    """

    network: IPv4Network
    resolver: IPv4Address
    names: IPv4Network
    balancer: IPv4Address
    zones: tuple[Zone, ...]

    def zone(self, name: str) -> Zone:
        """The zone of that name. Raises KeyError when there is none."""
        for zone in self.zones:
            if zone.name == name:
                return zone
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one instance: ordinal from 1, its zone and its address. A level uses a prefix of the slots."""

    ordinal: int
    zone: ZoneName
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a service lives.

    number: a small integer that names the service in packet marks; 1 or more, kept from blueprint to blueprint.
    address: the balancer's address for the internal name; None for a service without a port.
    slots: ordered, up to `instances.max + surge`; any prefix is spread over the zones with a difference of at most one.
    """

    service: ServiceName
    number: int
    address: IPv4Address | None
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What only the engine knows. Left out of the digest.

    egress: zone to the fixed address that instances of that zone leave from; one key `*` when egress is `one`.
    A missing zone is not known yet ("known after apply").
    zones: zone to the engine's own name for it (`us-east-1a`); a missing one is not known yet.
    """

    egress: Mapping[str, IPv4Address] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)

    def leaves_from(self, zone: str) -> IPv4Address | None:
        """The address that the internet sees for an instance of `zone`; None: not known, or it does not leave."""
        return self.egress.get(zone, self.egress.get("*"))


_LATER = ("scopes", "keys_file", "keys", "rewrite", "body_bytes", "rate", "rate_each", "cors")
"""Fields of routes and issuers that came later: left out of a digest while they say nothing, so that blueprints without
them keep the names that they have always had."""
_LATER_OF_LINKS: Mapping[str, Any] = {"bgp": None, "certificate": None, "incoming": [], "policy": PolicyName.AWS}
"""The same of links, and what says nothing."""


def _as_ever(topology: dict[str, Any]) -> dict[str, Any]:
    for each in (*(service["route"] or {} for service in topology["services"]), *topology["auth"]):
        for name in _LATER:
            if name in each and each[name] in (None, "", [], ()):
                del each[name]
    for link in topology["links"]:
        for name, nothing in _LATER_OF_LINKS.items():
            if link[name] == nothing:
                del link[name]
    for issuer in topology["auth"]:
        if "keys_file" not in issuer:
            # Fetched ones (planning.issuers): the issuer rotates them, and the blueprint stays what it is.
            issuer.pop("keys", None)
    return topology


@dataclass(frozen=True)  # no slots: what is worked out once is kept
class Blueprint:
    """What should be. The digest covers everything but `parent` and `facts`."""

    topology: Topology
    layout: Layout
    placements: tuple[Placement, ...]
    """One for each service, sorted by name."""
    images: Mapping[str, Image]
    """Service name to its resolved image."""
    parent: Digest | None = None
    facts: Facts = Facts()
    overrides: tuple[Override, ...] = ()
    """What people change of what an engine renders, sorted by stack."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Name of a secret that services or links use to the id of its version; never anything of its value."""
    links: Mapping[str, int] = field(default_factory=dict)
    """Name of a link to a small integer of its own: 1 or more, kept from blueprint to blueprint."""

    @cached_property
    def digest(self) -> Digest:
        """The name of this blueprint."""
        meaning = {
            "topology": codec.canonical(_as_ever(codec.to_data(self.topology))),
            "layout": codec.whole(self.layout),
            "placements": codec.whole(self.placements),
            "images": codec.whole(self.images),
        }
        if self.overrides:
            # Only then, so that those without keep the names that they have always had.
            meaning["overrides"] = codec.canonical([codec.to_data(override) for override in self.overrides])
        if self.secrets:
            meaning["secrets"] = codec.whole(self.secrets)
        if self.links:
            meaning["links"] = codec.whole(self.links)
        return codec.digest_of(meaning)

    def secret(self, name: str) -> SecretRef:
        """The version of that secret which this blueprint names."""
        return SecretRef(name, self.secrets.get(name, ""))

    def placement(self, service: str) -> Placement:
        """Where `service` lives. Raises KeyError when the blueprint has no such service."""
        for placement in self.placements:
            if placement.service == service:
                return placement
        raise KeyError(service)
