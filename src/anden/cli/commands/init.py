"""`anden init`."""

from pathlib import Path

import click

from anden import manifest
from anden.cli import place, terminal
from anden.cli.options import Words, common
from anden.cli.render.words import count
from anden.model.problem import Problem, Problems

MOST_ENTRIES = 2_000
"""Folders and files looked at; enough for any project's top, and quick on all."""
MOST_BYTES = 64 << 10
"""Of a Containerfile; no real one is longer."""
DEEPEST = 3
"""Levels of folders below the manifest's."""
CONTAINERFILES = ("Containerfile", "Dockerfile")
FOREIGN = {"node_modules", "vendor", "venv", "target", "dist", "build", "__pycache__"}
"""Folders of what others wrote, or a tool."""


@click.command("init")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--print", "show", is_flag=True, help="Print the manifest on stdout; write nothing.")
@common("folder", "json")
@click.pass_obj
def command(words: Words, folder: Path | None, show: bool) -> None:
    """Write a small, true manifest for the FOLDER you stand in.

    It lists what was found: folders with a Containerfile or Dockerfile become services that are built.
    An anden.yaml that is there already is never overwritten.
    """
    where, file = place.locate(words.said, folder)
    path = where / file
    if path.exists() and not show:
        raise Problems(Problem(str(path), "is there already", "it is never overwritten", "Edit it, or use --print."))
    if not where.is_dir():
        raise Problems(place.missing(where, file))
    text = manifest.scaffold(found_in(where))
    if show:
        terminal.data([text.rstrip("\n")])
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problems(Problem(str(path), "cannot be written", error.strerror or str(error), "Use --print.")) from error
    services = next(
        iter(manifest.read(text, file, client=manifest.client_name(where.name)).topologies.values())
    ).services
    if words.said.json:
        terminal.as_json({"file": str(path), "services": [each.name for each in services]})
        return
    terminal.data([f"{path}: {count(len(services), 'service')}", "Try: anden check, then anden up"])


def found_in(folder: Path) -> manifest.Found:
    """The Containerfiles in the folder and DEEPEST levels below; hidden folders and others' code left out."""
    texts: dict[str, str] = {}
    folders, seen = [(folder, 0)], 0
    while folders and seen < MOST_ENTRIES:
        here, depth = folders.pop(0)
        try:
            entries = sorted(here.iterdir())
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if entry.name in CONTAINERFILES and entry.is_file():
                texts[entry.relative_to(folder).as_posix()] = beginning(entry)
            elif depth < DEEPEST and entry.is_dir() and not entry.is_symlink() and _ours(entry.name):
                folders.append((entry, depth + 1))
    return manifest.Found(folder.name, texts)


def _ours(name: str) -> bool:
    return not name.startswith(".") and name not in FOREIGN


def beginning(path: Path) -> str:
    """The first MOST_BYTES of a file as text; nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
