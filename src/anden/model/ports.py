"""What control needs from the outside world. `control` meets engines and store only through these."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anden.model.approval import Prepared
from anden.model.blueprint import Blueprint, Facts
from anden.model.change import Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.event import Event
from anden.model.fault import Fault
from anden.model.foresight import Foresight
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.image import Image, ImageScan
from anden.model.invitation import Rehearsal, Vouched
from anden.model.issuer import Answer, Known
from anden.model.link import Endpoint
from anden.model.log import LogLine
from anden.model.manners import TWIN, Manners
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import ApplyStack, Caveat, Receipt, Step
from anden.model.problem import Problem, Problems
from anden.model.reach import Path as Way
from anden.model.reach import Probe, Probed
from anden.model.refused import Attempt
from anden.model.report import AuditReport
from anden.model.secret import Secret, SecretValue, SecretVersion
from anden.model.stack import StackWanted
from anden.model.topology import ImageSource, Topology


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""


@dataclass(frozen=True, slots=True)
class Exec:
    """What running a command in an instance gave. Output is bytes decoded with replacement, cut at a bound."""

    code: int
    stdout: str
    stderr: str
    cut: bool = False


class Engine(Protocol):
    """An engine does what steps say and reports what it sees. It decides nothing.

    Operating errors come back as a Receipt's problem, or are raised as model.problem.Problems.
    """

    name: EngineName
    start_limit_s: float = 0.0
    """How long a command may take until it begins to run."""

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        """What this engine cannot do the same way. Pure."""

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        """What only the engine knows and planning needs before the first plan."""

    def foresee(self, blueprint: Blueprint, current: Blueprint | None, marks: Marks) -> Foresight:
        """What will not hold and what it costs to go from `current` to `blueprint`. marks: where the manifest says
        what, for problems. Nothing, where nothing is paid for and nothing is limited."""
        return Foresight()

    def scans(self, key: EnvironmentKey, blueprint: Blueprint) -> tuple[ImageScan, ...]:
        """What the registry's scan says of each image, by service; () for an engine without a registry. Raises
        Problems."""
        return ()

    def render(self, blueprint: Blueprint, manners: Manners = TWIN) -> Mapping[str, str]:
        """Relative file name to text: everything that the engine would write or apply. Pure."""

    def stacks(
        self, blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]
    ) -> tuple[StackWanted, ...]:
        """The stacks that the environment is made of, each after those that it uses; () for an engine that places
        instances itself. keeping: what a change replaces; the firewall then suits both. generations: service to how
        often it was restarted. Pure."""
        return ()

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        """Whatever may be slow and changes nothing that runs (unpacking images); tells its progress."""

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        """The gateway's listening address to use (`127.0.0.1:8080`): `wanted`, or the default, or the next free port
        where another environment of anden has it (`taken`: address to whose). A stranger's port raises Problems."""

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt | Event]:
        """Do the steps in order, at once where they may; a receipt as each ends. A failed step ends the sequence
        of steps that come after it, except instances that were started at once with it, and stacks: those of one plan
        never depend on each other, and a receipt comes when the stack's operation has ended. Events between receipts
        are worth telling people: what a stack that takes minutes is at, what was retained."""

    def preview(self, key: EnvironmentKey, steps: Sequence[ApplyStack]) -> tuple[Prepared, ...]:
        """Prepare these, so that exactly what was shown can be executed later (`pin`); () for an engine that applies no
        stacks. Changes nothing that runs. Raises Problems."""
        return ()

    def pin(self, key: EnvironmentKey, approved: Sequence[Prepared]) -> None:
        """From now on `execute` does for these stacks exactly what was prepared, once, or refuses; () ends that. Raises
        Problems with each that cannot be executed any more: it was deleted, or the stack was changed since."""
        return

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is, now. An environment that does not exist is an observation with `present` False."""

    def know(self, topology: Topology) -> None:
        """What an environment is meant or recorded to be, before it is looked at: an engine that keeps nothing itself
        learns from this where to look."""
        return

    def compare(self, key: EnvironmentKey, before: float) -> None:
        """Find out what was changed by hand, where nobody has since `before` (Unix seconds); the next observation says
        it. May take minutes. Nothing to do for an engine in which nothing can be changed by hand. Raises Problems."""
        return

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """Return the observation version as soon as it is past `seen`, or after `timeout_s`."""

    def endpoints(self, key: EnvironmentKey, blueprint: Blueprint, link: str) -> tuple[Endpoint, ...]:
        """Our endpoints of a link of the blueprint, the preferred first, with what is known of them now; () where this
        engine raises no links."""
        return ()

    def turn_link(self, key: EnvironmentKey, link: str, tunnel: int | None, up: bool) -> None:
        """Have a tunnel of a link, or all of them (None), be raised, or stay down. Raises Problems."""
        what, why = "its tunnels are not raised and lowered here", f"the engine {self.name} leaves them alone"
        raise Problems(Problem(f"link {link}", what, why, "`anden link` does it on the twin."))

    def invite(
        self, key: EnvironmentKey, blueprint: Blueprint, link: str, rehearsal: Rehearsal | None
    ) -> Vouched | None:
        """Have who holds the invitation be the other side of a link, with the rehearsal's keys in the place of its own
        where it has some, until it ends; None: nobody any more. Returns what was issued for its public key, where it
        brings one. Raises Problems, also where somebody is there."""
        what, why = "nobody can be invited to it here", f"the engine {self.name} has no rehearsals"
        fix = "On the twin one can; for AWS their device is configured: `anden link config`."
        raise Problems(Problem(f"link {link}", what, why, fix))

    def sign(self, key: EnvironmentKey, link: str, written: str) -> tuple[str, str] | None:
        """The id of the invitation that is open, and a signature of a page's text by its key, which the engine keeps;
        None: nobody is invited. Raises Problems."""
        return None

    def datacentre(self, key: EnvironmentKey, wanted: bool) -> tuple[str, ...]:
        """Have the twin's own data centre stand on the other side of links, or nobody; the links' names. Raises
        Problems."""
        what, why = "there is none here", f"it is a part of the twin, and this is the engine {self.name}"
        raise Problems(Problem("data centre", what, why, "Leave --with-datacentre out."))

    def logs(
        self, key: EnvironmentKey, service: str | None, lines: int, follow: bool, since: float | None = None
    ) -> Iterator[LogLine | None]:
        """The last `lines` of a service or instance (None: of all), or of the gateway (model.log.GATEWAY: one for each
        request, where the engine writes any); then, with `follow`, new ones as they come.
        since: none that is older (Unix seconds). With `follow`, None is yielded at least once a second, so that the
        reader can stop."""

    def exec(self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """Run a command inside an instance, with its user, limits and network. No terminal."""

    def attended(
        self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float, who: str
    ) -> Iterator[Exec | None]:
        """As `exec`, for somebody, who may leave before it ends: then this is closed, and the command is ended where
        that can be done. None while it is under way."""
        yield self.exec(key, instance, argv, stdin, timeout_s)

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe], who: str = "") -> tuple[Probed, ...]:
        """Really try connections from instances' networks, and from the other side of links where somebody of ours is,
        all at once; for whom, where that starts something."""

    def explain(self, blueprint: Blueprint, path: Way, marks: Marks) -> Way:
        """The same answer with the hops in this engine's own words, as far as it has any; pure."""
        return path

    def refused(self, key: EnvironmentKey) -> tuple[Attempt, ...]:
        """What services tried and were refused, and who is behind links, as long as it is remembered (a day, and a
        bounded number). Raises Problems: it does not run, or this engine does not know; then with where else to look.
        """

    def refused_caveats(self) -> tuple[Caveat, ...]:
        """What this engine cannot tell of them. An engine that says something here takes seconds to answer, so only who
        asks for refused attempts gets them."""
        return ()

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """Put a fault in. One of a zone lasts until `fault.until`, or until `restore`; the same zone again replaces it.
        Raises Problems: there is no such zone or instance, or this engine cannot."""

    def restore(self, key: EnvironmentKey) -> None:
        """End every fault that lasts. Not an error when there is none."""


