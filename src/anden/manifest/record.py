"""Mappings: with free keys (services by name), and with known ones (a service's fields)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from anden.manifest.faults import Faults, Wrong
from anden.manifest.node import Node, Scalar, Table, kind
from anden.manifest.shape import BROKEN, Leaf, Schema, Shape, any_of
from anden.manifest.wording import listed, shown


@dataclass(frozen=True)
class MapOf:
    """A mapping whose keys are names: a dict of what each holds, BROKEN where it cannot be read.

    noun: what one entry is, `a service`. empty: what to do about an entry without a value.
    deferred: entries are read later, merged with what they override, and may be empty.
    whole: entries are complete even where they stand in an override.
    """

    noun: str
    key: Leaf
    item: Shape
    most: int
    empty: str
    deferred: bool = False
    whole: bool = False

    def read(self, node: Node, faults: Faults) -> Any:
        """A dict, or BROKEN when it is no mapping."""
        if not isinstance(node, Table):
            faults.add(
                node,
                f"{kind(node)} stands where a mapping belongs",
                f"each entry is the name of {self.noun}, and what it says",
                "Write `NAME: …`, a line for each.",
            )
            return BROKEN
        known = (id(self), id(node))
        if known not in faults.memory:
            faults.memory[known] = (node, self._entries(node, faults))
        return faults.memory[known][1]

    def _entries(self, node: Table, faults: Faults) -> dict[str, Any]:
        if len(node.entries) > self.most:
            faults.add(
                node,
                f"{len(node.entries):,} entries stand here",
                f"there are at most {self.most:,}",
                "Divide the manifest, or remove some.",
            )
            return {}
        values: dict[str, Any] = {}
        for name, child in node.entries.items():
            self.key.read(Scalar(name, child.line, child.path, plain=False), faults)
            if self.deferred and (child.null or isinstance(child, Table)):
                values[name] = child
            elif child.null:
                self._nothing(name, child, node, faults)
                if self.whole or not _overrides(child):
                    values[name] = BROKEN
            else:
                values[name] = self.item.read(child, faults)
        for _, child in node.doubles:
            if not child.null and not self.deferred:
                self.item.read(child, faults)
        return values

    def _nothing(self, name: str, child: Node, node: Table, faults: Faults) -> None:
        if self.whole or not _overrides(child):
            faults.add(child, f"{shown(name)} is empty", f"each entry says something of {self.noun}", self.empty)
            return
        others = [other for other, each in node.entries.items() if not each.null]
        close = faults.near(name, others)
        faults.add(
            child,
            f"there is no {shown(name)} to remove",
            "null in an environment removes what is common to all",
            f"Did you mean {close}?" if close else "Remove the line.",
        )

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """An object with free keys."""
        item = self.item.schema(definitions, partial=(partial or self.deferred) and not self.whole)
        keys = {name: value for name, value in self.key.json.items() if name in ("pattern", "not")}
        return {
            "type": "object",
            "propertyNames": keys,
            "additionalProperties": any_of(item, {"type": "null"}) if partial or self.deferred else item,
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class Said:
    """What a mapping says: the fields that were read, and the names of those that were written and cannot be.

    node: the mapping; its entries hold the places. A field that is in neither was not written (or is null).
    """

    node: Table
    values: Mapping[str, Any]
    broken: frozenset[str] = frozenset()

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, or `default` when it was not written or cannot be read."""
        return self.values.get(name, default)

    def absent(self, name: str) -> bool:
        """Whether nobody wrote the field; False as well when it cannot be read."""
        return name not in self.values and name not in self.broken

    def at(self, name: str) -> Node:
        """The node of a field, or else of the whole mapping, as the place of a problem."""
        return self.node.entries.get(name, self.node)


