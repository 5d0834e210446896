"""What both sides of a link agree on: one value; every engine's and every vendor's configuration is derived from it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from anden.model.ids import ZoneName
from anden.model.problem import Problem
from anden.model.sight import Sight

OUR_ASN = 64_512
"""Of our side on every engine: what AWS gives a virtual private gateway where nothing is said (Site-to-Site VPN user
guide, "How it works")."""
LEAST_MTU = 1_400
"""Of the narrowest of our ends: strongSwan's user-space data plane, in bytes."""


class Encryption(StrEnum):
    """What protects the content. GCM brings its own integrity."""

    AES256 = "aes256"
    AES256_GCM16 = "aes256gcm16"


class Integrity(StrEnum):
    """What protects against changes, and the pseudo-random function of IKE."""

    SHA256 = "sha256"


class Group(StrEnum):
    """The Diffie-Hellman groups, by IANA's number."""

    MODP2048 = "14"
    ECP256 = "19"
    ECP384 = "20"


@dataclass(frozen=True, slots=True)
class Proposals:
    """What is offered in one phase, each sort in order of preference; any of one goes with any of the others."""

    encryption: tuple[Encryption, ...]
    integrity: tuple[Integrity, ...]
    groups: tuple[Group, ...]
    lifetime_s: int
    """When the keys are made anew at the latest, in seconds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a link is protected and watched: data, by name. source: whose figures they are."""

    name: str
    ike: Proposals
    esp: Proposals
    rekey_margin_s: int
    """How long before the lifetime's end new keys are asked for, in seconds."""
    rekey_fuzz_percent: int
    """By how much of the margin this varies at random, in percent."""
    replay_window: int
    """Packets."""
    dpd_timeout_s: int
    """How long a peer may be silent before it counts as dead, in seconds."""
    mtu: int
    """The largest packet that crosses the tunnel, in bytes."""
    source: str

    @property
    def mss(self) -> int:
        """The largest TCP segment that crosses: without 20 bytes of IPv4 and 20 of TCP."""
        return self.mtu - 40


@dataclass(frozen=True, slots=True)
class Watch:
    """How our side asks whether the other one is still there, where the engine leaves it to us."""

    dpd_delay_s: int
    """After so long a silence the peer is asked."""
    retransmit_s: float
    """How long one answer is waited for."""
    retransmit_tries: int
    """How often it is asked again."""

    @property
    def notices_s(self) -> float:
        """When a peer that fell silent is given up, at the latest."""
        return self.dpd_delay_s + (self.retransmit_tries + 1) * self.retransmit_s


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an engine knows of one of our two endpoints. address: None, until it has been applied.

    inside: ours in the tunnel, a /30 of 169.254.0.0/16; the peer's is the other one. None where the engine chooses.
    """

    address: IPv4Address | None = None
    inside: IPv4Interface | None = None


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One of a link's tunnels. number: 1 is preferred, 2 stands by. key: its pre-shared key's name, no value; empty:
    both sides prove themselves by certificates."""

    number: int
    ours: Endpoint
    key: str
    our_identity: str | None
    """What our side calls itself in IKE: its address. None while that is unknown."""
    peer_identity: str