class Images(Protocol):
    """Turns names and builds into digests, before planning."""

    def resolve(self, folder: Path, sources: Mapping[str, ImageSource]) -> Iterator[Event | tuple[str, Image]]:
        """Progress, and `(service, image)` for each source. Raises Problems with all that could not be resolved."""

    def presume(self, folder: Path, sources: Mapping[str, ImageSource]) -> Mapping[str, Image]:
        """The same at once and without building or fetching, for a plan: what is not known yet gets a digest made from
        its name (and, for a build, from its context). Never raises for an image that is missing."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry to copy to. url: `https://HOST[:PORT]`; http is spoken only where it says so. user, password: of one
    login, which ends by itself."""

    url: str
    user: str
    password: str = field(repr=False)


class Stop(Protocol):
    """Says when nobody waits any more: threading.Event is one."""

    def is_set(self) -> bool:
        """Whether to end."""


class Carrier(Protocol):
    """Brings images that this machine has to a registry."""

    def holds(self, digest: Digest) -> bool:
        """Whether this machine has the image."""

    def carry(self, digest: Digest, repository: str, to: Registry, stop: Stop) -> None:
        """Copy it as it is, by digest; layers that lie there are not sent again. Bounded in time. stop: nobody wants
        it any more. Raises Problems: it is not here, the registry refuses it or does not answer, it took too long."""


