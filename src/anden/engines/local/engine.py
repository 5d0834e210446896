"""The local engine: model.ports.Engine over cells on this machine. It does what it is told and says what it sees."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anden.engines.local import caveats, endpoints, gateway, link, logs, meeting, observe, place
from anden.engines.local.cell.links import relay
from anden.engines.local.execute import Executor
from anden.engines.local.images import LocalImages
from anden.engines.local.render import container, haproxy, nftables, resolver
from anden.engines.local.render.container import Surroundings
from anden.model import codec
from anden.model.approval import Prepared
from anden.model.blueprint import Blueprint, Facts
from anden.model.event import Event, EventKind
from anden.model.fault import Fault
from anden.model.foresight import Foresight
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.image import ImageScan
from anden.model.invitation import Rehearsal, Vouched
from anden.model.link import Endpoint
from anden.model.log import LogLine
from anden.model.manners import TWIN, Manners
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import ApplyStack, Caveat, Receipt, Step
from anden.model.ports import Clock, Exec, Secrets
from anden.model.problem import Problem, Problems
from anden.model.reach import Path as Way
from anden.model.reach import Probe, Probed
from anden.model.refused import Attempt
from anden.model.stack import StackWanted
from anden.model.topology import Topology
from anden.planning.configuration import configure
from anden.planning.instances import specification

ANSWER_MARGIN_S = 30.0
PROBE_S = 120.0
SHOWN_S = 0.05
"""What was unpacked before takes less, and is not worth a line."""
STDIN_BYTES = 8 * 1024 * 1024


class LocalEngine:
    """state: the folder of all clients' state. images: the image cache. secrets: where it asks for those that it hands
    over."""

    name = EngineName.LOCAL
    start_limit_s = 0.0

    def __init__(self, state: Path, images: Path, clock: Clock, secrets: Secrets | None = None) -> None:
        self._state = state
        self._folder = images
        self._images = LocalImages(images, clock)
        self._clock = clock
        self._secrets = secrets

    def caveats(self, topology: Topology) -> tuple[Caveat, ...]:
        """See model.ports.Engine."""
        return caveats.caveats(topology)

    def facts(self, key: EnvironmentKey, zones: int, topology: Topology) -> Facts:
        """See model.ports.Engine. Every cell has an internet of its own, so all use the same fixed addresses."""
        return caveats.facts(topology, zones)

    def stacks(
        self, blueprint: Blueprint, keeping: Blueprint | None, generations: Mapping[str, int]
    ) -> tuple[StackWanted, ...]:
        """None: this engine places instances itself."""
        return ()

    def preview(self, key: EnvironmentKey, steps: Sequence[ApplyStack]) -> tuple[Prepared, ...]:
        """Nothing: there are no stacks."""
        return ()

    def pin(self, key: EnvironmentKey, approved: Sequence[Prepared]) -> None:
        """Nothing: there are no stacks."""

    def know(self, topology: Topology) -> None:
        """Nothing: a cell says itself what it is."""

    def compare(self, key: EnvironmentKey, before: float) -> None:
        """Nothing: in a cell nothing can be changed by hand."""

    def foresee(self, blueprint: Blueprint, current: Blueprint | None, marks: Marks) -> Foresight:
        """Nothing: a twin is limited by its machine, and nobody pays for it."""
        return Foresight()

    def scans(self, key: EnvironmentKey, blueprint: Blueprint) -> tuple[ImageScan, ...]:
        """There is no registry."""
        return ()

    def render(self, blueprint: Blueprint, manners: Manners = TWIN) -> Mapping[str, str]:
        """See model.ports.Engine. The machine's list of system calls, which goes into every container, is left out."""
        configuration = configure(blueprint, None, self.caveats(blueprint.topology), manners=manners)
        files = {
            "firewall.nft": nftables.ruleset(configuration),
            "balancer.cfg": haproxy.config(configuration),
            "resolver.json": resolver.book(configuration),
            "internet.json": resolver.internet(configuration),
            "instances/resolv.conf": container.resolv(configuration),
        }
        for placement in blueprint.placements:
            instance = specification(blueprint, placement.service, placement.slots[0])
            folder = f"/run/anden/bundles/{instance.id}"
            at = Surroundings(
                f"{folder}/rootfs",
                f"/run/netns/{instance.id}",
                f"/anden/CELL/{instance.id}",
                f"{folder}/hosts",
                f"{folder}/resolv.conf",
                None,
                f"/run/anden/secrets/{instance.id}" if any(at.startswith("/") for at in instance.secrets) else None,
            )
            numeric = instance.user.replace(":", "").isdigit()
            who = container.user(instance, "", "") if numeric or not instance.user else container.User(0, 0)
            files[f"instances/{instance.id}/config.json"] = (
                json.dumps(container.spec(instance, who, at), indent=2) + "\n"
            )
            files[f"instances/{instance.id}/hosts"] = container.hosts(instance)
        return files

    def prepare(self, key: EnvironmentKey, blueprint: Blueprint) -> Iterator[Event]:
        """See model.ports.Engine: unpacks what is not unpacked yet."""
        for service, image in sorted(blueprint.images.items()):
            began = self._clock.monotonic()
            self._images.rootfs(image.digest)  # at once for the second service of the same image
            took = self._clock.monotonic() - began
            if took >= SHOWN_S:
                yield Event(EventKind.STEP, service, f"unpacked {image.version}", "✓", took)

    def claim(self, key: EnvironmentKey, wanted: str | None, taken: Mapping[str, str]) -> str:
        """See model.ports.Engine."""
        own = place.of(self._state, key)
        return gateway.claim(wanted, taken, own.gateway() if own.keeper() is not None else None)

    def execute(self, key: EnvironmentKey, steps: Sequence[Step], gateway: str) -> Iterator[Receipt]:
        """See model.ports.Engine."""
        there = place.of(self._state, key)
        return Executor(key, there, self._folder, self._images.rootfs, self._clock, gateway, self._secrets).execute(
            steps
        )

    def observe(self, key: EnvironmentKey) -> Observation:
        """See model.ports.Engine."""
        return observe.observe(key, place.of(self._state, key), self._clock)

    def wait(self, key: EnvironmentKey, seen: int, timeout_s: float) -> int:
        """See model.ports.Engine."""
        return observe.wait(place.of(self._state, key), seen, timeout_s)

    def endpoints(self, key: EnvironmentKey, blueprint: Blueprint, link: str) -> tuple[Endpoint, ...]:
        """See model.ports.Engine. Known before anything runs: the twin chooses them itself."""
        wanted = next(each for each in blueprint.topology.links if each.name == link)
        return endpoints.endpoints(blueprint.links[link], wanted.tunnels, bgp=wanted.bgp is not None)

    def turn_link(self, key: EnvironmentKey, link: str, tunnel: int | None, up: bool) -> None:
        """See model.ports.Engine."""
        self._tell_links(key, link, tunnel, up)

    def datacentre(self, key: EnvironmentKey, wanted: bool) -> tuple[str, ...]:
        """See model.ports.Engine. It ends with the cell."""
        return tuple(self._tell_links(key, None, None, wanted) or ())

    def invite(
        self, key: EnvironmentKey, blueprint: Blueprint, link: str, rehearsal: Rehearsal | None
    ) -> Vouched | None:
        """See model.ports.Engine. It ends with the cell; a second one ends the first."""
        there = place.of(self._state, key)
        if rehearsal is not None:
            was = next((each.invited for each in self.observe(key).links if each.name == link), None)
            if was is not None and was.meet.rpartition(":")[2] == rehearsal.meet.rpartition(":")[2]:
                self._ask(key, {"op": "link", "name": link, "invite": None}, ANSWER_MARGIN_S)  # its port is free then
            with meeting.opened(rehearsal.meet) as outer:
                meeting.hand_over(there, relay(blueprint.links[link]), outer)
        given = None if rehearsal is None else codec.to_data(rehearsal)
        issued = self._ask(key, {"op": "link", "name": link, "invite": given}, ANSWER_MARGIN_S)
        return None if issued is None else codec.from_data(Vouched, issued)

    def sign(self, key: EnvironmentKey, link: str, written: str) -> tuple[str, str] | None:
        """See model.ports.Engine."""
        found = self._ask(key, {"op": "link", "name": link, "sign": written}, ANSWER_MARGIN_S)
        return None if found is None else (str(found[0]), str(found[1]))

    def _tell_links(self, key: EnvironmentKey, name: str | None, tunnel: int | None, up: bool) -> Any:
        try:
            return link.ask(place.of(self._state, key), {"op": "link", "name": name, "tunnel": tunnel, "up": up})
        except link.Away as away:
            raise Problems(Problem(str(key), "it does not run", str(away), "Bring it up first: `anden up`.")) from away

    def logs(
        self, key: EnvironmentKey, service: str | None, lines: int, follow: bool, since: float | None = None
    ) -> Iterator[LogLine | None]:
        """See model.ports.Engine."""
        return logs.read(place.of(self._state, key).logs, service, lines, follow, since)

    def exec(self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Exec:
        """See model.ports.Engine. Input is at most STDIN_BYTES."""
        if len(stdin) > STDIN_BYTES:
            what = f"its input is longer than {STDIN_BYTES} bytes"
            raise Problems(Problem(instance, what, "it is sent as a whole", "Send it in parts."))
        request = {
            "op": "exec",
            "instance": instance,
            "argv": list(argv),
            "stdin": base64.b64encode(stdin).decode(),
            "timeout_s": timeout_s,
        }
        return codec.from_data(Exec, self._ask(key, request, timeout_s + ANSWER_MARGIN_S))

    def attended(
        self, key: EnvironmentKey, instance: str, argv: Sequence[str], stdin: bytes, timeout_s: float, who: str
    ) -> Iterator[Exec | None]:
        """See model.ports.Engine. It ends at its time, whether or not somebody waits."""
        yield self.exec(key, instance, argv, stdin, timeout_s)

    def probe(self, key: EnvironmentKey, probes: Sequence[Probe], who: str = "") -> tuple[Probed, ...]:
        """See model.ports.Engine."""
        answer = self._ask(key, {"op": "probe", "probes": [codec.to_data(one) for one in probes]}, PROBE_S)
        return tuple(codec.from_data(Probed, one) for one in answer)

    def explain(self, blueprint: Blueprint, path: Way, marks: Marks) -> Way:
        """Nothing to add: the computed hops are this engine's."""
        return path

    def refused(self, key: EnvironmentKey) -> tuple[Attempt, ...]:
        """See model.ports.Engine."""
        return tuple(codec.from_data(Attempt, one) for one in self._ask(key, {"op": "refused"}, ANSWER_MARGIN_S))

    def refused_caveats(self) -> tuple[Caveat, ...]:
        """See model.ports.Engine. None: the firewall counts, and is asked."""
        return ()

    def disturb(self, key: EnvironmentKey, fault: Fault) -> None:
        """See model.ports.Engine."""
        self._ask(key, {"op": "disturb", "fault": codec.to_data(fault)}, ANSWER_MARGIN_S)

    def restore(self, key: EnvironmentKey) -> None:
        """See model.ports.Engine."""
        self._ask(key, {"op": "restore"}, ANSWER_MARGIN_S)

    def _ask(self, key: EnvironmentKey, request: dict[str, object], timeout_s: float) -> Any:
        there = place.of(self._state, key)
        if there.keeper() is None:
            raise Problems(Problem(str(key), "it does not run", there.absent_reason(), "Run `anden up`."))
        try:
            return link.ask(there, request, timeout_s=timeout_s)
        except link.Away as away:
            raise Problems(Problem(str(key), "its supervisor does not answer", str(away), f"See {there.log}")) from away