@dataclass(frozen=True, slots=True)
class Bgp:
    """How both sides tell each other what lies behind them. ours, theirs: AS numbers.

    The neighbours are the addresses inside of the tunnels. Our side announces `Agreement.local`, theirs exactly
    `Agreement.remote`; what else is announced is not taken.
    """

    ours: int
    theirs: int
    hold_s: int
    """After so long a silence the session is given up."""
    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A link as both sides have to configure it.

    local: what the other side sees and routes back: `seen-as`, or the environment's whole network without it.
    zones: zone to the share of `seen-as` that its instances are seen as; empty without `seen-as`.
    bgp: None: both sides have static routes.
    """

    link: str
    peer: IPv4Address
    local: IPv4Network
    remote: tuple[IPv4Network, ...]
    zones: tuple[tuple[ZoneName, IPv4Network], ...]
    policy: Policy
    watch: Watch
    tunnels: tuple[Tunnel, ...]
    bgp: Bgp | None = None

    @property
    def router(self) -> IPv4Address:
        """Ours within `local`, of no instance: the second of the block, which AWS keeps for its router. strongSwan's
        user-space data plane has no route without one."""
        return self.local.network_address + 1

    @property
    def known(self) -> bool:
        """Whether both endpoints' addresses are, so that the other side can be told."""
        return all(tunnel.ours.address is not None for tunnel in self.tunnels)

    @property
    def certified(self) -> bool:
        """Whether certificates prove both sides, and no keys."""
        return all(not tunnel.key for tunnel in self.tunnels)

    @property
    def segment(self) -> int:
        """The largest TCP segment, in bytes, that fits the tunnel whichever engine is on our side."""
        return min(self.policy.mtu, LEAST_MTU) - 40


@dataclass(frozen=True, slots=True)
class Opening:
    """What begins on our side: connections to this network behind a link, on this port of TCP. destination: its name in
    the manifest."""

    destination: str
    network: IPv4Network
    port: int

    @property
    def to(self) -> str:
        """As people write it: `10.20.4.17:8443`, `10.40.0.0/24:8583`."""
        single = self.network.prefixlen == self.network.max_prefixlen
        return f"{self.network.network_address if single else self.network}:{self.port}"


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may begin on the other side: TCP from `sources` to any of `addresses`, one a zone, on `port`. service: whose
    instance answers. It sees the balancer, which opens a connection of its own."""

    service: str
    sources: tuple[IPv4Network, ...]
    addresses: tuple[IPv4Address, ...]
    port: int

    @property
    def to(self) -> str:
        """As people write it: `100.64.10.6:8443 and 100.64.10.22:8443`."""
        return " and ".join(f"{address}:{self.port}" for address in self.addresses)


@dataclass(frozen=True, slots=True)
class Session:
    """BGP on a tunnel, as our side sees it. state: as the speaker calls it, in small letters: `established`, `active`.

    carries: it is established, and everything declared is announced. heard: what is taken; refused: what is announced
    and was not declared. problem: why it does not carry, or that something was refused.
    """

    state: str = "idle"
    carries: bool = False
    heard: tuple[IPv4Network, ...] = ()
    refused: tuple[IPv4Network, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class TunnelSeen:
    """A tunnel as the engine sees it.

    since: Unix seconds; 0: nothing is known yet. address: our endpoint's. lowered: it is to stay down. bytes: what went
    through since its keys were made last. problem: why it is not up, as of the last attempt. bgp: None: the link speaks
    none, or the engine does not say.
    """

    number: int
    up: bool
    since: float = 0.0
    address: str = ""
    lowered: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    problem: Problem | None = None
    bgp: Session | None = None

    @property
    def carries(self) -> bool:
        """Whether traffic may go by it."""
        return self.up and (self.bgp is None or self.bgp.carries)


@dataclass(frozen=True, slots=True)
class Invited:
    """An open invitation. id: names it. since, until: Unix seconds. meet: `HOST:PORT` of our machine. joined: whom it
    hears, empty: nobody; heard: when last, Unix seconds. sight: what the other side said last that it sees."""

    id: str
    until: float
    meet: str
    joined: str = ""
    heard: float = 0.0
    since: float = 0.0
    sight: Sight | None = None


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A link as the engine sees it. by: the tunnel that its traffic goes by; None: none. datacentre: the twin's own
    stands on the other side. invited: who holds the file of `anden link invite` may."""

    name: str
    peer: IPv4Address
    by: int | None
    tunnels: tuple[TunnelSeen, ...]
    datacentre: bool = False
    invited: Invited | None = None

    def without_counts(self) -> "LinkSeen":
        """The same, but for what went through, and when somebody was heard last."""
        tunnels = tuple(replace(each, bytes_in=0, bytes_out=0) for each in self.tunnels)
        return replace(self, tunnels=tunnels, invited=self.invited and replace(self.invited, heard=0.0, sight=None))
