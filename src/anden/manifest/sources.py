"""Single values that say what an instance runs: images, builds, commands."""

import re
import shlex
from pathlib import PurePosixPath

from anden.manifest.faults import Wrong
from anden.manifest.node import Scalar
from anden.manifest.shape import Leaf
from anden.manifest.wording import shown

LONGEST_COMMAND = 10_000
"""Characters of a command in one line."""

_IMAGE = re.compile(
    r"(?=.{1,255}$)(?P<name>(?:[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?P<version>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)


def _image(scalar: Scalar) -> str:
    found = _IMAGE.fullmatch(scalar.text)
    if found is None:
        lower = re.sub(r"^[a-z]+://|\s+", "", scalar.text.lower())
        raise Wrong(meant=lower)
    if not found["version"] and not found["digest"]:
        raise Wrong(
            f"Add one, such as {found['name']}:1.0.0 (or {found['name']}:latest, for whatever that is at the time).",
            what=f"{shown(scalar.text)} names no version",
            why="an image is named by a tag or a digest, so that one knows what runs",
        )
    return scalar.text


IMAGE = Leaf(
    "an image",
    "an image is a name with a tag or a digest, in small letters",
    "accounts:1.4.2",
    _image,
    {"type": "string", "pattern": "^" + re.sub(r"\?P<\w+>", "?:", _IMAGE.pattern) + "$"},
)


def _build(scalar: Scalar) -> str:
    path = scalar.text
    if path.startswith(("/", "~")) or "\\" in path or "://" in path:
        raise Wrong(what=f"{shown(path)} holds on one machine only" if path.startswith(("/", "~")) else None)
    if not path or not path.isprintable() or len(path) > 1024:
        raise Wrong
    return str(PurePosixPath(path))


KEYS = Leaf(
    "a file of keys",
    "keys are a file of public keys (JWKS), relative to the manifest",
    "keys/customers.json",
    _build,
    {"type": "string", "minLength": 1, "pattern": "^[^/~]"},
)
BUILD = Leaf(
    "a folder to build",
    "a build is a folder with a Containerfile, relative to the manifest's",
    "./accounts",
    _build,
    {"type": "string", "minLength": 1, "pattern": "^[^/~]"},
)

WORD = Leaf("a word of a command", "a command is words", "serve", lambda scalar: scalar.text, {"type": "string"})


def _command(scalar: Scalar) -> tuple[str, ...]:
    if len(scalar.text) > LONGEST_COMMAND:
        raise Wrong(
            "Put it in a file of the image, and run that.",
            what=f"the command has {len(scalar.text):,} characters",
            why=f"a command has at most {LONGEST_COMMAND:,}",
        )
    try:
        words = tuple(shlex.split(scalar.text))
    except ValueError as error:
        raise Wrong(
            "Close the quotation, or write a list of words.",
            what="the command cannot be divided into words",
            why=f"it is read as a shell reads it: {str(error).lower()}",
        ) from None
    if not words:
        raise Wrong
    return words


COMMAND = Leaf(
    "a command",
    "a command is its words, as one line or as a list; no shell runs it",
    "python -m accounts",
    _command,
    {"type": "string", "minLength": 1},
)
