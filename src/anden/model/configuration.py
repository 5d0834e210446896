"""Everything of a running environment that is not an instance: network, names, firewall, routes, egress.

Planning computes it (from the target, and during a change also from what the target replaces); an engine applies it
as a whole and reports the digest of what is applied. It chooses nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from anden.model import codec
from anden.model.blueprint import Layout
from anden.model.ids import DestinationName, Digest, ServiceName, ZoneName
from anden.model.manners import TWIN, Manners
from anden.model.secret import SecretRef
from anden.model.topology import Cors, Link, Protocol, Rate, VerifyingKey


class Transport(StrEnum):
    """What the firewall matches."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class Member:
    """An address that a service may use now or soon: one of its slots."""

    address: IPv4Address
    zone: ZoneName


@dataclass(frozen=True, slots=True)
class Backend:
    """A service as the network sees it.

    number: the service's packet mark. address: the balancer's address for its internal name (None without a port).
    members: every slot's address, whether an instance is there or not.
    """

    service: ServiceName
    number: int
    members: tuple[Member, ...]
    port: int | None = None
    protocol: Protocol = Protocol.HTTP
    address: IPv4Address | None = None
    health_path: str | None = None
    timeout_s: float = 30.0
    also: tuple[int, ...] = ()
    """Ports beside `port` while a change moves it: its instances may listen there, so the balancer may open them, and
    its internal name answers there as well."""
    more: tuple[IPv4Address, ...] = ()
    """Addresses of the internal name beside `address`, where names have several."""

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """All of the internal name; none without one."""
        return () if self.address is None else (self.address, *self.more)


@dataclass(frozen=True, slots=True, order=True)
class AllowService:
    """`caller` may open `callee`'s port: at its internal name's address, and at its instances' addresses directly."""

    caller: ServiceName
    callee: ServiceName
    port: int
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True, order=True)
class AllowDestination:
    """`caller` may open `port` at `network`, outside, leaving from its zone's fixed address."""

    caller: ServiceName
    destination: DestinationName
    network: IPv4Network
    port: int
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True, order=True)
class AllowName:
    """`caller` may ask for `host`, outside, and open `port` at the addresses that it was answered, for as long as the
    answer says. To everybody else the name does not exist."""

    caller: ServiceName
    destination: DestinationName
    host: str
    port: int
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True, order=True)
class AllowBehind:
    """`caller` may open `port` at `network`, which lies behind `link`; it leaves as whom the link is seen."""

    caller: ServiceName
    destination: DestinationName
    link: str
    network: IPv4Network
    port: int
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True, order=True)
class AllowIncoming:
    """Whoever is in `network`, behind `link`, may open `port` at the addresses that the other side dials; the balancer
    answers there for `service`. TCP."""

    link: str
    port: int
    service: ServiceName
    network: IPv4Network


@dataclass(frozen=True, slots=True)
class Linked:
    """A link that is to be raised. number: its place in the network (planning.links). keys: a version for each tunnel,
    in their order."""

    link: Link
    number: int
    keys: tuple[SecretRef, ...]


@dataclass(frozen=True, slots=True, order=True)
class Guard:
    """What a token must be to pass: signed by one of `keys`, of `issuer`, for `audience`, of now, with all `scopes`."""

    issuer: str
    audience: str
    keys: tuple[VerifyingKey, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class GatewayRoute:
    """Requests for `path` (a prefix, on a segment's edge) on `host` go to `service`; the longest path wins.

    refused: when not empty, answer 503 with this text instead (a route whose `auth` nothing can enforce).
    guard: who has no such token gets no further than the gateway. The rest is as in model.topology.Route.
    """

    path: str
    service: ServiceName
    host: str | None = None
    refused: str = ""
    guard: Guard | None = None
    rewrite: str | None = None
    body_bytes: int | None = None
    rate: Rate | None = None
    rate_each: Rate | None = None
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """The fixed address from which instances of `zone` leave to the internet."""

    zone: ZoneName
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole of it. All tuples are sorted, so that equal meanings have equal digests."""

    layout: Layout
    backends: tuple[Backend, ...]
    allows: tuple[AllowService, ...] = ()
    allows_out: tuple[AllowDestination, ...] = ()
    routes: tuple[GatewayRoute, ...] = ()
    leaves: tuple[Leave, ...] = ()
    manners: Manners = TWIN
    names_out: tuple[AllowName, ...] = ()
    never: tuple[IPv4Network, ...] = ()
    """Networks that no name outside may lead to: an answer that does is refused (rebinding)."""
    links: tuple[Linked, ...] = ()
    allows_behind: tuple[AllowBehind, ...] = ()
    tls: tuple[str, ...] = ()
    """The hosts that the gateway's certificate is for; none: it has no TLS."""
    allows_in: tuple[AllowIncoming, ...] = ()
    """At most one service for each port of a link."""

    @property
    def digest(self) -> Digest:
        """What an observation compares."""
        return codec.digest(self)
