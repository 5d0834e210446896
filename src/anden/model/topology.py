"""What a manifest means for one environment, engine-neutral: no addresses placed, no versions resolved, no lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from anden.model.ids import DestinationName, ServiceName


class Egress(StrEnum):
    """How an environment leaves to the internet: not at all, from one fixed address, or from one for each zone."""

    NONE = "none"
    ONE = "one"
    PER_ZONE = "per-zone"


class Protocol(StrEnum):
    """What a service speaks on its port."""

    HTTP = "http"
    HTTP2 = "http2"
    TCP = "tcp"


class Strategy(StrEnum):
    """How a new version takes over."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue-green"
    CANARY = "canary"
    LINEAR = "linear"


class ScaleMetric(StrEnum):
    """What elasticity follows: requests in flight for each instance, or percent of the CPU size."""

    REQUESTS = "requests"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Range:
    """The contracted base and the end of the elastic range, both inclusive; 0 <= base <= max, max >= 1."""

    base: int
    max: int

    def __contains__(self, level: object) -> bool:
        return isinstance(level, int) and self.base <= level <= self.max

    def __str__(self) -> str:
        return f"{self.base}..{self.max}"

    def clamp(self, level: int) -> int:
        """The level nearest to `level` that the range allows."""
        return min(max(level, self.base), self.max)


@dataclass(frozen=True, slots=True)
class Size:
    """What one instance gets; only sizes that Fargate offers. `cpu_milli`: thousandths of a vCPU; memory in MiB."""

    cpu_milli: int = 250
    memory_mib: int = 512


@dataclass(frozen=True, slots=True)
class Scale:
    """Elasticity's target: `value` requests in flight for each instance, or `value` percent of CPU."""

    metric: ScaleMetric
    value: float


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """At most `count` requests in `window_s` seconds: 1 or 60."""

    count: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.count}/{'s' if self.window_s == 1 else 'min'}"


@dataclass(frozen=True, slots=True, order=True)
class Cors:
    """Which pages may ask from a browser (Fetch, "CORS protocol"), answered by the gateway.

    origins: as browsers say them; `*` alone: any. methods, headers: by which, and with which, they may ask. age_s: for
    how long a browser may remember it."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    headers: tuple[str, ...] = ()
    credentials: bool = False
    age_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Route:
    """What the gateway sends to a service: paths that start with `path`, on `host` when given.

    `auth` names an issuer of `Topology.auth`, and `scopes` what its token must hold, all of them. An engine that cannot
    ask for the token answers 503.

    rewrite: what stands in the place of `path` when the service is asked. body_bytes: a larger body is refused, and one
    that does not say how large it is. rate: of all requests; rate_each: of a client's address.
    """

    path: str
    host: str | None = None
    auth: str | None = None
    scopes: tuple[str, ...] = ()
    rewrite: str | None = None
    body_bytes: int | None = None
    rate: Rate | None = None
    rate_each: Rate | None = None
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the balancer judges an instance: GET `path` answers 2xx-3xx, or, with no path, TCP connects."""

    path: str | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """`percent` of requests answer in less than `under_ms` milliseconds."""

    percent: float
    under_ms: float


@dataclass(frozen=True, slots=True)
class Slo:
    """Objectives of a service. `availability` in percent of requests."""

    availability: float | None = None
    latency: Latency | None = None


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where a service's image comes from: `image`, a name with tag or digest, or `build`, a folder with a
    Containerfile relative to the manifest's. Exactly one of the two is set."""

    image: str | None = None
    build: str | None = None

    def __str__(self) -> str:
        return self.image if self.image is not None else f"build: {self.build}"


@dataclass(frozen=True, slots=True)
class Service:
    """One microservice. Seconds are seconds; absent fields hold the manifest's defaults already."""

    name: ServiceName
    source: ImageSource
    port: int | None = None
    """None: a service that listens on nothing (a worker); it has no internal name and cannot be reached."""
    protocol: Protocol = Protocol.HTTP
    instances: Range = Range(1, 1)
    size: Size = Size()
    scale: Scale | None = None
    route: Route | None = None
    health: Health = Health()
    reaches: tuple[str, ...] = ()
    """Names of services and destinations, in the manifest's order."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable, or path of a file below model.secret.MOUNT, to the name of a secret; a value never stands here."""
    strategy: Strategy = Strategy.ROLLING
    slo: Slo | None = None
    command: tuple[str, ...] | None = None
    user: str | None = None
    """`UID`, `UID:GID` or a name in the image; None: the image's own."""
    timeout_s: float = 30.0
    """The longest that the balancer waits for an answer."""
    stop_s: float = 10.0
    """From SIGTERM to SIGKILL."""
    start_s: float = 10.0
    """Grace before failed health counts against a new instance."""
    writable: tuple[str, ...] = ("/tmp",)  # noqa: S108 - a path inside the instance, a tmpfs
    """Paths that are a tmpfs of the instance's own; everything else is read-only."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A named place outside. Exactly one of `host` and `network` is set; `link` names the link that it lies behind."""

    name: DestinationName
    port: int
    host: str | None = None
    network: IPv4Network | None = None
    protocol: Protocol = Protocol.TCP
    link: str | None = None

    @property
    def to(self) -> str:
        """As people write it: `api.exchange.example:443`, `10.20.4.17:8443`, `192.0.2.0/24:443`."""
        if self.network is None:
            return f"{self.host}:{self.port}"
        single = self.network.prefixlen == self.network.max_prefixlen
        return f"{self.network.network_address if single else self.network}:{self.port}"


