"""Where a command acts: the folder, its manifest, the client and the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anden import manifest
from anden.beside import Beside
from anden.cli.options import Said
from anden.manifest import patches
from anden.model.ids import EngineName
from anden.model.mark import Marks
from anden.model.override import Override
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology

FILE = "anden.yaml"
OVERRIDES = "overrides"
"""The folder beside it."""
MOST_MANIFEST_BYTES = 4 << 20
"""A manifest of 1,000 services is under 1 MiB."""
_CLIENT = re.compile(r"^client:\s*[\"']?([A-Za-z0-9][A-Za-z0-9-]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is written, for one environment on AWS, and where."""

    topology: Topology
    marks: Marks
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """`text` and `read` None: there is no manifest, or (`problems`) it is wrong."""

    folder: Path
    file: str
    client: str
    environment: str | None
    engine: EngineName
    text: str | None = None
    read: manifest.Manifest | None = None
    problems: tuple[Problem, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    """Files of issuers' public keys that the manifest names, name to text."""

    def at(self, *, with_manifest: bool = True) -> dict[str, Any]:
        """For the API."""
        return {
            "client": self.client, "environment": self.environment, "engine": str(self.engine),
            "folder": str(self.folder), "manifest": self.text if with_manifest and self.read else None,
            "file": self.file, "overrides": overrides(self.folder) if self.engine is EngineName.AWS else {},
            "keys": dict(self.keys) if with_manifest and self.read else {},
        }  # fmt: skip

    @property
    def topology(self) -> Topology | None:
        """What the manifest means for the environment, if both are known."""
        return self.read.topologies.get(self.environment) if self.read and self.environment else None

    def meaning(self) -> Meaning:
        """What a right manifest and the overrides beside it mean for the environment. Raises Problems: it has none of
        this name, or the overrides are wrong."""
        topology = self.topology
        if self.read is None or topology is None:
            known = ", ".join(self.read.environments) if self.read else ""
            what = "the manifest has none of this name"
            raise Problems(Problem(f"environment {self.environment}", what, known, "Choose one of these with -e."))
        name = topology.environment
        patched = patches.read(overrides(self.folder), name, self.read.environments)
        return Meaning(topology, {**self.read.marks[name], **patched.marks}, patched.overrides)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the manifest's services."""
        return tuple(service.name for service in self.topology.services) if self.topology else ()


def locate(said: Said, argument: Path | None) -> tuple[Path, str]:
    """The folder and the file's name; a manifest given as a file is taken as its folder. Raises Problems when a folder
    is said twice, differently."""
    if argument is not None and said.folder is not None and argument.resolve() != said.folder.resolve():
        raise Problems(
            Problem("the folder", f"said twice: {argument} and -C {said.folder}", "a command acts on one", "Leave one.")
        )
    folder = argument or said.folder or Path()
    if folder.is_file():
        return folder.resolve().parent, folder.name
    return folder.resolve(), FILE


def text_of(folder: Path, file: str) -> str:
    """The manifest's text. Raises Problems when it cannot be read."""
    path = folder / file
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise Problems(
                Problem(str(path), f"larger than {MOST_MANIFEST_BYTES >> 20} MB", "no manifest is", "Use another.")
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Problems(missing(folder, file)) from error
    except UnicodeDecodeError as error:
        raise Problems(
            Problem(str(path), "not text in UTF-8", f"byte {error.start} cannot be read", "Save it as UTF-8.")
        ) from error
    except OSError as error:
        raise Problems(Problem(str(path), "cannot be read", error.strerror or str(error), "Check its mode.")) from error


def overrides(folder: Path) -> dict[str, str]:
    """The files of overrides beside a manifest, name to text; only AWS's stacks can be overridden. Raises Problems when
    one cannot be read."""
    found = sorted(each for each in (folder / OVERRIDES).glob("*") if each.suffix in (".yaml", ".yml"))
    return {f"{OVERRIDES}/{each.name}": text_of(folder / OVERRIDES, each.name) for each in found}


def missing(folder: Path, file: str) -> Problem:
    """There is no manifest."""
    if not folder.is_dir():
        return Problem(str(folder), "no such folder", fix="Check the spelling.")
    near = next((name for name in ("anden.yml", "Anden.yaml", "anden.yaml.txt") if (folder / name).is_file()), None)
    fix = f"Rename {near} to {file}." if near else "`anden init` writes one; -C FOLDER names another folder."
    return Problem(str(folder), f"no {file} in it", "a manifest says what an environment is", fix)


def with_manifest(said: Said, argument: Path | None = None) -> Place:
    """Where a command acts that needs a right manifest. Raises Problems, with all of the manifest's."""
    place = anywhere(said, argument)
    if place.problems:
        raise Problems(place.problems)
    if place.read is None:
        raise Problems(missing(place.folder, place.file))
    return place


def anywhere(said: Said, argument: Path | None = None) -> Place:
    """Where a command acts that works without a manifest, or with a wrong one, when the environment is named.
    Raises Problems when it is not clear which client or environment is meant."""
    folder, file = locate(said, argument)
    if said.client and not (folder / file).is_file():
        if not said.environment:
            raise Problems(Problem("--client", "the environment is missing", "no manifest says it", "Add -e NAME."))
        return Place(folder, file, said.client, said.environment, said.on)
    text = text_of(folder, file)
    beside = Beside(folder)
    try:
        client = said.client or manifest.client_name(folder.name)
        read = manifest.read(text, file, client=client, keys=beside.text)
    except Problems as found:
        client = said.client or client_of(text, folder)
        return Place(folder, file, client, said.environment, said.on, text, None, found.problems)
    environment = said.environment or read.default_environment()
    return Place(folder, file, read.client, environment, said.on, text, read, keys=beside.texts)


def running(said: Said, argument: Path | None = None) -> Place:
    """Where a command acts that is about what runs: a wrong manifest is no hindrance, if the environment is named."""
    place = anywhere(said, argument)
    if place.environment is None:
        raise Problems(place.problems)
    return place


def client_of(text: str, folder: Path) -> str:
    """The client that a manifest names, be it right or wrong otherwise; else the folder's name."""
    named = _CLIENT.search(text)
    return named[1] if named else manifest.client_name(folder.name)
