"""Text to a tree of nodes: YAML's syntax, and nothing of what it means.

Read from the parser's events (four times as fast as its nodes), with the C parser where the machine has it. Aliases
are copied where they are used, so that each place has a path of its own; the copies count, so that nothing explodes.
"""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from anden.manifest.faults import Faults
from anden.manifest.node import Listing, Node, Scalar, Table, join
from anden.manifest.wording import shown
from anden.model.mark import Mark
from anden.model.problem import Problem, Problems

LONGEST_TEXT = 2_000_000
"""Characters; a manifest of 1,000 services has about 400,000."""
MOST_NODES = 400_000
"""Values in a manifest, aliases counted where they are used; 1,000 services have about 20,000."""
DEEPEST = 24
"""Levels; the deepest of the schema (environments/E/services/S/route/path) has 6."""

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


def parse(text: str, faults: Faults) -> Node:
    """The tree of `text`. Raises Problems with the one problem behind which nothing can be read; duplicate keys,
    tags, merge keys and strange keys are noted in `faults`, and reading goes on."""
    text = text.removeprefix("\ufeff")
    if len(text) > LONGEST_TEXT:
        _stop(
            faults,
            1,
            f"the text has {len(text):,} characters",
            f"a manifest has at most {LONGEST_TEXT:,}",
            "Divide it: one manifest for each client.",
        )
    unreadable = _UNREADABLE.search(text)
    if unreadable:
        _stop(
            faults,
            len(_LINE_ENDS.findall(text, 0, unreadable.start())) + 1,
            f"the character U+{ord(unreadable[0]):04X} cannot stand in a manifest",
            "YAML is text: control characters and halves of characters are none",
            "Remove it, and save the file as UTF-8.",
        )
    try:
        return _Builder(text, faults).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = len(_LINE_ENDS.findall(text.rstrip())) + 1
        line = min(mark.line + 1, last) if mark else last
        what, why, fix = _syntax(str(error.problem), str(error.context or ""), _line(text, line))
        _stop(faults, line, what, why, fix)


def _stop(faults: Faults, line: int, what: str, why: str, fix: str) -> NoReturn:
    raise Problems(Problem(str(Mark(faults.file, line)), what, why, fix))


def _line(text: str, line: int) -> str:
    lines = _LINE_ENDS.split(text)
    return lines[line - 1] if line <= len(lines) else ""


_TAB = ("a tab stands in the indentation", "YAML indents with spaces only", "Use two spaces for each level.")
_SAID = (
    (
        "cannot start any token",
        "a value begins with a sign that YAML keeps for itself",
        "@, `, % and a tab begin no plain value",
        'Put the value in quotes: "…".',
    ),
    (
        "mapping values are not allowed",
        "a colon stands where no value can begin",
        "the line is indented deeper than its neighbours, or a value with `: ` in it has no quotes",
        "Align it with the line before, or put the value in quotes.",
    ),
    (
        "quoted scalar",
        "a quoted value does not end, or has an escape that YAML does not know",
        "a value in quotes runs to the same quote, and in double quotes a backslash begins an escape",
        "Close the quote, or use single quotes.",
    ),
    (
        "parsing a flow",
        "a bracket is not closed",
        "what begins with { or [ runs to } or ], its parts divided by commas",
        "Close it, or put a comma between the parts.",
    ),
    (
        "parsing a block",
        "the line does not fit the lines before it",
        "entries of one level begin in the same column, and are all `key: value` or all `- item`",
        "Align it with its level.",
    ),
)
"""What the parser says, and what a person can do about it."""


def _syntax(problem: str, context: str, line: str) -> tuple[str, str, str]:
    """What, why and fix; the line itself is not repeated: it may hold anything."""
    said = f"{context}, {problem}" if context else problem
    indent = line[: len(line) - len(line.lstrip())]
    if "tab" in problem or ("cannot start any token" in problem and "\t" in indent):
        return _TAB
    for part, what, why, fix in _SAID:
        if part in said:
            return what, why, fix
    return "the line is not YAML", f"the parser says: {said}", "Correct the line, or the one before it."


