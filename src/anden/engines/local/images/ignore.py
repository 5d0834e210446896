"""Which files of a build context stay out of it: .containerignore, or else .dockerignore. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FILES = (".containerignore", ".dockerignore")
"""In order of preference, as buildah has it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over `/`-separated relative paths; `keeps` for a line that began with `!`."""

    pattern: re.Pattern[str]
    keeps: bool


def rules(text: str) -> tuple[Rule, ...]:
    """One for each line that is neither empty nor a comment."""
    found = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        body = line.lstrip("!").strip().strip("/").removeprefix("./")
        if body and body != ".":
            found.append(Rule(re.compile(_translate(body)), keeps))
    return tuple(found)


def ignored(path: str, among: Sequence[Rule]) -> bool:
    """Whether the last rule that matches `path`, or a folder that it lies in, keeps it out."""
    parts = path.split("/")
    heads = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    out = False
    for rule in among:
        if out == rule.keeps and any(rule.pattern.fullmatch(head) for head in heads):
            out = not rule.keeps
    return out


def _translate(body: str) -> str:
    """`**` is any number of folders, `*` and `?` stay within one name, `[…]` is a set."""
    out, at = "", 0
    while at < len(body):
        if body.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif body.startswith("**", at):
            out, at = out + ".*", at + 2
        elif body[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif body[at] == "?":
            out, at = out + "[^/]", at + 1
        elif body[at] == "[" and (end := body.find("]", at + 2)) > 0:
            inner = body[at + 1 : end].replace("\\", "\\\\")
            out, at = out + "[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]", end + 1
        else:
            at += body[at] == "\\" and at + 1 < len(body)
            out, at = out + re.escape(body[at]), at + 1
    return out
