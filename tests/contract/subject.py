"""An engine under the contract: what the suite needs beside the Engine port itself."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from tests.contract.talk import Talk

from anden.model.blueprint import Blueprint
from anden.model.configuration import Configuration
from anden.model.ids import Digest, EnvironmentKey, ServiceName
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.manners import TWIN, Manners
from anden.model.observation import InstanceSeen, Observation
from anden.model.plan import Action, Configure, Effect, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.ports import Engine, Secrets
from anden.model.secret import SecretValue
from anden.model.topology import Destination, Health, ImageSource, Range, Service, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from anden.planning.instances import specification

PATIENCE_S = 20.0
"""How long anything may take that an engine does by itself, real or virtual."""
GOOD, UNHEALTHY, EXITING = "contract:good", "contract:unhealthy", "contract:exiting"
"""Images: one that serves, one that answers 500, one that exits with 3 soon after each start. Each writes `started`."""
FLAKY, STUBBORN = "contract:flaky", "contract:stubborn"
"""One that hangs up on the first request that is no health check, and one that does not listen to SIGTERM."""
_numbers = count(1)


@dataclass
class Subject:
    """engine: a fresh one, or one whose environments are told apart by key. digest: of the image behind all names.
    talk: how a client or an instance would speak to what runs there. secrets: where it takes the keys of links from."""

    engine: Engine
    client: str
    digest: Digest
    talk: Talk
    secrets: Secrets

    def environment(
        self, topology: "Callable[[str], Topology] | None" = None, manners: Manners = TWIN
    ) -> "Environment":
        """An environment that nobody else has; not created yet."""
        name = f"t{next(_numbers)}"
        made = (topology or small)(name)
        key = EnvironmentKey(self.client, name, self.engine.name)
        images = {str(service.name): self.image(str(service.source.image)) for service in made.services}
        facts = self.engine.facts(key, made.zones, made)
        keys = {
            name: self.secrets.put(key, name, SecretValue(secrets.token_hex(16)), "contract", 0.0).id
            for link in made.links
            for name in link.secret
        }
        return Environment(self, key, draft(made, images, facts, None, secrets=keys), manners=manners)

    def image(self, name: str) -> Image:
        """All names mean the same bytes; what they are told to do differs."""
        return Image(name, self.digest, command=("python3", "/app.py", name.partition(":")[2]), user="10001")


def service(name: str, image: str = GOOD, **fields: object) -> Service:
    """A service on port 8080 with a health path."""
    given: dict[str, object] = {
        "port": 8080, "health": Health("/health"), "instances": Range(1, 3), "start_s": 5.0, "stop_s": 2.0,
        "timeout_s": 2.0, **fields,
    }  # fmt: skip
    return Service(ServiceName(name), ImageSource(image=image), **given)  # type: ignore[arg-type]


def small(environment: str) -> Topology:
    """One service."""
    return Topology("contract", environment, (service("web"),))


@dataclass
class Environment:
    """One environment of a subject, by steps of its own: the suite plans nothing."""

    subject: Subject
    key: EnvironmentKey
    blueprint: Blueprint
    gateway: str = ""
    manners: Manners = TWIN

    @property
    def engine(self) -> Engine:
        """The subject's."""
        return self.subject.engine

    @property
    def configuration(self) -> Configuration:
        """The blueprint's own."""
        caveats = self.engine.caveats(self.blueprint.topology)
        return configure(self.blueprint, None, caveats, manners=self.manners)

    @property
    def talk(self) -> Talk:
        """The subject's."""
        return self.subject.talk

    def instance(self, name: str, generation: int = 0, image: str | None = None) -> Instance:
        """The specification of `web-1`; of another image when one is named."""
        of, _, ordinal = name.rpartition("-")
        blueprint = self.blueprint
        if image is not None:
            images = {**blueprint.images, of: self.subject.image(image)}
            blueprint = draft(blueprint.topology, images, blueprint.facts, blueprint)
        slot = blueprint.placement(of).slots[int(ordinal) - 1]
        return specification(blueprint, of, slot, generation)

    def do(self, *effects: Effect) -> list[Receipt]:
        """Execute, and return what it gave."""
        steps = [_step(effect) for effect in effects]
        if not self.gateway:
            self.gateway = self.engine.claim(self.key, None, {})
        said = self.engine.execute(self.key, steps, self.gateway)
        return [each for each in said if isinstance(each, Receipt)]

    def done(self, *effects: Effect) -> None:
        """Execute; each must have worked."""
        receipts = self.do(*effects)
        assert [receipt.problem for receipt in receipts] == [None] * len(effects)

    def up(self, *names: str) -> None:
        """Created, with these instances healthy."""
        for _ in self.engine.prepare(self.key, self.blueprint):
            pass
        self.done(Configure(self.configuration), *(StartInstance(self.instance(name)) for name in names))
        self.until(lambda seen: all((one := seen.instance(name)) and one.serving for name in names))

    def stop(self, name: str) -> StopInstance:
        """The effect that stops an instance."""
        return StopInstance(self.instance(name).id, drain_s=2.0, stop_s=2.0)

    def seen(self) -> Observation:
        """What is."""
        return self.engine.observe(self.key)

    def one(self, name: str) -> InstanceSeen:
        """An instance that must be there."""
        found = self.seen().instance(name)
        assert found is not None, f"{name} is not there"
        return found

    def until(self, true: Callable[[Observation], object]) -> Observation:
        """Wait, as control does, until it is so; the observation in which it is."""
        began = self.seen().at
        deadline = time.monotonic() + PATIENCE_S * 2
        while True:
            seen = self.seen()
            if true(seen):
                return seen
            waited = seen.at - began
            assert waited < PATIENCE_S, f"not within {PATIENCE_S} s: {seen}"
            assert time.monotonic() < deadline
            self.engine.wait(self.key, seen.version, 1.0)

    def remove(self) -> None:
        """End it, whatever it is in."""
        self.done(Remove())


def _step(effect: Effect) -> Step:
    match effect:
        case Configure():
            return Step(Action.UPDATE, "network", "contract", effect)
        case StartInstance(instance=instance):
            return Step(Action.CREATE, instance.id, "contract", effect)
        case StopInstance(id=id):
            return Step(Action.DELETE, id, "contract", effect)
        case Remove():
            return Step(Action.DELETE, "environment", "contract", effect)
        case _:
            raise AssertionError(f"the suite plans no {effect}")


def place(name: str, network: str, port: int) -> Destination:
    """A destination by address."""
    from ipaddress import IPv4Network

    from anden.model.ids import DestinationName

    return Destination(DestinationName(name), port, network=IPv4Network(network))