class _Builder:
    def __init__(self, text: str, faults: Faults) -> None:
        self.events = self._events(text)
        self.faults = faults
        self.anchors: dict[str, Node | None] = {}
        """None while the value itself is being read: an alias in it would contain itself."""
        self.count = 0

    @staticmethod
    def _events(text: str) -> Iterator[Any]:
        loader = _LOADER(text)
        try:
            while (event := loader.get_event()) is not None:
                yield event
        finally:
            loader.dispose()

    def document(self) -> Node:
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Scalar("", 1, "")
        node = self.value(next(self.events), "", 1, 0)
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            line = after.start_mark.line + 1
            self.faults.add(
                Scalar("", line, ""),
                "a second document begins",
                "a file is one manifest",
                "Remove the line `---` and what follows, or move it to a file of its own.",
            )
            for _ in self.events:  # whatever is left must at least be YAML
                pass
        return node

    def counted(self, line: int, depth: int) -> None:
        self.count += 1
        if self.count > MOST_NODES:
            _stop(
                self.faults,
                line,
                f"the manifest has more than {MOST_NODES:,} values",
                "aliases count wherever they are used",
                "Use fewer aliases, or divide the manifest.",
            )
        if depth > DEEPEST:
            _stop(
                self.faults,
                line,
                f"values are nested more than {DEEPEST} levels deep",
                "no part of a manifest is",
                "Remove brackets or levels.",
            )

    def value(self, event: Any, path: str, line: int, depth: int) -> Node:
        self.counted(line, depth)
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor is None and event.tag is None:
                return Scalar(event.value, line, path, event.implicit[0])
            node: Node = Scalar(event.value, line, path, event.implicit[0])
        elif isinstance(event, yaml.AliasEvent):
            return self.aliased(event, path, line, depth)
        else:
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            is_table = isinstance(event, yaml.MappingStartEvent)
            node = self.table(path, line, depth) if is_table else self.listing(path, line, depth)
        if event.tag is not None:
            self.faults.add(
                node,
                f"the tag {shown(event.tag.replace('tag:yaml.org,2002:', '!!'))} means nothing here",
                "a manifest's schema says what each value is",
                "Remove the tag; quotes make a value text.",
            )
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def table(self, path: str, line: int, depth: int) -> Table:
        entries: dict[str, Node] = {}
        doubles: list[tuple[str, Node]] = []
        merged: list[Table] = []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            here = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None:
                self.strange_key(event, path, here, depth)
                continue
            key = event.value
            if key == "<<" and event.implicit[0]:
                merged += self.merge_key(path, here, depth)
                continue
            node = self.value(next(self.events), join(path, key), here, depth + 1)
            if key in entries:
                self.faults.add(
                    node,
                    f"{shown(key)} stands here twice",
                    f"the first is in line {entries[key].line}, and only one of them could count",
                    "Remove one of the two, or rename it.",
                )
                doubles.append((key, node))
            else:
                entries[key] = node
        for table in merged:
            for key, node in table.entries.items():
                entries.setdefault(key, node)
        return Table(entries, line, path, tuple(doubles))

    def merge_key(self, path: str, line: int, depth: int) -> list[Table]:
        """What `<<: *other` or `<<: [*one, *other]` adds where nothing else is said, as YAML 1.1 has it."""
        node = self.value(next(self.events), path, line, depth + 1)
        given = node.items if isinstance(node, Listing) else (node,)
        tables = [each for each in given if isinstance(each, Table)]
        if len(tables) < len(given):
            self.faults.add(
                Scalar("", line, path),
                "<< adds something that is no mapping",
                "it adds the entries of other mappings",
                "Write `<<: *name`, with &name at a mapping.",
            )
        return tables

    def strange_key(self, event: Any, path: str, line: int, depth: int) -> None:
        node = self.value(event, path, line, depth + 1)
        self.value(next(self.events), path, line, depth + 1)
        self.faults.add(
            Scalar("", line, path),
            f"a key is {'an alias or an anchor' if isinstance(node, Scalar) else 'not a name'}",
            "keys are plain names",
            "Write the name itself, as `name: value`.",
        )

    def listing(self, path: str, line: int, depth: int) -> Listing:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = event.start_mark.line + 1
            named = isinstance(event, yaml.ScalarEvent) and event.value and "/" not in event.value
            items.append(self.value(event, join(path, event.value) if named else path, here, depth + 1))
        return Listing(tuple(items), line, path)

    def aliased(self, event: Any, path: str, line: int, depth: int) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self.anchors
            _stop(
                self.faults,
                line,
                f"*{event.anchor} {'stands in the value that it names' if inside else 'names nothing'}",
                "an alias repeats a value that stands before it, marked by &" + event.anchor,
                "Write the value out." if inside else f"Mark the value with &{event.anchor}, or write it out.",
            )
        return self.copied(node, path, line, depth)

    def copied(self, node: Node, path: str, line: int, depth: int) -> Node:
        """The value of an alias: at the place of its use, what is in it in the lines where it was written."""
        self.counted(line, depth)
        if isinstance(node, Scalar):
            return Scalar(node.text, line, path, node.plain)
        if isinstance(node, Listing):
            rest = [(item, path + item.path.removeprefix(node.path)) for item in node.items]
            return Listing(tuple(self.copied(item, at, item.line, depth + 1) for item, at in rest), line, path)
        entries = {key: self.copied(item, join(path, key), item.line, depth + 1) for key, item in node.entries.items()}
        return Table(entries, line, path)
