"""Override files: text to operations on stacks, or every problem in them.

stack: network                  # the family of the stack
why: the auditor asks for it    # for people
environments: [production]      # absent: all
patch:
  - { op: replace, path: /Resources/Vpc/Properties/EnableDnsHostnames, value: false }
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from anden.manifest.document import parse
from anden.manifest.faults import Faults
from anden.manifest.node import Listing, Node, Scalar, Table, kind
from anden.manifest.wording import listed, shown
from anden.model.mark import Mark, Marks
from anden.model.override import Operation, Override, mark_of
from anden.model.problem import Problem, Problems

MOST_FILES = 100
"""Override files of one manifest; who needs more needs another tool."""
MOST_OPERATIONS = 1_000
"""Operations of one file."""
KEYS = ("stack", "why", "environments", "patch")
FIELDS = ("op", "path", "value", "from")
NEEDS: Mapping[str, str | None] = {
    "add": "value", "replace": "value", "test": "value", "remove": None, "move": "from", "copy": "from",
}  # fmt: skip
"""Operation to the field that it needs beside its path (RFC 6902, section 4)."""
EXAMPLE = "{ op: replace, path: /Resources/NAME/Properties/PROPERTY, value: … }"

_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Patches:
    """What the files mean for one environment: an override for each stack, sorted by stack. marks: where each operation
    was written, by model.override.mark_of."""

    overrides: tuple[Override, ...]
    marks: Marks


def read(files: Mapping[str, str], environment: str, environments: Collection[str]) -> Patches:
    """The files' meaning for `environment`. files: name to text; they count in the order of their names. environments:
    all that the manifest has. Raises Problems with every problem in all of them."""
    if len(files) > MOST_FILES:
        what = f"there are {len(files):,} of them"
        raise Problems(Problem("overrides", what, f"at most {MOST_FILES}", "Put patches of one stack in one file."))
    problems: list[Problem] = []
    found: dict[str, list[tuple[Operation, Mark]]] = {}
    for name, text in sorted(files.items()):
        faults = Faults(name)
        try:
            said = _file(parse(text, faults), faults, environments)
            faults.raise_any()
        except Problems as refused:
            problems += refused.problems
            continue
        if said is not None and (said.environments is None or environment in said.environments):
            found.setdefault(said.stack, []).extend(said.operations)
    if problems:
        raise Problems(problems)
    return Patches(
        tuple(Override(stack, tuple(each for each, _ in given)) for stack, given in sorted(found.items())),
        {mark_of(stack, index): mark for stack, given in found.items() for index, (_, mark) in enumerate(given)},
    )


@dataclass(frozen=True, slots=True)
class _File:
    stack: str
    operations: list[tuple[Operation, Mark]]
    environments: frozenset[str] | None


def _file(root: Node, faults: Faults, environments: Collection[str]) -> _File | None:
    if not isinstance(root, Table):
        what = "the file is empty" if root.null else f"the file is {kind(root)}"
        faults.add(root, what, f"an override says {listed(KEYS)}", "Begin with `stack: NAME` and `patch:`.")
        return None
    _unknown(root, KEYS, "an override", faults)
    stack = _text(root, "stack", "network", faults)
    patch = root.entries.get("patch")
    if not isinstance(patch, Listing) or not patch.items:
        at = patch if patch is not None else root
        faults.add(at, "there is no list of operations", "patch is what is done", f"Add `patch: [{EXAMPLE}]`.")
        return None
    if len(patch.items) > MOST_OPERATIONS:
        what = f"{len(patch.items):,} operations stand here"
        faults.add(patch, what, f"at most {MOST_OPERATIONS:,}", "Divide the file, or render the stacks and edit them.")
        return None
    operations = [_operation(each, faults) for each in patch.items]
    named = _environments(root.entries.get("environments"), environments, faults)
    if stack is None:
        return None
    return _File(stack, [each for each in operations if each is not None], named)


def _environments(node: Node | None, known: Collection[str], faults: Faults) -> frozenset[str] | None:
    if node is None or node.null:
        return None
    items = node.items if isinstance(node, Listing) else (node,)
    names = [each.text for each in items if isinstance(each, Scalar)]
    for each in items:
        if not isinstance(each, Scalar):
            faults.add(each, f"{kind(each)} stands where a name belongs", "environments are named", "Use [production].")
        elif each.text not in known:
            close = faults.near(each.text, known)
            fix = f"Did you mean {close}?" if close else "Choose one of these."
            faults.add(each, f"there is no environment {shown(each.text)}", f"the manifest has {listed(known)}", fix)
    return frozenset(names)


def _operation(node: Node, faults: Faults) -> tuple[Operation, Mark] | None:
    if not isinstance(node, Table):
        faults.add(node, f"{kind(node)} stands where an operation belongs", "each says what it does", f"Use {EXAMPLE}.")
        return None
    _unknown(node, FIELDS, "an operation", faults)
    op, path = _text(node, "op", "replace", faults), _text(node, "path", "/Resources/…", faults)
    if op is not None and op not in NEEDS:
        close = faults.near(op, NEEDS)
        fix = f"Did you mean {close}?" if close else "Use one of these."
        faults.add(node.entries["op"], f"{shown(op)} is no operation", f"JSON Patch has {listed(NEEDS)}", fix)
        op = None
    origin = _text(node, "from", "/Resources/…", faults) if "from" in node.entries or op in ("move", "copy") else None
    for name, pointer in (("path", path), ("from", origin)):
        if pointer is not None and not _POINTER.fullmatch(pointer):
            why = "a pointer is names with a / before each; a / in a name is ~1, a ~ is ~0"
            faults.add(node.entries[name], f"{shown(pointer)} is not a pointer", why, "Use /Resources/NAME/….")
            return None
    needed = NEEDS.get(op) if op is not None else None
    if needed == "value" and "value" not in node.entries:
        faults.add(node, f"{op} has no value", f"{op} puts or expects one", "Add `value: …`.")
        return None
    if op is None or path is None or (needed == "from" and origin is None):
        return None
    value = json.dumps(_json(node.entries["value"]), sort_keys=True, ensure_ascii=False) if needed == "value" else None
    return Operation(op, path, value, origin if needed == "from" else None), faults.place(node)


def _unknown(node: Table, known: Collection[str], noun: str, faults: Faults) -> None:
    for name, child in node.entries.items():
        if name not in known:
            close = faults.near(name, known)
            fix = f"Did you mean {close}?" if close else "Remove it."
            faults.add(child, f"{shown(name)} is not known here", f"{noun} says {listed(known)}", fix)


def _text(node: Table, key: str, example: str, faults: Faults) -> str | None:
    found = node.entries.get(key)
    if isinstance(found, Scalar) and not found.null:
        return found.text
    what = f"{key} is missing" if found is None or found.null else f"{kind(found)} stands where {key} belongs"
    faults.add(found if found is not None else node, what, "nothing is done without it", f"Add `{key}: {example}`.")
    return None


def _json(node: Node) -> Any:
    """The JSON value that a node is."""
    if isinstance(node, Table):
        return {name: _json(child) for name, child in node.entries.items()}
    if isinstance(node, Listing):
        return [_json(child) for child in node.items]
    return _plain(node.text, null=node.null) if node.plain else node.text


def _plain(text: str, *, null: bool) -> Any:
    """A word without quotes, as YAML 1.2 reads it: `true` and `5` are no text, `on` and `08` are."""
    if null or text in _WORDS:
        return _WORDS.get(text)
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
