"""What rendered stacks hold, by type. Preflight and cost count here and not in the design, so that they speak of what
would really be created. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from anden.engines.aws.render.template import Json, Stack

PARAMETER = "AWS::SSM::Parameter"


@dataclass(frozen=True, slots=True)
class Item:
    """One resource: the family of its stack, its logical name there, and its properties."""

    family: str
    name: str
    properties: Mapping[str, Json]

    def get(self, *names: str) -> Json:
        """A property, or one within it; None when there is none."""
        value: Json = self.properties
        for name in names:
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value


@dataclass(frozen=True, slots=True)
class Inventory:
    """stacks: as given. items: type to resources. parameters: (family, parameter) to the SSM name that it reads.
    published: SSM name to the family and the value there."""

    stacks: tuple[Stack, ...]
    items: Mapping[str, Sequence[Item]]
    parameters: Mapping[tuple[str, str], str]
    published: Mapping[str, tuple[str, Json]]

    def of(self, kind: str) -> Sequence[Item]:
        """The resources of a type."""
        return self.items.get(kind, ())

    def count(self, kind: str) -> int:
        """How many resources of a type there are."""
        return len(self.of(kind))

    def thing(self, family: str, value: Json) -> str:
        """What a reference in a stack means, as one text for one thing, from whichever stack it is referred to."""
        name = _referred(value)
        if name is None:
            return json.dumps(value, sort_keys=True)
        path = self.parameters.get((family, name))
        if path is not None and path in self.published:
            return self.thing(*self.published[path])
        return f"{family}/{name}"

    def by(self, kind: str, *names: str) -> Counter[str]:
        """How many resources of a type name each thing in a property: rules by group, routes by table."""
        return Counter(self.thing(item.family, item.get(*names)) for item in self.of(kind))


def take(stacks: Iterable[Stack]) -> Inventory:
    """The inventory of stacks."""
    given = tuple(stacks)
    items: dict[str, list[Item]] = defaultdict(list)
    parameters: dict[tuple[str, str], str] = {}
    published: dict[str, tuple[str, Json]] = {}
    for stack in given:
        for name, made in stack.template["Resources"].items():
            properties = made.get("Properties", {})
            items[made["Type"]].append(Item(stack.family, name, properties))
            if made["Type"] == PARAMETER and isinstance(properties.get("Name"), str):
                published[properties["Name"]] = (stack.family, properties.get("Value"))
        for name, parameter in stack.template["Parameters"].items():
            if isinstance(parameter.get("Default"), str):
                parameters[stack.family, name] = parameter["Default"]
    return Inventory(given, MappingProxyType(dict(items)), parameters, published)


def _referred(value: Json) -> str | None:
    """The logical name in a `Ref` or an `Fn::GetAtt`."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((function, named),) = value.items()
    if function == "Ref" and isinstance(named, str):
        return named
    if function == "Fn::GetAtt":
        first = named.partition(".")[0] if isinstance(named, str) else named[0]
        return str(first)
    return None
