"""A first manifest for a folder: what its Containerfiles say, and no guess about who calls whom."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from anden.manifest.names import RESERVED, YAML_WORDS, is_name, normalised

MOST_FOUND = 50
"""Containerfiles that become a service; the rest is left to people."""
CONTAINERFILES = ("Containerfile", "Dockerfile")
"""Names of the files that `Found` lists; in one folder the first wins."""
USUAL_PORT = 8080
_FRONTS = ("gateway", "web", "frontend", "www", "site", "ui", "app", "api")
"""Folders that face people, most likely first."""
_EXPOSE = re.compile(r"^[ \t]*EXPOSE[ \t]+([0-9]{1,5})(/tcp)?(?=[ \t\r]|$)", re.IGNORECASE | re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class Found:
    """What the caller found on disk. folder: the name of the manifest's folder. containerfiles: path of each
    Containerfile or Dockerfile relative to it (`Containerfile`, `api/Dockerfile`), and its text."""

    folder: str
    containerfiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Build:
    name: str
    path: str
    port: int | None


def scaffold(found: Found) -> str:
    """A manifest that `read` accepts: a service for each Containerfile, on the port that it exposes."""
    client = normalised(found.folder)
    head = ["# What runs here, and who may talk to whom. `anden check` says what is wrong, `anden up` runs it."]
    head += ["anden: 1", f"client: {client}" if client else "# client: absent, it is the folder's name", ""]
    builds = _builds(found)
    if not builds:
        return "\n".join(head + _NOTHING_FOUND) + "\n"
    front = min(builds, key=_frontness)
    lines = [*head, "services:"]
    for build in builds:
        lines += _service(build, front, builds)
    return "\n".join(lines) + "\n"


_NOTHING_FOUND = [
    "# No Containerfile or Dockerfile was found. This is a place to begin from.",
    "services:",
    "  web:",
    "    build: .          # a folder with a Containerfile; or image: NAME:TAG",
    f"    port: {USUAL_PORT}        # where it listens",
    "    route: /          # what the gateway sends to it; without a route it is internal",
    "    # instances: 1..4 # base..max; absent: 1",
    "    # reaches: [api]  # services that it may call; what is not here is blocked",
]


def _builds(found: Found) -> list[_Build]:
    """One for each folder, the manifest's own first, with names that differ."""
    folders: dict[str, str] = {}
    order = {name: index for index, name in enumerate(CONTAINERFILES)}
    for path, text in sorted(found.containerfiles.items(), key=lambda each: order.get(PurePosixPath(each[0]).name, 9)):
        folder = str(PurePosixPath(path).parent)
        usable = (
            folder.isprintable() and not folder.startswith(("/", "~")) and "\\" not in folder and "://" not in folder
        )
        if usable and len(folder) <= 512:
            folders.setdefault(folder, text)
    builds: list[_Build] = []
    taken: set[str] = set()
    for folder, text in sorted(folders.items(), key=lambda each: (each[0] != ".", each[0]))[:MOST_FOUND]:
        name = _name(folder, found.folder, taken)
        taken.add(name)
        builds.append(_Build(name, folder, _exposed(text)))
    return builds


def _name(folder: str, manifest_folder: str, taken: set[str]) -> str:
    """The folder's own name; its path's, or a numbered one, where that is taken."""
    own = "web" if folder == "." else normalised(PurePosixPath(folder).name, "service")
    for wish in (own, normalised(folder, "service"), normalised(manifest_folder) if folder == "." else "", "service"):
        name = re.sub(r"-([0-9]+)$", r"-v\1", wish)  # `api-1` is an instance of `api`
        if name not in taken and name not in RESERVED | YAML_WORDS and is_name(name):
            return name
    stem = (own or "service")[:30].rstrip("-")
    return next(name for number in range(2, MOST_FOUND + 3) if (name := f"{stem}-v{number}") not in taken)


def _exposed(text: str) -> int | None:
    """The first TCP port that the last stage exposes; the whole text's where no stage is told apart."""
    last = re.split(r"(?im)^[ \t]*FROM[ \t]", text)[-1]
    ports = [int(each[1]) for each in _EXPOSE.finditer(last)]
    return next((port for port in ports if 1 <= port <= 65535), None)


def _frontness(build: _Build) -> tuple[bool, int, str]:
    rank = _FRONTS.index(build.name) if build.name in _FRONTS else len(_FRONTS)
    return build.path != ".", rank, build.name


def _service(build: _Build, front: _Build, builds: list[_Build]) -> list[str]:
    path = build.path if build.path == "." else f"./{build.path}"  # so that it never is a word of YAML's
    if not _PLAIN.fullmatch(path):
        path = json.dumps(path, ensure_ascii=False)
    lines = [f"  {build.name}:", f"    build: {path}"]
    if build.port is None:
        lines.append(f"    port: {USUAL_PORT}   # a guess: its Containerfile exposes none; a worker has no port")
    else:
        lines.append(f"    port: {build.port}")
    if build is front:
        lines.append("    route: /    # what the gateway sends to it")
        others = [other.name for other in builds if other is not build][:4]
        if others:
            lines.append(f"    # reaches: [{', '.join(others)}]   # whom it may call; what is not here is blocked")
    else:
        lines.append("    # no route: internal, for those whose `reaches` names it")
    return lines
