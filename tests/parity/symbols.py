"""Templates, and what their references mean: `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Select`, `Fn::Split`, and
parameters that take their value from SSM, where another stack has put it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SSM = "AWS::SSM::Parameter::Value<"
PUBLISHES = "AWS::SSM::Parameter"
DEEPEST = 40
"""References that lead to references; more is a circle."""
_VARIABLE = re.compile(r"\$\{(!?[^}]+)\}")


class Id(NamedTuple):
    """A resource, by its stack and logical name."""

    stack: str
    name: str


class At(NamedTuple):
    """Something of a resource that only AWS knows: its id, its ARN, its address. `Ref` is the attribute `Ref`."""

    of: Id
    attribute: str

    def __str__(self) -> str:
        return f"<{self.of.stack}/{self.of.name}.{self.attribute}>"


class Unresolved(Exception):  # noqa: N818 - a fact of the templates
    """A reference that leads to nothing."""


class World:
    """All templates of an environment, by stack name, as one."""

    def __init__(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        self._templates = templates
        self._published: dict[str, tuple[str, Any]] = {}
        self._known: dict[Id, Mapping[str, Any]] = {}
        for stack, template in templates.items():
            for each in template["Resources"].values():
                if each["Type"] == PUBLISHES:
                    properties = each["Properties"]
                    self._published[properties["Name"]] = (stack, properties["Value"])

    def kind(self, what: Id) -> str:
        """`AWS::EC2::Subnet`."""
        return str(self._templates[what.stack]["Resources"][what.name]["Type"])

    def all(self, kind: str) -> Iterator[Id]:
        """Every resource of that type."""
        for stack, template in self._templates.items():
            for name, each in template["Resources"].items():
                if each["Type"] == kind:
                    yield Id(stack, name)

    def properties(self, what: Id) -> Mapping[str, Any]:
        """A resource's properties, with every reference resolved as far as templates can."""
        if what not in self._known:
            raw = self._templates[what.stack]["Resources"][what.name].get("Properties", {})
            self._known[what] = self._value(what.stack, raw, 0)
        return self._known[what]

    def items(self, kind: str) -> Iterator[tuple[Id, Mapping[str, Any]]]:
        """Every resource of that type, with its properties."""
        for what in self.all(kind):
            yield what, self.properties(what)

    def _value(self, stack: str, raw: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise Unresolved(f"{stack}: references in a circle")
        if isinstance(raw, list):
            return [self._value(stack, each, depth + 1) for each in raw]
        if not isinstance(raw, Mapping):
            return raw
        if len(raw) == 1:
            ((word, argument),) = raw.items()
            if word == "Ref":
                return self._ref(stack, argument, depth)
            if word == "Fn::GetAtt":
                name, _, attribute = (
                    ".".join(argument).partition(".") if isinstance(argument, list) else argument.partition(".")
                )
                return self._at(stack, name, attribute)
            if word == "Fn::Sub":
                return self._sub(stack, argument, depth)
            if word == "Fn::Join":
                between, parts = argument
                return between.join(str(each) for each in self._value(stack, parts, depth + 1))
            if word == "Fn::Select":
                return self._value(stack, argument[1], depth + 1)[int(self._value(stack, argument[0], depth + 1))]
            if word == "Fn::Split":
                return str(self._value(stack, argument[1], depth + 1)).split(argument[0])
            if word.startswith("Fn::"):
                raise Unresolved(f"{stack}: {word} is not understood here")
        return {name: self._value(stack, each, depth + 1) for name, each in raw.items()}

    def _ref(self, stack: str, name: str, depth: int) -> Any:
        if name.startswith("AWS::"):
            return f"<{name}>"
        template = self._templates[stack]
        if name in template["Resources"]:
            return At(Id(stack, name), "Ref")
        try:
            parameter = template["Parameters"][name]
        except KeyError:
            raise Unresolved(f"{stack}: Ref to {name}, which is nothing there") from None
        if not parameter["Type"].startswith(SSM):
            return parameter.get("Default", f"<parameter {name}>")
        if parameter["Default"] not in self._published:
            return f"<ssm {parameter['Default']}>"
        where, value = self._published[parameter["Default"]]
        return self._value(where, value, depth + 1)

    def _at(self, stack: str, name: str, attribute: str) -> At:
        if name not in self._templates[stack]["Resources"]:
            raise Unresolved(f"{stack}: GetAtt of {name}, which is nothing there")
        return At(Id(stack, name), attribute)

    def _sub(self, stack: str, argument: Any, depth: int) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def put(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                return str(self._value(stack, given[name], depth + 1))
            if "." in name:
                return str(self._at(stack, *name.split(".", 1)))
            return str(self._ref(stack, name, depth + 1))

        return _VARIABLE.sub(put, text)


def of(value: Any) -> Id | None:
    """The resource that a value is of, whichever attribute of it; None for a literal."""
    return value.of if isinstance(value, At) else None


def all_of(values: Any) -> tuple[Id, ...]:
    """The resources that a list of values is of."""
    listed = values if isinstance(values, list) else [] if values is None else [values]
    return tuple(found for each in listed if (found := of(each)) is not None)
