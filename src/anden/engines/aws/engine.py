"""The aws engine: stacks through change sets, tasks as instances, logs. boto3 is loaded only when AWS is asked."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anden.engines.aws.caveats import caveats
from anden.engines.aws.explain import explain
from anden.engines.aws.foresight import foresee
from anden.engines.aws.render.debug import START_S
from anden.engines.aws.render.folder import files
from anden.engines.aws.render.stacks import stream
from anden.engines.aws.wanted import images as images_of
from anden.engines.aws.wanted import wanted
from anden.model import codec
from anden.model.approval import Prepared
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event
from anden.model.fault import Fault
from anden.model.foresight import Foresight
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.image import ImageScan
from anden.model.invitation import Rehearsal
from anden.model.link import Endpoint
from anden.model.log import LogLine
from anden.model.manners import TWIN, Manners
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import ApplyStack, Caveat, Receipt, Step
from anden.model.ports import Carrier, Clock, Engine, Exec
from anden.model.preflight import AccountFacts
from anden.model.problem import Problem, Problems
from anden.model.reach import Path as Way
from anden.model.reach import Probe, Probed
from anden.model.refused import Attempt
from anden.model.stack import StackWanted
from anden.model.topology import Topology
from anden.planning.links import inside

if TYPE_CHECKING:
    from anden.engines.aws.execute import Work
    from anden.engines.aws.images import Images
    from anden.engines.aws.secrets import AccountSecrets
    from anden.engines.aws.session import Session

POLL_S = 5.0
"""How often AWS is looked at while somebody waits for news; its APIs tell nothing by themselves."""
NO_REGION = Problem(
    "region", "the manifest names none", "a stack lives in one region, and its zones are that region's",
    "Add `region: us-east-1`, or the one that is meant, at the top of the manifest.",
)  # fmt: skip


def _later(what: str) -> Problems:
    why = "this version of the aws engine cannot do that yet"
    return Problems(Problem("aws", f"comes later: {what}", why, "On the twin it works: leave out `--on aws`."))


class AwsEngine(Engine):
    """See model.ports.Engine. What is known of an environment beside AWS itself (its regions, its account) comes from
    the topologies and blueprints that it is asked about; before that the region is that of the credentials chain.

    poll_s: how often CloudFormation is asked of a stack in work. carrier: brings images from this machine.
    """

    name = EngineName.AWS
    start_limit_s = START_S

    def __init__(self, clock: Clock, poll_s: float | None = None, carrier: Carrier | None = None) -> None:
        self._clock = clock
        self._carrier = carrier
        self._images: Images | None = None
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._topologies: dict[tuple[str, str], Topology] = {}
        self._accounts: dict[Digest, str | None] = {}
        self._versions: dict[EnvironmentKey, tuple[str, int]] = {}
        self._pins: dict[EnvironmentKey, tuple[Prepared, ...]] = {}
        self._last: dict[EnvironmentKey, Observation] = {}

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        """What AWS does otherwise than the twin."""
        return caveats(topology)

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        """Fixed addresses as the stacks that keep them publish them, also before the first `up` of another life; and
        the region's zones. Nothing while AWS cannot be asked: a plan is made without an account too."""
        self._know(topology)
        from anden.engines.aws import kept, observe  # noqa: PLC0415 - boto3 costs half a second

        try:
            region = self._regions(key)[0]
            return observe.facts(self._aws(), region, kept.published(self._aws(), key, region), topology)
        except Problems:
            return Facts()

    def foresee(self, blueprint: Blueprint, current: Blueprint | None, marks: Marks) -> Foresight:
        """By the account's own quotas and what is used of them; by documented ones where it cannot be asked. By list
        prices. It is a problem when the credentials lead to another account than the manifest says."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        try:
            facts = self._account_facts(blueprint.topology)
        except Problems as found:
            return Foresight(problems=found.problems)
        return foresee(blueprint, current, marks, facts, today)

    def scans(self, key: EnvironmentKey, blueprint: Blueprint) -> tuple[ImageScan, ...]:
        """By ECR's scan of what lies in the environment's repositories."""
        region = blueprint.topology.region
        return self._shelves().scans(self._aws(), key, region, images_of(blueprint)) if region is not None else ()

    def _account_facts(self, topology: Topology) -> AccountFacts | None:
        """None: there are no credentials, or nobody answers. Raises Problems: it is another account."""
        from anden.engines.aws import account_facts, tables  # noqa: PLC0415 - boto3

        region = topology.region
        if region is None:
            return None
        try:
            self._aws().account()
        except Problems:
            return None
        return account_facts.read(
            lambda service: self._aws().client(service, region), topology, tables.quotas(), self._clock.now()
        )

    def render(self, blueprint: Blueprint, manners: Manners = TWIN) -> Mapping[str, str]:
        """A template for each stack, in the order in which they are made, and that order for machines and people
        (see render.folder). Manners are AWS's own, whichever are asked for. Raises Problems: no region is said."""
        if blueprint.topology.region is None:
            raise Problems(NO_REGION)
        return files(blueprint, stream(blueprint, caveats(blueprint.topology)))

    def stacks(
        self, blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]
    ) -> tuple[StackWanted, ...]:
        """Rendered from the blueprint."""
        self._know(blueprint.topology)
        self._accounts[blueprint.digest] = blueprint.topology.account
        return wanted(blueprint, keeping, generations)

    def endpoints(self, key: EnvironmentKey, blueprint: Blueprint, link: str) -> tuple[Endpoint, ...]:
        """As the link's VPN connection has them; addresses None while it is not there, or AWS cannot be asked."""
        self._know(blueprint.topology)
        from anden.engines.aws import links  # noqa: PLC0415 - boto3

        wanted = next(each for each in blueprint.topology.links if each.name == link)
        insides = [
            inside(blueprint.links[link], number, bgp=wanted.bgp is not None) for number in range(1, wanted.tunnels + 1)
        ]
        try:
            return links.endpoints(self._aws(), key, self._regions(key)[0], link, insides)
        except Problems:
            return tuple(Endpoint(None, each) for each in insides)

    def invite(self, key: EnvironmentKey, blueprint: Blueprint, link: str, rehearsal: Rehearsal | None) -> None:
        """Nothing is changed on AWS, and nothing kept: only whether the link is free is asked. Raises Problems."""
        if rehearsal is not None:
            from anden.engines.aws import invitation  # noqa: PLC0415 - boto3

            self._know(blueprint.topology)
            invitation.require_free(self._aws(), key, self._regions(key)[0], blueprint.topology, link)

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        """Whose account it is, the certificate that it was given, and whether every image can be had: nothing begins
        that must end half-way. Images are copied by steps of their own, once the registry is there. Raises Problems."""
        from anden.engines.aws import certificate, images  # noqa: PLC0415 - boto3

        self._know(blueprint.topology)
        self._aws().require(blueprint.topology.account)
        certificate.require(self._aws().client, blueprint.topology)
        certificate.require_linked(self._aws().client, blueprint.topology)
        problems: list[Problem] = []
        for image in images_of(blueprint):
            try:
                images.require(self._aws(), image, self._carrier)
            except Problems as found:
                problems += found.problems
        if problems:
            raise Problems(problems)
        return iter(())

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        """The gateway is the account's own: where it answers is seen once it is there. Raises Problems: one is asked
        for."""
        if wanted is not None:
            why, fix = "on AWS the gateway's address is API Gateway's", "Leave out `--gateway`; `domain:` names it."
            raise Problems(Problem(f"gateway {wanted}", "cannot be chosen", why, fix))
        return ""

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt | Event]:
        """See engines.aws.execute."""
        from anden.engines.aws import execute  # noqa: PLC0415 - boto3

        return self._executed(key, execute.execute(self._work(key), steps))

    def preview(self, key: EnvironmentKey, steps: Sequence[ApplyStack]) -> tuple[Prepared, ...]:
        """By change sets that nobody executes."""
        from anden.engines.aws import pins  # noqa: PLC0415 - boto3

        work = self._work(key)
        work.session.require(work.account)
        return pins.prepared(work, steps)

    def pin(self, key: EnvironmentKey, approved: Sequence[Prepared]) -> None:
        """Change sets by their ids, each once."""
        from anden.engines.aws import pins  # noqa: PLC0415 - boto3

        self._pins[key] = ()
        if approved:
            self._pins[key] = pins.check(self._work(key), approved)

    def secrets(self) -> "AccountSecrets":
        """Those of its environments, in Secrets Manager."""
        from anden.engines.aws.secrets import AccountSecrets, Place  # noqa: PLC0415 - boto3

        def place(key: EnvironmentKey) -> Place:
            topology = self._topologies.get((key.client, key.environment))
            return Place(self._work(key), self._regions(key)[0], topology)

        return AccountSecrets(place)

    def _work(self, key: EnvironmentKey) -> "Work":
        from anden.engines.aws import execute  # noqa: PLC0415 - boto3

        topology = self._topologies.get((key.client, key.environment))
        return execute.Work(
            self._aws(), key, self._poll_s or execute.POLL_S, productive=topology is not None and topology.production,
            accounts=self._accounts, region=self._regions(key)[0], account=topology.account if topology else None,
            pinned={(each.stack, each.template): each.id for each in self._pins.get(key, ())}, carrier=self._carrier,
        )  # fmt: skip

    def _executed(self, key: EnvironmentKey, said: Iterator[Receipt | Event]) -> Iterator[Receipt | Event]:
        """What was approved and is done is not to be done again; what failed is, or nothing."""
        try:
            for each in said:
                if isinstance(each, Receipt) and each.problem is None:
                    self._pins[key] = tuple(pin for pin in self._pins.get(key, ()) if pin.family != each.address)
                yield each
        finally:
            self._shelves().forget(key)

    def _shelves(self) -> "Images":
        from anden.engines.aws.images import Images  # noqa: PLC0415 - boto3

        with self._lock:
            if self._images is None:
                self._images = Images(self._clock.monotonic)
            return self._images

    def observe(self, key: EnvironmentKey) -> Observation:
        """What is, now. Raises Problems: AWS cannot be asked."""
        from anden.engines.aws import observe  # noqa: PLC0415 - boto3 costs half a second

        with self._lock:
            before, topology = self._last.get(key), self._topologies.get((key.client, key.environment))
        seen = observe.observe(
            self._aws(), key, self._regions(key), self._clock.now(), self._shelves(), before, topology
        )
        return self._versioned(key, seen)

    def know(self, topology: Topology) -> None:
        """Where it lives, and in which account."""
        self._know(topology)

    def compare(self, key: EnvironmentKey, before: float) -> None:
        """By CloudFormation's drift detection; see engines.aws.drift."""
        from anden.engines.aws import drift  # noqa: PLC0415 - boto3

        drift.look(self._aws(), self.observe(key).stacks, before, self._poll_s or drift.POLL_S)

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """By looking every POLL_S: its APIs tell nothing by themselves. While AWS cannot be asked nothing is new."""
        left = timeout_s
        while True:
            try:
                version = self.observe(key).version
            except Problems:
                version = seen
            if version > seen or left <= 0:
                return version
            pause = min(self._poll_s or POLL_S, left)
            self._clock.sleep(pause)
            left -= pause

    def logs(
        self, key: EnvironmentKey, service: str | None, lines: int, follow: bool, since: float | None = None
    ) -> Iterator[LogLine | None]:
        """From CloudWatch Logs."""
        from anden.engines.aws import logs  # noqa: PLC0415 - boto3

        return logs.read(self._aws(), key, self._regions(key)[0], service, lines, follow, since)

    def _aws(self) -> "Session":
        from anden.engines.aws.session import Session  # noqa: PLC0415 - boto3

        with self._lock:
            if self._session is None:
                self._session = Session()
            return self._session

    def _know(self, topology: Topology) -> None:
        self._topologies[topology.client, topology.environment] = topology

    def _regions(self, key: EnvironmentKey) -> tuple[str, ...]:
        """The environment's region, and the recovery region. Raises Problems: nothing names one."""
        topology = self._topologies.get((key.client, key.environment))
        region = (topology.region if topology else None) or self._aws().region
        if region is None:
            fix = "Add `region:` to the manifest, or set AWS_REGION."
            raise Problems(Problem(str(key), "no region is named", "stacks live in one", fix))
        return (region, topology.recovery) if topology and topology.recovery else (region,)

    def _versioned(self, key: EnvironmentKey, seen: Observation) -> Observation:
        """Grows whenever what is seen differs from what was seen last. It begins at the clock's milliseconds, so that
        it does not go back when another process looks."""
        looks = codec.digest(replace(seen, at=0.0, version=0))
        with self._lock:
            before, version = self._versions.get(key, ("", int(self._clock.now() * 1000)))
            if looks != before:
                version = max(version + 1, int(self._clock.now() * 1000))
            self._versions[key] = (looks, version)
            self._last[key] = replace(seen, version=version)
        return replace(seen, version=version)

    def exec(self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """See `attended`."""
        for done in self.attended(key, instance, argv, stdin, timeout_s, ""):
            if done is not None:
                return done
        raise AssertionError("a command gives something, or Problems")

    def attended(
        self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float, who: str
    ) -> Iterator[Exec | None]:
        """In a task of its own in productive environments, whatever the service says by now, and where ECS Exec is off;
        elsewhere inside the instance's task. See engines.aws.debug and engines.aws.inside. Raises Problems."""
        from anden.engines.aws import debug, inside  # noqa: PLC0415 - boto3

        if stdin:
            fix = "Leave out `--stdin`; give it as arguments or from where the service may read."
            raise Problems(Problem(instance, "takes no input", "nothing carries it to a task on AWS", fix))
        name, _, number = instance.rpartition("-")
        service, region = name or instance, self._regions(key)[0]
        session, topology = self._aws(), self._topologies.get((key.client, key.environment))
        session.require(topology.account if topology else None)
        found = debug.service(session, key, region, service)
        wish = debug.Wish(key, region, service, argv, who, timeout_s)
        if found.get("enableExecuteCommand") and not (topology is not None and topology.production):
            which = int(number) if name and number.isdigit() else None
            yield from inside.run(session, self._clock, wish, found, which, self._poll_s or inside.POLL_S)
            return
        yield from debug.run(session, self._clock, wish, found, self._poll_s or debug.POLL_S)

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe], who: str = "") -> tuple[Probed, ...]:
        """From one-off tasks beside the services; see engines.aws.probing. Raises Problems."""
        from anden.engines.aws import debug, probing  # noqa: PLC0415 - boto3

        topology = self._topologies.get((key.client, key.environment))
        self._aws().require(topology.account if topology else None)
        seen = self.observe(key)
        names = [each.name for each in topology.services] if topology else [each.service for each in seen.instances]
        poll_s = self._poll_s or debug.POLL_S
        asked = probing.Asked(key, self._regions(key)[0], who, seen, frozenset(map(str, names)), poll_s)
        return probing.probe(self._aws(), self._clock, asked, probes)

    def explain(self, blueprint: Blueprint, path: Way, marks: Marks) -> Way:
        """See model.ports.Engine: from the templates. As it is where they cannot be rendered."""
        if blueprint.topology.region is None:
            return path
        return explain(self.render(blueprint), blueprint, path, marks)

    def refused(self, key: EnvironmentKey) -> tuple[Attempt, ...]:
        """From the VPC's log of rejected flows and the resolver's of blocked questions."""
        from anden.engines.aws import refusals  # noqa: PLC0415 - boto3

        return refusals.read(self._aws(), key, self._regions(key)[0], self._clock.now(), self.observe(key))

    def refused_caveats(self) -> tuple[Caveat, ...]:
        """See model.ports.Engine."""
        from anden.engines.aws import refusals  # noqa: PLC0415 - boto3

        return refusals.CAVEATS

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """Raises Problems."""
        raise _later("nothing can be drilled")

    def restore(self, key: EnvironmentKey) -> None:
        """Raises Problems."""
        raise _later("nothing can be drilled")
