"""Shapes: what a place of the manifest may hold. One description reads it and makes its JSON Schema, so that an editor
and anden never disagree about what exists."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from anden.manifest.faults import Faults, Wrong
from anden.manifest.node import Listing, Node, Scalar, kind
from anden.manifest.wording import shown

Schema = dict[str, Any]
"""A JSON Schema, or a part of one."""


class _Broken(Enum):
    BROKEN = "broken"


BROKEN: Final = _Broken.BROKEN
"""Stands for a value that was written and cannot be read; its problem is noted already."""


class Shape(Protocol):
    """Reads a node into a value or BROKEN, noting what is wrong; and says the same as a JSON Schema."""

    def read(self, node: Node, faults: Faults) -> Any:
        """The value, or BROKEN."""

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """The JSON Schema; `partial`: as an override, where nothing is required. Records go to `definitions`."""


@dataclass(frozen=True)
class Leaf:
    """A single value.

    noun: `a port`. rule: `ports run from 1 to 65535`. example: how one is written. parse raises Wrong.
    secret: messages never repeat the value.
    """

    noun: str
    rule: str
    example: str
    parse: Callable[[Scalar], Any]
    json: Schema
    secret: bool = False

    def read(self, node: Node, faults: Faults) -> Any:
        """The parsed value, or BROKEN."""
        if not isinstance(node, Scalar) or node.null:
            faults.add(node, f"{kind(node)} stands where {self.noun} belongs", self.rule, f"Use {self.example}.")
            return BROKEN
        known = (id(self), node.text, node.plain)
        if known in faults.memory:
            return faults.memory[known]
        try:
            faults.memory[known] = value = self.parse(node)
            return value
        except Wrong as wrong:
            what = wrong.what or ("the value" if self.secret else shown(node.text)) + f" is not {self.noun}"
            fix = f"Did you mean {wrong.meant}?" if self._accepts(wrong.meant) else wrong.fix
            faults.add(node, what, wrong.why or self.rule, fix or f"Use {self.example}.")
            return BROKEN

    def _accepts(self, text: str) -> bool:
        try:
            self.parse(Scalar(text, 0, "", plain=False))
        except Wrong:
            return False
        return text != ""

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """As given."""
        return dict(self.json)


@dataclass(frozen=True)
class ListOf:
    """A list, as a tuple; a single value counts as a list of one."""

    noun: str
    item: Leaf
    most: int
    least: int = 0
    example: str = ""
    twice: str = ""
    """Why nothing may stand in it twice; empty: it may."""
    alone: bool = True
    """Whether a single value may stand for a list of one."""

    def read(self, node: Node, faults: Faults) -> Any:
        """A tuple, or BROKEN when anything in it is."""
        if isinstance(node, Scalar) and not node.null and self.alone:
            node = Listing((node,), node.line, node.path)
        if not isinstance(node, Listing):
            faults.add(node, f"{kind(node)} stands where {self.noun} belongs", self.item.rule, self._fix())
            return BROKEN
        if not self.least <= len(node.items) <= self.most:
            entries = "1 entry stands" if len(node.items) == 1 else f"{len(node.items):,} entries stand"
            bound = f"{self.least} or more" if len(node.items) < self.least else f"at most {self.most:,}"
            faults.add(node, f"{entries} here", f"{self.noun} has {bound}", self._fix())
            return BROKEN
        values = tuple(self.item.read(item, faults) for item in node.items)
        if self.twice:
            self._once(node, values, faults)
        return BROKEN if BROKEN in values else values

    def _fix(self) -> str:
        return f"Use {self.example or f'[{self.item.example}]'}."

    def _once(self, node: Listing, values: tuple[Any, ...], faults: Faults) -> None:
        seen = set()
        for item, value in zip(node.items, values, strict=True):
            if value in seen and value is not BROKEN:
                faults.add(item, f"{shown(str(value))} stands here twice", self.twice, "Remove one of the two.")
            seen.add(value)

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """A list, or one item where that is allowed."""
        item = self.item.schema(definitions, partial=partial)
        whole: Schema = {"type": "array", "items": item, "maxItems": self.most}
        if self.least:
            whole["minItems"] = self.least
        if self.twice:
            whole["uniqueItems"] = True
        return any_of(item, whole) if self.alone and self.least <= 1 else whole


@dataclass(frozen=True)
class Forms:
    """A short form (a single value) and a long one (a mapping or a list) of the same thing."""

    short: Leaf
    long: "Shape"

    def read(self, node: Node, faults: Faults) -> Any:
        """What the form that was chosen reads."""
        return (self.short if isinstance(node, Scalar) else self.long).read(node, faults)

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """Either."""
        return any_of(self.short.schema(definitions, partial=partial), self.long.schema(definitions, partial=partial))


def any_of(*schemas: Schema) -> Schema:
    """One of these, without nesting."""
    flat = [each for schema in schemas for each in (schema["anyOf"] if schema.keys() == {"anyOf"} else [schema])]
    return {"anyOf": flat}
