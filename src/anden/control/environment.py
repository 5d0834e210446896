"""One client's environments on one engine: the front of the package, described in its docstring."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from anden.control import access, commands, drills, links, other_side, paths, secrets, views
from anden.control.asked import Asked
from anden.control.means import Knock, Means
from anden.control.reading import meant
from anden.control.record import Report, Told
from anden.control.runner import Runner
from anden.model import codec
from anden.model.approval import SavedPlan
from anden.model.command import Command, Outcome
from anden.model.drill import Disturbed, Drill
from anden.model.ids import EnvironmentKey
from anden.model.invitation import Rehearsal
from anden.model.log import LogLine
from anden.model.ports import Clock, Engine, Exec, Images, Issuers, Secrets, Store
from anden.model.problem import Problems
from anden.model.refused import RefusedReport
from anden.model.report import (
    AuditReport,
    EgressReport,
    LinkConfig,
    LinkPage,
    LinksReport,
    PlanReport,
    ReachReport,
    SecretsReport,
    StatusReport,
)
from anden.model.secret import SecretValue


class Control:
    """See the package's docstring."""

    def __init__(
        self, engine: Engine, images: Images, store: Store, clock: Clock, runner: Runner, knock: Knock | None = None,
        fall: Callable[[], None] | None = None, secrets: Secrets | None = None, *, alone: bool = False,
        issuers: Issuers | None = None,
    ) -> None:  # fmt: skip
        """fall: ends this process at once, for a drill of the control plane itself. secrets: where they are kept; None:
        nobody here knows of any. alone: the store lies on this machine only, and should not: nothing productive is
        changed. issuers: where their keys are fetched; None: nowhere here."""
        self._means = Means(engine, images, store, clock, runner, knock, fall, secrets, alone, issuers)

    def begin(self) -> None:
        """Look after every environment that is on record."""
        for target in self._means.store.targets():
            if target.key.engine is self._means.engine.name:
                self._means.runner.signal(target.key)

    def close(self) -> None:
        """End what ticks. What runs is not touched."""
        self._means.runner.close()

    def needed(self) -> bool:
        """Whether an environment is to be looked after, or a command is running."""
        return bool(self._means.store.targets() or self._means.running())

    def busy(self) -> tuple[Command, ...]:
        """Mutating commands in flight."""
        return self._means.running()

    # Commands.

    def up(
        self, at: Asked, who: str, gateway: str | None = None, deployed: str = commands.ASK, adopt: bool = False,
        manners: str | None = None, approved: SavedPlan | None = None,
    ) -> Told:  # fmt: skip
        """Make the environment what its manifest says. deployed: `ask`, `keep` or `revert` what was deployed since.
        manners: whose it is to have from now on, `twin` or `aws`; None: those that it has.
        approved: a plan that was saved: exactly that is done, or nothing."""
        who = access.named(who)
        report = self._report(at)
        yield from commands.up(self._means, at, who, gateway, deployed, adopt, manners, report, approved)

    def deploy(self, at: Asked, who: str, service: str, image: str) -> Told:
        """Another image for a service, beside the manifest."""
        yield from commands.deploy(self._means, at, access.named(who), service, image, self._report(at))

    def scale(self, at: Asked, who: str, service: str, level: int) -> Told:
        """Another level for a service, within its range."""
        yield from commands.scale(self._means, at, access.named(who), service, level, self._report(at))

    def rollback(self, at: Asked, who: str) -> Told:
        """Back to the blueprint that held before the present one."""
        yield from commands.rollback(self._means, at, access.named(who), self._report(at))

    def restart(self, at: Asked, who: str, service: str | None = None) -> Told:
        """New instances of the same version; of all services when none is named."""
        yield from commands.restart(self._means, at, access.named(who), service, self._report(at))

    def down(self, at: Asked, who: str, release: bool = False) -> Told:
        """End the environment and leave nothing of it but the record, and what outlives it. release: that as well."""
        yield from commands.down(self._means, at, access.named(who), release, self._report(at))

    def put_secret(self, at: Asked, who: str, name: str, value: SecretValue | None, length: int, rotate: bool) -> Told:
        """A new version of a secret; see control.secrets."""
        who = access.named(who)
        yield from secrets.put(self._means, at, who, name, value, length, rotate, self._report(at))

    def remove_secret(self, at: Asked, who: str, name: str) -> Told:
        """All versions of a secret that nothing uses."""
        yield from secrets.remove(self._means, at, access.named(who), name, self._report(at))

    def seal_secrets(self, at: Asked, who: str, by: str | None) -> Told:
        """What seals the key of all secrets: a key service's key, or nothing; see control.secrets."""
        yield from secrets.seal(self._means, at, access.named(who), by, self._report(at))

    def turn_link(self, at: Asked, who: str, name: str, tunnel: int | None, up: bool) -> Told:
        """Raise or lower a tunnel, or all of a link's; see control.links."""
        yield from links.turn(self._means, at, access.named(who), name, tunnel, up, self._report(at))

    def datacentre(self, at: Asked, who: str, wanted: bool) -> Told:
        """Have the twin's data centre stand on the other side of links, or nobody."""
        yield from links.datacentre(self._means, at, access.named(who), wanted, self._report(at))

    def invite(self, at: Asked, who: str, name: str, rehearsal: Rehearsal | None) -> Told:
        """Have who holds an invitation be the other side of a link; see control.links."""
        yield from links.invite(self._means, at, access.named(who), name, rehearsal, self._report(at))

    def link_config(self, at: Asked, name: str, device: str, invites: bool = False) -> LinkConfig:
        """How the other side of a link configures that device; see control.other_side."""
        return other_side.config(self._means, at, name, device, invites)

    def link_page(self, at: Asked, name: str) -> LinkPage:
        """The page of a link, for both sides."""
        return other_side.page(self._means, at, name)

    def secrets(self, at: Asked) -> SecretsReport:
        """What there is and what is missing, by name; no values."""
        return secrets.listing(self._means, at)

    def disturb(self, at: Asked, who: str, drill: Drill) -> Disturbed:
        """Put a drill's fault in. It is recorded, and keeps no other command out: faults do not wait for anybody."""
        return drills.disturb(self._means, at, access.named(who), drill)

    def restore(self, at: Asked, who: str) -> None:
        """End every fault that lasts."""
        drills.restore(self._means, at, access.named(who))

    def pass_time(self, at: Asked, until: float) -> None:
        """Look after the environment until `until` on the clock's time, for a caller whose time is virtual."""
        drills.pass_time(self._means, at, until)

    def _report(self, at: Asked) -> commands.ReportOf:
        def of(key: EnvironmentKey) -> Report:
            def report() -> dict[str, object] | None:
                try:
                    data: dict[str, object] = codec.to_data(views.status_of(self._means, at, key))
                except Problems:
                    return None
                return data

            return report

        return of

    # Views.

    def plan(self, at: Asked, prepare: bool = False) -> PlanReport:
        """What `up` would do."""
        return views.plan(self._means, at, prepare)

    def status(self, at: Asked, drift: bool = False) -> StatusReport:
        """What is, seen now."""
        return views.status(self._means, at, drift)

    def reach(
        self, at: Asked, caller: str | None = None, callee: str | None = None, port: int | None = None,
        live: bool = False, who: str = "",
    ) -> ReachReport:  # fmt: skip
        """Who reaches whom: computed, and tried as well when `live`."""
        return paths.reach(self._means, at, caller, callee, port, live, who)

    def refused(self, at: Asked, since_s: float | None = None) -> RefusedReport:
        """What services tried and were refused."""
        return views.refused(self._means, at, since_s)

    def prove_egress(self, at: Asked, who: str = "") -> EgressReport:
        """Declared addresses against those that the other side sees."""
        return paths.prove_egress(self._means, at, who)

    def prove_links(self, at: Asked, who: str = "") -> LinksReport:
        """See paths.prove_links."""
        return paths.prove_links(self._means, at, who)

    def commands(self, at: Asked, most: int = 50) -> tuple[Command, ...]:
        """The record, newest first; of all environments when `at` names none."""
        engine = self._means.engine.name
        key = EnvironmentKey(at.client, at.environment, engine) if at.environment is not None else None
        return self._means.store.commands(key, most)

    def verify(self) -> AuditReport:
        """Whether the record is what was written, of all environments: they share one chain."""
        return self._means.store.verify()

    def logs(
        self, at: Asked, service: str | None, lines: int, follow: bool, since: float | None = None
    ) -> Iterator[LogLine | None]:
        """Of a service, an instance, or of all (None). since: none older (Unix seconds). None is a heartbeat."""
        yield from self._means.engine.logs(
            meant(at, self._means.engine.name, self._means.store), service, lines, follow, since
        )

    def exec(self, at: Asked, who: str, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """As `attended`, for who stays."""
        for done in self.attended(at, who, instance, argv, stdin, timeout_s):
            if done is not None:
                return done
        raise AssertionError("an engine says what a command gave")

    def attended(
        self, at: Asked, who: str, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float
    ) -> Iterator[Exec | None]:
        """Run a command inside an instance, or inside the first healthy one of a service. It is recorded, without its
        arguments: they may hold what should not stay. None is a heartbeat; closed, the caller has left."""
        means = self._means
        key = meant(at, means.engine.name, means.store)
        inside = views.instance_of(means, key, instance)
        what = f"exec {inside} {argv[0] if argv else ''}".strip()
        began = means.clock.now()
        if means.engine.start_limit_s:
            until = datetime.fromtimestamp(began + means.engine.start_limit_s + timeout_s, UTC)
            what = f"{what}, until {until:%Y-%m-%dT%H:%M:%SZ}"
        command = means.store.begin_command(key, access.named(who), what, began)
        outcome, detail = Outcome.FAILED, "it could not be run"
        try:
            for done in means.engine.attended(key, inside, argv, stdin, timeout_s, access.named(who)):
                if done is not None:
                    outcome, detail = Outcome.DONE, f"exit {done.code}"
                yield done
        except (GeneratorExit, KeyboardInterrupt):
            if outcome is not Outcome.DONE:
                detail = "its caller left"
            raise
        except Problems as found:
            detail = str(found.problems[0])
            raise
        finally:
            means.store.end_command(command.id, outcome, detail, means.clock.now())