@dataclass(frozen=True)
class Field:
    """A key of a record. text: what it is, for editors. example: for a required one that is missing."""

    name: str
    shape: Shape
    text: str
    required: bool = False
    example: str = "…"
    default: Any = None
    """For editors, where the field has one."""


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. It reads into Said, or into what `build` makes of one without a broken field.

    short: the field that a single value stands for. elsewhere: words that people try, and where the thing is said.
    """

    name: str
    noun: str
    fields: tuple[Field, ...]
    example: str
    short: str | None = None
    build: Callable[[Said], Any] | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by their names."""
        return {each.name: each for each in self.fields}

    def read(self, node: Node, faults: Faults) -> Any:
        """Said, or what `build` makes of it; BROKEN when it is no mapping, or cannot be built."""
        known = (id(self), id(node))
        if known not in faults.memory:
            faults.memory[known] = (node, self._read(node, faults))
        return faults.memory[known][1]

    def _read(self, node: Node, faults: Faults) -> Any:
        if isinstance(node, Scalar) and not node.null and self.short is not None:
            return self._finished(Table({self.short: node}, node.line, node.path), faults)
        if not isinstance(node, Table):
            what = f"{kind(node)} stands where {self.noun} belongs"
            faults.add(node, what, f"{self.noun} says {listed(self.by_name)}", f"Use {self.example}.")
            return BROKEN
        return self._finished(node, faults)

    def _finished(self, node: Table, faults: Faults) -> Any:
        said = self._said(node, faults)
        if self.build is None:
            return said
        if said.broken:
            return BROKEN
        try:
            return self.build(said)
        except Wrong as wrong:
            what = wrong.what or f"this is not {self.noun}"
            faults.add(
                node, what, wrong.why or f"{self.noun} says {listed(self.by_name)}", wrong.fix or f"Use {wrong.meant}."
            )
            return BROKEN

    def _said(self, node: Table, faults: Faults) -> Said:
        values: dict[str, Any] = {}
        broken: set[str] = set()
        for name, child in node.entries.items():
            known = self.by_name.get(name)
            if known is None:
                meant = self._unknown(name, child, node, faults)
                if meant is not None and meant not in node.entries:
                    broken.add(meant)
            elif not child.null:
                value: Any = known.shape.read(child, faults)
                if value is BROKEN:
                    broken.add(name)
                else:
                    values[name] = value
        for name, child in node.doubles:
            if name in self.by_name and not child.null:
                self.by_name[name].shape.read(child, faults)
        for each in self.fields:
            if each.required and each.name not in values and each.name not in broken:
                why = f"{self.noun} is not complete without it"
                faults.add(node, f"{each.name} is missing", why, f"Add `{each.name}: {each.example}`.")
                broken.add(each.name)
        return Said(node, values, frozenset(broken))

    def _unknown(self, name: str, child: Node, node: Table, faults: Faults) -> str | None:
        """Note an unknown key. The field that it was most likely meant to be."""
        advice = self.elsewhere.get(name.lower())
        if advice in self.by_name:
            close, fix = advice, f"Did you mean {advice}?"
        elif advice:
            close, fix = None, advice
        else:
            close = faults.near(name, self.by_name.keys())
            fix = f"Did you mean {close}?" if close else "Remove it, or correct its name."
        why = f"{self.noun} has no such field" if close or advice else f"{self.noun} says {listed(self.by_name)}"
        faults.add(child, f"{shown(name)} is not known here", why, fix)
        return close

    def schema(self, definitions: Schema, *, partial: bool) -> Schema:
        """A reference to the definition of this record; with a short form, either."""
        name = f"{self.name}-override" if partial else self.name
        if name not in definitions:
            definitions[name] = {}  # stands for itself while its fields are described
            definitions[name] = self._definition(definitions, partial=partial)
        reference = {"$ref": f"#/$defs/{name}"}
        if self.short is None:
            return reference
        return any_of(self.by_name[self.short].shape.schema(definitions, partial=partial), reference)

    def _definition(self, definitions: Schema, *, partial: bool) -> Schema:
        required = [each.name for each in self.fields if each.required and not partial]
        properties = {}
        for each in self.fields:
            described = each.shape.schema(definitions, partial=partial)
            if each.name not in required:
                described = any_of(described, {"type": "null"})
            described = {"description": each.text, **described}
            if each.default is not None and not partial:
                described["default"] = each.default
            properties[each.name] = described
        definition: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            definition["required"] = required
        return definition


def _overrides(node: Node) -> bool:
    return node.path.startswith("environments/")
