"""What somebody inside tried and was refused: the firewall's silence, and names that do not exist for them."""

from dataclasses import dataclass

from anden.model.plan import Caveat


@dataclass(frozen=True, slots=True)
class Attempt:
    """As an engine noted it.

    to: an address, or, of a question, the name that was asked for. port: None of a question. count: packets that began
    a connection (a try that meets silence sends several), datagrams, or questions. first, last: Unix seconds. why: of a
    question; of somebody behind a link, who it was. service: or `link:NAME`, behind which it began.
    """

    service: str
    to: str
    port: int | None
    transport: str
    count: int
    first: float
    last: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """As people know it. to: a service, a destination, a host's name, or else the address. fix: what would open it, or
    what else to look at. declared: the pair stands in the manifest, and it is the port that does not."""

    service: str
    to: str
    port: int | None
    transport: str
    count: int
    first: float
    last: float
    why: str
    fix: str
    declared: bool = False

    @property
    def outside(self) -> bool:
        """Whether it was somebody behind a link, who may try as often as they like."""
        return self.service.startswith("link:")


@dataclass(frozen=True, slots=True)
class RefusedReport:
    """`anden refused`. rows: those tried last first. at, since: Unix seconds; since None: as long as it is kept.
    caveats: what the engine cannot tell."""

    client: str
    environment: str
    engine: str
    at: float
    since: float | None
    rows: tuple[Refused, ...]
    caveats: tuple[Caveat, ...] = ()