TUNNELS = 2
"""Of a link."""
REHEARSAL = "rehearsal"
"""In the place of a certificate's ARN."""


@dataclass(frozen=True, slots=True, order=True)
class Incoming:
    """What may begin on the other side of a link: TCP from `sources`, within the link's networks, to a service that is
    dialled on `port` at the link's own addresses, one a zone (planning.links)."""

    service: ServiceName
    sources: tuple[IPv4Network, ...]
    port: int


@dataclass(frozen=True, slots=True)
class Link:
    """A site-to-site IPsec link. An engine that does not raise it says so and withholds what lies behind it.

    incoming: by service; none: what begins on the other side is dropped."""

    name: str
    peer: IPv4Address
    networks: tuple[IPv4Network, ...]
    secret: tuple[str, ...] = ()
    """A pre-shared key for each tunnel, by name; none where certificates prove both sides."""
    seen_as: IPv4Network | None = None
    bgp: int | None = None
    """The other side's AS number; None: static routes, and no BGP is spoken."""
    incoming: tuple[Incoming, ...] = ()
    certificate: str | None = None
    """In the place of keys: the ARN of the other side's certificate in ACM, or REHEARSAL where there is none yet.
    Either way the twin rehearses with certificates of its own."""

    @property
    def tunnels(self) -> int:
        """How many it has."""
        return len(self.secret) or TUNNELS

    @property
    def caller(self) -> str:
        """What whoever is behind it is called where callers are named, and what a caveat withholds that closes it to
        them. No service has a colon in its name."""
        return f"link:{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class VerifyingKey:
    """A public key of an issuer. algorithm: RS256 or ES256, all that it verifies. pem: SubjectPublicKeyInfo."""

    id: str
    algorithm: str
    pem: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OIDC issuer that routes may ask for.

    keys_file: as written; `keys`: what was read of it, by id. Without a file they are fetched, and only who is about to
    configure a gateway fills them in (planning.issuers). Empty: nobody has any."""

    name: str
    issuer: str
    audience: str
    keys_file: str | None = None
    keys: tuple[VerifyingKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that a manifest says of one environment. Services, destinations and links are sorted by name."""

    client: str
    environment: str
    services: tuple[Service, ...]
    destinations: tuple[Destination, ...] = ()
    links: tuple[Link, ...] = ()
    auth: tuple[Issuer, ...] = ()
    production: bool = False
    zones: int = 1
    """How many zones, 1 to 4."""
    egress: Egress = Egress.NONE
    network: IPv4Network | None = None
    """None: allocated by planning."""
    region: str | None = None
    recovery: str | None = None
    account: str | None = None
    domain: str | None = None
    agreed: float | None = None
    """The availability level agreed with the client, in percent."""

    def fetched_issuers(self) -> frozenset[str]:
        """Addresses of the issuers that a route asks for and of which no file has the keys."""
        asked = {service.route.auth for service in self.services if service.route is not None}
        return frozenset(each.issuer for each in self.auth if each.name in asked and each.keys_file is None)

    def secret_users(self) -> Mapping[str, tuple[str, ...]]:
        """Every secret that is used, by name, to who uses it: `accounts`, `link core, tunnel 1`."""
        found: dict[str, list[str]] = {}
        for service in self.services:
            for name in sorted(set(service.secrets.values())):
                found.setdefault(name, []).append(service.name)
        for link in self.links:
            for tunnel, name in enumerate(link.secret, 1):
                found.setdefault(name, []).append(f"link {link.name}, tunnel {tunnel}")
        return {name: tuple(users) for name, users in sorted(found.items())}

    def service(self, name: str) -> Service | None:
        """The service of that name, if there is one."""
        return next((service for service in self.services if service.name == name), None)

    def destination(self, name: str) -> Destination | None:
        """The destination of that name, if there is one."""
        return next((place for place in self.destinations if place.name == name), None)
