"""What the read-only views answer, over the API and as `--json`. Shapes are public: add to them, do not change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anden.model.approval import SavedPlan
from anden.model.change import Change
from anden.model.fault import Fault
from anden.model.finding import Finding
from anden.model.foresight import Foresight
from anden.model.image import ImageScan
from anden.model.link import Admitted, Agreement, LinkSeen, Opening
from anden.model.plan import Caveat, Difference, Step
from anden.model.problem import Problem
from anden.model.reach import Path, Probed
from anden.model.secret import SecretStatus
from anden.model.stack import Kept
from anden.model.traffic import Passed


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One instance. `state` and `health` in the words of model.observation. `since` in Unix seconds."""

    id: str
    zone: str
    address: str
    image: str
    state: str
    health: str
    restarts: int
    since: float
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """`healthy` of `level` instances serve; the range is `base`..`max`. `url`: where its route answers, if any."""

    name: str
    healthy: int
    level: int
    base: int
    max: int
    image: str
    health: str
    """`healthy` (all of the level serve), `degraded` (some), `down` (none)."""
    instances: tuple[InstanceStatus, ...]
    url: str | None = None
    auth: str | None = None
    """Whose token its route asks for, if any."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """An environment now. `matches_manifest` None: there was no manifest to compare with. `seen_at` Unix seconds."""

    client: str
    environment: str
    engine: str
    running: bool
    reason: str
    blueprint: str | None
    matches_manifest: bool | None
    seen_at: float | None
    zones: int
    gateway: str | None
    services: tuple[ServiceStatus, ...]
    findings: tuple[Finding, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    deployed: tuple[Difference, ...] = ()
    """What runs beside the manifest: images deployed since, levels moved."""
    change: Change | None = None
    """The latest change."""
    manners: str = "twin"
    """Whose manners it runs with: `twin` or `aws` (model.manners)."""
    faults: tuple[Fault, ...] = ()
    """Those that a drill has put in and that last."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """The environment's own, name to process id, where the engine knows them."""
    traffic: Mapping[str, Passed] = field(default_factory=dict)
    """What came through the gateway since each of its processes began, by process, where the engine counts it."""
    compared_at: float | None = None
    """Since when nothing was found to be changed by hand but what the findings say, Unix seconds; None: nobody has
    looked at all of it."""
    kept: tuple[Kept, ...] = ()
    """What outlives the environment, used or not."""
    links: tuple[LinkSeen, ...] = ()
    """Its links and their tunnels, where the engine raises them."""
    gateway_tls: str | None = None
    """Where the gateway listens with TLS as well, on the twin."""
    https: str | None = None
    """How that is asked for, by its domain: `https://api.bank.example:8443`."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What `up` would do. `steps` is the whole rollout as rehearsed; `problems` block it."""

    client: str
    environment: str
    engine: str
    current: str | None
    target: str | None
    differences: tuple[Difference, ...]
    steps: tuple[Step, ...]
    caveats: tuple[Caveat, ...]
    warnings: tuple[Problem, ...]
    """Lint that does not block."""
    problems: tuple[Problem, ...]
    manners: str = "twin"
    foresight: Foresight = Foresight()
    """What the engine says of it beforehand; its problems are among `problems`."""
    scans: tuple[ImageScan, ...] = ()
    """Of the images that the services are to run; () where no registry can be asked."""
    saved: SavedPlan | None = None
    """What `up` does exactly when it is given this; only where it was asked for and nothing blocks."""
    kept: tuple[Kept, ...] = ()
    """What an earlier life has left, or this one has, that outlives the environment: `up` uses it."""

    @property
    def changes(self) -> bool:
        """Whether `up` would do anything."""
        return bool(self.differences or self.steps)


@dataclass(frozen=True, slots=True)
class ReachReport:
    """One path or a whole matrix, and what the probes saw when it was asked for live."""

    client: str
    environment: str
    engine: str
    paths: tuple[Path, ...]
    probed: tuple[Probed, ...] = ()
    hops: tuple[tuple[bool | None, ...], ...] = ()
    """Of each path that was tried, what was seen of each of its hops: passed, stopped, or None."""


@dataclass(frozen=True, slots=True)
class EgressProof:
    """One declared destination of one service in one zone: the address declared, and the one that was seen.

    verdict: `proved`, `opens`, `differs`, `silent`, `untried`, `blocked` (with why in `reason`)."""

    service: str
    zone: str
    destination: str
    declared: str | None
    observed: str | None
    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EgressReport:
    """`anden prove egress`. `at` in Unix seconds. since: when what is declared became what is applied, the end of the
    last change; None: no change is known, or one is under way."""

    client: str
    environment: str
    engine: str
    at: float
    proofs: tuple[EgressProof, ...]
    since: float | None = None


@dataclass(frozen=True, slots=True)
class IncomingProof:
    """Somebody behind a link who dials a service in one zone. to: `100.64.10.6:8443`. admitted: as declared.

    verdict: `proved`, `silent`, `opens` (and should not), `untried`, `blocked` (with why in `reason`)."""

    link: str
    service: str
    zone: str
    source: str
    to: str
    admitted: bool
    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LinksReport:
    """`anden prove links`: what lies behind them, tried as by `prove egress`, and their tunnels; none where the engine
    does not show them. `at` in Unix seconds. since: as an EgressReport's. incoming: what may begin on the other side,
    and what may not."""

    client: str
    environment: str
    engine: str
    at: float
    proofs: tuple[EgressProof, ...]
    links: tuple[LinkSeen, ...] = ()
    since: float | None = None
    incoming: tuple[IncomingProof, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Whether the record of commands is what was written. entries: how many are right, from the first one on.

    fault: the first that is not, as `audit 7: not what was written`; empty when all are. gaps: entries that say that
    something before them may be missing, as `audit 9: written after a gap: …`.
    """

    entries: int
    fault: str = ""
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateOf:
    """What is kept of one environment. blueprint None: it should not exist. change: the latest."""

    environment: str
    blueprint: str | None
    folder: str
    change: Change | None
    changes: int
    commands: int


@dataclass(frozen=True, slots=True)
class StateReport:
    """`anden state rebuild`: everything that is kept elsewhere than on this machine, read back. place: where it lies.
    problems: what could not be used."""

    client: str
    place: str
    blueprints: int
    environments: tuple[StateOf, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """`anden link config`: the other side's configuration of a link, for one device. text: without keys, whose names
    `keys` has, a tunnel each. sources: whose manuals its syntax comes from. tried: on what it was; empty: on nothing.
    openings: what services open through it. admitted: what may begin on the other side."""

    client: str
    environment: str
    engine: str
    link: str
    device: str
    title: str
    text: str
    keys: tuple[str, ...]
    sources: tuple[str, ...]
    tried: str
    agreement: Agreement
    openings: tuple[Opening, ...]
    admitted: tuple[Admitted, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkPage:
    """`anden link page`: text, in Markdown. at: Unix seconds. signed: by the rehearsal's key."""

    client: str
    environment: str
    engine: str
    link: str
    at: float
    text: str
    signed: bool


@dataclass(frozen=True, slots=True)
class SecretsReport:
    """`anden secret list`: by name, those that are used and missing too. No values."""

    client: str
    environment: str
    engine: str
    secrets: tuple[SecretStatus, ...]
