"""Who reaches whom, through which hops; and what a probe of it saw."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from anden.model.mark import Mark


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing on the way, and the rule that lets through or stops: kind `instance`, `firewall`, `name`, `balancer`,
    `nat`, `link`, `destination`; what: `accounts (172.30.16.4)`; rule: `declared at anden.yaml:37`; passes."""

    kind: str
    what: str
    rule: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Path:
    """The computed answer for one caller, one callee and one port. `fix` is empty when it is open."""

    caller: str
    callee: str
    port: int
    open: bool
    hops: tuple[Hop, ...]
    reason: str = ""
    fix: str = ""
    mark: Mark | None = None


class ProbeKind(StrEnum):
    """How a probe tries: a TCP connection, or an ICMP echo (whose port says nothing)."""

    TCP = "tcp"
    PING = "ping"


class Seen(StrEnum):
    """What a live probe saw: connected, silence, an active refusal, a name that does not resolve; or nothing, for it
    could not be tried."""

    OPEN = "open"
    SILENT = "silent"
    REFUSED = "refused"
    UNRESOLVED = "unresolved"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Probe:
    """Connect by TCP from the network of an instance to `host` (name or address) and `port`, within `timeout_s`.

    caller: the instance's id, or `link:NAME`: from the other side of a link, where somebody of ours stands in for it.
    source: which of its addresses that one calls from.

    listen: have the cell's internet side answer at the address first, and say which source it saw.
    quiet_s: with `listen`, say nothing for so long once connected, then speak: REFUSED when that is met by a reset,
    SILENT when nobody hears it.
    """

    caller: str
    host: str
    port: int
    timeout_s: float = 1.0
    listen: bool = False
    kind: ProbeKind = ProbeKind.TCP
    quiet_s: float = 0.0
    source: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe saw. `source`: the caller's address as the other side saw it, when a listener of ours was there.

    note: what there is to say of it: whom it dialled in a name's place, why it could not be tried.
    by, given: where nobody of ours is on the other side: what it leaves through, and the address that the engine's
    provider says that has (a network where nothing translates); "" unknown. Claimed, and not seen.
    """

    probe: Probe
    seen: Seen
    source: IPv4Address | None = None
    took_s: float = 0.0
    note: str = ""
    by: str = ""
    given: str = ""