class Secrets(Protocol):
    """The secrets of environments. Control and planning see names and versions (`held`); `value` is for an engine, at
    the moment at which it hands one over. Every error is Problems, and no error repeats a value."""

    def held(self, key: EnvironmentKey, names: Iterable[str] | None = None) -> Mapping[str, Secret]:
        """What there is, by name: of `names`, or of everything (None). What is not there is left out. Raises Problems:
        they cannot be read."""

    def ready(self, key: EnvironmentKey) -> Iterator[Event]:
        """Make what must be there before a secret can be kept, where it is not; tells its progress. Raises Problems."""
        return iter(())

    def value(self, key: EnvironmentKey, name: str, version: str) -> SecretValue:
        """The value of that version. Raises Problems: there is none, it was damaged, or its key is not here."""

    def put(self, key: EnvironmentKey, name: str, value: SecretValue, who: str, at: float) -> SecretVersion:
        """A new version, the newest from now on, durable when this returns."""

    def prune(self, key: EnvironmentKey, name: str, using: Iterable[str]) -> None:
        """Let go of versions past model.secret.KEPT_VERSIONS, but never of those in `using`."""

    def remove(self, key: EnvironmentKey, name: str) -> str:
        """Let go of it and of all its versions; until when it can be had back, in words, or empty. Raises Problems:
        there is none."""

    def seal_by(self, by: str | None) -> None:
        """Have what seals all of them be sealed itself by a key service's key, named as the service does, or lie in a
        file (None). Raises Problems: the service refuses, or this keeper has no choice."""


class Issuers(Protocol):
    """Where tokens' issuers are asked for their public keys."""

    def fetch(self, issuers: Sequence[str]) -> Mapping[str, Answer]:
        """By the issuer's address: its keys, checked, or why there are none. All at once, and bounded in time. Raises
        nothing."""

    def jitter(self) -> float:
        """0 to 1, another one each time."""

    def beside(self, work: Callable[[], None]) -> None:
        """Have it done without holding up who asks for it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an environment should be, beside its blueprint.

    levels: service to the level asked for (absent: the base). generations: service to how often it was restarted.
    deployed: service to the image deployed beside the manifest. folder: where its manifest lies.
    gateway: the listening address, kept. blueprint None: the environment should not exist.
    marks: where the manifest said what, for findings, as JSON text of model.mark.Marks.
    manners: the name of model.manners that it runs with, kept.
    issuers: what is known of the issuers whose keys are fetched; it changes without anybody's word.
    """

    key: EnvironmentKey
    blueprint: Digest | None
    folder: str
    gateway: str
    levels: Mapping[str, int]
    generations: Mapping[str, int]
    deployed: Mapping[str, str]
    marks: str = "{}"
    boot: str = ""
    manners: str = "twin"
    issuers: Known = field(default_factory=dict)


class Store(Protocol):
    """Durable records. Every method is one transaction; what returned was written."""

    def hold(self, key: EnvironmentKey, command: Command) -> None:
        """Keep other control planes from changing it until `let_go`. Raises Problems when another one is at it.
        Nothing to do where only one control plane can open the store."""

    def let_go(self, key: EnvironmentKey) -> None:
        """Let others in."""

    def check(self, key: EnvironmentKey) -> bool:
        """Whether this control plane may change it now; False: only a command may, and none is running. Raises Problems
        when one is, and another control plane may be changing it."""

    def put_blueprint(self, blueprint: Blueprint) -> None:
        """Keep it under its digest; the same digest again is not an error."""

    def blueprint(self, digest: Digest) -> Blueprint:
        """Raises KeyError when there is none."""

    def target(self, key: EnvironmentKey) -> Target | None:
        """None: never heard of."""

    def targets(self) -> tuple[Target, ...]:
        """All of them, those with blueprint None too."""

    def put_target(self, target: Target) -> None:
        """Replace what was said for its key."""

    def forget(self, key: EnvironmentKey) -> None:
        """Remove the target and the latest observation of the key; commands and changes stay."""

    def open_change(
        self, key: EnvironmentKey, target: Digest, previous: Digest | None, command: int, at: float
    ) -> Change:
        """A new change in APPLYING; an open one of the same key becomes SUPERSEDED in the same transaction."""

    def move_change(
        self,
        id: int,
        state: ChangeState,
        at: float,
        reason: str = "",
        evidence: Sequence[str] = (),
    ) -> Change:
        """Move it on. Raises ValueError from a state that is an end."""

    def changes(self, key: EnvironmentKey, most: int = 20) -> tuple[Change, ...]:
        """Newest first."""

    def begin_command(self, key: EnvironmentKey, who: str, what: str, at: float) -> Command:
        """Record it as RUNNING."""

    def end_command(self, id: int, outcome: Outcome, detail: str, at: float) -> Command:
        """Record how it ended; only once."""

    def commands(self, key: EnvironmentKey | None, most: int = 50) -> tuple[Command, ...]:
        """Newest first."""

    def verify(self) -> AuditReport:
        """Whether the record of commands is what was written."""

    def put_observation(self, observation: Observation) -> None:
        """Keep it as the latest of its key; only the latest is kept."""

    def observation(self, key: EnvironmentKey) -> Observation | None:
        """The latest one."""
