"""Engines of stacks under the contract: the one in memory that control is tested with, and AWS as it is emulated."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.plan import Action, ApplyStack, DeleteStack, Effect, Receipt, SetLevel, Step
from anden.model.ports import Engine
from anden.model.stack import StackSeen, StackWanted

REGION = "us-east-1"
BLUEPRINT = Digest("sha256:" + "b" * 64)
_numbers = itertools.count(1)

LEFT_OUT = {"test_life": 26, "test_links": 1, "test_manners": 15, "test_network": 12}
"""How many cases of each module of the instances' contract no engine of stacks is asked; why, below."""
NOT_APPLICABLE = {
    "test_life": "it places instances: an engine of stacks has no Configure, StartInstance and StopInstance, and ECS"
    " does what they do. What is left of it (present, version, idempotence, removal) is in test_stacks;"
    " lines of logs and since when are in tests/emulator/test_observe",
    "test_links": "AWS raises its tunnels itself, and the emulator raises none: what is read of them is in"
    " tests/emulator/test_secrets, the alarm of an outage in tests/emulator/test_observe",
    "test_network": "the emulator carries no packet: what reaches what is derived from the rendered templates instead"
    " (tests of parity), and only a real account proves it",
    "test_manners": "they are the twin's imitation of AWS's own: there is nothing to imitate on AWS",
}
"""Why, by module."""


@dataclass
class Account:
    """engine: whose environments are told apart by key. spoil: make the next operation on a stack of this family fail,
    for an engine that templates do not make fail. broken: the same for one that they do."""

    engine: Engine
    spoil: Callable[[str], None]
    broken: Any = None
    environment: str = field(default_factory=lambda: f"t{next(_numbers)}")

    @property
    def key(self) -> EnvironmentKey:
        return EnvironmentKey("contract", self.environment, EngineName.AWS)

    def stack(self, family: str, text: str = "1", *after: str, lasting: bool = False) -> StackWanted:
        """Something small, another one for each text."""
        name = f"anden-contract-{self.environment}-{family}"
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, "DisplayName": text}}
        template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Topic": topic}})
        return StackWanted(name, family, REGION, template, after, lasting)

    def failing(self, family: str, text: str = "1") -> StackWanted:
        """One that cannot be made."""
        wanted = self.stack(family, text)
        if self.broken is None:
            self.spoil(family)
            return wanted
        template = json.loads(wanted.template)
        template["Resources"]["Topic"] = self.broken
        return StackWanted(wanted.name, family, REGION, json.dumps(template))

    def do(self, *effects: Effect) -> list[Receipt]:
        """Execute, and return its receipts in the order of the effects."""
        steps = [_step(effect) for effect in effects]
        told = {one.address: one for one in self.engine.execute(self.key, steps, "") if isinstance(one, Receipt)}
        assert set(told) == {step.address for step in steps}
        return [told[step.address] for step in steps]

    def apply(self, *stacks: StackWanted) -> list[Receipt]:
        """Make them so, at once."""
        return self.do(*(ApplyStack(each, BLUEPRINT) for each in stacks))

    def seen(self) -> Observation:
        """What is."""
        return self.engine.observe(self.key)

    def one(self, family: str) -> StackSeen:
        """A stack that must be there."""
        return next(each for each in self.seen().stacks if each.family == family)


def ending(stack: StackWanted) -> DeleteStack:
    """The effect that ends it."""
    return DeleteStack(stack.name, stack.family, stack.region)


def _step(effect: Effect) -> Step:
    match effect:
        case ApplyStack(stack=stack):
            return Step(Action.UPDATE, stack.family, "contract", effect)
        case DeleteStack(family=family):
            return Step(Action.DELETE, family, "contract", effect)
        case SetLevel(service=service):
            return Step(Action.UPDATE, service, "contract", effect)
        case _:
            raise AssertionError(f"the contract of stacks has no {effect}")
